// Keeps a socket open while operations run over it. When a socket is lost, it opens another one, at another node if
// necessary, and starts every operation again on it.

import { onNetwork } from './browser.ts'
import type { Variables } from './document.ts'
import { failureOf, noAnswer, ParleyFailure, type Result } from './failure.ts'
import { heartbeat, renewConnection } from './operations.ts'
import { backOffMs, Pause, type PauseBounds } from './pause.ts'
import { normalCode, Socket, type WebSocketClass } from './socket.ts'

/** A subscription that continues over one socket after another. */
export type Operation = {
  /** The document and variables to send: called for each socket. Null if they are not known yet: then `start` asks again. */
  ask(): { readonly query: string; readonly variables: Variables } | null
  next(result: Result): void
  /** The operation is over: the server refused it for a cause that no retry fixes. */
  refused(failure: ParleyFailure): void
  /** The operation is over: the server completed it. */
  completed(): void
  /** The socket is gone; the operation starts again on the next one. */
  lost?(): void
}

/** A handle on an operation that runs. */
export type Running = {
  stop(): void
  /** Starts the operation again over the same socket, after a pause. */
  again(failure: ParleyFailure): void
  /** Reports that the operation works: resets the back-off. */
  progress(): void
  /** Starts an operation that did not know what to send. */
  start(): void
}

/** The state of a connection. */
export type ConnectionState =
  | { readonly status: 'CLOSED' | 'CONNECTING' | 'OPEN' }
  | { readonly status: 'WAITING'; readonly until: Date; readonly failure: ParleyFailure }

/** What a connection needs of the client. */
export type ConnectionHost = {
  readonly webSocketImpl: WebSocketClass
  readonly connectMs: number
  readonly requestMs: number
  readonly backOff: PauseBounds
  /** A valid access token, other than the one that the server refused. */
  token(refused: string | null): Promise<string | null>
  /** How long to wait until the token needs a refresh, in milliseconds; null if unknown. */
  goodForMs(): number | null
  /** The session is over. */
  ended(code: string): Promise<void>
  /** The URL at which to open a socket. */
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

/** A socket without operations stays open for this long, for the next operation. */
const lingerMs = 2_000
const renewAtLeastMs = 250
const renewAgainMs = 5_000
const timerMaxMs = 2 ** 31 - 1
/** Close codes of the server: docs/protocol.md. */
const codes = { goingAway: 1012, tokenRefused: 4601, tokenExpired: 4602, sessionRevoked: 4603 } as const

/** The connection of a client, over one socket at a time. */
export class ClientConnection {
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
  /** The token whose expiry closed the last socket. */
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

  /** Whether any operation runs. */
  get isWanted(): boolean {
    return this.#entries.size > 0
  }

  /** Runs an operation until it is over or stopped. */
  run(operation: Operation): Running {
    const entry: Entry = { operation, unsubscribe: () => undefined, attempt: 0, retry: undefined }
    this.#entries.add(entry)
    clearTimeout(this.#linger)
    this.#ask(entry)
    this.#start()
    this.#host.changed()
    return {
      stop: () => this.#remove(entry),
      again: (failure) => this.#again(entry, failure),
      progress: () => {
        entry.attempt = 0
        this.#attempt = 0
      },
      start: () => {
        if (this.#entries.has(entry)) this.#ask(entry)
      },
    }
  }

  /** Drops the socket, which is dead. Another one is opened if operations run. */
  terminate(reason: string): void {
    this.#socket?.terminate(reason)
  }

  /** Reports whether the user is idle on this device: now, and with each new socket. */
  setIdle(isIdle: boolean): void {
    this.#isIdle = isIdle
    this.#open?.once(heartbeat, { input: { idle: isIdle } }, this.#host.requestMs).catch(() => undefined)
  }

  /** Stops all operations and closes the socket. */
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
    this.#host.changed()
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

  /** Starts an operation over the open socket; without one, `#opened` starts it later. */
  #ask(entry: Entry): void {
    const socket = this.#open
    if (!socket) return
    const asked = entry.operation.ask()
    if (!asked) return
    const { query, variables } = asked
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
    // The server is about to close this socket for its expired token: the next socket has a fresh one.
    else if (failure.code === 'TOKEN_EXPIRED') socket.terminate('the token has expired')
    else {
      this.#remove(entry)
      entry.operation.refused(failure)
    }
  }

  /** Opens one socket after another for as long as operations run. */
  async #keep(): Promise<void> {
    while (this.#entries.size > 0 && !this.#isClosed) {
      this.#setState({ status: 'CONNECTING' })
      const failure = await this.#connect().catch(failureOf)
      // Only a new login helps, and that needs another client.
      if (!failure.isRetryable) this.#isClosed = true
      if (this.#entries.size === 0 || this.#isClosed) break
      const waitMs = (failure.retryAfterMs ?? 0) + backOffMs(this.#attempt, this.#host.backOff)
      this.#attempt += 1
      this.#setState({ status: 'WAITING', until: new Date(Date.now() + waitMs), failure })
      await this.#pause.wait(waitMs)
    }
    this.#setState({ status: 'CLOSED' })
  }

  /** Opens a socket and waits until it ends. @returns why it ended; if that is not retryable, the session is over */
  async #connect(): Promise<ParleyFailure> {
    const token = await this.#host.token(this.#expired)
    const url = await this.#host.choose()
    if (this.#isClosed || this.#entries.size === 0) return noAnswer('The operation was cancelled.')
    const params = { ...(token === null ? {} : { accessToken: token }), idle: this.#isIdle }
    const socket = new Socket(url, { webSocketImpl: this.#host.webSocketImpl, params, openMs: this.#host.connectMs })
    this.#socket = socket
    void socket.opened.then(() => this.#opened(socket, url, token))
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

  #opened(socket: Socket, url: string, token: string | null): void {
    if (socket.isOver) return
    this.#open = socket
    this.#host.opened(url)
    this.#setState({ status: 'OPEN' })
    for (const entry of this.#entries) this.#ask(entry)
    void this.#renew(socket, token)
  }

  /** Gives the socket a fresh token before its own expires. If that fails, the server closes the socket and another one opens. */
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

  #setState(state: ConnectionState): void {
    this.#state = state
    this.#host.changed()
  }
}
