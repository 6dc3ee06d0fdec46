// The hub gives each fact to the streams of its subscribers: the users with an open stream on this node. For each of them it
// knows the intervals in which the user is in the audience of each conversation, loaded once and then kept true by the facts
// themselves; a stream at any place, live or behind, sees exactly the facts whose position lies in one of them (D6). Who is in
// an audience *now* only decides which streams at the head are given a fact.

import type { Fact, JoinPayload } from './fact.ts'
import type { FactKinds } from './kind.ts'
import type { TurnOwner, TurnTaker } from './round-robin.ts'
import type { AudienceRow } from './tables.ts'

/** `isSinceJoining`: of the messages, the user sees only those that were sent in it. */
type AudienceInterval = { readonly from: number; to: number | null; readonly isSinceJoining: boolean }

/** How many streams are given a fact at once; the others follow in slices, so that small conversations need not wait for large ones. */
const atOnce = 64

/**
 * What else a user who sees a fact may see of its conversation: all messages (`WHOLE`), or only some of them (`PART`, also for
 * the user's own facts), or nothing new, because the user has left since (`ENDED`).
 */
export type FactVisibility = 'WHOLE' | 'PART' | 'ENDED'

/** A stream, as the hub knows it. */
export type SubscriberStream = {
  /** Gives it a fact, if it stands at the head. */
  offer(fact: Fact): void
  /** Gives it a fact in one of the next turns of the event loop, if it stands at the head. */
  postpone(fact: Fact): void
  /** Ends it for a reason that lies with this node; the client resumes from its cursor. */
  abandon(reason: string): void
}

/** One user on this node, shared by the streams of all the user's devices. */
export class Subscriber implements TurnOwner {
  readonly userId: number
  readonly streams = new Set<SubscriberStream>()
  readonly waiting = new Set<TurnTaker>()
  readonly #intervals = new Map<number, AudienceInterval[]>()
  readonly #kinds: FactKinds

  constructor(userId: number, kinds: FactKinds) {
    this.userId = userId
    this.#kinds = kinds
  }

  /** Whether this user may see this fact. */
  canSee(fact: Fact): boolean {
    if (fact.conversationId === null) return fact.userId === this.userId
    const interval = this.#intervalOf(fact)
    if (!interval) return false
    // A row's id is the position of the fact that created it, so comparing the two tells what was sent before the join.
    return !interval.isSinceJoining || !this.#kinds.namesRow(fact) || Number(fact.subjectId) > interval.from
  }

  /** What this user may see besides a fact, as far as this node knows. Who is told that they leave has left. */
  visibilityOf(fact: Fact): FactVisibility {
    if (fact.conversationId === null) return 'PART'
    const interval = this.#intervalOf(fact)
    if (interval?.to !== null || (fact.audienceChange < 0 && fact.subjectId === this.userId)) return 'ENDED'
    return interval.isSinceJoining ? 'PART' : 'WHOLE'
  }

  /** The last position of the interval in which this user sees a fact; the fact itself where that is not known to have ended. */
  visibleUntil(fact: Fact): number {
    return this.#intervalOf(fact)?.to ?? fact.position
  }

  #intervalOf({ conversationId, position }: Fact): AudienceInterval | undefined {
    if (conversationId === null) return undefined
    const intervals = this.#intervals.get(conversationId)
    return intervals?.find(({ from, to }) => from <= position && (to === null || position <= to))
  }

  /** Whether this user is or ever was in the audience of this conversation. */
  wasEverInAudience(conversationId: number): boolean {
    return this.#intervals.has(conversationId)
  }

  /** Whether this user is in the audience of a conversation at any position after this one, as far as is known. */
  isInAudienceAfter(conversationId: number, position: number): boolean {
    return this.#intervals.get(conversationId)?.some(({ to }) => to === null || to > position) ?? false
  }

  /** Every conversation in whose audience this user is or ever was. */
  conversationIds(): Iterable<number> {
    return this.#intervals.keys()
  }

  /** Takes an interval as Postgres has it. */
  load(row: AudienceRow): void {
    this.#of(row.conversationId).push({
      from: row.fromPosition,
      to: row.toPosition,
      isSinceJoining: row.visibleFromSeq > 0,
    })
  }

  /** Joins at a position. Joining twice at one position is joining once. */
  join(conversationId: number, position: number, isSinceJoining: boolean): void {
    const intervals = this.#of(conversationId)
    if (!intervals.some(({ from }) => from === position)) intervals.push({ from: position, to: null, isSinceJoining })
  }

  /** Leaves at a position, which still belongs to the interval. Leaving twice at one position is leaving once. */
  leave(conversationId: number, position: number): void {
    const open = this.#of(conversationId).find(({ from, to }) => from <= position && to === null)
    if (open) open.to = position
  }

  #of(conversationId: number): AudienceInterval[] {
    const intervals = this.#intervals.get(conversationId) ?? []
    this.#intervals.set(conversationId, intervals)
    return intervals
  }
}

/** A subscriber that is in use. */
export type SubscriberHold = {
  readonly subscriber: Subscriber
  /** Gives a stream what is new from now on; false where the subscriber belongs to a history that is gone. */
  attach(stream: SubscriberStream): boolean
  /** Gives the subscriber back. */
  release(): void
}

/** `missed`: changes of the audience that came while the intervals were being loaded; null when they are. */
type HubEntry = { readonly subscriber: Subscriber; holders: number; missed: Fact[] | null; loaded: Promise<void> }

/** The subscribers of one node. `load` reads a user's intervals from Postgres; `position` is the follower's. */
export class Hub {
  readonly #load: (userId: number) => Promise<readonly AudienceRow[]>
  readonly #position: () => number
  readonly #kinds: FactKinds
  readonly #entries = new Map<number, HubEntry>()
  readonly #byConversation = new Map<number, Set<Subscriber>>()

  constructor(load: (userId: number) => Promise<readonly AudienceRow[]>, position: () => number, kinds: FactKinds) {
    this.#load = load
    this.#position = position
    this.#kinds = kinds
  }

  /** How many streams are open. */
  get streamCount(): number {
    let count = 0
    for (const { subscriber } of this.#entries.values()) count += subscriber.streams.size
    return count
  }

  /** The subscriber of a user, with its intervals loaded. The last release frees it. */
  async hold(userId: number): Promise<SubscriberHold> {
    const entry = this.#entries.get(userId) ?? this.#open(userId)
    entry.holders += 1
    try {
      await entry.loaded
    } catch (error) {
      this.#release(entry)
      throw error
    }
    let isHeld = true
    const release = () => {
      if (isHeld) this.#release(entry)
      isHeld = false
    }
    const attach = (stream: SubscriberStream) => {
      if (this.#entries.get(userId) !== entry) return false
      entry.subscriber.streams.add(stream)
      return true
    }
    return { subscriber: entry.subscriber, attach, release }
  }

  #open(userId: number): HubEntry {
    const entry: HubEntry = { subscriber: new Subscriber(userId, this.#kinds), holders: 0, missed: [], loaded: Promise.resolve() }
    this.#entries.set(userId, entry)
    entry.loaded = this.#loadIntervals(entry)
    return entry
  }

  #release(entry: HubEntry): void {
    entry.holders -= 1
    if (entry.holders > 0 || this.#entries.get(entry.subscriber.userId) !== entry) return
    this.#entries.delete(entry.subscriber.userId)
    for (const conversationId of entry.subscriber.conversationIds()) this.#removeFrom(conversationId, entry.subscriber)
  }

  /** Whether a user is in the audience of a conversation now; null where this node does not know. */
  findIsInAudience(userId: number, conversationId: number): boolean | null {
    const entry = this.#entries.get(userId)
    return entry && !entry.missed ? entry.subscriber.isInAudienceAfter(conversationId, this.#position()) : null
  }

  /** Brings a fact to the streams that stand at the head, and keeps the audience true. Facts come in order. */
  deliver(fact: Fact): void {
    const subject = fact.audienceChange !== 0 && fact.subjectId !== null ? this.#entries.get(fact.subjectId) : undefined
    if (subject && fact.audienceChange > 0) this.#changeAudience(subject, fact)
    let left = atOnce
    if (fact.conversationId !== null) {
      for (const subscriber of this.#byConversation.get(fact.conversationId) ?? []) left = offerTo(subscriber, fact, left)
    } else if (fact.userId !== null) {
      const entry = this.#entries.get(fact.userId)
      if (entry) offerTo(entry.subscriber, fact, left)
    }
    if (subject && fact.audienceChange < 0) this.#changeAudience(subject, fact)
  }

  /** Every open stream, for the beat of ticks and for closing. */
  *streams(): Iterable<SubscriberStream> {
    for (const { subscriber } of this.#entries.values()) yield* subscriber.streams
  }

  /** Ends all streams and forgets all subscribers: what they know belongs to another history. */
  abandonAll(reason: string): void {
    const streams = [...this.streams()]
    this.#entries.clear()
    this.#byConversation.clear()
    for (const stream of streams) stream.abandon(reason)
  }

  /** Postgres may be ahead of this node's follower or behind it: what changes meanwhile is kept, and applied again after. */
  async #loadIntervals(entry: HubEntry): Promise<void> {
    const { subscriber } = entry
    try {
      for (const row of await this.#load(subscriber.userId)) subscriber.load(row)
    } catch (error) {
      if (this.#entries.get(subscriber.userId) === entry) this.#entries.delete(subscriber.userId)
      throw error
    }
    const missed = entry.missed ?? []
    entry.missed = null
    if (this.#entries.get(subscriber.userId) !== entry) return // the journal has another history since: it is given no facts
    for (const conversationId of subscriber.conversationIds()) {
      if (subscriber.isInAudienceAfter(conversationId, this.#position())) this.#addTo(conversationId, subscriber)
    }
    for (const fact of missed) this.#changeAudience(entry, fact)
  }

  #changeAudience(entry: HubEntry, fact: Fact): void {
    if (fact.conversationId === null) return
    if (entry.missed) {
      entry.missed.push(fact)
    } else if (fact.audienceChange > 0) {
      entry.subscriber.join(fact.conversationId, fact.position, isSinceJoining(fact))
      this.#addTo(fact.conversationId, entry.subscriber)
    } else {
      entry.subscriber.leave(fact.conversationId, fact.position)
      if (!entry.subscriber.isInAudienceAfter(fact.conversationId, fact.position))
        this.#removeFrom(fact.conversationId, entry.subscriber)
    }
  }

  #addTo(conversationId: number, subscriber: Subscriber): void {
    const subscribers = this.#byConversation.get(conversationId)
    if (subscribers) subscribers.add(subscriber)
    else this.#byConversation.set(conversationId, new Set([subscriber]))
  }

  #removeFrom(conversationId: number, subscriber: Subscriber): void {
    const subscribers = this.#byConversation.get(conversationId)
    subscribers?.delete(subscriber)
    if (subscribers?.size === 0) this.#byConversation.delete(conversationId)
  }
}

function isSinceJoining({ payload }: Fact): boolean {
  return ((payload as JoinPayload | null)?.visibleFromSeq ?? 0) > 0
}

/**
 * Gives a fact to the streams of a subscriber: at once while `left` streams are, the others in later turns.
 * @returns how many are left
 */
function offerTo(subscriber: Subscriber, fact: Fact, left: number): number {
  if (subscriber.streams.size === 0 || !subscriber.canSee(fact)) return left
  for (const stream of subscriber.streams) {
    if (left > 0) stream.offer(fact)
    else stream.postpone(fact)
    left -= 1
  }
  return left
}
