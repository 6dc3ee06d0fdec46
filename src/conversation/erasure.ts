// Erases a user's conversation data when the account is deleted. The user has already left all groups, and stays a member of
// closed direct conversations, because they also belong to the other user.

import type { UserId } from '../id.ts'
import type { NewFact } from '../journal/fact.ts'
import type { Transaction } from '../store/store.ts'

/** Removes the record of which groups the user has left. */
export async function eraseDepartures(tx: Transaction, userId: UserId): Promise<NewFact[]> {
  await tx.departure.deleteMany({ where: { userId } })
  return []
}
