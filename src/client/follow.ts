// Following: brings an app every event after its cursor, once and in order, over any number of sockets. Where there is no
// cursor, or the server cannot go on from it (RESET), the app reads a snapshot and goes on from that.

import type { Connection, Running } from './connection.ts'
import type { Variables } from './document.ts'
import { failureOf, ParleyFailure, type Result, refusal } from './failure.ts'
import { type Bounds, backOffMs, Pause } from './pause.ts'
import { tell } from './tell.ts'

/** What every event has. A document selects `mode` and `reason` of `SyncStarted`, too. */
export type AnyEvent = { readonly __typename: string; readonly cursor: string }

/** How an app follows. */
export type FollowOptions<Event extends AnyEvent> = {
  /** Where to go on: the newest cursor that the app has stored. Null where it has none; then it begins with a snapshot. */
  readonly after: string | null
  /**
   * Deals with an event: store what it tells and its cursor together. The next event waits for it. Where it fails, the event
   * has not been dealt with, and comes again after a pause.
   */
  onEvent(event: Event): void | Promise<void>
  /**
   * Throws away what the app holds, reads a snapshot, and gives its `syncCursor`. Called where there is no cursor, and on
   * RESET, with the server's reason; also where an event cannot be shown, with the code of its error. Where it fails it is
   * called again after a pause.
   */
  snapshot(reason: string | null): Promise<string>
  /** Told what went wrong, before it is tried again. */
  onTrouble?(failure: ParleyFailure): void
}

/** A following that goes on. */
export type Following = {
  /** Whether it has brought everything that there was; what comes now is new. */
  readonly isLive: boolean
  /** Resolves when it is over: with null where it was stopped, else with why it cannot go on. Never fails. */
  readonly ended: Promise<ParleyFailure | null>
  stop(): void
}

/** What a follower needs of the client. */
export type FollowHost = {
  readonly connection: Connection
  readonly silenceMs: number
  readonly backOff: Bounds
  /** An event has come; told before the app is. */
  heard(event: AnyEvent): void
  changed(): void
}

/** An event that the server fails to show so often, for a cause that does not pass, is passed over by a snapshot. */
const faultsMax = 3
/** So many events wait for the app at most; then the stream is left, and taken up again when they are dealt with. */
const pendingMax = 1_000

type Outcome =
  | { readonly kind: 'reset'; readonly reason: string | null }
  | { readonly kind: 'again'; readonly failure: ParleyFailure | null }
  | { readonly kind: 'over'; readonly failure: ParleyFailure | null }

/** One following. */
export class Follower<Event extends AnyEvent> implements Following {
  readonly ended: Promise<ParleyFailure | null>
  isLive = false
  readonly #query: string
  readonly #variables: Variables
  readonly #options: FollowOptions<Event>
  readonly #host: FollowHost
  readonly #pause = new Pause()
  #isStopped = false
  #stoppedFor: ParleyFailure | null = null
  /** Up to where the app has dealt with the events, and up to where they have come. */
  #dealt: string | null
  #attempt = 0
  /** Whether an event was dealt with since the last reset. One reset after another, without any, is a server that is ill. */
  #hasDealt = true
  #finish: (outcome: Outcome) => void = () => undefined

  constructor(query: string, variables: Variables, options: FollowOptions<Event>, host: FollowHost) {
    this.#query = query
    this.#variables = variables
    this.#options = options
    this.#host = host
    this.#dealt = options.after
    this.ended = this.#run()
  }

  /** Ends it. @param failure why, where it is not the app that wants it */
  stop(failure: ParleyFailure | null = null): void {
    this.#isStopped = true
    this.#stoppedFor = failure
    this.#pause.end()
    this.#finish({ kind: 'over', failure })
  }

  async #run(): Promise<ParleyFailure | null> {
    let reason: string | null = null
    while (!this.#isStopped) {
      const outcome: Outcome = await this.#once(reason).catch((error) => ({ kind: 'again', failure: failureOf(error) }))
      this.#setLive(false)
      if (outcome.kind === 'over') return outcome.failure
      if (outcome.kind === 'reset') {
        reason = outcome.reason
        this.#dealt = null
        if (!this.#hasDealt) await this.#pause.wait(backOffMs(this.#attempt++, this.#host.backOff))
        this.#hasDealt = false
        continue
      }
      const { failure } = outcome
      if (!failure || this.#isStopped) continue
      this.#trouble(failure)
      await this.#pause.wait((failure.retryAfterMs ?? 0) + backOffMs(this.#attempt, this.#host.backOff))
      this.#attempt += 1
    }
    return this.#stoppedFor
  }

  async #once(reason: string | null): Promise<Outcome> {
    const after = this.#dealt ?? (await this.#options.snapshot(reason))
    this.#dealt = after
    return this.#isStopped ? { kind: 'over', failure: null } : this.#stream(after)
  }

  /** Follows from a cursor, until something else has to be done. */
  #stream(after: string): Promise<Outcome> {
    return new Promise((resolve) => {
      const pending: Event[] = []
      let arrived = after
      let isWorking = false
      let isOver = false
      let isFull = false
      let faults = 0
      let silence: ReturnType<typeof setTimeout> | undefined
      const finish = (outcome: Outcome) => {
        if (isOver) return
        isOver = true
        clearTimeout(silence)
        running.stop()
        resolve(outcome)
      }
      const listen = () => {
        clearTimeout(silence)
        silence = setTimeout(() => this.#host.connection.terminate('nothing came for too long'), this.#host.silenceMs)
      }
      const work = async () => {
        isWorking = true
        for (let event = pending.shift(); event && !isOver; event = pending.shift()) {
          if (isReset(event)) return finish({ kind: 'reset', reason: (event as { reason?: string | null }).reason ?? null })
          try {
            this.#host.heard(event)
            await this.#options.onEvent(event)
          } catch (error) {
            return finish({ kind: 'again', failure: failureOf(error) })
          }
          this.#dealt = event.cursor
          this.#note(event, running)
        }
        isWorking = false
        if (isFull) finish({ kind: 'again', failure: null })
      }
      const running = this.#host.connection.run({
        ask: () => {
          listen()
          this.#setLive(false)
          return { query: this.#query, variables: { ...this.#variables, after: arrived } }
        },
        next: (result) => {
          if (isOver || isFull) return
          listen()
          const event = eventOf<Event>(result)
          if (event instanceof ParleyFailure) {
            // It was not brought. Whoever goes on would have a hole.
            this.#trouble(event)
            if (event.code === 'BAD_DOCUMENT') return finish({ kind: 'over', failure: event })
            faults += event.isRetryable ? 0 : 1
            return faults < faultsMax ? running.again(event) : finish({ kind: 'reset', reason: event.code })
          }
          faults = event.__typename === 'SyncStarted' ? faults : 0
          arrived = event.cursor
          pending.push(event)
          if (pending.length >= pendingMax) {
            isFull = true
            clearTimeout(silence)
            running.stop()
          }
          if (!isWorking) void work()
        },
        refused: (failure) => finish({ kind: 'over', failure }),
        completed: () => finish({ kind: 'over', failure: null }),
        lost: () => {
          clearTimeout(silence)
          this.#setLive(false)
        },
      })
      this.#finish = finish
    })
  }

  #note({ __typename }: AnyEvent, running: Running): void {
    if (__typename === 'SyncStarted') return
    this.#attempt = 0
    this.#hasDealt = true
    running.progress()
    if (__typename === 'CaughtUp') this.#setLive(true)
  }

  #trouble(failure: ParleyFailure): void {
    tell(() => this.#options.onTrouble?.(failure))
  }

  #setLive(isLive: boolean): void {
    if (this.isLive === isLive) return
    this.isLive = isLive
    this.#host.changed()
  }
}

const isReset = (event: AnyEvent) => event.__typename === 'SyncStarted' && (event as { mode?: string }).mode === 'RESET'

/** The event of an answer, or why there is none. */
function eventOf<Event extends AnyEvent>({ data, errors }: Result): Event | ParleyFailure {
  const [event] = Object.values((data as Record<string, Event | null> | null | undefined) ?? {})
  if (errors) return refusal(errors)
  if (!event?.cursor || !event.__typename || (event.__typename === 'SyncStarted' && !('mode' in event))) {
    return new ParleyFailure('BAD_DOCUMENT', 'Select __typename, cursor, and mode of SyncStarted, of events', false)
  }
  return event
}
