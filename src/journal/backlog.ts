// How far behind a stream is. A stream keeps no queue, so its backlog is looked up, and only when it is asked for: when the
// stream's consumer has not come back for the next item for longer than one that works ever takes (D7).

import type { Fact } from './fact.ts'
import type { Window } from './window.ts'

/** How much may lie between a stream and the head while its socket takes nothing. */
export type BacklogLimits = { readonly backlogFactsMax: number; readonly backlogBytesMax: number }

/** A consumer that has been busy with one item for longer is stuck: the socket takes nothing. */
export const stuckMs = 5_000
/** How many positions are looked through. Whoever is further behind, with little in it to see, is looked at again later. */
const lookMax = 20_000

/** Whether more than the limits lies between a position and the head, of the facts that `isSeen` lets through. */
export function isBacklogTooLarge(
  window: Window,
  from: number,
  isSeen: (fact: Fact) => boolean,
  { backlogFactsMax, backlogBytesMax }: BacklogLimits,
): boolean {
  if (from < window.basePosition) return true
  const end = Math.min(window.head.position, from + lookMax)
  let [facts, bytes] = [0, 0]
  for (let position = from + 1; position <= end; position += 1) {
    const fact = window.at(position)
    if (!fact || !isSeen(fact)) continue
    facts += 1
    bytes += window.bytesOf(fact)
    if (facts > backlogFactsMax || bytes > backlogBytesMax) return true
  }
  return false
}
