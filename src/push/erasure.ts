// Erases a user's notification data when the account is deleted.

import type { UserId } from '../id.ts'
import type { NewFact } from '../journal/fact.ts'
import type { Transaction } from '../store/store.ts'

/** Removes the registered devices, the settings and the decisions of a user. */
export async function erasePush(tx: Transaction, userId: UserId): Promise<NewFact[]> {
  await tx.pushRegistration.deleteMany({ where: { userId } })
  await tx.pushSettings.deleteMany({ where: { userId } })
  await tx.pushDelivery.deleteMany({ where: { userId } })
  return []
}
