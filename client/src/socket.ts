// One WebSocket, from its opening to its end: graphql-ws with its own retries turned off. It never reconnects; the connection
// opens another socket.

import { type Client, createClient } from 'graphql-ws/client'
import type { Variables } from './document.ts'
import { noAnswer, type ParleyFailure, type Result, refusal, type ServerError } from './failure.ts'

/** A class like the browser's `WebSocket`, for example that of the package ws. */
export type WebSocketClass = new (url: string, protocols: string) => object

/** How a socket ended. */
export type SocketEnd = { readonly code: number; readonly reason: string; readonly wasOpen: boolean }

/** The callbacks of an operation. None is called after the socket's end. */
export type Sink = {
  next(result: Result): void
  refused(failure: ParleyFailure): void
  completed(): void
}

/** The options of a socket. */
export type SocketOptions = {
  readonly webSocketImpl: WebSocketClass
  readonly params: Record<string, unknown>
  /** How long the server may take to acknowledge the connection, in milliseconds. */
  readonly openMs: number
}

/** The close code of a socket that the client closed. */
export const normalCode = 1000
/** The close code of a dead socket that graphql-ws dropped. */
const terminatedCode = 4499

/** One WebSocket. */
export class Socket {
  /** Resolves when the server has acknowledged the connection. Never, if the socket ends before. */
  readonly opened: Promise<void>
  readonly ended: Promise<SocketEnd>
  isOver = false
  readonly #client: Client
  #wasOpen = false
  #over: (end: SocketEnd) => void = () => undefined

  constructor(url: string, { webSocketImpl, params, openMs }: SocketOptions) {
    this.ended = new Promise((resolve) => {
      this.#over = resolve
    })
    const openTimer = setTimeout(() => this.terminate('it did not open in time'), openMs)
    let acknowledged: () => void = () => undefined
    this.opened = new Promise((resolve) => {
      acknowledged = resolve
    })
    this.#client = createClient({
      url,
      webSocketImpl: quiet(webSocketImpl),
      connectionParams: params,
      lazy: false,
      retryAttempts: 0,
      onNonLazyError: () => undefined,
      on: {
        connected: () => {
          this.#wasOpen = true
          clearTimeout(openTimer)
          acknowledged()
        },
        closed: (event) => {
          clearTimeout(openTimer)
          const { code, reason } = event as { code: number; reason: string }
          this.#end(code, reason)
        },
      },
    })
  }

  /** Starts an operation; does nothing after the end of the socket. @returns a function to stop it */
  subscribe(query: string, variables: Variables, sink: Sink): () => void {
    // graphql-ws would open another socket for it, which nothing closes.
    if (this.isOver) return () => undefined
    let isStopped = false
    const unlessOver = (call: () => void) => {
      if (!isStopped && !this.isOver) call()
    }
    const unsubscribe = this.#client.subscribe(
      { query, variables: { ...variables } },
      {
        next: (result) => unlessOver(() => sink.next(result as Result)),
        // Anything but a list of errors is the end of the socket, which `ended` reports.
        error: (error) => Array.isArray(error) && unlessOver(() => sink.refused(refusal(error as ServerError[]))),
        complete: () => unlessOver(() => sink.completed()),
      },
    )
    return () => {
      isStopped = true
      // After the messages that arrived together with the current one: if an operation is stopped when its `complete` is already
      // here, graphql-ws counts it down twice, and then closes the socket as unused.
      queueMicrotask(unsubscribe)
    }
  }

  /**
   * Runs a query or a mutation.
   * @throws ParleyFailure if the server refuses it or does not answer in time
   */
  once(query: string, variables: Variables, limitMs: number): Promise<Result> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(timer)
        stop()
        act()
      }
      const lost = () => settle(() => reject(noAnswer('The server did not answer over the WebSocket.')))
      const timer = setTimeout(lost, limitMs)
      const stop = this.subscribe(query, variables, {
        next: (result) => settle(() => (result.errors ? reject(refusal(result.errors)) : resolve(result))),
        refused: (failure) => settle(() => reject(failure)),
        completed: lost,
      })
      void this.ended.then(lost)
    })
  }

  /** Closes the socket, or drops it if it is not open yet. */
  close(): void {
    const isOpening = !this.#wasOpen
    this.#end(normalCode, 'closed')
    if (isOpening) this.#client.terminate()
  }

  /** Drops a dead socket without waiting for its close frame. */
  terminate(reason: string): void {
    this.#client.terminate()
    this.#end(terminatedCode, reason)
  }

  #end(code: number, reason: string): void {
    if (this.isOver) return
    this.isOver = true
    // Also if the server closed it: graphql-ws would reconnect after some codes. Rejects if the socket never opened.
    Promise.resolve(this.#client.dispose()).catch(() => undefined)
    this.#over({ code, reason, wasOpen: this.#wasOpen })
  }
}

type Listening = { addEventListener(type: 'error', listener: () => void): void }

/** An unhandled `error` of `ws` would end the process, and graphql-ws does not listen to a socket that it has dropped. */
function quiet(webSocketImpl: WebSocketClass): WebSocketClass {
  return class extends webSocketImpl {
    constructor(url: string, protocols: string) {
      super(url, protocols)
      ;(this as unknown as Listening).addEventListener('error', () => undefined)
    }
  }
}
