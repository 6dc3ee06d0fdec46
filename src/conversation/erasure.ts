// What conversations erase when an account is deleted. The user has left all groups before, and stays a member of closed direct
// conversations, which belong to the other user, too.

import type { NewFact } from '../journal/fact.ts'
import type { Transaction } from '../store/store.ts'

/** Removes the record of which groups the user has left. */
export async function eraseDepartures(tx: Transaction, userId: number): Promise<NewFact[]> {
  await tx.departure.deleteMany({ where: { userId } })
  return []
}
