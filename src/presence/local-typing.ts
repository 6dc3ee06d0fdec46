// The typing signs given on this node. A sign lapses, or ends earlier when its connection is lost.

import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Form } from '../bus/bus.ts'
import type { Cancel, Clock } from '../clock.ts'
import { type ConversationId, type SessionId, sessionIdOf, type UserId, userIdOf } from '../id.ts'
import type { Topics } from '../journal/topics.ts'
import type { SessionViewer, Viewer } from '../viewer.ts'
import type { ConnectedDevice, DeviceService } from './device-service.ts'

/** How long a typing sign lasts, in milliseconds. Clients repeat it before it lapses while the user is typing. */
export const typingLapsesMs = 6_000
const sweepMs = 500
/** How long to wait for other nodes to answer that they have a WebSocket of a session. */
const answerMs = 500

/** The connection of a sign: a session and a WebSocket, or `''` for HTTP. */
export type TypingSource = `${SessionId}/${string}`

// TYPING: the user is typing. STOPPED: the user has stopped; over HTTP, in the whole session. LOST: the connection is lost.
const signForm = z.tuple([
  z.int().transform(userIdOf),
  z.int().transform(sessionIdOf),
  z.string().max(36),
  z.enum(['TYPING', 'STOPPED', 'LOST']),
])
/** A typing sign as nodes send it to each other: user, session, WebSocket (`''` over HTTP), kind. */
export type TypingSign = z.infer<typeof signForm>
/** The messages on a conversation's typing topic. */
export const typingForm: Form<TypingSign> = { parse: (message) => signForm.safeParse(message).data ?? null, isSigned: true }

// Whether any node has a WebSocket of a session: false is the question, true is the answer of a node that has one.
const connectedTuple = z.tuple([z.int().transform(sessionIdOf), z.boolean()])
const connectedForm: Form<z.infer<typeof connectedTuple>> = {
  parse: (message) => connectedTuple.safeParse(message).data ?? null,
  isSigned: true,
}

/** The typing topic of a conversation, within the scope of this journal. */
export const typingTopic = (conversationId: ConversationId) => `typing:${conversationId}`

/** Stands for a session where a server key signals for a user. No session has this number. */
const noSession = sessionIdOf(0)

/** The typing signs given on this node. */
export class LocalTyping {
  readonly #topics: Topics
  readonly #devices: DeviceService
  /** When each sign lapses, by source and conversation. */
  readonly #signs = new Map<TypingSource, Map<ConversationId, number>>()
  readonly #names = new WeakMap<ConnectedDevice, string>()
  /** Sessions whose last WebSocket here was lost, while this node waits for another node that has one. */
  readonly #asked = new Map<SessionId, Cancel>()
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

  /** The number of signs that have not lapsed. */
  get count(): number {
    return [...this.#signs.values()].reduce((sum, { size }) => sum + size, 0)
  }

  /** Publishes a sign that came over a WebSocket, or over HTTP if `device` is null. */
  signal(
    conversationId: ConversationId,
    { userId, sessionId: own }: Viewer,
    device: ConnectedDevice | null,
    isTyping: boolean,
  ): void {
    const sessionId = own ?? noSession
    const connection = this.#nameOf(device)
    const source: TypingSource = `${sessionId}/${connection}`
    const places = this.#signs.get(source) ?? new Map<ConversationId, number>()
    if (isTyping) this.#signs.set(source, places.set(conversationId, this.#clock.monotonicMs() + typingLapsesMs))
    else if (places.delete(conversationId) && places.size === 0) this.#signs.delete(source)
    this.#publish(conversationId, [userId, sessionId, connection, isTyping ? 'TYPING' : 'STOPPED'])
  }

  /** Ends the signs of a lost WebSocket, and its session's HTTP signs on this node if no node has another WebSocket of it. */
  connectionLost({ userId, sessionId }: SessionViewer, device: ConnectedDevice): void {
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

  #end(userId: UserId, sessionId: SessionId, connection: string): void {
    const source: TypingSource = `${sessionId}/${connection}`
    for (const id of this.#signs.get(source)?.keys() ?? []) this.#publish(id, [userId, sessionId, connection, 'LOST'])
    this.#signs.delete(source)
  }

  #publish(conversationId: ConversationId, sign: TypingSign): void {
    this.#topics.publish(typingTopic(conversationId), sign)
  }

  #nameOf(device: ConnectedDevice | null): string {
    if (!device) return ''
    const name = this.#names.get(device) ?? randomUUID()
    this.#names.set(device, name)
    return name
  }
}

/** Drops lapsed signs, and entries without any signs left. @returns whether it dropped an entry */
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
