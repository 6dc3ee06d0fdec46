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

/** What those see of a group's messages who join it: all of them, or those that are sent after they joined. */
export type Visibility = 'ALL' | 'SINCE_JOINING'

/** A fact with what decides who may see it. */
export type AudibleFact = Seen & {
  readonly conversationId: number | null
  readonly userId: number | null
  /** What it is about: the id of a message, of a user, of a conversation, by its kind. */
  readonly subjectId: number
  readonly joins: number | null
  readonly leaves: number | null
}

/** The kinds of facts that are about a message. */
const ofMessages = new Set(['MessageSent', 'MessageEdited', 'MessageDeleted', 'ReactionsChanged', 'PinsChanged'])

/**
 * Who hears a conversation, and from which message on, from its facts alone. In a run of chaos the visibility is the only
 * setting that anybody changes, and what changes nothing is no fact: so each ConversationUpdated turns it.
 */
export class Audience {
  /** The messages that somebody sees have ids greater than this: the position of their join, or 0. */
  readonly #after = new Map<number, number>()
  #visibility: Visibility

  constructor(visibility: Visibility = 'ALL') {
    this.#visibility = visibility
  }

  /** What those see who join now. */
  get visibility(): Visibility {
    return this.#visibility
  }

  /** What comes before a fact is heard: a join, and the turn of the setting. */
  begin({ kind, joins, position }: AudibleFact): void {
    if (kind === 'ConversationUpdated') this.#visibility = this.#visibility === 'ALL' ? 'SINCE_JOINING' : 'ALL'
    if (joins !== null) this.#after.set(joins, this.#visibility === 'ALL' ? 0 : position)
  }

  /** What comes after it was heard: a leave. */
  end({ leaves }: AudibleFact): void {
    if (leaves !== null) this.#after.delete(leaves)
  }

  /** Who is in it. */
  members(): Iterable<number> {
    return this.#after.keys()
  }

  /** Whether somebody is in it and sees this message. A message's id is the position of its fact. */
  sees(userId: number, messageId: number): boolean {
    const after = this.#after.get(userId)
    return after !== undefined && messageId > after
  }

  /** Whether somebody is in it and may hear this fact of it. */
  hears(userId: number, { kind, subjectId }: AudibleFact): boolean {
    return ofMessages.has(kind) ? this.sees(userId, subjectId) : this.#after.has(userId)
  }
}

/**
 * What each user may see, from the facts alone: who joined a conversation and has not left hears it, both ends included, but
 * where history was hidden at the join, nothing about a message from before; and everybody hears what is their own. Facts
 * come in the order of positions, from the journal's first one on. `begun`: the visibility that groups began with.
 */
export function visibleTo(facts: Iterable<AudibleFact>, begun: ReadonlyMap<number, Visibility> = new Map()): Map<number, Seen[]> {
  const heard = new Map<number, Seen[]>()
  const audiences = new Map<number, Audience>()
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
    const audience = audiences.get(fact.conversationId) ?? new Audience(begun.get(fact.conversationId))
    audiences.set(fact.conversationId, audience)
    audience.begin(fact)
    for (const userId of audience.members()) if (audience.hears(userId, fact)) hear(userId, fact)
    audience.end(fact)
  }
  return heard
}
