// Turns a token into a caller. A refused token does not refuse the request: a client that logs in or refreshes may send an old
// token.

import type { Guard } from '../account/guard.ts'
import { ParleyError } from '../errors.ts'
import type { Caller } from '../graphql/context.ts'
import type { KeyGuard } from '../platform/key-guard.ts'
import { isTransient } from '../store/postgres.ts'
import type { ConnectionOwner } from './connections.ts'

/** The token of a request; null if there is none, or a refusal if it is malformed or misplaced. */
export type Presented = string | null | ParleyError

/** The header that names the user on whose behalf a server key acts. */
export const actAsHeader = 'parley-act-as'

/** The token of an Authorization header. */
export function bearerToken(header: string | null | undefined): Presented {
  if (header == null || header === '') return null
  return /^Bearer +([\w.~+/=-]+)$/i.exec(header)?.[1] ?? badToken('The Authorization header must have the form: Bearer <token>')
}

/** The refusal of a malformed or misplaced token. */
export function badToken(message: string): ParleyError {
  return new ParleyError('UNAUTHENTICATED', message)
}

/** What checks tokens. */
export type Guards = { readonly guard: Guard; readonly keyGuard: KeyGuard }

/** Whose a connection of a caller is. `expiresAt`: when the token expires, in milliseconds since 1970; Infinity for a server key. */
export type ConnectionRight = { readonly owner: ConnectionOwner; readonly expiresAt: number }

/** A caller; one whose token is valid comes with an admission. */
export type Call = { readonly caller: Caller; readonly admission: ConnectionRight | null }

/** A caller without a token. */
export const nobody: Call = { caller: { viewer: null, key: null, refusal: null }, admission: null }

/**
 * Checks a token. Never throws for a bad token: the caller then has the refusal.
 * @param actAs the user on whose behalf a server key acts; null for none
 */
export async function identify(guards: Guards, token: Presented, actAs: string | null): Promise<Call> {
  try {
    if (token === null) return nobody
    if (token instanceof ParleyError) throw token
    return guards.keyGuard.isKey(token)
      ? await identifyKey(guards.keyGuard, token, actAs)
      : await identifyUser(guards, token, actAs)
  } catch (error) {
    const outage =
      isTransient(error) &&
      new ParleyError('UNAVAILABLE', 'The access token cannot be checked at the moment. Try again later.', { cause: error })
    const refusal = error instanceof ParleyError ? error : outage
    if (!refusal) throw error
    return { caller: { viewer: null, key: null, refusal }, admission: null }
  }
}

async function identifyUser({ guard }: Guards, token: string, actAs: string | null): Promise<Call> {
  const { viewer, expiresAt } = await guard.admit(token)
  if (actAs !== null)
    throw new ParleyError('FORBIDDEN', `Only a server key can act on behalf of a user: leave out ${actAsHeader}.`)
  return { caller: { viewer, key: null }, admission: { owner: { ...viewer, keyId: null }, expiresAt } }
}

async function identifyKey(keyGuard: KeyGuard, token: string, actAs: string | null): Promise<Call> {
  const { key, viewer } = await keyGuard.admit(token, actAs)
  const owner = { userId: viewer?.userId ?? null, sessionId: null, keyId: key.id }
  return {
    caller: viewer ? { viewer, key } : { viewer: null, key, refusal: null },
    admission: { owner, expiresAt: Number.POSITIVE_INFINITY },
  }
}
