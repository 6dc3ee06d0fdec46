// Who hears what on this node. For each user with an open stream the hub knows the intervals in which that user hears each
// conversation, loaded once and then kept true by the facts themselves; a stream at any place, live or behind, sees exactly
// the facts whose position lies in one of them (D6). Nothing here asks who is a member *now*, except to know whom to wake.

import { type Fact, type JoinPayload, namesMessage } from './fact.ts'
import type { AudienceRow } from './tables.ts'

/** `isSinceJoining`: of the messages, only those that were sent in it are heard of. */
type Interval = { readonly from: number; to: number | null; readonly isSinceJoining: boolean }

/** How many streams are given a fact at once; the others follow in slices, so that small conversations need not wait for large ones. */
const atOnce = 64

/** What the hub wakes: a stream that stands at the head. */
export type Wakeable = {
  /** Gives it a fact. */
  offer(fact: Fact): void
  /** Gives it a fact in one of the next turns of the event loop. */
  postpone(fact: Fact): void
  /** Ends it for a reason that lies with this node; the client resumes from its cursor. */
  abandon(reason: string): void
}

/** One user's ear on this node, shared by the streams of all the user's devices. */
export class Listener {
  readonly userId: number
  readonly streams = new Set<Wakeable>()
  readonly #intervals = new Map<number, Interval[]>()

  constructor(userId: number) {
    this.userId = userId
  }

  /** Whether this user may see this fact. */
  sees(fact: Fact): boolean {
    if (fact.conversationId === null) return fact.userId === this.userId
    const interval = this.#intervalOf(fact)
    if (!interval) return false
    // A message's id is a position, so what was sent before the join is told by comparing the two.
    return !interval.isSinceJoining || !namesMessage(fact) || Number(fact.subjectId) > interval.from
  }

  /**
   * Whether this user sees all messages of a fact's conversation today: is in it since the join that lets them hear the fact,
   * with all of its history. Who has left since, or came back, may see less now than then.
   */
  seesWholeHistory(fact: Fact): boolean {
    const interval = this.#intervalOf(fact)
    return interval?.to === null && !interval.isSinceJoining
  }

  #intervalOf({ conversationId, position }: Fact): Interval | undefined {
    if (conversationId === null) return undefined
    const intervals = this.#intervals.get(conversationId)
    return intervals?.find(({ from, to }) => from <= position && (to === null || position <= to))
  }

  /** Whether this user hears or ever heard this conversation. */
  everHeard(conversationId: number): boolean {
    return this.#intervals.has(conversationId)
  }

  /** Whether this user hears anything of a conversation after a position, as far as is known. */
  hearsAfter(conversationId: number, position: number): boolean {
    return this.#intervals.get(conversationId)?.some(({ to }) => to === null || to > position) ?? false
  }

  /** Every conversation that this user hears or ever heard. */
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

  /** Leaves at a position, which is still heard. Leaving twice at one position is leaving once. */
  leave(conversationId: number, position: number): void {
    const open = this.#of(conversationId).find(({ from, to }) => from <= position && to === null)
    if (open) open.to = position
  }

  #of(conversationId: number): Interval[] {
    const intervals = this.#intervals.get(conversationId) ?? []
    this.#intervals.set(conversationId, intervals)
    return intervals
  }
}

/** A listener that is held. */
export type Hold = {
  readonly listener: Listener
  /** Lets a stream hear what is new from now on; false where the listener belongs to a history that is gone. */
  attach(stream: Wakeable): boolean
  /** Gives the listener back. */
  release(): void
}

/** `missed`: changes of the audience that came while the intervals were being loaded; null when they are. */
type Ear = { readonly listener: Listener; holders: number; missed: Fact[] | null; loaded: Promise<void> }

/** The listeners of one node. `load` reads a user's intervals from Postgres; `position` is the follower's. */
export class Hub {
  readonly #load: (userId: number) => Promise<readonly AudienceRow[]>
  readonly #position: () => number
  readonly #ears = new Map<number, Ear>()
  readonly #byConversation = new Map<number, Set<Listener>>()

  constructor(load: (userId: number) => Promise<readonly AudienceRow[]>, position: () => number) {
    this.#load = load
    this.#position = position
  }

  /** How many streams are open. */
  get streamCount(): number {
    let count = 0
    for (const { listener } of this.#ears.values()) count += listener.streams.size
    return count
  }

  /** The listener of a user, with its intervals loaded. The last release frees it. */
  async hold(userId: number): Promise<Hold> {
    const ear = this.#ears.get(userId) ?? this.#open(userId)
    ear.holders += 1
    try {
      await ear.loaded
    } catch (error) {
      this.#release(ear)
      throw error
    }
    let isHeld = true
    const release = () => {
      if (isHeld) this.#release(ear)
      isHeld = false
    }
    const attach = (stream: Wakeable) => {
      if (this.#ears.get(userId) !== ear) return false
      ear.listener.streams.add(stream)
      return true
    }
    return { listener: ear.listener, attach, release }
  }

  #open(userId: number): Ear {
    const ear: Ear = { listener: new Listener(userId), holders: 0, missed: [], loaded: Promise.resolve() }
    this.#ears.set(userId, ear)
    ear.loaded = this.#fill(ear)
    return ear
  }

  #release(ear: Ear): void {
    ear.holders -= 1
    if (ear.holders > 0 || this.#ears.get(ear.listener.userId) !== ear) return
    this.#ears.delete(ear.listener.userId)
    for (const conversationId of ear.listener.conversationIds()) this.#deafen(conversationId, ear.listener)
  }

  /** Whether a user hears a conversation now; null where this node does not know. */
  findHears(userId: number, conversationId: number): boolean | null {
    const ear = this.#ears.get(userId)
    return ear && !ear.missed ? ear.listener.hearsAfter(conversationId, this.#position()) : null
  }

  /** Brings a fact to the streams that stand at the head, and keeps the audience true. Facts come in order. */
  deliver(fact: Fact): void {
    const subject = fact.audienceChange !== 0 && fact.subjectId !== null ? this.#ears.get(fact.subjectId) : undefined
    if (subject && fact.audienceChange > 0) this.#change(subject, fact)
    let left = atOnce
    if (fact.conversationId !== null) {
      for (const listener of this.#byConversation.get(fact.conversationId) ?? []) left = wake(listener, fact, left)
    } else if (fact.userId !== null) {
      const ear = this.#ears.get(fact.userId)
      if (ear) wake(ear.listener, fact, left)
    }
    if (subject && fact.audienceChange < 0) this.#change(subject, fact)
  }

  /** Every open stream, for the beat of ticks and for closing. */
  *streams(): Iterable<Wakeable> {
    for (const { listener } of this.#ears.values()) yield* listener.streams
  }

  /** Ends all streams and forgets all listeners: what they know belongs to another history. */
  abandonAll(reason: string): void {
    const streams = [...this.streams()]
    this.#ears.clear()
    this.#byConversation.clear()
    for (const stream of streams) stream.abandon(reason)
  }

  /** Postgres may be ahead of this node's follower or behind it: what changes meanwhile is kept, and applied again after. */
  async #fill(ear: Ear): Promise<void> {
    const { listener } = ear
    try {
      for (const row of await this.#load(listener.userId)) listener.load(row)
    } catch (error) {
      if (this.#ears.get(listener.userId) === ear) this.#ears.delete(listener.userId)
      throw error
    }
    const missed = ear.missed ?? []
    ear.missed = null
    if (this.#ears.get(listener.userId) !== ear) return // the journal has another history since: nobody will be woken by it
    for (const conversationId of listener.conversationIds()) {
      if (listener.hearsAfter(conversationId, this.#position())) this.#hear(conversationId, listener)
    }
    for (const fact of missed) this.#change(ear, fact)
  }

  #change(ear: Ear, fact: Fact): void {
    if (fact.conversationId === null) return
    if (ear.missed) {
      ear.missed.push(fact)
    } else if (fact.audienceChange > 0) {
      ear.listener.join(fact.conversationId, fact.position, isSinceJoining(fact))
      this.#hear(fact.conversationId, ear.listener)
    } else {
      ear.listener.leave(fact.conversationId, fact.position)
      if (!ear.listener.hearsAfter(fact.conversationId, fact.position)) this.#deafen(fact.conversationId, ear.listener)
    }
  }

  #hear(conversationId: number, listener: Listener): void {
    const listeners = this.#byConversation.get(conversationId)
    if (listeners) listeners.add(listener)
    else this.#byConversation.set(conversationId, new Set([listener]))
  }

  #deafen(conversationId: number, listener: Listener): void {
    const listeners = this.#byConversation.get(conversationId)
    listeners?.delete(listener)
    if (listeners?.size === 0) this.#byConversation.delete(conversationId)
  }
}

function isSinceJoining({ payload }: Fact): boolean {
  return ((payload as JoinPayload | null)?.visibleFromSeq ?? 0) > 0
}

/**
 * Gives a fact to the streams of a listener: at once while `left` streams are, the others in later turns.
 * @returns how many are left
 */
function wake(listener: Listener, fact: Fact, left: number): number {
  if (listener.streams.size === 0 || !listener.sees(fact)) return left
  for (const stream of listener.streams) {
    if (left > 0) stream.offer(fact)
    else stream.postpone(fact)
    left -= 1
  }
  return left
}
