// A stream: one device's way through the journal. It is a place in the node's memory, not a queue: it gives its consumer one
// item after another for as long as the consumer takes them. A stream at the head is given each fact by the hub, at once and
// without a promise; one that is behind reads from memory, or from Postgres where the memory does not reach back (D3, D7).

import { isTransient } from '../store/postgres.ts'
import { type BacklogLimits, isBacklogTooLarge, stuckMs } from './backlog.ts'
import { type Fact, namesMessage, type Place } from './fact.ts'
import type { Hold, Wakeable } from './hub.ts'
import type { Consumer, Start, StreamItem } from './item.ts'
import type { ReplayPage, ReplayScope } from './replay.ts'
import { steps } from './steps.ts'
import type { MessageRow } from './tables.ts'
import type { Turnable, Turns } from './turns.ts'
import type { Window } from './window.ts'

/** What a stream needs of its node. */
export type StreamSource = {
  readonly turns: Turns
  window(): Window
  /** Reads a window of the replay; waits for its turn. */
  replay(scope: ReplayScope, from: number, to: number): Promise<ReplayPage>
  /** Reads messages. */
  messages(ids: readonly number[]): Promise<readonly MessageRow[]>
}

const span = { first: 2_000, longest: 20_000, sparse: 250 } as const
/** How many facts of a page are shown with one look at their messages. */
const pageSlice = 100
/** How many items one stream is given before others get a turn. */
const turnItems = 64
/** How many facts are looked through before other work gets a turn. */
const sliceFacts = 20_000

/** What bounds a stream: its silence and its backlog. */
export type StreamLimits = BacklogLimits & { readonly tickIntervalMs: number }

/** What was read ahead from Postgres: facts, how many of them are shown, and for how many the messages are there. */
/** `readAt`: where the journal stood, as far as this node knows, before the messages were read. */
type ReadAhead = {
  facts: readonly Fact[]
  shown: number
  ready: number
  messages: ReadonlyMap<number, MessageRow>
  readAt: number
  end: Place
}

/** An open stream. It gives nothing before `start`. */
export class Stream implements Wakeable, Turnable {
  readonly #source: StreamSource
  readonly #hold: Hold
  readonly #scope: ReplayScope
  readonly #limits: StreamLimits
  readonly #onAbandoned: (reason: string) => void
  #consumer: Consumer | null = null
  #started: StreamItem | null
  /** Everything up to here has been looked at. While the stream stands at the head it is the head, whatever this says. */
  #position: number
  #isAtHead = false
  #isCatchingUp = true
  #replayed = 0
  #ahead: ReadAhead | null = null
  #span: number = span.first
  /** The consumer takes the next item. */
  #isWanted = false
  #isGoing = false
  /** Postgres is being asked; the stream goes on when it has answered. */
  #isReading = false
  #told: Place
  #isClosed = false
  #lastItemAt = Date.now()

  constructor(
    source: StreamSource,
    hold: Hold,
    scope: ReplayScope,
    start: Start,
    limits: StreamLimits,
    onAbandoned: (reason: string) => void,
  ) {
    this.#source = source
    this.#hold = hold
    this.#scope = scope
    this.#limits = limits
    this.#onAbandoned = onAbandoned
    this.#position = start.place.position
    this.#told = start.place
    this.#started = { type: 'started', ...start }
    if (!hold.attach(this)) this.abandon('the journal has another history')
  }

  /** Begins to give its items to a consumer, which takes the first one now. */
  start(consumer: Consumer): void {
    this.#consumer = consumer
    if (this.#isClosed) consumer.ended(null)
    else this.more()
  }

  /** The consumer takes the next item, now or as soon as there is one. */
  more(): void {
    this.#isWanted = true
    this.#go()
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
    if (this.#isClosed) return
    this.close()
    this.#onAbandoned(reason)
  }

  /** A fact at the head of the journal that this stream's user may see: it is given at once where the consumer takes it. */
  offer(fact: Fact): void {
    if (!this.#isAtHead || this.#isClosed || !this.#isInScope(fact)) return
    if (!this.#isWanted || this.#isGoing) this.#fallBehind(fact)
    else {
      this.#position = fact.position
      this.#give(this.#show(fact))
    }
  }

  /** The same, in one of the next turns of the event loop. */
  postpone(fact: Fact): void {
    if (!this.#isAtHead || this.#isClosed || !this.#isInScope(fact)) return
    this.#fallBehind(fact)
    this.#source.turns.add(this)
  }

  turn(): void {
    this.#go()
  }

  /** Whether this stream's user sees the whole history of a fact's conversation today. False for a fact of no conversation. */
  seesWholeHistory(fact: Fact): boolean {
    return this.#hold.listener.seesWholeHistory(fact)
  }

  /**
   * Called every second or so, with a tick for those that stand at the head. A stream that said nothing for long says where
   * it is, also while it waits to be replayed (D8). One whose socket takes nothing gives back what it has read, and is ended
   * when it is too far behind (D7).
   */
  beat(now: number, tick: StreamItem): void {
    const sinceMs = now - this.#lastItemAt
    if (this.#isWanted) {
      if (sinceMs >= this.#limits.tickIntervalMs) this.#give(this.#isAtHead ? tick : { type: 'tick', place: this.#told })
    } else if (sinceMs > stuckMs && !this.#isAtHead) {
      if (isBacklogTooLarge(this.#source.window(), this.#position, (fact) => this.#isSeen(fact), this.#limits)) {
        this.abandon('the client does not take what it asked for: resume when it can')
      } else if (!this.#isReading) this.#turnBack()
    }
  }

  #fallBehind(fact: Fact): void {
    this.#isAtHead = false
    this.#position = fact.position - 1
  }

  #end(fault: unknown): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#ahead = null
    this.#hold.listener.streams.delete(this)
    this.#hold.release()
    this.#consumer?.ended(fault)
  }

  /** Forgets what was read ahead from Postgres: it is read again when the consumer comes back. */
  #turnBack(): void {
    if (!this.#ahead) return
    this.#position = this.#ahead.facts[this.#ahead.shown - 1]?.position ?? this.#position
    this.#ahead = null
  }

  #isInScope(fact: Fact): boolean {
    return this.#scope.conversationId === null || fact.conversationId === this.#scope.conversationId
  }

  #isSeen(fact: Fact): boolean {
    return this.#isInScope(fact) && this.#hold.listener.sees(fact)
  }

  #show(fact: Fact): StreamItem {
    const message = fact.subjectId === null ? undefined : this.#source.window().message(fact.subjectId)
    return { type: 'fact', fact, place: fact, message }
  }

  /** Hands an item over. A consumer that fails ends its own stream, and no other. */
  #give(item: StreamItem): void {
    if (item.type === 'fact') {
      if (this.#isCatchingUp) this.#replayed += 1
      // Asked first: nothing is made for nobody on the way of each delivered fact.
      if (steps.streamShowing.hasSubscribers) steps.streamShowing.publish({ position: item.fact.position })
    }
    this.#isWanted = false
    this.#told = item.place
    this.#lastItemAt = Date.now()
    try {
      if (this.#consumer?.take(item)) this.#isWanted = true
    } catch (error) {
      this.#end(error)
    }
  }

  /** Gives what there is for as long as the consumer takes it, in turns with others; at the head it waits for the hub. */
  #go(): void {
    if (this.#isGoing) return
    this.#isGoing = true
    for (let given = 0; this.#isWanted && !this.#isClosed && !this.#isReading; given += 1) {
      if (given === turnItems) {
        this.#source.turns.add(this)
        break
      }
      if (this.#isAtHead || !this.#step()) break
    }
    this.#isGoing = false
  }

  /** Gives the next item, or looks further; false where it has to wait for a later turn. */
  #step(): boolean {
    if (this.#started) {
      const started = this.#started
      this.#started = null
      this.#give(started)
      return true
    }
    const window = this.#source.window()
    if (this.#ahead) return this.#stepAhead(this.#ahead)
    if (this.#position < window.basePosition) return this.#read(() => this.#turnPage(window))
    const found = this.#look(window)
    if (found) this.#give(this.#show(found))
    else if (this.#position < window.head.position) {
      this.#source.turns.add(this)
      return false
    } else {
      this.#isAtHead = true
      if (this.#isCatchingUp) {
        this.#isCatchingUp = false
        this.#give({ type: 'caughtUp', count: this.#replayed, place: window.head })
      }
    }
    return true
  }

  /** The next fact in memory for this stream, within one slice; moves the place to it, or to the end of the slice. */
  #look(window: Window): Fact | undefined {
    const end = Math.min(window.head.position, this.#position + sliceFacts)
    while (this.#position < end) {
      this.#position += 1
      const fact = window.at(this.#position)
      if (fact && this.#isSeen(fact)) return fact
    }
    return undefined
  }

  /** The same of what was read ahead from Postgres. */
  #stepAhead(ahead: ReadAhead): boolean {
    const fact = ahead.facts[ahead.shown]
    if (!fact) {
      this.#told = ahead.end
      this.#position = ahead.end.position
      this.#ahead = null
    } else if (ahead.shown >= ahead.ready) {
      return this.#read(() => this.#readMessages(ahead))
    } else {
      ahead.shown += 1
      // What has changed since the slice was read is known to the window, or is read by who shows it.
      const id = fact.subjectId
      const hasChanged = id !== null && this.#source.window().wasNamedAfter(id, ahead.readAt)
      if (id === null || hasChanged) this.#give(this.#show(fact))
      else this.#give({ type: 'fact', fact, place: fact, message: ahead.messages.get(id) })
    }
    return true
  }

  /** Asks Postgres, and goes on with the answer. Where none comes the client is told to resume. */
  #read(ask: () => Promise<void>): false {
    this.#isReading = true
    ask()
      .catch((error: unknown) => {
        if (isTransient(error)) this.abandon('Postgres did not answer')
        else this.#end(error)
      })
      .finally(() => {
        this.#isReading = false
        this.#go()
      })
    return false
  }

  /**
   * Reads the next window, up to this node's head and never beyond it: what follows is brought by the hub. Where the journal
   * was trimmed meanwhile the stream starts anew from the head.
   */
  async #turnPage(window: Window): Promise<void> {
    const from = this.#position
    const page = await this.#source.replay(this.#scope, from, Math.min(from + this.#span, window.head.position))
    if (page.floor > from) {
      const place = this.#source.window().head
      this.#position = place.position
      this.#replayed = 0
      this.#started = { type: 'started', mode: 'RESET', reason: 'CURSOR_TOO_OLD', place }
      return
    }
    this.#ahead = { facts: page.facts, shown: 0, ready: 0, messages: new Map(), readAt: window.head.position, end: page.end }
    if (page.facts.length < span.sparse) this.#span = Math.min(this.#span * 2, span.longest)
  }

  async #readMessages(ahead: ReadAhead): Promise<void> {
    const slice = ahead.facts.slice(ahead.shown, ahead.shown + pageSlice)
    ahead.readAt = this.#source.window().head.position
    const messages = await this.#source.messages(slice.filter(namesMessage).map(({ subjectId }) => Number(subjectId)))
    ahead.messages = new Map(messages.map((message) => [message.id, message]))
    ahead.ready = ahead.shown + slice.length
  }
}
