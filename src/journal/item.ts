// What comes out of a stream, and who takes it.

import type { Fact, Place } from './fact.ts'
import type { NamedRow } from './named-row.ts'

/** Why a stream could not go on from the cursor it was given. */
export type ResetReason = 'CURSOR_TOO_OLD' | 'OTHER_EPOCH' | 'OTHER_HISTORY' | 'AHEAD_OF_JOURNAL'

/** How a stream starts: from now, from its cursor, or from now because the cursor can't be served. */
export type Start =
  | { readonly mode: 'FRESH' | 'RESUMED'; readonly place: Place }
  | { readonly mode: 'RESET'; readonly reason: ResetReason; readonly place: Place }

/** A fact, with the row that it names. */
export type FactItem = { readonly type: 'fact'; readonly fact: Fact; readonly place: Place; readonly row: NamedRow | undefined }

/** What comes out of a stream, in this order: started, facts, caughtUp, then facts and ticks as they come. */
export type StreamItem =
  | ({ readonly type: 'started' } & Start)
  | FactItem
  | { readonly type: 'caughtUp'; readonly count: number; readonly place: Place }
  | { readonly type: 'tick'; readonly place: Place }

/** Who takes the items of a stream: one at a time, in order. */
export type Consumer = {
  /**
   * Takes an item.
   * @returns whether it takes another one at once. Where not, it asks for it by `more` when it does; nothing is queued for it.
   */
  take(item: StreamItem): boolean
  /** The stream has ended and gives nothing more; with the fault, where a bug ended it. */
  ended(fault: unknown): void
}
