// What synchronisation erases when an account is deleted.

import type { UserId } from '../id.ts'
import type { NewFact } from '../journal/fact.ts'
import type { Transaction } from '../store/store.ts'

/** Removes the acknowledgements of a user's devices. */
export async function eraseAcknowledgements(tx: Transaction, userId: UserId): Promise<NewFact[]> {
  await tx.acknowledgement.deleteMany({ where: { session: { userId } } })
  return []
}
