// The judge of lists: what a device received against what it was to receive. Knows nothing of nodes or of Postgres, so that
// a test can show that it finds a hole, a double, a swap and a leak.

import type { Seen } from './record.ts'

/** What can be wrong with a list. `altered`: at the right place something else was shown. */
export const verdicts = ['lost', 'doubled', 'out of order', 'leaked', 'altered'] as const
/** One of them. */
export type Verdict = (typeof verdicts)[number]

/** One thing that is wrong with a list. */
export type Flaw = { readonly verdict: Verdict; readonly seen: Seen }

/** Compares what a device received with what it was to receive, which is in the order of positions. */
export function compare(expected: readonly Seen[], received: readonly Seen[]): Flaw[] {
  const flaws: Flaw[] = []
  const due = new Map(expected.map((seen) => [seen.position, seen]))
  const had = new Set<number>()
  let last = -1
  for (const seen of received) {
    const right = due.get(seen.position)
    if (had.has(seen.position)) flaws.push({ verdict: 'doubled', seen })
    else if (!right) flaws.push({ verdict: 'leaked', seen })
    else if (seen.position < last) flaws.push({ verdict: 'out of order', seen })
    else if (right.tag !== seen.tag || right.kind !== seen.kind || right.subject !== seen.subject) {
      flaws.push({ verdict: 'altered', seen })
    }
    had.add(seen.position)
    last = Math.max(last, seen.position)
  }
  for (const seen of expected) if (!had.has(seen.position)) flaws.push({ verdict: 'lost', seen })
  return flaws
}

/** A fact with what decides who may see it. */
export type AudibleFact = Seen & {
  readonly conversationId: number | null
  readonly userId: number | null
  readonly joins: number | null
  readonly leaves: number | null
}

/**
 * What each user may see, from the facts alone: who joined a conversation and has not left hears it, both ends included, and
 * everybody hears what is their own. Facts come in the order of positions, from the journal's first one on.
 */
export function visibleTo(facts: Iterable<AudibleFact>): Map<number, Seen[]> {
  const heard = new Map<number, Seen[]>()
  const audiences = new Map<number, Set<number>>()
  const hear = (userId: number, fact: Seen) => {
    const list = heard.get(userId)
    if (list) list.push(fact)
    else heard.set(userId, [fact])
  }
  for (const fact of facts) {
    if (fact.conversationId === null) {
      if (fact.userId !== null) hear(fact.userId, fact)
      continue
    }
    const audience = audiences.get(fact.conversationId) ?? new Set()
    audiences.set(fact.conversationId, audience)
    if (fact.joins !== null) audience.add(fact.joins)
    for (const userId of audience) hear(userId, fact)
    if (fact.leaves !== null) audience.delete(fact.leaves)
  }
  return heard
}
