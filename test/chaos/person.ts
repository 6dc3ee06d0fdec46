// A person: draws what to do next, does it at any door, and notes what was answered. Messages go by the outbox of the client
// library, some of whose answers are thrown away; sometimes a message goes as many copies at once, past the library.

import { setTimeout as delay } from 'node:timers/promises'
import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { print } from 'graphql'
import WebSocket from 'ws'
import { createParleyClient, type ParleyClient } from '../../src/client/client.ts'
import { parseId } from '../../src/id.ts'
import { parseCursor } from '../../src/journal/cursor.ts'
import type { Random } from '../journal/random.ts'
import { acts } from './acts.ts'
import { Send } from './documents.ts'
import { ask, type Door, type Outcome } from './door.ts'
import type { Model } from './model.ts'
import type { Record, Sending } from './record.ts'
import type { Conversation, World } from './world.ts'

/** Refusals that a person may meet without a fault of anybody's. */
const expected = new Set(['NOT_FOUND', 'FORBIDDEN', 'UNAVAILABLE', 'MESSAGE_DELETED', 'LIMIT_EXCEEDED', 'RATE_LIMITED'])
const limits = { requestMs: 4_000, firstMs: 50, maxMs: 600 }
const sendForMs = 60_000
const recentMax = 200

/** What became of an act. */
export type Done<Data> = { readonly data: Data | null; readonly refused: string | null }

/** One person of a run. */
export class Person {
  readonly id: string
  readonly userId: number
  readonly accessToken: string
  readonly world: World
  readonly random: Random
  readonly #doors: readonly [Door, ...Door[]]
  readonly #record: Record
  readonly #client: ParleyClient
  /** The messages in the outbox, by their keys: attempts without an answer are counted. */
  readonly #inOutbox = new Map<string, Sending>()
  #sent = 0

  constructor(
    id: string,
    accessToken: string,
    world: World,
    doors: readonly [Door, ...Door[]],
    url: string,
    random: Random,
    record: Record,
  ) {
    this.id = id
    this.userId = parseId('User', id, 'id')
    this.accessToken = accessToken
    this.world = world
    this.random = random
    this.#doors = doors
    this.#record = record
    const fetch = (to: string | URL | Request, init?: RequestInit) => this.#fetch(to, init)
    this.#client = createParleyClient({
      url,
      session: () => accessToken,
      webSocketImpl: WebSocket as never,
      print,
      limits,
      fetch,
    })
  }

  /** Ends what it has open. */
  close(): Promise<void> {
    return this.#client.close()
  }

  /** Acts, with pauses, until it is told to stop. */
  async run(thinkMs: number, isStopped: () => boolean): Promise<void> {
    while (!isStopped()) {
      await delay(this.random.whole(0, 2 * thinkMs))
      await this.#act(isStopped)
    }
  }

  async #act(isStopped: () => boolean): Promise<void> {
    let left = this.random.whole(0, 99)
    for (const [, share, doing] of acts) {
      if (left < share) {
        await doing(this)
        return
      }
      left -= share
    }
    const mine = this.world.conversations.filter(({ members }) => members.has(this))
    // Now and then at the door of a conversation that one is not in.
    const conversation = this.draw(mine.length === 0 || this.random.chance(0.02) ? this.world.conversations : mine)
    if (conversation) await this.#send(conversation, isStopped)
  }

  /** One of these, if there are any. */
  draw<T>(things: readonly T[]): T | undefined {
    return things[this.random.whole(0, things.length - 1)]
  }

  /** Asks something once, at any door. @returns what was answered, null where nothing was. */
  async ask<Data, Variables>(
    what: string,
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
  ): Promise<Data | null> {
    return (await this.#try(what, document, variables)).data
  }

  /** Does something once, wherever it may lead. What `holds` says has to hold at the place of the answer, if it has one. */
  async do<Data, Input>(
    what: string,
    document: TypedDocumentNode<Data, { input: Input }>,
    input: Input,
    answerIn: (data: Data) => { readonly cursor?: string | null },
    holds?: (model: Model) => boolean,
  ): Promise<Done<Data>> {
    const done = await this.#try(what, document, { input })
    if (done.data) this.#note(what, answerIn(done.data).cursor, holds)
    return done
  }

  async #try<Data, Variables>(
    what: string,
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
  ): Promise<Done<Data>> {
    const outcome = await ask(this.random.one(this.#doors), document, variables, this.accessToken)
    this.#record.count(`${what} ${outcome.status}`)
    if (outcome.status === 'refused') this.#check(what, outcome)
    return {
      data: outcome.status === 'answered' ? outcome.data : null,
      refused: outcome.status === 'refused' ? outcome.code : null,
    }
  }

  #note(what: string, cursor: string | null | undefined, holds?: (model: Model) => boolean): void {
    if (!cursor) return
    const place = parseCursor(cursor, 'cursor')
    this.#record.places.push({ what, ...place })
    if (holds) this.#record.claims.push({ what, position: place.position, holds })
  }

  #check(what: string, { code, message }: Outcome<unknown> & { status: 'refused' }): void {
    this.#record.count(`refused: ${code}`)
    if (!expected.has(code)) this.#record.fault(`${what} was refused with ${code}: ${message}`)
  }

  async #send(conversation: Conversation, isStopped: () => boolean): Promise<void> {
    const random = this.random
    this.#sent += 1
    const copies = random.chance(0.08) ? random.whole(2, 6) : 1
    const text = `${this.userId} ${this.#sent} ${random.chance(0.1) ? 'x'.repeat(random.whole(3_000, 9_000)) : ''}`
    const [clientMessageId, senderId] = [random.uuid(), this.userId]
    const sending: Sending = {
      clientMessageId,
      senderId,
      text,
      ids: new Set(),
      refusals: new Set(),
      unanswered: 0,
      isInTurn: copies === 1,
    }
    this.#record.sendings.push(sending)
    if (copies > 1) {
      this.#record.count('copies', copies)
      const doors = Array.from({ length: copies }, (_, i) => this.#doors[i % this.#doors.length] ?? this.#doors[0])
      await Promise.all(doors.map((door) => this.#attempt(sending, conversation, text, door)))
      for (const deadline = Date.now() + sendForMs; !isSettled(sending) && Date.now() < deadline; ) {
        if (isStopped()) return
        await delay(random.whole(20, 300))
        await this.#attempt(sending, conversation, text, random.one(this.#doors))
      }
    } else if (!(await this.#sendByOutbox(sending, conversation, isStopped))) return
    if (sending.ids.size > 0 && random.chance(0.05)) await this.#attempt(sending, conversation, text, random.one(this.#doors))
    if (sending.ids.size > 0 && random.chance(0.03)) await this.#contradict(sending, conversation)
  }

  /** One attempt. Some are given up before the answer can have come, some just when it may be on its way. */
  async #attempt(sending: Sending, conversation: Conversation, text: string, door: Door): Promise<void> {
    const drop = this.random.chance(0.08) ? this.random.whole(1, 25) : undefined
    const { clientMessageId } = sending
    const input = { conversationId: conversation.id, clientMessageId, text }
    const outcome = await ask(door, Send, { input }, this.accessToken, drop)
    this.#record.count(`send ${outcome.status}`)
    if (drop !== undefined) this.#record.count(outcome.status === 'lost' ? 'dropped answers' : 'answers faster than their drop')
    if (outcome.status === 'answered') {
      const { message, cursor } = outcome.data.sendMessage
      this.#acknowledged(sending, conversation, message, cursor)
    } else if (outcome.status === 'refused' && (outcome.code === 'NOT_FOUND' || outcome.code === 'FORBIDDEN')) {
      sending.refusals.add(outcome.code)
      this.#record.count(`refused: ${outcome.code}`)
    } else {
      sending.unanswered += 1
      if (outcome.status === 'refused') this.#check('send', outcome)
    }
  }

  /** Sends by the outbox. @returns whether it was settled; what is not when the run ends is left to the judge */
  async #sendByOutbox(sending: Sending, conversation: Conversation, isStopped: () => boolean): Promise<boolean> {
    const { clientMessageId, text } = sending
    this.#inOutbox.set(clientMessageId, sending)
    await this.#client.send({ conversationId: conversation.id, text }, clientMessageId)
    let isOver = false
    const settled = this.#client.outbox.settled(clientMessageId).finally(() => {
      isOver = true
    })
    for (const deadline = Date.now() + sendForMs; !isOver && Date.now() < deadline; ) {
      await Promise.race([settled, delay(100)])
      if (isStopped() && !isOver) return false
    }
    if (!isOver) return false
    const { sent, failure } = await settled
    this.#inOutbox.delete(clientMessageId)
    this.#record.count(`outbox ${sent ? 'sent' : 'failed'}`)
    if (sent) this.#acknowledged(sending, conversation, { id: sent.messageId, seq: sent.seq }, sent.cursor)
    else if (failure) {
      sending.refusals.add(failure.code)
      this.#check('send', { status: 'refused', ...failure })
      await this.#client.outbox.discard(clientMessageId)
    }
    return true
  }

  /** The library's way to the network: some answers are thrown away, just when they may be on their way. */
  async #fetch(to: string | URL | Request, init?: RequestInit): Promise<Response> {
    const drop = this.random.chance(0.08) ? AbortSignal.timeout(this.random.whole(1, 25)) : null
    if (drop) this.#record.count('dropped answers')
    const signals = [init?.signal, drop].flatMap((signal) => (signal ? [signal] : []))
    try {
      const response = await fetch(to, { ...init, signal: AbortSignal.any(signals) })
      const body = await response.text()
      if (/"retryable":true/.test(body)) this.#unanswered()
      return new Response(body, response)
    } catch (error) {
      this.#unanswered()
      throw error
    }
  }

  #unanswered(): void {
    for (const sending of this.#inOutbox.values()) sending.unanswered += 1
  }

  #acknowledged(sending: Sending, conversation: Conversation, message: { id: string; seq: number }, cursor: string): void {
    const isFirst = sending.ids.size === 0
    sending.ids.add(message.id)
    this.#note('send', cursor)
    if (!isFirst) return
    this.#record.count('sends acknowledged')
    this.world.recent.push({ id: message.id, conversation, sender: this, seq: message.seq })
    if (this.world.recent.length > recentMax) this.world.recent.shift()
  }

  /** The same key with other content: a conflict, whenever it is answered. */
  async #contradict({ clientMessageId }: Sending, conversation: Conversation): Promise<void> {
    const input = { conversationId: conversation.id, clientMessageId, text: 'something else' }
    const outcome = await ask(this.random.one(this.#doors), Send, { input }, this.accessToken)
    if (outcome.status === 'answered') this.#record.fault(`D2 ${clientMessageId} was taken twice, with other content`)
    if (outcome.status === 'refused') {
      this.#record.count(`contradicted: ${outcome.code}`)
      if (outcome.code !== 'IDEMPOTENCY_CONFLICT') this.#check('send', outcome)
    }
  }
}

const isSettled = ({ ids, refusals }: Sending) => ids.size > 0 || refusals.size > 0
