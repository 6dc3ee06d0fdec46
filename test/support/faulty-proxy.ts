// A proxy in front of Postgres. A test breaks its connections, with a reset or the end of the stream, or makes it refuse them.

import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { closeAtEnd } from './node.ts'

/** How a connection breaks. */
export type Break = 'RESET' | 'END'

/** A port that leads to Postgres. */
export class FaultyProxy {
  readonly #databaseUrl: string
  readonly #inward = new Set<Socket>()
  #server: Server | null = null
  #port = 0
  #refusal: Break | null = null
  #heard = ''
  #listeners = new Set<() => void>()

  private constructor(databaseUrl: string) {
    this.#databaseUrl = databaseUrl
  }

  static async open(databaseUrl: string): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(databaseUrl)
    await proxy.accept()
    closeAtEnd(async () => {
      await proxy.refuse('REFUSED')
      await proxy.cut('RESET')
    })
    return proxy
  }

  /** The URL of the database through this proxy. */
  get url(): string {
    return Object.assign(new URL(this.#databaseUrl), { hostname: '127.0.0.1', port: String(this.#port) }).href
  }

  /** Waits until a statement with this text has gone to Postgres since the last call. */
  async waitFor(text: string): Promise<void> {
    while (!this.#heard.includes(text)) {
      await new Promise<void>((resolve) => {
        this.#listeners.add(resolve)
      })
    }
    this.#heard = ''
  }

  /** Breaks every connection, and waits until that is done. */
  async cut(how: Break): Promise<void> {
    const closed = [...this.#inward].map((socket) => new Promise((resolve) => socket.once('close', resolve)))
    for (const socket of this.#inward) this.#break(socket, how)
    await Promise.all(closed)
  }

  /** Refuses new connections from now on: at the port, or right after they open. */
  async refuse(how: Break | 'REFUSED'): Promise<void> {
    if (how !== 'REFUSED') {
      this.#refusal = how
      return
    }
    const server = this.#server
    this.#server = null
    server?.close()
  }

  /** Accepts connections again. */
  async accept(): Promise<void> {
    this.#refusal = null
    if (this.#server) return
    const server = createServer((socket) => this.#pass(socket))
    this.#server = server
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve))
    this.#port = (server.address() as AddressInfo).port
  }

  #break(socket: Socket, how: Break): void {
    if (how === 'RESET') socket.resetAndDestroy()
    else socket.end(() => socket.destroySoon())
  }

  #pass(inward: Socket): void {
    inward.on('error', () => undefined)
    if (this.#refusal) {
      this.#break(inward, this.#refusal)
      return
    }
    const { hostname, port } = new URL(this.#databaseUrl)
    const outward = connect(Number(port), hostname)
    this.#inward.add(inward)
    outward.on('error', () => inward.destroy())
    outward.on('close', () => inward.destroySoon())
    inward.on('close', () => {
      this.#inward.delete(inward)
      outward.destroy()
    })
    inward.on('data', (data) => {
      this.#heard = (this.#heard + data.toString('latin1')).slice(-4_000)
      for (const wake of this.#listeners) wake()
      this.#listeners.clear()
      outward.write(data)
    })
    outward.on('data', (data) => inward.writable && inward.write(data))
  }
}
