// A stream: one device's way through the journal. It is a place in the node's memory, not a queue: it is pulled when its
// socket can take more, and looks up what comes next. A stream at the head waits and is woken by the hub; one that is
// behind reads from memory, or from Postgres where the memory does not reach back (D3, D7).

import { isTransient } from '../store/postgres.ts'
import { type BacklogLimits, isBacklogTooLarge, stuckMs } from './backlog.ts'
import { type Fact, namesMessage, type Place } from './fact.ts'
import type { Hold, Wakeable } from './hub.ts'
import type { ReplayPage, ReplayScope } from './replay.ts'
import type { MessageRow } from './tables.ts'
import type { Window } from './window.ts'

/** Why a stream could not go on from the cursor it was given. */
export type ResetReason = 'CURSOR_TOO_OLD' | 'OTHER_EPOCH' | 'OTHER_HISTORY' | 'AHEAD_OF_JOURNAL'

/** How a stream starts: from now, from its cursor, or from now because the cursor can't be served. */
export type Start =
  | { readonly mode: 'FRESH' | 'RESUMED'; readonly place: Place }
  | { readonly mode: 'RESET'; readonly reason: ResetReason; readonly place: Place }

/** What comes out of a stream, in this order: started, facts, caughtUp, then facts and ticks as they come. */
export type StreamItem =
  | ({ readonly type: 'started' } & Start)
  | { readonly type: 'fact'; readonly fact: Fact; readonly place: Place; readonly message: MessageRow | undefined }
  | { readonly type: 'caughtUp'; readonly count: number; readonly place: Place }
  | { readonly type: 'tick'; readonly place: Place }

/** What a stream needs of its node. */
export type StreamSource = {
  window(): Window
  /** Reads a window of the replay; waits for its turn. */
  replay(scope: ReplayScope, from: number, to: number): Promise<ReplayPage>
  /** Reads messages. */
  messages(ids: readonly number[]): Promise<readonly MessageRow[]>
}

const span = { first: 2_000, longest: 20_000, sparse: 250 } as const
/** How many facts of a page are shown with one look at their messages. */
const pageSlice = 100
/** How many facts are looked through before other work gets a turn. */
const sliceFacts = 20_000

/** What bounds a stream: its silence and its backlog. */
export type StreamLimits = BacklogLimits & { readonly tickIntervalMs: number }

type Waiting = (item: StreamItem | null) => void

/** An open stream. `next` is called by one consumer, one call at a time. */
export class Stream implements Wakeable {
  readonly #source: StreamSource
  readonly #hold: Hold
  readonly #scope: ReplayScope
  readonly #limits: StreamLimits
  readonly #onAbandoned: (reason: string) => void
  #started: StreamItem | null
  /** Everything up to here has been looked at. While the stream stands at the head it is the head, whatever this says. */
  #position: number
  #isAtHead = false
  #isCatchingUp = true
  #replayed = 0
  #page: readonly Fact[] = []
  #pageShown = 0
  #pageMessages: ReadonlyMap<number, MessageRow> = new Map()
  #pageEnd: Place | null = null
  #span: number = span.first
  #waiting: Waiting | null = null
  /** The search for the next item. It outlives a `next` that was answered with a tick. */
  #advancing: Promise<StreamItem | null> | null = null
  /** Answers the `next` that is being waited for; null where none is. */
  #interject: Waiting | null = null
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

  /** The next item, as soon as there is one; null when the stream is closed. */
  async next(): Promise<StreamItem | null> {
    const started = this.#isClosed ? null : this.#started
    this.#started = null
    const item = started ?? (await this.#find())
    this.#lastItemAt = Date.now()
    if (item) this.#told = item.place
    return item
  }

  /** What the search brings, or the tick that `beat` says while it takes long: the search then goes on. */
  #find(): Promise<StreamItem | null> {
    this.#advancing ??= this.#advance()
    const advancing = this.#advancing
    return new Promise((resolve, reject) => {
      this.#interject = resolve
      const settle = (give: () => void) => {
        if (this.#interject !== resolve) return
        this.#interject = null
        this.#advancing = null
        give()
      }
      advancing.then(
        (item) => settle(() => resolve(item)),
        (error: unknown) => settle(() => reject(error)),
      )
    })
  }

  /** Ends the stream and frees what it holds, at once, also while a `next` is waiting. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#turnBack()
    this.#hold.listener.streams.delete(this)
    this.#hold.release()
    this.#waiting?.(null)
    this.#interject?.(null)
  }

  /** Ends the stream because this node can't go on with it; the client is told to resume. */
  abandon(reason: string): void {
    if (this.#isClosed) return
    this.close()
    this.#onAbandoned(reason)
  }

  /** A fact at the head of the journal that this stream's user may see. */
  offer(fact: Fact): void {
    if (!this.#isAtHead || this.#isClosed || !this.#isInScope(fact)) return
    if (this.#waiting) {
      this.#position = fact.position
      this.#answer(this.#show(fact))
    } else {
      this.#isAtHead = false
      this.#position = fact.position - 1
    }
  }

  /**
   * Called every second or so. A stream that said nothing for long says where it is, also while it is being replayed (D8).
   * One whose socket takes nothing gives back what it has read, and is ended when it is too far behind (D7).
   */
  beat(now: number): void {
    const sinceMs = now - this.#lastItemAt
    if (this.#interject) {
      if (sinceMs >= this.#limits.tickIntervalMs) this.#tick(this.#interject)
    } else if (sinceMs > stuckMs && !this.#isAtHead) {
      if (isBacklogTooLarge(this.#source.window(), this.#position, (fact) => this.#isSeen(fact), this.#limits)) {
        this.abandon('the client does not take what it asked for: resume when it can')
      } else if (this.#advancing === null) this.#turnBack()
    }
  }

  #tick(interject: Waiting): void {
    if (this.#waiting) this.#answer({ type: 'tick', place: this.#source.window().head })
    else {
      this.#interject = null
      interject({ type: 'tick', place: this.#told })
    }
  }

  /** Forgets what was read ahead from Postgres: it is read again when the consumer comes back. */
  #turnBack(): void {
    if (!this.#pageEnd) return
    this.#position = this.#page[this.#pageShown - 1]?.position ?? this.#position
    this.#pageEnd = null
    this.#page = []
    this.#pageShown = 0
    this.#pageMessages = new Map()
  }

  #answer(item: StreamItem): void {
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.(item)
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

  async #advance(): Promise<StreamItem | null> {
    while (!this.#isClosed) {
      if (this.#isAtHead) return this.#wait()
      const window = this.#source.window()
      if (this.#pageEnd || this.#position < window.basePosition) {
        const item = await this.#fromPostgres(window)
        if (item) return item
        continue
      }
      const found = this.#look(window)
      if (found) return this.#count(this.#show(found))
      if (this.#position < window.head.position) {
        await new Promise(setImmediate)
        continue
      }
      this.#isAtHead = true
      if (this.#isCatchingUp) {
        this.#isCatchingUp = false
        return { type: 'caughtUp', count: this.#replayed, place: window.head }
      }
    }
    return null
  }

  #count(item: StreamItem): StreamItem {
    if (this.#isCatchingUp) this.#replayed += 1
    return item
  }

  #wait(): Promise<StreamItem | null> {
    return new Promise((resolve) => {
      this.#waiting = resolve
    })
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

  /** The next item of the replay from Postgres; null where a page was turned or ended, or the stream was closed. */
  async #fromPostgres(window: Window): Promise<StreamItem | null> {
    try {
      if (!this.#pageEnd) return await this.#turnPage(window)
      const fact = this.#page[this.#pageShown]
      if (fact) return await this.#showPaged(fact)
      this.#told = this.#pageEnd
      this.#position = this.#pageEnd.position
      this.#pageEnd = null
      return null
    } catch (error) {
      if (!isTransient(error)) throw error
      this.abandon('Postgres did not answer')
      return null
    }
  }

  /**
   * Reads the next window, up to this node's head and never beyond it: what follows is brought by the hub. Where the journal
   * was trimmed meanwhile the stream starts anew from the head.
   */
  async #turnPage(window: Window): Promise<StreamItem | null> {
    const from = this.#position
    const page = await this.#source.replay(this.#scope, from, Math.min(from + this.#span, window.head.position))
    if (page.floor > from) {
      const place = this.#source.window().head
      this.#position = place.position
      this.#replayed = 0
      return { type: 'started', mode: 'RESET', reason: 'CURSOR_TOO_OLD', place }
    }
    this.#page = page.facts
    this.#pageShown = 0
    this.#pageEnd = page.end
    if (page.facts.length < span.sparse) this.#span = Math.min(this.#span * 2, span.longest)
    return null
  }

  async #showPaged(fact: Fact): Promise<StreamItem> {
    if (this.#pageShown % pageSlice === 0) {
      const named = this.#page.slice(this.#pageShown, this.#pageShown + pageSlice).filter(namesMessage)
      const messages = await this.#source.messages(named.map(({ subjectId }) => Number(subjectId)))
      this.#pageMessages = new Map(messages.map((message) => [message.id, message]))
    }
    this.#pageShown += 1
    const message = fact.subjectId === null ? undefined : this.#pageMessages.get(fact.subjectId)
    return this.#count({ type: 'fact', fact, place: fact, message })
  }
}
