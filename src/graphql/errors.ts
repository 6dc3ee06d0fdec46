// Errors on their way to a client: expected ones with their code, all others masked and logged once.

import { GraphQLError } from 'graphql'
import { errorCodes, ParleyError } from '../errors.ts'
import type { Log } from '../log.ts'
import { isTransient } from '../store/postgres.ts'

/** The error beneath GraphQL's wrapping. */
function originOf(error: unknown): unknown {
  let origin = error
  while (origin instanceof GraphQLError && origin.originalError) origin = origin.originalError
  return origin
}

/** Finds or makes the expected failure that an error with this origin and message stands for; null for a bug. */
function expected(origin: unknown, message: string): ParleyError | null {
  if (origin instanceof ParleyError) return origin
  if (origin instanceof GraphQLError) {
    // What the engine itself says of a document or its variables.
    const code = /^(Variable|Argument|Expected value)/.test(message) ? 'BAD_INPUT' : 'OPERATION_REFUSED'
    return new ParleyError(code, message)
  }
  if (isTransient(origin))
    return new ParleyError('UNAVAILABLE', 'The database gave no answer', { cause: origin, retryAfterMs: 1_000 })
  return null
}

/** The error as a client sees it. A bug is logged here, once, and masked; so is the cause of an outage. */
export function clientError(error: unknown, requestId: string, log: Log): GraphQLError {
  if (error instanceof GraphQLError && String(error.extensions.code) in errorCodes) return error // told before
  const origin = originOf(error)
  const failure = expected(origin, error instanceof Error ? error.message : '')
  if (!failure) log.error({ err: origin, requestId }, 'a request failed in a way nobody expected')
  else if (failure.code === 'UNAVAILABLE') log.warn({ err: failure.cause ?? failure, requestId }, failure.message)
  const told = error instanceof GraphQLError ? error : null
  // The status and headers that Yoga wants for its own refusals (of a GET, of a body that is no operation).
  const http = told?.extensions.http
  return new GraphQLError(failure?.message ?? 'The server failed; the fault was logged', {
    nodes: told?.nodes ?? null,
    path: told?.path ?? null,
    source: told?.source ?? null,
    positions: told?.positions ?? null,
    extensions: {
      ...(failure ? extensionsOf(failure) : { code: 'INTERNAL', retryable: false, requestId }),
      ...(http === undefined ? {} : { http }),
    },
  })
}

/** What stands beside the message of an expected failure. */
function extensionsOf(failure: ParleyError): Record<string, unknown> {
  const { code, isRetryable: retryable, argument, retryAfterMs } = failure
  return {
    code,
    retryable,
    ...(argument === undefined ? {} : { argument }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  }
}
