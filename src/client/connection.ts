// The socket of a client, and the operations that run over it. It is there while something runs. When it is lost, another one
// is opened, at another node if need be, and everything that runs is asked again, as it then wants to be asked.

import { onNetwork } from './browser.ts'
import type { Variables } from './document.ts'
import { failureOf, noAnswer, ParleyFailure, type Result } from './failure.ts'
import { heartbeat, renewConnection } from './operations.ts'
import { type Bounds, backOffMs, Pause } from './pause.ts'
import { normalCode, Socket, type WebSocketClass } from './socket.ts'

/** An operation that goes on, over one socket after another. */
export type Operation = {
  /** What to ask: called anew for each socket. */
  ask(): { readonly query: string; readonly variables: Variables }
  next(result: Result): void
  /** It is over: the server refused it, for a cause that no repeat mends. */
  refused(failure: ParleyFailure): void
  /** It is over: the server says that nothing more will come. */
  completed(): void
  /** Its socket is gone; it will be asked again. */
  lost?(): void
}

/** An operation that runs. */
export type Running = {
  stop(): void
  /** Asks it anew over the same socket, after a pause. */
  again(failure: ParleyFailure): void
  /** It does what it should: the next pause begins small. */
  progress(): void
}

/** What a connection does now. */
export type ConnectionState =
  | { readonly status: 'CLOSED' | 'CONNECTING' | 'OPEN' }
  | { readonly status: 'WAITING'; readonly until: Date; readonly failure: ParleyFailure }

/** What a connection needs of the client. */
export type ConnectionHost = {
  readonly webSocketImpl: WebSocketClass
  readonly connectMs: number
  readonly requestMs: number
  readonly backOff: Bounds
  /** A good access token; not the one that was refused. */
  token(refused: string | null): Promise<string | null>
  /** How long the token is good, in milliseconds; null where nobody knows. */
  goodForMs(): number | null
  /** The session is over. */
  ended(code: string): Promise<void>
  /** Where to open a socket. */
  choose(): Promise<string>
  opened(url: string): void
  failed(url: string): void
  changed(): void
}

type Entry = {
  readonly operation: Operation
  unsubscribe: () => void
  attempt: number
  retry: ReturnType<typeof setTimeout> | undefined
}

/** A socket that carries nothing is kept for so long, for what comes next. */
const lingerMs = 2_000
const renewAtLeastMs = 250
const renewAgainMs = 5_000
const timerMaxMs = 2 ** 31 - 1
/** Close codes of the server: docs/protocol.md. */
const codes = { goingAway: 1012, tokenRefused: 4601, tokenExpired: 4602, sessionRevoked: 4603 } as const

/** The connection of a client. */
export class Connection {
  readonly #host: ConnectionHost
  readonly #entries = new Set<Entry>()
  readonly #pause = new Pause()
  readonly #unlisten: () => void
  #socket: Socket | null = null
  #open: Socket | null = null
  #state: ConnectionState = { status: 'CLOSED' }
  #keeping: Promise<void> | null = null
  #isClosed = false
  #attempt = 0
  #isIdle = false
  /** The token that the last socket was closed for. */
  #expired: string | null = null
  #linger: ReturnType<typeof setTimeout> | undefined

  constructor(host: ConnectionHost) {
    this.#host = host
    let wasAway = false
    this.#unlisten = onNetwork((isThere) => {
      if (isThere && wasAway) this.terminate('the network changed')
      if (isThere) this.#pause.end()
      wasAway = !isThere
    })
  }

  get state(): ConnectionState {
    return this.#state
  }

  /** Runs an operation until it is over, or is stopped. */
  run(operation: Operation): Running {
    const entry: Entry = { operation, unsubscribe: () => undefined, attempt: 0, retry: undefined }
    this.#entries.add(entry)
    clearTimeout(this.#linger)
    this.#ask(entry)
    this.#start()
    return {
      stop: () => this.#remove(entry),
      again: (failure) => this.#again(entry, failure),
      progress: () => {
        entry.attempt = 0
        this.#attempt = 0
      },
    }
  }

  /** Gives up the socket, which is dead; another one is opened. */
  terminate(reason: string): void {
    this.#socket?.terminate(reason)
  }

  /** Tells whether the person is away from this device: now, and with each socket that is opened. */
  setIdle(isIdle: boolean): void {
    this.#isIdle = isIdle
    this.#open?.once(heartbeat, { input: { idle: isIdle } }, this.#host.requestMs).catch(() => undefined)
  }

  /** Ends everything. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#unlisten()
    clearTimeout(this.#linger)
    for (const entry of this.#entries) this.#forget(entry)
    this.#socket?.close()
    this.#pause.end()
    await this.#keeping
  }

  #start(): void {
    if (this.#isClosed) return
    this.#keeping ??= this.#keep().finally(() => {
      this.#keeping = null
      if (this.#entries.size > 0) this.#start()
    })
  }

  #remove(entry: Entry): void {
    this.#forget(entry)
    if (this.#entries.size > 0) return
    clearTimeout(this.#linger)
    this.#linger = setTimeout(() => {
      this.#socket?.close()
      this.#pause.end()
    }, lingerMs)
  }

  #forget(entry: Entry): void {
    clearTimeout(entry.retry)
    if (this.#entries.delete(entry)) entry.unsubscribe()
  }

  #again(entry: Entry, { retryAfterMs = 0 }: ParleyFailure): void {
    if (!this.#entries.has(entry)) return
    entry.unsubscribe()
    clearTimeout(entry.retry)
    entry.retry = setTimeout(() => this.#ask(entry), retryAfterMs + backOffMs(entry.attempt, this.#host.backOff))
    entry.attempt += 1
  }

  /** Asks an operation over the socket, if there is one; else it is asked when there is. */
  #ask(entry: Entry): void {
    const socket = this.#open
    if (!socket) return
    const { query, variables } = entry.operation.ask()
    entry.unsubscribe = socket.subscribe(query, variables, {
      next: (result) => entry.operation.next(result),
      refused: (failure) => this.#refuse(socket, entry, failure),
      completed: () => {
        this.#remove(entry)
        entry.operation.completed()
      },
    })
  }

  #refuse(socket: Socket, entry: Entry, failure: ParleyFailure): void {
    if (failure.isRetryable) this.#again(entry, failure)
    // The token of the socket has just ended, and so does the socket: the next one brings another token.
    else if (failure.code === 'TOKEN_EXPIRED') socket.terminate('the token has expired')
    else {
      this.#remove(entry)
      entry.operation.refused(failure)
    }
  }

  /** Opens one socket after another, for as long as something runs. */
  async #keep(): Promise<void> {
    while (this.#entries.size > 0 && !this.#isClosed) {
      this.#tell({ status: 'CONNECTING' })
      const failure = await this.#connect().catch(failureOf)
      // Nothing but a new login helps, and that is another client's.
      if (!failure.isRetryable) this.#isClosed = true
      if (this.#entries.size === 0 || this.#isClosed) break
      const waitMs = (failure.retryAfterMs ?? 0) + backOffMs(this.#attempt, this.#host.backOff)
      this.#attempt += 1
      this.#tell({ status: 'WAITING', until: new Date(Date.now() + waitMs), failure })
      await this.#pause.wait(waitMs)
    }
    this.#tell({ status: 'CLOSED' })
  }

  /** Opens a socket and keeps it until it ends. @returns why it ended; what is not retryable ends the session */
  async #connect(): Promise<ParleyFailure> {
    const token = await this.#host.token(this.#expired)
    const url = await this.#host.choose()
    if (this.#isClosed || this.#entries.size === 0) return noAnswer('It is not wanted any more')
    const params = { ...(token === null ? {} : { accessToken: token }), idle: this.#isIdle }
    const socket = new Socket(url, { webSocketImpl: this.#host.webSocketImpl, params, openMs: this.#host.connectMs })
    this.#socket = socket
    void socket.opened.then(() => this.#welcome(socket, url, token))
    const { code, reason, wasOpen } = await socket.ended
    this.#socket = null
    this.#open = null
    for (const entry of this.#entries) {
      clearTimeout(entry.retry)
      entry.operation.lost?.()
    }
    if ((!wasOpen && code !== normalCode) || code === codes.goingAway) this.#host.failed(url)
    this.#expired = code === codes.tokenExpired ? token : null
    if (code !== codes.tokenRefused && code !== codes.sessionRevoked) return noAnswer(`The socket was closed: ${code} ${reason}`)
    const ending = code === codes.sessionRevoked ? 'SESSION_REVOKED' : 'UNAUTHENTICATED'
    await this.#host.ended(ending).catch(() => undefined)
    return new ParleyFailure(ending, reason, false)
  }

  #welcome(socket: Socket, url: string, token: string | null): void {
    if (socket.isOver) return
    this.#open = socket
    this.#host.opened(url)
    this.#tell({ status: 'OPEN' })
    for (const entry of this.#entries) this.#ask(entry)
    void this.#renew(socket, token)
  }

  /** Gives the socket fresh tokens before its own ends. Where that fails, the server closes it and another one is opened. */
  async #renew(socket: Socket, first: string | null): Promise<void> {
    const pause = new Pause()
    void socket.ended.then(() => pause.end())
    for (let token = first; !socket.isOver; ) {
      const goodForMs = this.#host.goodForMs()
      if (goodForMs === null) return
      await pause.wait(Math.min(Math.max(goodForMs, renewAtLeastMs), timerMaxMs))
      if (socket.isOver) return
      try {
        const fresh = await this.#host.token(null)
        if (socket.isOver) return
        if (fresh !== token) await socket.once(renewConnection, { input: { accessToken: fresh } }, this.#host.requestMs)
        token = fresh
      } catch {
        if (!socket.isOver) await pause.wait(renewAgainMs)
      }
    }
  }

  #tell(state: ConnectionState): void {
    this.#state = state
    this.#host.changed()
  }
}
