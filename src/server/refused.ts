// Logs refused operations: each at debug level, and at info, once per interval with a count, those that matter to an operator:
// wrong passwords and tokens, and too many attempts. A failed log-in is logged where its username is known: account/mutations.ts.

import type { GraphQLError } from 'graphql'
import type { ErrorCode } from '../errors.ts'
import type { Context } from '../graphql/context.ts'
import type { App } from '../parts.ts'
import type { ServerKey, Viewer } from '../viewer.ts'
import type { SlotKind } from './addresses.ts'
import type { Call } from './callers.ts'
import type { Connection, ConnectionOwner } from './connections.ts'
import { serverSteps } from './steps.ts'

/** The origin and the name of an operation. */
export type OperationOrigin = {
  readonly requestId: string
  readonly address: string
  readonly viewer: Viewer | null
  readonly key?: ServerKey | null
  readonly operation?: string | null | undefined
}

/** The origin of an operation with a context. */
export function originIn({ requestId, address, caller }: Context, operation: string | null | undefined): OperationOrigin {
  return { requestId, address, viewer: caller.viewer, key: caller.key, operation }
}

/** Codes that are logged where the error happens, with its cause. */
const loggedElsewhere: ReadonlySet<string> = new Set<ErrorCode>(['INTERNAL', 'UNAVAILABLE'])

/** Where messages of the engine begin to quote a value or a token of what a client sent: it may be a password or a text. */
const quoting = /((?:got|has) invalid value|, found|value:|Unexpected \w+|^Value) [\s\S]*$/

/** A message for the log, without values that a client sent. */
const withoutValues = (message: string) => message.replace(quoting, '$1 …')

/** Logs and counts an operation that was answered with errors, without what its client sent. */
export function logRefused(app: App, errors: readonly GraphQLError[], origin: OperationOrigin): void {
  serverSteps.operationFailed.publish({ code: String(errors[0]?.extensions.code) })
  const error = errors.find(({ extensions }) => !loggedElsewhere.has(String(extensions.code)))
  if (!error) return
  const code = String(error.extensions.code)
  const { argument } = error.extensions
  const path = error.path?.join('.')
  const { viewer, key, ...from } = origin
  const line = {
    ...from,
    userId: viewer?.userId,
    sessionId: viewer?.sessionId ?? undefined,
    serverKeyId: key?.id,
    code,
    because: withoutValues(error.message),
    path,
    argument,
    errors: errors.length,
  }
  const isForOperator = code === 'RATE_LIMITED' || (code === 'INVALID_CREDENTIALS' && viewer !== null)
  if (!isForOperator) app.log.debug(line, 'an operation was refused')
  else app.repeats.note('info', `${code} ${path} ${viewer?.userId} ${origin.address}`, line, 'an operation was refused')
}

/** Logs a refused token, unless it has only expired or its session has ended. */
export function logRefusedToken(app: App, { caller }: Call, address: string, requestId?: string): void {
  if (caller.viewer || caller.refusal?.code !== 'UNAUTHENTICATED') return
  const line = { address, requestId, because: caller.refusal.message }
  app.repeats.note('info', address, line, 'an access token was refused')
}

/** Logs that a user or a server key has reached the limit of WebSockets or event streams. */
export function logUserCrowd(app: App, { userId, keyId }: ConnectionOwner, kind: Connection['kind']): void {
  const line = keyId === null ? { userId, kind } : { serverKeyId: keyId, kind }
  const who = keyId === null ? 'a user' : 'a server key'
  app.repeats.note('info', `${userId} ${keyId} ${kind}`, line, `${who} has too many WebSockets or event streams`)
}

/** Logs that an address has reached its limit of WebSockets and event streams. */
export function logCrowd(app: App, address: string, kind: SlotKind): void {
  const which = kind === 'withSession' ? 'with' : 'without'
  app.repeats.note('info', address, { address }, `an address has too many WebSockets and event streams ${which} a session`)
}
