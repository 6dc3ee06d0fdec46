// One WebSocket, from its opening to its end: graphql-ws with its own repeats turned off. It never comes back; the connection
// opens another one.

import { type Client, createClient } from 'graphql-ws/client'
import type { Variables } from './document.ts'
import { noAnswer, type ParleyFailure, type Result, refusal, type ServerError } from './failure.ts'

/** A class like the browser's `WebSocket`: `ws` of Node, for one. */
export type WebSocketClass = new (url: string, protocols: string) => object

/** How a socket ended. */
export type SocketEnd = { readonly code: number; readonly reason: string; readonly wasOpen: boolean }

/** Who is told what an operation brings. Nobody is told anything after the socket's end. */
export type Sink = {
  next(result: Result): void
  refused(failure: ParleyFailure): void
  completed(): void
}

/** What a socket is opened with. */
export type SocketOptions = {
  readonly webSocketImpl: WebSocketClass
  readonly params: Record<string, unknown>
  /** How long it may take until the server has welcomed us, in milliseconds. */
  readonly openMs: number
}

/** The code of an end that we wanted. */
export const normalCode = 1000
/** The code by which graphql-ws gives up a socket that is dead. */
const terminatedCode = 4499

/** One WebSocket. */
export class Socket {
  /** When the server has welcomed us. Never, where the socket ends before. */
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
    const patience = setTimeout(() => this.terminate('it did not open in time'), openMs)
    let welcome: () => void = () => undefined
    this.opened = new Promise((resolve) => {
      welcome = resolve
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
          clearTimeout(patience)
          welcome()
        },
        closed: (event) => {
          clearTimeout(patience)
          const { code, reason } = event as { code: number; reason: string }
          this.#end(code, reason)
        },
      },
    })
  }

  /** Asks an operation; after the end of the socket nothing is asked. @returns what stops it */
  subscribe(query: string, variables: Variables, sink: Sink): () => void {
    // graphql-ws would open another socket for it, which nobody closes.
    if (this.isOver) return () => undefined
    let isStopped = false
    const told = (tell: () => void) => {
      if (!isStopped && !this.isOver) tell()
    }
    const unsubscribe = this.#client.subscribe(
      { query, variables: { ...variables } },
      {
        next: (result) => told(() => sink.next(result as Result)),
        // What is no list of errors is the end of the socket, which is told to its owner.
        error: (error) => Array.isArray(error) && told(() => sink.refused(refusal(error as ServerError[]))),
        complete: () => told(() => sink.completed()),
      },
    )
    return () => {
      isStopped = true
      // Later than what has come together with what we are called from: graphql-ws counts an operation down twice that is
      // stopped while its `complete` is already here, and then takes the socket for one that nobody uses.
      queueMicrotask(unsubscribe)
    }
  }

  /**
   * Asks a query or a mutation.
   * @throws ParleyFailure where it was refused, or there was no answer in time
   */
  once(query: string, variables: Variables, limitMs: number): Promise<Result> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(timer)
        stop()
        act()
      }
      const lost = () => settle(() => reject(noAnswer('There was no answer over the socket')))
      const timer = setTimeout(lost, limitMs)
      const stop = this.subscribe(query, variables, {
        next: (result) => settle(() => (result.errors ? reject(refusal(result.errors)) : resolve(result))),
        refused: (failure) => settle(() => reject(failure)),
        completed: lost,
      })
      void this.ended.then(lost)
    })
  }

  /** Says goodbye. What is not open yet is given up at once. */
  close(): void {
    const isOpening = !this.#wasOpen
    this.#end(normalCode, 'closed')
    if (isOpening) this.#client.terminate()
  }

  /** Gives it up: it is dead, and nobody waits for its goodbye. */
  terminate(reason: string): void {
    this.#client.terminate()
    this.#end(terminatedCode, reason)
  }

  #end(code: number, reason: string): void {
    if (this.isOver) return
    this.isOver = true
    // Also where the other side ended it: graphql-ws would open it again after some codes. Fails where it never was open.
    Promise.resolve(this.#client.dispose()).catch(() => undefined)
    this.#over({ code, reason, wasOpen: this.#wasOpen })
  }
}

type Listening = { addEventListener(type: 'error', listener: () => void): void }

/** `ws` ends the process by an error that nobody hears, and graphql-ws hears no more of a socket that it has given up. */
function quiet(webSocketImpl: WebSocketClass): WebSocketClass {
  return class extends webSocketImpl {
    constructor(url: string, protocols: string) {
      super(url, protocols)
      ;(this as unknown as Listening).addEventListener('error', () => undefined)
    }
  }
}
