// Suspended accounts: no session opens until the suspension has ended or an operator has lifted it.

import { ParleyError } from '../errors.ts'
import type { UserId } from '../id.ts'
import type { Transaction } from '../store/store.ts'

/** Why an account is suspended, for its user to read, and until when; null: until an operator lifts it. */
export type Suspension = { readonly reason: string | null; readonly until: Date | null }

/**
 * Checks that an account is not suspended. To open a session, check it in the same transaction, with the user's row locked.
 * @throws ParleyError ACCOUNT_SUSPENDED
 */
export async function requireNotSuspended(tx: Transaction, userId: UserId): Promise<void> {
  const [suspension] = await tx.$queryRaw<Suspension[]>`
    select suspension_reason as reason, suspended_until as until from "user"
     where id = ${userId} and suspended_at is not null and (suspended_until is null or suspended_until > now())`
  if (!suspension) return
  const { reason, until } = suspension
  const end = until === null ? '' : ` until ${until.toISOString()}`
  throw new ParleyError('ACCOUNT_SUSPENDED', `This account is suspended${end}${reason === null ? '.' : `: ${reason}`}`)
}
