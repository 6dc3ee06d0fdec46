// Converts errors for clients: expected ones keep their code, all others are masked and logged once.

import { type ExecutionResult, GraphQLError } from 'graphql'
import { errorCodes, ParleyError } from '../errors.ts'
import type { Log } from '../log.ts'
import { isTransient } from '../store/postgres.ts'
import type { Context } from './context.ts'
import { withPlaces } from './source.ts'

/** The longest message, in UTF-16 units. The engine's messages quote invalid values of any length. */
const messageMax = 1_000

/** The error inside GraphQL's wrappers. */
function originOf(error: unknown): unknown {
  let origin = error
  while (origin instanceof GraphQLError && origin.originalError) origin = origin.originalError
  return origin
}

/** The beginnings of the engine's messages about a value, in the document or in its variables. */
const ofValues =
  /^(Variable|Argument|Expected value|(Int|Float|String|Boolean|ID|Enum ".+") cannot represent|Value ".*" does not exist in|Field ".+" of required type)/

/** The argument that the engine's message about a variable names, as a path: `input.until`, `ids.3`. */
function argumentIn(message: string): string | undefined {
  const [, name] = /^Variable "\$(\w+)" got invalid value /.exec(message) ?? []
  return name && (/^.* at "([\w.[\]]+)"; /s.exec(message)?.[1]?.replaceAll(/\[(\d+)\]/g, '.$1') ?? name)
}

/** Finds or creates the expected failure for an error with this origin and message; null for a bug. */
function expected(origin: unknown, message: string): ParleyError | null {
  const argument = argumentIn(message)
  if (origin instanceof ParleyError) {
    const isScalar = origin.code === 'BAD_INPUT' && origin.argument === undefined && argument !== undefined
    return isScalar ? new ParleyError(origin.code, origin.message, { argument }) : origin
  }
  if (origin instanceof GraphQLError) {
    // An error of the engine itself, about a document or its variables.
    const code = ofValues.test(message) ? 'BAD_INPUT' : 'OPERATION_REFUSED'
    return new ParleyError(code, message, argument === undefined ? {} : { argument })
  }
  if (isTransient(origin))
    return new ParleyError('UNAVAILABLE', 'The database did not answer.', { cause: origin, retryAfterMs: 1_000 })
  return null
}

/** A result with its errors as a client sees them. */
export function withClientErrors(result: ExecutionResult, { app, requestId }: Context): ExecutionResult {
  const { errors } = result
  return errors ? { ...result, errors: errors.map((error) => clientError(error, requestId, app.log)) } : result
}

/** The error as a client sees it. Bugs and the causes of outages are logged here, once, and masked. */
export function clientError(error: unknown, requestId: string, log: Log): GraphQLError {
  const told = httpError(error, requestId, log)
  if (!('http' in told.extensions)) return told
  const { http: _status, ...extensions } = told.extensions
  return copyOf(told, told.message, extensions)
}

/** The error as a client sees it over HTTP, with the status and headers that Yoga sets for its own refusals and later removes. */
export function httpError(error: unknown, requestId: string, log: Log): GraphQLError {
  if (error instanceof GraphQLError && String(error.extensions.code) in errorCodes) return error // already converted
  const origin = originOf(error)
  const failure = expected(origin, error instanceof Error ? error.message : '')
  if (!failure) log.error({ err: origin, requestId }, 'a request failed unexpectedly')
  else if (failure.code === 'UNAVAILABLE' && isTransient(failure.cause))
    log.debug({ err: failure.cause, requestId }, failure.message)
  else if (failure.code === 'UNAVAILABLE') log.warn({ err: failure.cause ?? failure, requestId }, failure.message)
  const given = error instanceof GraphQLError ? error : null
  const http = given?.extensions.http
  return copyOf(given, failure?.message ?? 'Internal error. The server has logged it.', {
    ...(failure ? extensionsOf(failure) : { code: 'INTERNAL', retryable: false, requestId }),
    ...(http === undefined ? {} : { http }),
  })
}

/** Creates an error with the location of another one. */
function copyOf(given: GraphQLError | null, message: string, extensions: Record<string, unknown>): GraphQLError {
  const shown = new GraphQLError(message.length > messageMax ? `${message.slice(0, messageMax)}…` : message, {
    nodes: given?.nodes ?? null,
    path: given?.path ?? null,
    source: given?.source ?? null,
    positions: given?.positions ?? null,
    extensions,
  })
  return withPlaces(shown)
}

/** The extensions of an expected failure. */
function extensionsOf(failure: ParleyError): Record<string, unknown> {
  const { code, isRetryable: retryable, argument, retryAfterMs } = failure
  return {
    code,
    retryable,
    ...(argument === undefined ? {} : { argument }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  }
}
