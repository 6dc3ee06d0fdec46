// What a feature does when an account is deleted. A feature that stores data about users has an `erasure.ts`, which features.ts
// lists; test/account/erasure.test.ts finds the columns that none of them erases.

import type { UserId } from '../id.ts'
import type { NewFact } from '../journal/fact.ts'
import type { App } from '../parts.ts'
import type { Transaction } from '../store/store.ts'
import type { Viewer } from '../viewer.ts'

declare module '../parts.ts' {
  interface App {
    /** What features do when an account is deleted, in this order. */
    readonly erasures: readonly Erasure[]
  }
}

/** A feature's part in deleting an account. */
export type Erasure = {
  /** Removes the feature's data about a locked user, in the transaction that deletes the account. @returns the facts about it */
  erase(tx: Transaction, userId: UserId): Promise<readonly NewFact[]>
  /** What cannot be part of that transaction, because it would lock too much. Runs first, and again until `hasLeft`. */
  readonly before?: {
    leave(by: Viewer, app: Pick<App, 'journal' | 'store'>): Promise<void>
    /** Whether nothing is left to leave. */
    hasLeft(tx: Transaction, by: Viewer): Promise<boolean>
  }
}
