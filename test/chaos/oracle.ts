// Which facts each user may see, and how the events of a device differ from them. It knows neither nodes nor Postgres, so a test
// can show that it finds a gap, a duplicate, a swap and a leak.

import type { EventRecord } from './record.ts'

/** What can be wrong with a list of events. `altered`: a different event at the right position. */
export const anomalies = ['lost', 'doubled', 'out of order', 'leaked', 'altered'] as const
/** A kind of anomaly. */
export type AnomalyKind = (typeof anomalies)[number]

/** An anomaly and its event. */
export type Anomaly = { readonly kind: AnomalyKind; readonly event: EventRecord }

/** Compares received events with the expected ones, which are in order of position. */
export function compare(expected: readonly EventRecord[], received: readonly EventRecord[]): Anomaly[] {
  const found: Anomaly[] = []
  const due = new Map(expected.map((event) => [event.position, event]))
  const had = new Set<number>()
  let last = -1
  for (const event of received) {
    const right = due.get(event.position)
    if (had.has(event.position)) found.push({ kind: 'doubled', event })
    else if (!right) found.push({ kind: 'leaked', event })
    else if (event.position < last) found.push({ kind: 'out of order', event })
    else if (right.tag !== event.tag || right.kind !== event.kind || right.subject !== event.subject) {
      found.push({ kind: 'altered', event })
    }
    had.add(event.position)
    last = Math.max(last, event.position)
  }
  for (const event of expected) if (!had.has(event.position)) found.push({ kind: 'lost', event })
  return found
}

/** Which messages of a group a new member sees: all of them, or only those sent after the join. */
export type Visibility = 'ALL' | 'SINCE_JOINING'

/** A fact, with everything that decides who may see it. */
export type FactWithAudience = EventRecord & {
  readonly conversationId: number | null
  readonly userId: number | null
  /** The id of a message, a user or a conversation, depending on the kind. */
  readonly subjectId: number
  readonly joins: number | null
  readonly leaves: number | null
}

/** The kinds of facts about a message. */
const messageKinds = new Set([
  'MessageSent',
  'MessageEdited',
  'MessageDeleted',
  'ReactionsChanged',
  'PinsChanged',
  'AttachmentChanged',
])

/**
 * The members of a conversation, and the first message that each of them sees, derived from its facts alone. Visibility is the
 * only setting that changes in a chaos run, and a change without an effect makes no fact: each ConversationUpdated flips it.
 */
export class Audience {
  /** Per user: they see messages with ids greater than this, which is the position of their join or 0. */
  readonly #after = new Map<number, number>()
  #visibility: Visibility

  constructor(visibility: Visibility = 'ALL') {
    this.#visibility = visibility
  }

  /** What a user who joins now sees. */
  get visibility(): Visibility {
    return this.#visibility
  }

  /** The effects of a fact on who receives it: a join, and a change of the visibility. */
  applyBefore({ kind, joins, position }: FactWithAudience): void {
    if (kind === 'ConversationUpdated') this.#visibility = this.#visibility === 'ALL' ? 'SINCE_JOINING' : 'ALL'
    if (joins !== null) this.#after.set(joins, this.#visibility === 'ALL' ? 0 : position)
  }

  /** The effects of a fact after its delivery: a leave. */
  applyAfter({ leaves }: FactWithAudience): void {
    if (leaves !== null) this.#after.delete(leaves)
  }

  /** The user ids of the members. */
  members(): Iterable<number> {
    return this.#after.keys()
  }

  /** Whether the user is a member and sees this message. The id of a message is the position of its fact. */
  sees(userId: number, messageId: number): boolean {
    const after = this.#after.get(userId)
    return after !== undefined && messageId > after
  }

  /** Whether the user is a member and receives this fact. */
  receives(userId: number, { kind, subjectId }: FactWithAudience): boolean {
    return messageKinds.has(kind) ? this.sees(userId, subjectId) : this.#after.has(userId)
  }
}

/**
 * The facts that each user may see, derived from the facts alone: a member receives everything from join to leave, both included,
 * except facts about earlier messages if history was hidden at the join; and each user receives their own facts. `facts` are in
 * order of position, from the first one in the journal. `initial`: the first visibility of each group.
 */
export function visibleTo(
  facts: Iterable<FactWithAudience>,
  initial: ReadonlyMap<number, Visibility> = new Map(),
): Map<number, EventRecord[]> {
  const received = new Map<number, EventRecord[]>()
  const audiences = new Map<number, Audience>()
  const deliver = (userId: number, fact: EventRecord) => {
    const list = received.get(userId)
    if (list) list.push(fact)
    else received.set(userId, [fact])
  }
  for (const fact of facts) {
    if (fact.conversationId === null) {
      if (fact.userId !== null) deliver(fact.userId, fact)
      continue
    }
    const audience = audiences.get(fact.conversationId) ?? new Audience(initial.get(fact.conversationId))
    audiences.set(fact.conversationId, audience)
    audience.applyBefore(fact)
    for (const userId of audience.members()) if (audience.receives(userId, fact)) deliver(userId, fact)
    audience.applyAfter(fact)
  }
  return received
}

type Interval = { readonly from: number; readonly after: number; to: number }

/** The newest version of each message that each user may see, derived from the facts alone: none made after they left. */
export class Versions {
  readonly #intervals = new Map<string, Interval[]>()
  readonly #changes = new Map<number, number[]>()
  readonly #messageAt = new Map<number, FactWithAudience>()

  constructor(facts: Iterable<FactWithAudience>, initial: ReadonlyMap<number, Visibility> = new Map()) {
    const audiences = new Map<number, Audience>()
    for (const fact of facts) {
      const { conversationId, kind, position, subjectId, joins, leaves } = fact
      if (conversationId === null) continue
      if (messageKinds.has(kind)) this.#messageAt.set(position, fact)
      if (kind === 'MessageEdited' || kind === 'MessageDeleted') {
        this.#changes.set(subjectId, [...(this.#changes.get(subjectId) ?? []), position])
      }
      const audience = audiences.get(conversationId) ?? new Audience(initial.get(conversationId))
      audiences.set(conversationId, audience)
      audience.applyBefore(fact)
      audience.applyAfter(fact)
      if (joins !== null) {
        const after = audience.visibility === 'ALL' ? 0 : position
        this.#of(conversationId, joins).push({ from: position, after, to: Number.POSITIVE_INFINITY })
      }
      const left = leaves === null ? undefined : this.#of(conversationId, leaves).at(-1)
      if (left) left.to = position
    }
  }

  /** The received events that show a version of a message made while the user was not a member. */
  tooNew(userId: number, received: readonly EventRecord[]): EventRecord[] {
    return received.filter(({ position, version }) => {
      const fact = this.#messageAt.get(position)
      if (version === undefined || fact?.conversationId == null) return false
      const intervals = this.#of(fact.conversationId, userId)
      const shows = ({ from, to, after }: Interval) =>
        (from <= position && position <= to) || (from > position && fact.subjectId > after)
      const until = Math.max(0, ...intervals.filter(shows).map(({ to }) => to))
      return version > 1 + (this.#changes.get(fact.subjectId) ?? []).filter((change) => change <= until).length
    })
  }

  #of(conversationId: number, userId: number): Interval[] {
    const key = `${conversationId} ${userId}`
    const intervals = this.#intervals.get(key) ?? []
    this.#intervals.set(key, intervals)
    return intervals
  }
}
