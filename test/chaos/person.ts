// A simulated person: does what the generator says, at any node, and records the answers. Messages go through the outbox of the
// client library, with some answers dropped. Sometimes a message goes out in many copies at once, without the library.

import { setTimeout as delay } from 'node:timers/promises'
import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import type { ParleyClient } from '../../client/src/client.ts'
import { parseId } from '../../src/id.ts'
import { parseCursor } from '../../src/journal/cursor.ts'
import type { Random } from '../support/random.ts'
import { openChaosClient } from './chaos-client.ts'
import { Send } from './documents.ts'
import { ask, type Endpoint, type Outcome } from './endpoint.ts'
import { answeredCount, type Generator } from './generator.ts'
import type { KnownConversation, KnownState } from './known-state.ts'
import type { Model } from './model.ts'
import { operations } from './operations.ts'
import type { RunRecord, SendRecord } from './record.ts'

/** Refusals that are normal in a run. */
const expectedRefusals = new Set([
  'NOT_FOUND',
  'FORBIDDEN',
  'UNAVAILABLE',
  'MESSAGE_DELETED',
  'LIMIT_EXCEEDED',
  'RATE_LIMITED',
  'ENCRYPTION_REQUIRED',
])
const limits = { requestMs: 4_000, firstMs: 50, maxMs: 600 }
const sendForMs = 60_000
const recentMax = 200

/** The result of an operation. */
export type OperationResult<Data> = { readonly data: Data | null; readonly refused: string | null }

/** One person of a run. */
export class Person {
  readonly id: string
  readonly userId: number
  readonly accessToken: string
  readonly known: KnownState
  readonly random: Random
  readonly #endpoints: readonly [Endpoint, ...Endpoint[]]
  readonly #record: RunRecord
  readonly #generator: Generator
  readonly #client: ParleyClient
  /** The messages in the outbox, by clientMessageId, to count their attempts without an answer. */
  readonly #inOutbox = new Map<string, SendRecord>()
  #sent = 0
  /** Whether to drop the next answer in any case. */
  #isNextDropped = false

  constructor(
    id: string,
    accessToken: string,
    known: KnownState,
    endpoints: readonly [Endpoint, ...Endpoint[]],
    url: string,
    random: Random,
    record: RunRecord,
    generator: Generator,
  ) {
    this.id = id
    this.userId = parseId('User', id, 'id')
    this.accessToken = accessToken
    this.known = known
    this.random = random
    this.#endpoints = endpoints
    this.#record = record
    this.#generator = generator
    const fetch = (to: string | URL | Request, init?: RequestInit) => this.#fetch(to, init)
    this.#client = openChaosClient(url, accessToken, fetch, limits)
  }

  /** Closes the client. */
  close(): Promise<void> {
    return this.#client.close()
  }

  /** Performs operations, with pauses, until the run is over. */
  async run(thinkMs: number, isStopped: () => boolean): Promise<void> {
    while (!isStopped()) {
      await delay(this.random.whole(0, 2 * thinkMs))
      await this.#performNext(isStopped)
    }
  }

  async #performNext(isStopped: () => boolean): Promise<void> {
    const required = this.#generator.nextRequired()
    if (required !== undefined) return this.#performRequired(required, isStopped)
    const operation = this.#generator.draw(this.random)
    if (operation) {
      await operation[2](this)
      return
    }
    const mine = this.known.conversations.filter(({ members }) => members.has(this))
    // One time in fifty, try a conversation without being a member.
    const conversation = this.draw(mine.length === 0 || this.random.chance(0.02) ? this.known.conversations : mine)
    if (conversation) await this.#send(conversation, isStopped)
  }

  /** Performs what must still happen, if this person can. */
  async #performRequired(required: string, isStopped: () => boolean): Promise<void> {
    const operation = operations.find(([name]) => answeredCount(name) === required)
    if (operation) await operation[2](this)
    else {
      const conversation = this.draw(this.known.conversations.filter(({ members }) => members.has(this)))
      if (required === 'dropped answers') this.#isNextDropped = true
      if (conversation) await this.#send(conversation, isStopped, required)
    }
  }

  /** Draws one, if there is any. */
  draw<T>(things: readonly T[]): T | undefined {
    return things[this.random.whole(0, things.length - 1)]
  }

  /** Sends a query once, to any node. @returns the data; null without an answer. */
  async ask<Data, Variables>(
    what: string,
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
  ): Promise<Data | null> {
    return (await this.#try(what, document, variables)).data
  }

  /** Performs a mutation once, at any node. If the answer has a cursor, `holds` must be true at its position. */
  async do<Data, Input>(
    what: string,
    document: TypedDocumentNode<Data, { input: Input }>,
    input: Input,
    answerIn: (data: Data) => { readonly cursor?: string | null },
    holds?: (model: Model) => boolean,
  ): Promise<OperationResult<Data>> {
    const result = await this.#try(what, document, { input })
    if (result.data) this.#note(what, answerIn(result.data).cursor, holds)
    return result
  }

  async #try<Data, Variables>(
    what: string,
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
  ): Promise<OperationResult<Data>> {
    const outcome = await ask(this.random.one(this.#endpoints), document, variables, this.accessToken)
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
    if (!expectedRefusals.has(code)) this.#record.violation(`${what} was refused with ${code}: ${message}`)
  }

  /** Sends a message. `required` is the outcome that it must bring about, if any. */
  async #send(conversation: KnownConversation, isStopped: () => boolean, required?: string): Promise<void> {
    const random = this.random
    this.#sent += 1
    const { isEncrypted } = conversation
    const hasFile = !isEncrypted && (required === 'files sent' || random.chance(0.06))
    const copies = !hasFile && (required === 'copies' || random.chance(0.08)) ? random.whole(2, 6) : 1
    const words = `${this.userId} ${this.#sent} ${random.chance(0.1) ? 'x'.repeat(random.whole(3_000, 9_000)) : ''}`
    const text = isEncrypted ? '' : words
    const [clientMessageId, senderId] = [random.uuid(), this.userId]
    // Half of them are pictures, which the server looks at.
    const file = hasFile ? (random.chance(0.5) ? picture : `the file of ${text}`) : null
    const send: SendRecord = {
      clientMessageId,
      senderId,
      text,
      ids: new Set(),
      refusals: new Set(),
      unanswered: 0,
      file,
      isSequential: copies === 1 && !isEncrypted,
    }
    this.#record.sends.push(send)
    if (copies > 1 || isEncrypted) {
      this.#record.count(isEncrypted ? 'ciphertexts' : 'copies', copies)
      const endpoints = Array.from(
        { length: copies },
        (_, i) => this.#endpoints[i % this.#endpoints.length] ?? this.#endpoints[0],
      )
      await Promise.all(endpoints.map((endpoint) => this.#attempt(send, conversation, text, endpoint)))
      for (const deadline = Date.now() + sendForMs; !isSettled(send) && Date.now() < deadline; ) {
        if (isStopped()) return
        await delay(random.whole(20, 300))
        await this.#attempt(send, conversation, text, random.one(this.#endpoints))
      }
    } else if (!(await this.#sendThroughOutbox(send, conversation, isStopped))) return
    if (file === null && send.ids.size > 0 && random.chance(0.05))
      await this.#attempt(send, conversation, text, random.one(this.#endpoints))
    const hasConflict = required?.startsWith('conflicting') || random.chance(0.03)
    if (send.ids.size > 0 && hasConflict && !isEncrypted) await this.#sendConflicting(send, conversation)
  }

  /** One attempt. Some give up before the answer can be there, some while it may be on its way. */
  async #attempt(send: SendRecord, conversation: KnownConversation, text: string, endpoint: Endpoint): Promise<void> {
    const drop = this.random.chance(0.08) ? this.random.whole(1, 25) : undefined
    const { clientMessageId } = send
    // Each attempt encrypts it again.
    const sealed = { ciphertext: Buffer.from(this.random.uuid()).toString('base64'), epoch: 0 }
    const input = { conversationId: conversation.id, clientMessageId, ...(conversation.isEncrypted ? sealed : { text }) }
    const outcome = await ask(endpoint, Send, { input }, this.accessToken, drop)
    this.#record.count(`send ${outcome.status}`)
    if (drop !== undefined)
      this.#record.count(outcome.status === 'lost' ? 'dropped answers' : 'answers that came before their drop')
    if (outcome.status === 'answered') {
      const { message, cursor } = outcome.data.sendMessage
      this.#acknowledged(send, conversation, message, cursor)
    } else if (outcome.status === 'refused' && (outcome.code === 'NOT_FOUND' || outcome.code === 'FORBIDDEN')) {
      send.refusals.add(outcome.code)
      this.#record.count(`refused: ${outcome.code}`)
    } else {
      send.unanswered += 1
      if (outcome.status === 'refused') this.#check('send', outcome)
    }
  }

  /** Sends through the outbox. @returns whether it settled; if not by the end of the run, the checker decides */
  async #sendThroughOutbox(send: SendRecord, conversation: KnownConversation, isStopped: () => boolean): Promise<boolean> {
    const { clientMessageId, text, file } = send
    const files =
      file === null
        ? []
        : [{ blob: new Blob([Buffer.from(file, file === picture ? 'base64' : 'utf8')]), fileName: `${clientMessageId}.bin` }]
    this.#inOutbox.set(clientMessageId, send)
    await this.#client.send({ conversationId: conversation.id, text, files }, clientMessageId)
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
    if (sent && file !== null) this.#record.count('files sent')
    if (sent) this.#acknowledged(send, conversation, { id: sent.messageId, seq: sent.seq }, sent.cursor)
    else if (failure) {
      send.refusals.add(failure.code)
      this.#check('send', { status: 'refused', ...failure })
      await this.#client.outbox.discard(clientMessageId)
    }
    return true
  }

  /** The fetch of the library. It drops some answers while they may be on their way. */
  async #fetch(to: string | URL | Request, init?: RequestInit): Promise<Response> {
    const isDropped = this.#isNextDropped || this.random.chance(0.08)
    const drop = isDropped ? AbortSignal.timeout(this.random.whole(1, 25)) : null
    this.#isNextDropped = false
    if (drop) this.#record.count('dropped answers')
    const signals = [init?.signal, drop].flatMap((signal) => (signal ? [signal] : []))
    try {
      const response = await fetch(to, { ...init, signal: AbortSignal.any(signals) })
      const body = (await response.text()) || null
      if (/"retryable":true/.test(body ?? '')) this.#unanswered()
      return new Response(body, response)
    } catch (error) {
      this.#unanswered()
      throw error
    }
  }

  #unanswered(): void {
    for (const send of this.#inOutbox.values()) send.unanswered += 1
  }

  #acknowledged(send: SendRecord, conversation: KnownConversation, message: { id: string; seq: number }, cursor: string): void {
    const isFirst = send.ids.size === 0
    send.ids.add(message.id)
    this.#note('send', cursor)
    if (!isFirst) return
    this.#record.count('sends acknowledged')
    this.known.recentMessages.push({ id: message.id, conversation, sender: this, seq: message.seq })
    if (this.known.recentMessages.length > recentMax) this.known.recentMessages.shift()
  }

  /** Sends the same key with other content, which must be a conflict. */
  async #sendConflicting({ clientMessageId }: SendRecord, conversation: KnownConversation): Promise<void> {
    const input = { conversationId: conversation.id, clientMessageId, text: 'something else' }
    const outcome = await ask(this.random.one(this.#endpoints), Send, { input }, this.accessToken)
    if (outcome.status === 'answered') this.#record.violation(`D2 ${clientMessageId} was accepted twice, with different content`)
    if (outcome.status === 'refused') {
      this.#record.count(`conflicting: ${outcome.code}`)
      if (outcome.code !== 'IDEMPOTENCY_CONFLICT') this.#check('send', outcome)
    }
  }
}

/** A picture of 8 by 8 pixels, in base64. */
export const picture =
  'iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAACXBIWXMAAAPoAAAD6AG1e1JrAAAAEUlEQVQImWNw6ViFFTEMLQkAb2RdgcPSBkgAAAAASUVORK5CYII='

const isSettled = ({ ids, refusals }: SendRecord) => ids.size > 0 || refusals.size > 0
