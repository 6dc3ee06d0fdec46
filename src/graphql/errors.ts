// Converts errors for clients: expected ones keep their code, all others are masked and logged once.

import { type ExecutionResult, GraphQLError, Kind } from 'graphql'
import { errorCodes, ParleyError } from '../errors.ts'
import type { App } from '../parts.ts'
import { isTransient } from '../store/postgres.ts'
import type { Context } from './context.ts'
import { withPlaces } from './source.ts'
import { originOf } from './values.ts'

/** The longest message, in UTF-16 units. The engine's messages quote invalid values of any length. */
const messageMax = 1_000

/** How graphql-js suggests names of the schema, at the end of a message. */
const suggestion = / Did you mean [\s\S]*\?$/

/** Finds or creates the expected failure for an error; null for a bug. */
function expected(error: unknown, origin: unknown): ParleyError | null {
  if (origin instanceof ParleyError) return origin
  if (origin instanceof GraphQLError && error instanceof GraphQLError) {
    if (error.path === undefined) return new ParleyError('OPERATION_REFUSED', error.message)
    // While a field is executed, the engine refuses values of its arguments. Any other error of the engine is a bug.
    const isOfArgument = origin.nodes?.some(({ kind }) => kind !== Kind.FIELD) ?? false
    return isOfArgument ? new ParleyError('BAD_INPUT', error.message) : null
  }
  if (isTransient(origin))
    return new ParleyError('UNAVAILABLE', 'The database did not answer.', { cause: origin, retryAfterMs: 1_000 })
  return null
}

/** A result with its errors as a client sees them. */
export function withClientErrors(result: ExecutionResult, { app, requestId }: Context): ExecutionResult {
  const { errors } = result
  return errors ? { ...result, errors: errors.map((error) => clientError(error, requestId, app)) } : result
}

/** The error as a client sees it. Bugs and the causes of outages are logged here, once, and masked. */
export function clientError(error: unknown, requestId: string, app: App): GraphQLError {
  const told = httpError(error, requestId, app)
  if (!('http' in told.extensions)) return told
  const { http: _status, ...extensions } = told.extensions
  return copyOf(told, told.message, extensions)
}

/** The error as a client sees it over HTTP, with the status and headers that Yoga sets for its own refusals and later removes. */
export function httpError(error: unknown, requestId: string, { log, config }: App): GraphQLError {
  if (error instanceof GraphQLError && String(error.extensions.code) in errorCodes) return error // already converted
  const origin = originOf(error)
  const failure = expected(error, origin)
  if (!failure) log.error({ err: origin, requestId }, 'a request failed unexpectedly')
  else if (failure.code === 'UNAVAILABLE' && isTransient(failure.cause))
    log.debug({ err: failure.cause, requestId }, failure.message)
  else if (failure.code === 'UNAVAILABLE') log.warn({ err: failure.cause ?? failure, requestId }, failure.message)
  const given = error instanceof GraphQLError ? error : null
  const http = given?.extensions.http
  const message = failure?.message ?? 'Internal error. The server has logged it.'
  // In production, errors do not reveal names from the schema.
  return copyOf(given, config.isProduction ? message.replace(suggestion, '') : message, {
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
  const { code, isRetryable: retryable, argument, retryAfterMs, cursor } = failure
  return {
    code,
    retryable,
    ...(argument === undefined ? {} : { argument }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(cursor === undefined ? {} : { cursor }),
  }
}
