// Turns a token into a caller. A refused token does not refuse the request: a client that logs in or refreshes may send an old
// token.

import type { Admission, Guard } from '../account/guard.ts'
import { ParleyError } from '../errors.ts'
import type { Caller } from '../graphql/context.ts'
import { isTransient } from '../store/postgres.ts'

/** The token of a request; null if there is none, or a refusal if it is malformed or misplaced. */
export type Presented = string | null | ParleyError

/** The token of an Authorization header. */
export function bearerToken(header: string | null | undefined): Presented {
  if (header == null || header === '') return null
  return /^Bearer +([\w.~+/=-]+)$/i.exec(header)?.[1] ?? badToken('The Authorization header must have the form: Bearer <token>')
}

/** The refusal of a malformed or misplaced token. */
export function badToken(message: string): ParleyError {
  return new ParleyError('UNAUTHENTICATED', message)
}

/** A caller; a viewer comes with the guard's admission. */
export type Call = { readonly caller: Caller; readonly admission: Admission | null }

/** Checks a token with the guard. Never throws for a bad token: the caller then has the refusal. */
export async function identify(guard: Guard, token: Presented): Promise<Call> {
  try {
    if (token === null) return { caller: { viewer: null, refusal: null }, admission: null }
    if (token instanceof ParleyError) throw token
    const admission = await guard.admit(token)
    return { caller: { viewer: admission.viewer }, admission }
  } catch (error) {
    const outage =
      isTransient(error) &&
      new ParleyError('UNAVAILABLE', 'The access token cannot be checked at the moment. Try again later.', { cause: error })
    const refusal = error instanceof ParleyError ? error : outage
    if (!refusal) throw error
    return { caller: { viewer: null, refusal }, admission: null }
  }
}
