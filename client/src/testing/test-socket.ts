// A class like the browser's `WebSocket` whose other end is the test server, over its network. Messages stay in order.

import type { TestNetwork } from './test-network.ts'

/** The end of a socket at the server. */
export type ServerEnd = {
  received(text: string): void
  closed(): void
}

/** What the server can do with a socket. */
export type ServerSide = {
  readonly protocol: string
  send(text: string): void
  close(code: number, reason: string): void
}

/** What a socket connects to. */
export type SocketHost = { readonly network: TestNetwork; accept(side: ServerSide): ServerEnd }

/** An event of a socket, with what an app may read of it. */
type TestSocketEvent = {
  readonly type: string
  readonly target: TestSocket
  readonly data?: string
  readonly code?: number
  readonly reason?: string
  readonly wasClean?: boolean
}
type Listener = (event: TestSocketEvent) => void

const lostCode = 1006

/** One socket. */
export class TestSocket {
  static readonly CONNECTING = 0
  static readonly OPEN = 1
  static readonly CLOSING = 2
  static readonly CLOSED = 3
  readonly CONNECTING = 0
  readonly OPEN = 1
  readonly CLOSING = 2
  readonly CLOSED = 3
  readonly url: string
  readonly protocol: string
  readonly extensions = ''
  readonly bufferedAmount = 0
  binaryType = 'blob'
  readyState = 0
  onopen: Listener | null = null
  onmessage: Listener | null = null
  onerror: Listener | null = null
  onclose: Listener | null = null
  readonly #listeners = new Map<string, Set<Listener>>()
  readonly #host: SocketHost
  readonly #forget: () => void
  #server: ServerEnd | null = null
  #toServer = Promise.resolve()
  #toClient = Promise.resolve()

  constructor(url: string, protocols: string | readonly string[], host: SocketHost) {
    this.url = url
    this.protocol = (typeof protocols === 'string' ? protocols : protocols[0]) ?? ''
    this.#host = host
    this.#forget = host.network.onDrop((code) => this.#end(code, code === lostCode ? '' : 'The network dropped the socket'))
    this.#later('server', () => this.#open())
  }

  addEventListener(type: string, listener: Listener): void {
    this.#listeners.set(type, (this.#listeners.get(type) ?? new Set()).add(listener))
  }

  removeEventListener(type: string, listener: Listener): void {
    this.#listeners.get(type)?.delete(listener)
  }

  send(text: string): void {
    if (this.readyState === TestSocket.CONNECTING) throw new Error('The socket is still connecting.')
    this.#later('server', () => this.#server?.received(text))
  }

  close(code = 1000, reason = ''): void {
    if (this.readyState >= TestSocket.CLOSING) return
    this.readyState = TestSocket.CLOSING
    this.#later('server', () => this.#end(code, reason))
  }

  #open(): void {
    if (this.#host.network.isCut) this.#end(lostCode, '')
    if (this.readyState !== TestSocket.CONNECTING) return
    this.#server = this.#host.accept({
      protocol: this.protocol,
      send: (text) => {
        if (this.#host.network.drops()) this.#end(lostCode, '')
        else this.#later('client', () => this.readyState === TestSocket.OPEN && this.#tell({ type: 'message', data: text }))
      },
      // After the messages on their way.
      close: (code, reason) => this.#later('client', () => this.#end(code, reason)),
    })
    this.#later('client', () => {
      if (this.readyState !== TestSocket.CONNECTING) return
      this.readyState = TestSocket.OPEN
      this.#tell({ type: 'open' })
    })
  }

  /** Does something when what was sent before has arrived, unless the socket has ended by then. */
  #later(to: 'server' | 'client', arrive: () => unknown): void {
    const before = to === 'server' ? this.#toServer : this.#toClient
    const arrived = Promise.all([before, this.#host.network.delay()]).then(() => {
      if (this.readyState !== TestSocket.CLOSED) arrive()
    })
    if (to === 'server') this.#toServer = arrived
    else this.#toClient = arrived
  }

  #end(code: number, reason: string): void {
    if (this.readyState === TestSocket.CLOSED) return
    this.readyState = TestSocket.CLOSED
    this.#forget()
    this.#server?.closed()
    // As in a browser, nothing is called before the constructor has returned.
    queueMicrotask(() => {
      if (code === lostCode) this.#tell({ type: 'error' })
      this.#tell({ type: 'close', code, reason, wasClean: code !== lostCode })
    })
  }

  #tell(about: Omit<TestSocketEvent, 'target'>): void {
    const event = { ...about, target: this }
    const handlers = { open: this.onopen, message: this.onmessage, error: this.onerror, close: this.onclose }
    handlers[about.type as keyof typeof handlers]?.(event)
    for (const listener of [...(this.#listeners.get(about.type) ?? [])]) listener(event)
  }
}
