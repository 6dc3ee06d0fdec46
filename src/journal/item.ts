// The items of a stream, and the consumer that takes them.

import type { Position } from '../id.ts'
import type { Fact, Place } from './fact.ts'
import type { NamedRow } from './named-row.ts'

/** Why a stream could not continue from its cursor. */
export type ResetReason = 'CURSOR_TOO_OLD' | 'OTHER_EPOCH' | 'OTHER_HISTORY' | 'AHEAD_OF_JOURNAL'

/** How a stream starts: from now, from its cursor, or from now because it can't continue from the cursor. */
export type Start =
  | { readonly mode: 'FRESH' | 'RESUMED'; readonly place: Place }
  | { readonly mode: 'RESET'; readonly reason: ResetReason; readonly place: Place }

/** A fact, with the row that it names. */
export type FactItem = {
  readonly type: 'fact'
  readonly fact: Fact
  readonly place: Place
  readonly row: NamedRow | undefined
  /** The position of the newest fact that names this row; null if the item does not come from the recent log. */
  readonly version: Position | null
}

/** An item of a stream. They come in this order: started, facts, caughtUp, then facts and ticks as they happen. */
export type StreamItem =
  | ({ readonly type: 'started' } & Start)
  | FactItem
  | { readonly type: 'caughtUp'; readonly count: number; readonly place: Place }
  | { readonly type: 'tick'; readonly place: Place }

/** Takes the items of a stream, one at a time, in order. */
export type Consumer = {
  /**
   * Takes an item.
   * @returns whether it takes the next one at once. If not, it calls `more` when it is ready; nothing is queued for it.
   */
  take(item: StreamItem): boolean
  /** Called when the stream has ended. `fault` is the error if a bug ended it. */
  ended(fault: unknown): void
}
