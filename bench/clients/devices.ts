// Devices: many sockets of one process, each with a subscription, that count what arrives. They parse a frame only if they
// must, so that the load costs less than what it measures.

import { randomUUID } from 'node:crypto'
import WebSocket from 'ws'
import { expose } from '../kit/parent.ts'
import { archiveIdOf, isXmppMessage, loginMs, loginsMax, XmppLogin } from '../kit/xmpp.ts'

/** The protocol of the server. `parley` is graphql-transport-ws with a stream that says when it is live; `xmpp` says so too. */
export type Kind = 'parley' | 'graphql' | 'raw' | 'socket.io' | 'xmpp'
/** The devices to open. */
export type Opening = {
  readonly kind: Kind
  readonly url: string
  /** The subscription, if the server speaks GraphQL. */
  readonly query?: string
  /** The access tokens of the devices, for `xmpp` the names of their users, or their number if they have none. */
  readonly devices: readonly string[] | number
  /** The source address, so that ports do not run out. */
  readonly localAddress: string
  /** How many open at the same time. */
  readonly atOnce: number
}
export type Counts = { readonly facts: number; readonly bytes: number; readonly closed: number }

/** A shorter frame is no message but an acknowledgement or a tick. */
const factBytes = 250
const openingMs = 60_000
const protocolOf: Record<Kind, string[]> = {
  parley: ['graphql-transport-ws'],
  graphql: ['graphql-transport-ws'],
  raw: [],
  'socket.io': [],
  xmpp: ['xmpp'],
}

class Device {
  readonly #group: Group
  readonly #token: string | undefined
  /** The id of its operation; each differs, as with clients of graphql-ws. */
  readonly #id = randomUUID()
  #socket: WebSocket | null = null
  #onLive: () => void = () => undefined
  /** What the server said last that is no message. */
  #said = ''
  #last: Buffer | null = null
  #login: XmppLogin | null = null
  facts = 0

  constructor(group: Group, token: string | undefined) {
    this.#group = group
    this.#token = token
  }

  /** Connects and subscribes, from a cursor if given; resolves when that is done, or when the stream is live. */
  open(after: string | null): Promise<void> {
    const { kind, url, localAddress } = this.#group.opening
    const limitMs = kind === 'xmpp' ? loginMs : openingMs
    const socket = new WebSocket(url, protocolOf[kind], { perMessageDeflate: false, localAddress, skipUTF8Validation: true })
    this.#socket = socket
    this.facts = 0
    return new Promise((resolve, reject) => {
      let isLive = false
      const late = () => reject(new Error(`a device was not subscribed within ${limitMs} ms, after: ${this.#said.slice(0, 300)}`))
      const limit = setTimeout(late, limitMs)
      this.#onLive = () => {
        isLive = true
        clearTimeout(limit)
        resolve()
      }
      socket.once('error', reject)
      socket.once('close', (code) => {
        if (this.#socket !== socket) return
        if (isLive) this.#group.closed += 1
        clearTimeout(limit)
        reject(new Error(`a device was closed with ${code}, after: ${this.#said.slice(0, 300)}`))
      })
      socket.on('message', (frame: Buffer) => this.#take(frame, after))
      socket.once('open', () => {
        if (kind === 'raw') this.#onLive()
        else if (kind === 'socket.io') socket.send('40')
        else if (kind === 'xmpp') this.#login = new XmppLogin((frame) => socket.send(frame), this.#token ?? '', after)
        else socket.send(JSON.stringify({ type: 'connection_init', payload: this.#token ? { accessToken: this.#token } : {} }))
      })
    })
  }

  #take(frame: Buffer, after: string | null): void {
    const { kind } = this.#group.opening
    if (kind === 'xmpp' ? isXmppMessage(frame) : frame.length >= factBytes) {
      this.facts += 1
      this.#group.facts += 1
      this.#group.bytes += frame.length
      this.#last = frame
      return
    }
    const text = String(frame)
    this.#said = text
    if (kind === 'socket.io') {
      if (text === '2') this.#socket?.send('3')
      else if (text.startsWith('40')) this.#onLive()
    } else if (kind !== 'xmpp') this.#takeWord(text, after)
    else if (this.#login?.take(text)) {
      this.#login = null
      this.#onLive()
    }
  }

  #takeWord(text: string, after: string | null): void {
    const { kind, query } = this.#group.opening
    const { type, payload } = JSON.parse(text) as { type: string; payload?: { data?: { events?: { __typename: string } } } }
    if (type === 'connection_ack') {
      const variables = kind === 'parley' ? { after } : {}
      this.#socket?.send(JSON.stringify({ id: this.#id, type: 'subscribe', payload: { query, variables } }))
      if (kind === 'graphql') this.#onLive()
    } else if (type === 'ping') this.#socket?.send('{"type":"pong"}')
    else if (type === 'error') throw new Error(`a subscription was refused: ${text}`)
    else if (payload?.data?.events?.__typename === 'CaughtUp') {
      this.#last = Buffer.from(text)
      this.#onLive()
    }
  }

  /** The cursor of the last event. */
  cursor(): string | null {
    if (this.#group.opening.kind === 'xmpp') return this.#last && archiveIdOf(this.#last)
    return /"cursor":"([^"]+)"/.exec(String(this.#last))?.[1] ?? null
  }

  /** Breaks the connection, like a network. */
  cut(): void {
    const socket = this.#socket
    this.#socket = null
    socket?.terminate()
  }
}

class Group {
  readonly opening: Opening
  readonly devices: Device[]
  /** The cursor of each device when `keep` was called. */
  kept: (string | null)[] = []
  facts = 0
  bytes = 0
  closed = 0

  constructor(opening: Opening) {
    this.opening = opening
    const tokens =
      typeof opening.devices === 'number' ? Array.from({ length: opening.devices }, () => undefined) : opening.devices
    this.devices = tokens.map((token) => new Device(this, token))
  }

  /** Opens all, a bounded number at the same time. */
  async open(cursors: readonly (string | null)[] = []): Promise<void> {
    let next = 0
    const one = async () => {
      for (let index = next++; index < this.devices.length; index = next++) await this.#openOne(index, cursors[index] ?? null)
    }
    await Promise.all(Array.from({ length: this.opening.atOnce }, one))
  }

  async #openOne(index: number, cursor: string | null): Promise<void> {
    for (let logins = 1; ; logins += 1) {
      try {
        return await this.devices[index]?.open(cursor)
      } catch (error) {
        if (this.opening.kind !== 'xmpp' || logins === loginsMax) throw error
        this.devices[index]?.cut()
      }
    }
  }
}

const groups = new Map<string, Group>()
function groupOf(name: string): Group {
  const group = groups.get(name)
  if (!group) throw new Error(`there are no devices ${name}`)
  return group
}

const api = {
  /** Opens devices under a name. */
  async open(name: string, opening: Opening) {
    const group = new Group(opening)
    groups.set(name, group)
    await group.open()
  },
  counts(name: string): Counts {
    const { facts, bytes, closed } = groupOf(name)
    return { facts, bytes, closed }
  },
  /** Keeps the current cursor of each device. */
  keep(name: string) {
    const group = groupOf(name)
    group.kept = group.devices.map((device) => device.cursor())
  },
  /** Cuts all at once. */
  cut(name: string) {
    for (const device of groupOf(name).devices) device.cut()
  },
  /** Connects all again, each from its kept cursor; returns the milliseconds until all have what they missed. */
  async resume(name: string, missed: number): Promise<number> {
    const group = groupOf(name)
    const begun = performance.now()
    await group.open(group.kept)
    const ms = performance.now() - begun
    const wrong = group.devices.filter((device) => device.facts !== missed).length
    if (wrong > 0) throw new Error(`${wrong} of ${group.devices.length} devices did not get the ${missed} facts that they missed`)
    return ms
  },
}
export type Devices = typeof api

expose(api)
