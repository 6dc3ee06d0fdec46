// A stream: one device's way through the journal. It is a place in the node's memory, not a queue: it gives its consumer one
// item after another for as long as the consumer takes them. A live stream is given each fact by the hub, at once and without a
// promise; one that is behind catches up (D3, D7).

import { isTransient } from '../store/postgres.ts'
import { type BacklogLimits, stuckMs } from './backlog.ts'
import { CatchUp, type FactSource, itemFrom } from './catch-up.ts'
import type { Fact, Place } from './fact.ts'
import type { FactVisibility, SubscriberHold, SubscriberStream } from './hub.ts'
import type { Consumer, Start, StreamItem } from './item.ts'
import type { ReplayScope } from './replay.ts'
import type { RoundRobin, TurnTaker } from './round-robin.ts'
import { steps } from './steps.ts'

/** What a stream needs of its node. */
export type StreamSource = FactSource & { readonly roundRobin: RoundRobin }

/** What bounds a stream: its silence and its backlog. */
export type StreamLimits = BacklogLimits & { readonly tickIntervalMs: number }

/**
 * Where a stream stands. It goes from `starting` to `replaying` and, with CaughtUp, to `live`; from there to `slow` and back as
 * often as it falls behind. If its facts are trimmed it starts again, from the head. What most streams are most of the time is
 * constant: going from one to the other costs nothing.
 */
type Phase =
  /** SyncStarted comes next, and then the phase `next`. */
  | { readonly type: 'starting'; readonly item: StreamItem; readonly next: Phase }
  /** On the way from its cursor to the head, for the first time; `count` facts were given. */
  | { readonly type: 'replaying'; count: number }
  /** At the head: the hub gives it each fact. */
  | { readonly type: 'live' }
  /** Behind the head again. */
  | { readonly type: 'slow' }
  | { readonly type: 'ended' }

const live: Phase = { type: 'live' }
const slow: Phase = { type: 'slow' }
const ended: Phase = { type: 'ended' }

/** How many items one stream is given before others get a turn. */
const turnItems = 64

/** An open stream. It gives nothing before `start`. */
export class Stream implements SubscriberStream, TurnTaker {
  readonly #source: StreamSource
  readonly #hold: SubscriberHold
  readonly #conversationId: number | null
  readonly #limits: StreamLimits
  readonly #onAbandoned: (reason: string) => void
  #consumer: Consumer | null = null
  #phase: Phase
  /** The way to the head, unless the stream is live. */
  readonly #catchUp: CatchUp
  /** The consumer takes the next item. */
  #isWanted = false
  /** Items are being given: what comes meanwhile waits. */
  #isGiving = false
  /** Postgres is being asked; the stream goes on when it has answered. */
  #isReading = false
  /** Everything up to here was given, or is not for this stream. Further on while the stream is live. */
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
    const canSee = (fact: Fact) => this.#isInScope(fact) && hold.subscriber.canSee(fact)
    this.#catchUp = new CatchUp(source, scope, canSee, start.place.position)
    if (!hold.attach(this)) this.abandon('The journal has another history.')
  }

  /** Begins to give its items to a consumer, which takes the first one now. */
  start(consumer: Consumer): void {
    this.#consumer = consumer
    if (this.#phase === ended) consumer.ended(null)
    else this.more()
  }

  /** The consumer takes the next item, now or as soon as there is one. */
  more(): void {
    this.#isWanted = true
    this.#giveNext()
  }

  /** Ends the stream and frees what it holds, at once. */
  close(): void {
    this.#end(null)
  }

  /** Ends the stream because of a bug, which its consumer is told. */
  fail(fault: unknown): void {
    this.#end(fault)
  }

  /** Ends the stream because this node can't go on with it; the client is told to resume. */
  abandon(reason: string): void {
    if (this.#phase === ended) return
    this.close()
    this.#onAbandoned(reason)
  }

  /** A fact at the head of the journal that this stream's user may see: it is given at once if the consumer takes it. */
  offer(fact: Fact): void {
    if (this.#phase !== live || !this.#isInScope(fact)) return
    if (this.#isWanted && !this.#isGiving) this.#give(itemFrom(this.#source.recentLog(), fact))
    else this.#fallBehind(fact)
  }

  /** The same, in one of the next turns of the event loop. */
  postpone(fact: Fact): void {
    if (this.#phase !== live || !this.#isInScope(fact)) return
    this.#fallBehind(fact)
    this.#giveLater()
  }

  turn(): void {
    this.#giveNext()
  }

  /** What the user may see besides a fact: see Subscriber. */
  visibilityOf(fact: Fact): FactVisibility {
    return this.#hold.subscriber.visibilityOf(fact)
  }

  /** The last position of the interval in which the user sees a fact: see Subscriber. */
  visibleUntil(fact: Fact): number {
    return this.#hold.subscriber.visibleUntil(fact)
  }

  /**
   * Called every second or so, with a tick for live streams. A stream that said nothing for long says where it is, also while it
   * waits to be replayed (D8). One whose socket takes nothing gives back what it has read, and is ended when it is too far behind
   * (D7).
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

  #isInScope(fact: Fact): boolean {
    return this.#conversationId === null || fact.conversationId === this.#conversationId
  }

  #fallBehind(fact: Fact): void {
    this.#phase = slow
    this.#catchUp.moveTo(fact.position - 1)
  }

  #end(fault: unknown): void {
    if (this.#phase === ended) return
    this.#phase = ended
    this.#catchUp.forgetPage()
    this.#hold.subscriber.streams.delete(this)
    this.#hold.release()
    this.#consumer?.ended(fault)
  }

  /** Gives an item. A consumer that fails ends its own stream, and no other. */
  #give(item: StreamItem): void {
    // Without a subscriber of the channel nothing is allocated for it: this is the way of each delivered fact.
    if (item.type === 'fact' && steps.streamShowing.hasSubscribers) steps.streamShowing.publish({ position: item.fact.position })
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

  /** Gives what there is for as long as the consumer takes it, in turns with others; a live stream waits for the hub. */
  #giveNext(): void {
    if (this.#isGiving) return
    this.#isGiving = true
    let given = 0
    while (this.#isWanted && !this.#isReading && given < turnItems && this.#advance(this.#phase)) given += 1
    this.#isGiving = false
    if (given === turnItems) this.#giveLater()
  }

  /** Gives the next item, or looks further; false if the stream has to wait for something. */
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

  /** Goes on when Postgres has answered. If it does not, the client is told to resume. */
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

  /** The next facts are gone: the stream starts again, from the head. CaughtUp comes once in its life. */
  #startAgain(): void {
    if (this.#phase === ended) return
    const { head: place } = this.#source.recentLog()
    this.#catchUp.moveTo(place.position)
    const item = { type: 'started', mode: 'RESET', reason: 'CURSOR_TOO_OLD', place } as const
    this.#phase = { type: 'starting', item, next: this.#phase.type === 'slow' ? slow : { type: 'replaying', count: 0 } }
  }
}
