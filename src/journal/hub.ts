// The hub gives each fact to the streams of its subscribers: the users with an open stream on this node. For each subscriber it
// knows the intervals in which the user is in the audience of each conversation. It loads them once, and facts keep them up to
// date. A stream at any place, live or behind, sees exactly the facts whose position lies in one of these intervals (D6). The
// *current* audience only decides which streams at the head receive a fact.

import type { ConversationId, Position, UserId } from '../id.ts'
import type { Fact, FactHeader, JoinPayload } from './fact.ts'
import type { FactKinds } from './kind.ts'
import type { TurnOwner, TurnTaker } from './round-robin.ts'
import type { AudienceRow } from './tables.ts'

/** `isSinceJoining`: the user sees only messages that were sent in the interval. */
type AudienceInterval = { readonly from: Position; to: Position | null; readonly isSinceJoining: boolean }

/** How many streams receive a fact at once. The others follow in slices, so that large conversations don't hold up small ones. */
const atOnce = 64

/**
 * What else a user who sees a fact may see of its conversation: all messages (`WHOLE`), only some of them (`PART`, also for facts
 * that go to one user), or nothing new because the user has left since (`ENDED`).
 */
export type FactVisibility = 'WHOLE' | 'PART' | 'ENDED'

/** A stream as the hub sees it. */
export type SubscriberStream = {
  /** Gives the stream a fact if it is at the head. */
  offer(fact: Fact): void
  /** Gives the stream a fact in one of the next turns of the event loop if it is at the head. */
  postpone(fact: Fact): void
  /** Ends the stream for a reason on this node's side. The client resumes from its cursor. */
  abandon(reason: string): void
}

/** One user on this node, shared by the streams of all the user's devices. */
export class Subscriber implements TurnOwner {
  readonly userId: UserId
  readonly streams = new Set<SubscriberStream>()
  readonly waiting: TurnTaker[] = []
  isWaiting = false
  readonly #intervals = new Map<ConversationId, AudienceInterval[]>()
  readonly #kinds: FactKinds

  constructor(userId: UserId, kinds: FactKinds) {
    this.userId = userId
    this.#kinds = kinds
  }

  /** Whether this user may see this fact; whether that is possible, if its subject is not known. */
  canSee(fact: FactHeader): boolean {
    if (fact.conversationId === null) return fact.userId === this.userId
    const interval = this.#intervalOf(fact)
    if (!interval) return false
    // A row's ID is the position of the fact that created it, so the comparison shows whether it was sent before the join.
    if (!interval.isSinceJoining || !this.#kinds.namesRow(fact) || fact.subjectId === null) return true
    return Number(fact.subjectId) > interval.from
  }

  /** What else this user may see of a fact's conversation, as far as this node knows. For the user's own leave: `ENDED`. */
  visibilityOf(fact: Fact): FactVisibility {
    if (fact.conversationId === null) return 'PART'
    const interval = this.#intervalOf(fact)
    if (interval?.to !== null || (fact.audienceChange < 0 && fact.subjectId === this.userId)) return 'ENDED'
    return interval.isSinceJoining ? 'PART' : 'WHOLE'
  }

  /** The last position of the interval in which this user sees a fact; the fact's own position if no end is known. */
  visibleUntil(fact: Fact): Position {
    return this.#intervalOf(fact)?.to ?? fact.position
  }

  #intervalOf({ conversationId, position }: FactHeader): AudienceInterval | undefined {
    if (conversationId === null) return undefined
    const intervals = this.#intervals.get(conversationId)
    return intervals?.find(({ from, to }) => from <= position && (to === null || position <= to))
  }

  /** Whether this user is or ever was in the audience of this conversation. */
  wasEverInAudience(conversationId: ConversationId): boolean {
    return this.#intervals.has(conversationId)
  }

  /** Whether this user is known to be in the audience of a conversation at any position after this one. */
  isInAudienceAfter(conversationId: ConversationId, position: Position): boolean {
    return this.#intervals.get(conversationId)?.some(({ to }) => to === null || to > position) ?? false
  }

  /** All conversations whose audience this user is or ever was in. */
  conversationIds(): Iterable<ConversationId> {
    return this.#intervals.keys()
  }

  /** Adds an interval read from Postgres. */
  load(row: AudienceRow): void {
    this.#of(row.conversationId).push({
      from: row.fromPosition,
      to: row.toPosition,
      isSinceJoining: row.visibleFromSeq > 0,
    })
  }

  /** Joins at a position. Idempotent. */
  join(conversationId: ConversationId, position: Position, isSinceJoining: boolean): void {
    const intervals = this.#of(conversationId)
    if (!intervals.some(({ from }) => from === position)) intervals.push({ from: position, to: null, isSinceJoining })
  }

  /** Leaves at a position, which still belongs to the interval. Idempotent. */
  leave(conversationId: ConversationId, position: Position): void {
    const open = this.#of(conversationId).find(({ from, to }) => from <= position && to === null)
    if (open) open.to = position
  }

  #of(conversationId: ConversationId): AudienceInterval[] {
    const intervals = this.#intervals.get(conversationId) ?? []
    this.#intervals.set(conversationId, intervals)
    return intervals
  }
}

/** A subscriber that is in use. */
export type SubscriberHold = {
  readonly subscriber: Subscriber
  /** Gives a stream all new facts from now on. Returns false if the subscriber belongs to a former history. */
  attach(stream: SubscriberStream): boolean
  /** Releases the subscriber. */
  release(): void
}

/** `missed`: audience changes that came while the intervals were loading; null once they are loaded. */
type HubEntry = { readonly subscriber: Subscriber; holders: number; missed: Fact[] | null; loaded: Promise<void> }

/** The subscribers of one node. `load` reads a user's intervals from Postgres; `position` returns the follower's position. */
export class Hub {
  readonly #load: (userId: UserId) => Promise<readonly AudienceRow[]>
  readonly #position: () => Position
  readonly #kinds: FactKinds
  readonly #entries = new Map<UserId, HubEntry>()
  readonly #byConversation = new Map<ConversationId, Set<Subscriber>>()

  constructor(load: (userId: UserId) => Promise<readonly AudienceRow[]>, position: () => Position, kinds: FactKinds) {
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

  /** Holds the subscriber of a user, with its intervals loaded. The last release frees it. */
  async hold(userId: UserId): Promise<SubscriberHold> {
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

  #open(userId: UserId): HubEntry {
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

  /** Whether a user is in the audience of a conversation now; null if this node does not know. */
  findIsInAudience(userId: UserId, conversationId: ConversationId): boolean | null {
    const entry = this.#entries.get(userId)
    return entry && !entry.missed ? entry.subscriber.isInAudienceAfter(conversationId, this.#position()) : null
  }

  /** Gives a fact to the streams at the head, and keeps the audience up to date. Call it with facts in order. */
  deliver(fact: Fact): void {
    const subject = fact.audienceChange !== 0 && fact.subjectId !== null ? this.#entries.get(fact.subjectId as UserId) : undefined
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

  /** Whether a stream on this node may receive facts of an audience: a conversation, or a user as a negative number. */
  hears(audience: number): boolean {
    return audience > 0 ? this.#byConversation.has(audience as ConversationId) : this.#entries.has(-audience as UserId)
  }

  /** All open streams. */
  *streams(): Iterable<SubscriberStream> {
    for (const { subscriber } of this.#entries.values()) yield* subscriber.streams
  }

  /** Ends all streams and forgets all subscribers, because their intervals belong to a former history. */
  abandonAll(reason: string): void {
    const streams = [...this.streams()]
    this.#entries.clear()
    this.#byConversation.clear()
    for (const stream of streams) stream.abandon(reason)
  }

  /** Loads the intervals. Postgres may be ahead of this node's follower or behind it: reapplies changes that come meanwhile. */
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
    if (this.#entries.get(subscriber.userId) !== entry) return // of a former history: it receives no facts
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

  #addTo(conversationId: ConversationId, subscriber: Subscriber): void {
    const subscribers = this.#byConversation.get(conversationId)
    if (subscribers) subscribers.add(subscriber)
    else this.#byConversation.set(conversationId, new Set([subscriber]))
  }

  #removeFrom(conversationId: ConversationId, subscriber: Subscriber): void {
    const subscribers = this.#byConversation.get(conversationId)
    subscribers?.delete(subscriber)
    if (subscribers?.size === 0) this.#byConversation.delete(conversationId)
  }
}

function isSinceJoining({ payload }: Fact): boolean {
  return ((payload as JoinPayload | null)?.visibleFromSeq ?? 0) > 0
}

/**
 * Gives a fact to the streams of a subscriber: to the first `left` at once, to the others in later turns.
 * @returns how many more streams may receive the fact at once
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
