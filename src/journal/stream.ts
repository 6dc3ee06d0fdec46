// A stream: one device's way through the journal. It is a place in the node's memory, not a queue: it gives its consumer one item
// after another while the consumer takes them. A live stream receives each fact from the hub synchronously, without a promise; a
// stream that is behind catches up (D3, D7).

import type { ConversationId, Position } from '../id.ts'
import { isTransient } from '../store/postgres.ts'
import { type BacklogLimits, stuckMs } from './backlog.ts'
import { CatchUp, type FactSource, itemFrom } from './catch-up.ts'
import type { Fact, FactHeader, Place } from './fact.ts'
import type { FactVisibility, SubscriberHold, SubscriberStream } from './hub.ts'
import type { Consumer, Start, StreamItem } from './item.ts'
import type { ReplayScope } from './replay.ts'
import type { RoundRobin, TurnTaker } from './round-robin.ts'
import { steps } from './steps.ts'

/** What a stream needs of its node. */
export type StreamSource = FactSource & { readonly roundRobin: RoundRobin }

/** The limits of a stream's silence and backlog. */
export type StreamLimits = BacklogLimits & { readonly tickIntervalMs: number }

/**
 * The phase of a stream. It goes from `starting` to `replaying` and, with CaughtUp, to `live`; from there to `slow` and back
 * whenever it falls behind. If its facts are trimmed, it starts again from the head. The common phases are constants, so that a
 * change between them allocates nothing.
 */
type Phase =
  /** SyncStarted comes next, then the phase `next`. */
  | { readonly type: 'starting'; readonly item: StreamItem; readonly next: Phase }
  /** On the way from its cursor to the head for the first time; `count` facts are delivered. */
  | { readonly type: 'replaying'; count: number }
  /** At the head: receives each fact from the hub. */
  | { readonly type: 'live' }
  /** Behind the head again. */
  | { readonly type: 'slow' }
  | { readonly type: 'ended' }

const live: Phase = { type: 'live' }
const slow: Phase = { type: 'slow' }
const ended: Phase = { type: 'ended' }

/** How many items a stream delivers before others get a turn. */
const turnItems = 64

/** An open stream. It delivers nothing before `start`. */
export class Stream implements SubscriberStream, TurnTaker {
  isWaiting = false
  readonly #source: StreamSource
  readonly #hold: SubscriberHold
  readonly #conversationId: ConversationId | null
  readonly #limits: StreamLimits
  readonly #onAbandoned: (reason: string) => void
  #consumer: Consumer | null = null
  #phase: Phase
  /** Finds the next facts, unless the stream is live. */
  readonly #catchUp: CatchUp
  /** The consumer is ready for the next item. */
  #isWanted = false
  /** Items are being delivered: new facts wait. */
  #isGiving = false
  /** A read from Postgres is under way: the stream continues when it is done. */
  #isReading = false
  /** Everything up to here was delivered or is not for this stream. A live stream is further on than this. */
  #place: Place
  #lastItemAt = Date.now()

  constructor(
    source: StreamSource,
    hold: SubscriberHold,
    scope: ReplayScope,
    start: Start,
    limits: StreamLimits,
    onAbandoned: (reason: string) => void,
  ) {
    this.#source = source
    this.#hold = hold
    this.#conversationId = scope.conversationId
    this.#limits = limits
    this.#onAbandoned = onAbandoned
    this.#place = start.place
    this.#phase = { type: 'starting', item: { type: 'started', ...start }, next: { type: 'replaying', count: 0 } }
    const canSee = (fact: FactHeader) => this.#isInScope(fact) && hold.subscriber.canSee(fact)
    this.#catchUp = new CatchUp(source, scope, canSee, start.place.position)
    if (!hold.attach(this)) this.abandon('The journal has another history.')
  }

  /** Begins to deliver items to a consumer, which takes the first one now. */
  start(consumer: Consumer): void {
    this.#consumer = consumer
    if (this.#phase === ended) consumer.ended(null)
    else this.more()
  }

  /** Requests the next item for the consumer, now or as soon as there is one. */
  more(): void {
    this.#isWanted = true
    this.#giveNext()
  }

  /** Ends the stream and frees its resources at once. */
  close(): void {
    this.#end(null)
  }

  /** Ends the stream because of a bug, and passes it to the consumer. */
  fail(fault: unknown): void {
    this.#end(fault)
  }

  /** Ends the stream because this node can't continue it. The client is asked to resume. */
  abandon(reason: string): void {
    if (this.#phase === ended) return
    this.close()
    this.#onAbandoned(reason)
  }

  /** Takes a fact at the head that the user may see. Delivers it at once if the consumer is ready. */
  offer(fact: Fact): void {
    if (this.#phase !== live || !this.#isInScope(fact)) return
    if (this.#isWanted && !this.#isGiving) this.#give(itemFrom(this.#source.recentLog(), fact))
    else this.#fallBehind(fact)
  }

  /** Takes such a fact, but delivers it in one of the next turns of the event loop. */
  postpone(fact: Fact): void {
    if (this.#phase !== live || !this.#isInScope(fact)) return
    this.#fallBehind(fact)
    this.#giveLater()
  }

  turn(): void {
    this.#giveNext()
  }

  /** What else the user may see of a fact's conversation: see Subscriber. */
  visibilityOf(fact: Fact): FactVisibility {
    return this.#hold.subscriber.visibilityOf(fact)
  }

  /** The last position of the interval in which the user sees a fact: see Subscriber. */
  visibleUntil(fact: Fact): Position {
    return this.#hold.subscriber.visibleUntil(fact)
  }

  /**
   * Called every second or so, with a tick for live streams. A stream that was silent for long delivers its place, even while its
   * replay waits for a turn (D8). A stream whose socket takes nothing discards its page, and ends if it is too far behind (D7).
   */
  beat(now: number, tick: StreamItem): void {
    const sinceMs = now - this.#lastItemAt
    if (this.#isWanted) {
      if (sinceMs >= this.#limits.tickIntervalMs) this.#give(this.#phase === live ? tick : { type: 'tick', place: this.#place })
    } else if (sinceMs > stuckMs && this.#phase !== live) {
      if (this.#catchUp.isTooFarBehind(this.#limits)) this.abandon('The client does not read its events. Resume when it can.')
      else if (!this.#isReading) this.#catchUp.forgetPage()
    }
  }

  #isInScope(fact: FactHeader): boolean {
    return this.#conversationId === null || fact.conversationId === this.#conversationId
  }

  #fallBehind(fact: Fact): void {
    this.#phase = slow
    this.#catchUp.moveTo((fact.position - 1) as Position)
  }

  #end(fault: unknown): void {
    if (this.#phase === ended) return
    this.#phase = ended
    this.#catchUp.forgetPage()
    this.#hold.subscriber.streams.delete(this)
    this.#hold.release()
    this.#consumer?.ended(fault)
  }

  /** Delivers an item. A consumer that fails ends only its own stream. */
  #give(item: StreamItem): void {
    // A hot path, taken for each delivered fact: allocate nothing unless the channel has a subscriber.
    if (item.type === 'fact' && steps.streamShowing.hasSubscribers)
      steps.streamShowing.publish(stepOf(item.fact, this.#phase === live))
    this.#isWanted = false
    this.#place = item.place
    this.#lastItemAt = Date.now()
    try {
      if (this.#consumer?.take(item)) this.#isWanted = true
    } catch (error) {
      this.#end(error)
    }
  }

  #giveLater(): void {
    this.#source.roundRobin.add(this.#hold.subscriber, this)
  }

  /** Delivers items while the consumer takes them, in turns with other streams. A live stream waits for the hub. */
  #giveNext(): void {
    if (this.#isGiving) return
    this.#isGiving = true
    let given = 0
    while (this.#isWanted && !this.#isReading && given < turnItems && this.#advance(this.#phase)) given += 1
    this.#isGiving = false
    if (given === turnItems) this.#giveLater()
  }

  /** Delivers the next item, or looks further. Returns false if the stream has to wait. */
  #advance(phase: Phase): boolean {
    if (phase.type === 'live' || phase.type === 'ended') return false
    if (phase.type === 'starting') {
      this.#phase = phase.next
      this.#give(phase.item)
      return true
    }
    const result = this.#catchUp.next()
    switch (result.type) {
      case 'fact':
        if (phase.type === 'replaying') phase.count += 1
        this.#give(result)
        return true
      case 'passed':
        this.#place = result.place
        return true
      case 'paused':
        this.#giveLater()
        return false
      case 'reading':
        this.#waitFor(result.done)
        return false
      case 'atHead':
        this.#phase = live
        if (phase.type === 'replaying') {
          this.#give({ type: 'caughtUp', count: phase.count, place: this.#source.recentLog().head })
        }
        return true
    }
  }

  /** Continues when Postgres has answered. If Postgres fails, the client is asked to resume. */
  #waitFor(reading: Promise<'READ' | 'TRIMMED'>): void {
    this.#isReading = true
    reading
      .then((outcome) => {
        if (outcome === 'TRIMMED') this.#startAgain()
      })
      .catch((error: unknown) => {
        if (isTransient(error)) this.abandon('The database did not answer.')
        else this.#end(error)
      })
      .finally(() => {
        this.#isReading = false
        this.#giveNext()
      })
  }

  /** Starts again from the head because the next facts are gone. A stream delivers CaughtUp only once. */
  #startAgain(): void {
    if (this.#phase === ended) return
    const { head: place } = this.#source.recentLog()
    this.#catchUp.moveTo(place.position)
    const item = { type: 'started', mode: 'RESET', reason: 'CURSOR_TOO_OLD', place } as const
    this.#phase = { type: 'starting', item, next: this.#phase.type === 'slow' ? slow : { type: 'replaying', count: 0 } }
  }
}

const stepOf = ({ position, occurredAt }: Fact, isLive: boolean) => ({ position, occurredAt, isLive })
