// From a token to a caller. A refused token does not refuse the request: who logs in or refreshes may carry an old one.

import type { Admission, Guard } from '../account/guard.ts'
import { ParleyError } from '../errors.ts'
import type { Caller } from '../graphql/context.ts'
import { isTransient } from '../store/postgres.ts'

/** The token of an Authorization header; null for none, undefined for a header of another form. */
export function bearerToken(header: string | null | undefined): string | null | undefined {
  if (header == null || header === '') return null
  return /^Bearer +([\w.~+/=-]+)$/i.exec(header)?.[1]
}

/** A caller, with the admission of a viewer. */
export type Call = { readonly caller: Caller; readonly admission: Admission | null }

/** Asks the guard about a token. Never throws for a token's own fault: the caller's refusal holds it. */
export async function identify(guard: Guard, token: string | null | undefined): Promise<Call> {
  try {
    if (token === null) return { caller: { viewer: null, refusal: null }, admission: null }
    if (token === undefined)
      throw new ParleyError('UNAUTHENTICATED', 'The header Authorization must be of the form: Bearer <token>')
    const admission = await guard.admit(token)
    return { caller: { viewer: admission.viewer }, admission }
  } catch (error) {
    const outage =
      isTransient(error) && new ParleyError('UNAVAILABLE', 'The token cannot be checked at the moment', { cause: error })
    const refusal = error instanceof ParleyError ? error : outage
    if (!refusal) throw error
    return { caller: { viewer: null, refusal }, admission: null }
  }
}
