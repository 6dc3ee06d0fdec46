// Collects the functions by which features erase a user's data when the account is deleted. A feature that stores data about
// users adds its function here; test/account/erasure.test.ts finds the columns that no function erases.

import { eraseContacts } from './contact/erasure.ts'
import { eraseDepartures } from './conversation/erasure.ts'
import type { UserId } from './id.ts'
import type { NewFact } from './journal/fact.ts'
import { erasePush } from './push/erasure.ts'
import type { Transaction } from './store/store.ts'
import { eraseAcknowledgements } from './sync/erasure.ts'

/** Removes a feature's data about a locked user, in the transaction that deletes the account. @returns the facts about it */
export type Erase = (tx: Transaction, userId: UserId) => Promise<readonly NewFact[]>

/** In the order in which they run. */
export const erasures: readonly Erase[] = [eraseContacts, eraseDepartures, erasePush, eraseAcknowledgements]
