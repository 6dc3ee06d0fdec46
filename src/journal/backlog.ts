// How far behind a stream is. A stream keeps no queue, so its backlog is looked up, and only when it is asked for: when the
// stream's consumer has not come back for the next item for longer than one that works ever takes (D7).

import type { Fact } from './fact.ts'
import type { RecentLog } from './recent-log.ts'

/** How much may lie between a stream and the head while its socket takes nothing. */
export type BacklogLimits = { readonly backlogFactsMax: number; readonly backlogBytesMax: number }

/** A consumer that has been busy with one item for longer is stuck: the socket takes nothing. */
export const stuckMs = 5_000
/** How many positions are looked through at once; what lies beyond them is looked at the next time. */
const lookMax = 20_000

/** What lies between the place of a stream and the head. Each fact is looked at once, however often it is asked for. */
export class Backlog {
  /** The place of the stream. */
  readonly from: number
  #upTo: number
  #facts = 0
  #bytes = 0

  constructor(from: number) {
    this.from = from
    this.#upTo = from
  }

  /** Whether more than the limits is known to lie there, of the facts that `isSeen` lets through. */
  isTooLarge(
    recentLog: RecentLog,
    isSeen: (fact: Fact) => boolean,
    { backlogFactsMax, backlogBytesMax }: BacklogLimits,
  ): boolean {
    if (this.from < recentLog.basePosition) return true
    const end = Math.min(recentLog.head.position, this.#upTo + lookMax)
    while (this.#upTo < end) {
      this.#upTo += 1
      const fact = recentLog.at(this.#upTo)
      if (!fact || !isSeen(fact)) continue
      this.#facts += 1
      this.#bytes += recentLog.bytesOf(fact)
      if (this.#facts > backlogFactsMax || this.#bytes > backlogBytesMax) return true
    }
    return false
  }
}
