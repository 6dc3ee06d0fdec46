// Measures how far a stream is behind. A stream keeps no queue, so its backlog is counted, and only on demand: when the stream's
// consumer has not asked for the next item for longer than a working consumer ever takes (D7).

import type { Position } from '../id.ts'
import type { FactHeader } from './fact.ts'
import type { RecentLog } from './recent-log.ts'

/** How much may lie between a stream and the head while its socket takes nothing. */
export type BacklogLimits = { readonly backlogFactsMax: number; readonly backlogBytesMax: number }

/** A consumer that is busy with one item for longer than this is stuck: its socket takes nothing. */
export const stuckMs = 5_000
/** How many positions one check looks through. The next check continues from there. */
const lookMax = 20_000

/** What lies between a stream's place and the head. However often it is checked, it looks at each fact only once. */
export class Backlog {
  /** The place of the stream. */
  readonly from: Position
  #upTo: Position
  #facts = 0
  #bytes = 0

  constructor(from: Position) {
    this.from = from
    this.#upTo = from
  }

  /** Whether the backlog is known to exceed the limits. Counts only the facts that `isSeen` accepts. */
  isTooLarge(
    recentLog: RecentLog,
    isSeen: (fact: FactHeader) => boolean,
    { backlogFactsMax, backlogBytesMax }: BacklogLimits,
  ): boolean {
    if (this.from < recentLog.basePosition) return true
    const end = Math.min(recentLog.head.position, this.#upTo + lookMax)
    while (this.#upTo < end) {
      this.#upTo = (this.#upTo + 1) as Position
      const header = recentLog.headerAt(this.#upTo)
      if (!header || !isSeen(header)) continue
      this.#facts += 1
      this.#bytes += recentLog.bytesAt(this.#upTo)
      if (this.#facts > backlogFactsMax || this.#bytes > backlogBytesMax) return true
    }
    return false
  }
}
