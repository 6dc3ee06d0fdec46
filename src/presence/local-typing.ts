// The signs of typing that were given on this node, and what ends them before they lapse: the loss of the connection.

import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Form } from '../bus/bus.ts'
import type { Cancel, Clock } from '../clock.ts'
import type { Topics } from '../journal/topics.ts'
import type { Viewer } from '../viewer.ts'
import type { ConnectedDevice, DeviceService } from './device-service.ts'

/** How long a sign of typing lasts, in milliseconds. Clients that go on typing repeat it before it lapses. */
export const typingLapsesMs = 6_000
const sweepMs = 500
/** How long other nodes have to say that they hold a WebSocket of a session. */
const answerMs = 500

/** The connection of a sign: a session and a WebSocket, or `''` for what came over HTTP. */
export type TypingSource = `${number}/${string}`

// TYPING: once more. STOPPED: its person says so; over HTTP for all of the session. LOST: this one connection is gone.
const signForm = z.tuple([z.int(), z.int(), z.string().max(36), z.enum(['TYPING', 'STOPPED', 'LOST'])])
/** A sign of typing as it goes between nodes: user, session, WebSocket (`''` over HTTP), kind. */
export type TypingSign = z.infer<typeof signForm>
/** What the topic of a conversation's typists carries. */
export const typingForm: Form<TypingSign> = { parse: (message) => signForm.safeParse(message).data ?? null, isSigned: true }

// Whether any node holds a WebSocket of a session: false asks, true is the answer of one that does.
const connectedTuple = z.tuple([z.int(), z.boolean()])
const connectedForm: Form<z.infer<typeof connectedTuple>> = {
  parse: (message) => connectedTuple.safeParse(message).data ?? null,
  isSigned: true,
}

/** The topic of who types in a conversation, within those of this journal. */
export const typingTopic = (conversationId: number) => `typing:${conversationId}`

/** The signs that were given on this node. */
export class LocalTyping {
  readonly #topics: Topics
  readonly #devices: DeviceService
  /** By source and conversation, until when they last. */
  readonly #signs = new Map<TypingSource, Map<number, number>>()
  readonly #names = new WeakMap<ConnectedDevice, string>()
  /** Sessions whose last WebSocket here was lost, until another node says that it has one. */
  readonly #asked = new Map<number, Cancel>()
  readonly #connected
  readonly #clock: Clock
  readonly #stopSweeping: Cancel

  constructor(topics: Topics, clock: Clock, devices: DeviceService) {
    this.#topics = topics
    this.#clock = clock
    this.#devices = devices
    this.#connected = topics.subscribe('connected', connectedForm, ([sessionId, isConnected]) => {
      if (isConnected) {
        this.#asked.get(sessionId)?.()
        this.#asked.delete(sessionId)
      } else if (devices.isConnected(sessionId)) topics.publish('connected', [sessionId, true])
    })
    this.#stopSweeping = clock.every(sweepMs, () => dropLapsed(this.#signs, clock.monotonicMs()))
  }

  /** How many there are that have not lapsed. */
  get count(): number {
    return [...this.#signs.values()].reduce((sum, { size }) => sum + size, 0)
  }

  /** Gives a sign that came over a WebSocket, or over HTTP if `device` is null. */
  signal(conversationId: number, { userId, sessionId }: Viewer, device: ConnectedDevice | null, isTyping: boolean): void {
    const connection = this.#nameOf(device)
    const source: TypingSource = `${sessionId}/${connection}`
    const places = this.#signs.get(source) ?? new Map<number, number>()
    if (isTyping) this.#signs.set(source, places.set(conversationId, this.#clock.monotonicMs() + typingLapsesMs))
    else if (places.delete(conversationId) && places.size === 0) this.#signs.delete(source)
    this.#publish(conversationId, [userId, sessionId, connection, isTyping ? 'TYPING' : 'STOPPED'])
  }

  /** A WebSocket is lost: so is what came over it, and what the session said over HTTP if no node has a WebSocket of it. */
  connectionLost({ userId, sessionId }: Viewer, device: ConnectedDevice): void {
    this.#end(userId, sessionId, this.#nameOf(device))
    const mayEnd = () => this.#signs.has(`${sessionId}/`) && !this.#devices.isConnected(sessionId)
    if (!mayEnd() || this.#asked.has(sessionId)) return
    const stopWaiting = this.#clock.after(answerMs, () => {
      this.#asked.delete(sessionId)
      if (mayEnd()) this.#end(userId, sessionId, '')
    })
    this.#asked.set(sessionId, stopWaiting)
    this.#topics.publish('connected', [sessionId, false])
  }

  close(): void {
    this.#stopSweeping()
    for (const stopWaiting of this.#asked.values()) stopWaiting()
    this.#connected.end()
  }

  #end(userId: number, sessionId: number, connection: string): void {
    const source: TypingSource = `${sessionId}/${connection}`
    for (const id of this.#signs.get(source)?.keys() ?? []) this.#publish(id, [userId, sessionId, connection, 'LOST'])
    this.#signs.delete(source)
  }

  #publish(conversationId: number, sign: TypingSign): void {
    this.#topics.publish(typingTopic(conversationId), sign)
  }

  #nameOf(device: ConnectedDevice | null): string {
    if (!device) return ''
    const name = this.#names.get(device) ?? randomUUID()
    this.#names.set(device, name)
    return name
  }
}

/** Drops signs that have lapsed, and entries without any. @returns whether an entry went */
export function dropLapsed(entries: Map<unknown, Map<unknown, number>>, now: number): boolean {
  let isLess = false
  for (const [key, signs] of entries) {
    for (const [source, until] of signs) if (until <= now) signs.delete(source)
    if (signs.size > 0) continue
    entries.delete(key)
    isLess = true
  }
  return isLess
}
