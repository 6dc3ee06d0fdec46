// Following: delivers every event after the app's cursor, once and in order, over any number of sockets. Without a cursor, or
// if the server cannot continue from it (RESET), the app reads a snapshot and following continues from that.

import type { Running } from './connection.ts'
import type { Variables } from './document.ts'
import { failureOf, fromApp, isRefusedForGood, ParleyFailure, type Result, refusal } from './failure.ts'
import { logError, notify } from './notify.ts'
import type { Leaving } from './outbox.ts'
import { backOffMs, Pause, type PauseBounds } from './pause.ts'
import type { SharedConnection } from './tabs.ts'

/** The fields of every event. A document also selects `mode` and `reason` of `SyncStarted`. */
export type AnyEvent = { readonly __typename: string; readonly cursor: string }

/** The options of `follow`. */
export type FollowOptions<Event extends AnyEvent> = {
  /** The newest cursor that the app has stored; null if it has none: then following starts with a snapshot. */
  readonly after: string | null
  /**
   * Processes an event: store its data and its cursor together. The next event waits until this has finished. If it throws, the
   * event comes again after a pause.
   */
  onEvent(event: Event): void | Promise<void>
  /**
   * Discards the app's data, reads a snapshot, and returns its `syncCursor`. Called if there is no cursor; on RESET, with the
   * server's reason; and if the server repeatedly fails to deliver an event, with the code of the error. If it throws, it is
   * called again after a pause.
   */
  snapshot(reason: string | null): Promise<string>
  /**
   * Gets each failure before the retry. An error that `onEvent` or `snapshot` threw comes as the `cause` of an `APP_FAILED`.
   * Without `onTrouble`, that error goes to the console.
   */
  onTrouble?(failure: ParleyFailure): void
}

/** A handle on what an app follows. */
export type Following = {
  /** Whether it has caught up: the app has every event so far. */
  readonly isLive: boolean
  /** Resolves when it ends: with null if it was stopped, otherwise with why it cannot continue. Never rejects. */
  readonly ended: Promise<ParleyFailure | null>
  stop(): void
}

/** What a follower needs of the client. */
export type FollowHost = {
  readonly connection: SharedConnection
  readonly silenceMs: number
  readonly backOff: PauseBounds
  /** Called with each event before the app gets it. */
  received(event: AnyEvent): Leaving | null
  /** The app has every event up to the cursor of its snapshot. */
  reached(cursor: string): void
  /** The app has processed an event, and so every event up to its cursor. */
  processed(event: AnyEvent): void
  changed(): void
}

/** After this many errors of an event that are not retryable, a snapshot skips the event. */
const faultsMax = 3
/** How many events may wait for the app. With more, following stops the stream until the app has processed them. */
const pendingMax = 1_000

/** What a follower without a stream does: nothing, reading a snapshot, or waiting for a retry. */
export type Preparing =
  | { readonly status: 'NONE' | 'SNAPSHOT' }
  | { readonly status: 'WAITING'; readonly until: Date; readonly failure: ParleyFailure }

type FollowEnd =
  | { readonly kind: 'reset'; readonly reason: string | null }
  | { readonly kind: 'again'; readonly failure: ParleyFailure | null }
  | { readonly kind: 'over'; readonly failure: ParleyFailure | null }

/** Follows one document. */
export class EventFollower<Event extends AnyEvent> implements Following {
  readonly ended: Promise<ParleyFailure | null>
  isLive = false
  preparing: Preparing = { status: 'NONE' }
  readonly #query: string
  readonly #variables: Variables
  readonly #options: FollowOptions<Event>
  readonly #host: FollowHost
  readonly #pause = new Pause()
  #isStopped = false
  #stoppedFor: ParleyFailure | null = null
  /** The cursor up to which the app has processed the events. */
  #processed: string | null
  #attempt = 0
  /** Whether the app has processed an event since the last reset. If not, the next reset waits: the server is ill. */
  #hasProcessed = true
  #finish: (outcome: FollowEnd) => void = () => undefined

  constructor(query: string, variables: Variables, options: FollowOptions<Event>, host: FollowHost) {
    this.#query = query
    this.#variables = variables
    this.#options = options
    this.#host = host
    this.#processed = options.after
    this.ended = this.#run()
  }

  /** Stops following. @param failure why, if not on behalf of the app */
  stop(failure: ParleyFailure | null = null): void {
    this.#isStopped = true
    this.#stoppedFor = failure
    this.#pause.end()
    this.#finish({ kind: 'over', failure })
  }

  async #run(): Promise<ParleyFailure | null> {
    let reason: string | null = null
    while (!this.#isStopped) {
      const outcome: FollowEnd = await this.#once(reason).catch((error) => ({ kind: 'again', failure: failureOf(error) }))
      this.#setLive(false)
      if (outcome.kind === 'over') return outcome.failure
      if (outcome.kind === 'reset') {
        reason = outcome.reason
        this.#processed = null
        if (!this.#hasProcessed) await this.#pause.wait(backOffMs(this.#attempt++, this.#host.backOff))
        this.#hasProcessed = false
        continue
      }
      const { failure } = outcome
      if (!failure || this.#isStopped) continue
      this.#trouble(failure)
      if (isRefusedForGood(failure)) return failure
      const waitMs = (failure.retryAfterMs ?? 0) + backOffMs(this.#attempt, this.#host.backOff)
      this.#attempt += 1
      this.#prepare({ status: 'WAITING', until: new Date(Date.now() + waitMs), failure })
      await this.#pause.wait(waitMs)
    }
    return this.#stoppedFor
  }

  async #once(reason: string | null): Promise<FollowEnd> {
    const after = this.#processed ?? (await this.#snapshot(reason))
    // Without `#prepare`: the connection, which the stream now needs, reports its own change.
    this.preparing = { status: 'NONE' }
    this.#processed = after
    return this.#isStopped ? { kind: 'over', failure: null } : this.#stream(after)
  }

  async #snapshot(reason: string | null): Promise<string> {
    this.#prepare({ status: 'SNAPSHOT' })
    const cursor = await fromApp(() => this.#options.snapshot(reason))
    this.#host.reached(cursor)
    return cursor
  }

  /** Gives the app an event. A message of the outbox that it brings leaves the outbox once the app has processed it. */
  async #process(event: Event): Promise<void> {
    const leaving = this.#host.received(event)
    try {
      await fromApp(() => {
        const processing = this.#options.onEvent(event)
        if (typeof processing?.then === 'function') leaving?.wait()
        return processing
      })
    } catch (error) {
      leaving?.failed()
      throw error
    }
    leaving?.processed()
    this.#host.processed(event)
  }

  /** Streams from a cursor until the stream ends or has to be replaced. */
  #stream(after: string): Promise<FollowEnd> {
    return new Promise((resolve) => {
      const pending: Event[] = []
      let arrived = after
      let isWorking = false
      let isOver = false
      let isFull = false
      let faults = 0
      let silence: ReturnType<typeof setTimeout> | undefined
      const finish = (outcome: FollowEnd) => {
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
            await this.#process(event)
          } catch (error) {
            return finish({ kind: 'again', failure: failureOf(error) })
          }
          this.#processed = event.cursor
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
            // Continuing without this event would leave a hole.
            this.#trouble(event)
            if (isRefusedForGood(event)) return finish({ kind: 'over', failure: event })
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
    this.#hasProcessed = true
    running.progress()
    if (__typename === 'CaughtUp') this.#setLive(true)
  }

  #trouble(failure: ParleyFailure): void {
    const { onTrouble } = this.#options
    if (onTrouble) notify(() => onTrouble(failure))
    else if (failure.code === 'APP_FAILED') logError(failure.cause)
  }

  #prepare(preparing: Preparing): void {
    this.preparing = preparing
    this.#host.changed()
  }

  #setLive(isLive: boolean): void {
    if (this.isLive === isLive) return
    this.isLive = isLive
    this.#host.changed()
  }
}

const isReset = (event: AnyEvent) => event.__typename === 'SyncStarted' && (event as { mode?: string }).mode === 'RESET'

/** The event of a result, or why there is none. */
function eventOf<Event extends AnyEvent>({ data, errors }: Result): Event | ParleyFailure {
  const [event] = Object.values((data as Record<string, Event | null> | null | undefined) ?? {})
  if (errors) return refusal(errors)
  if (!event?.cursor || !event.__typename || (event.__typename === 'SyncStarted' && !('mode' in event))) {
    return new ParleyFailure('BAD_DOCUMENT', 'Select __typename, cursor, and mode of SyncStarted, of events', false)
  }
  return event
}
