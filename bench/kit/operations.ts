// A socket of graphql-transport-ws for queries and mutations, and optionally a subscription.

import WebSocket from 'ws'

type Waiting = { resolve(frame: string): void; reject(error: Error): void }

/** An open socket. */
export class Operations {
  readonly #socket: WebSocket
  readonly #waiting = new Map<string, Waiting>()
  #last = 0
  #onEvent: (frame: Buffer) => void = () => undefined
  #onLive: () => void = () => undefined

  private constructor(socket: WebSocket) {
    this.#socket = socket
  }

  /** Connects, with an access token if given. */
  static open(url: string, token?: string): Promise<Operations> {
    const socket = new WebSocket(url, ['graphql-transport-ws'], { perMessageDeflate: false, skipUTF8Validation: true })
    const operations = new Operations(socket)
    return new Promise((resolve, reject) => {
      socket.once('error', reject)
      socket.once('open', () =>
        socket.send(JSON.stringify({ type: 'connection_init', payload: token ? { accessToken: token } : {} })),
      )
      socket.on('message', (frame: Buffer) => operations.#take(frame, () => resolve(operations)))
      socket.once('close', (code) => {
        const error = new Error(`the socket was closed with ${code}`)
        reject(error)
        for (const { reject: refuse } of operations.#waiting.values()) refuse(error)
      })
    })
  }

  #take(frame: Buffer, onConnected: () => void): void {
    // An event of the subscription, whose id is e: {"id":"e", …
    if (frame[7] === 101 && frame[1] === 34 && frame[2] === 105) {
      this.#onEvent(frame)
      if (frame.length < 250 && frame.includes('CaughtUp')) this.#onLive()
      return
    }
    const text = String(frame)
    const { id, type } = JSON.parse(text) as { id?: string; type: string }
    if (type === 'connection_ack') onConnected()
    else if (type === 'ping') this.#socket.send('{"type":"pong"}')
    else if (id !== undefined && type !== 'complete') {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (type === 'error' || text.includes('"errors":')) waiting?.reject(new Error(text))
      else waiting?.resolve(text)
    }
  }

  /** Sends an operation; returns the frame with the answer. */
  ask(query: string, variables: object): Promise<string> {
    this.#last += 1
    const id = String(this.#last)
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#socket.send(JSON.stringify({ id, type: 'subscribe', payload: { query, variables } }))
    })
  }

  /** Subscribes. Resolves at once, or with `isParley` when the stream says that it is live. */
  listen(query: string, variables: object, isParley: boolean, onEvent: (frame: Buffer) => void): Promise<void> {
    this.#onEvent = onEvent
    this.#socket.send(JSON.stringify({ id: 'e', type: 'subscribe', payload: { query, variables } }))
    return isParley ? new Promise((resolve) => (this.#onLive = resolve)) : Promise.resolve()
  }

  /** Breaks the connection. */
  cut(): void {
    this.#socket.terminate()
  }
}
