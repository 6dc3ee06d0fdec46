// The outbox: messages on their way. Each is stored before it is sent, sent with one key until there is an answer, and sent
// after those that were given before it. It outlives the app where its storage does. Tabs that share a storage take turns; that
// two might send the same is no harm, since the server takes a key once (D2).

import { onNetwork, withLock } from './browser.ts'
import { failureOf, type ParleyFailure, type Result, refusal } from './failure.ts'
import { sendMessage } from './operations.ts'
import { type Bounds, backOffMs, Pause } from './pause.ts'
import type { MessageInput, OutboxStorage, SendFailure, StoredMessage } from './storage.ts'
import { tell } from './tell.ts'
import { uuidv7 } from './uuid.ts'

/** What the server answered to a message that was sent. */
export type Sent = { readonly messageId: string; readonly seq: number; readonly createdAt: string; readonly cursor: string }

/** A message on its way. */
export type OutboxMessage = {
  readonly clientMessageId: string
  readonly input: MessageInput
  readonly queuedAt: Date
  /**
   * `QUEUED`: it waits. `SENDING`: it is under way. `SENT`: it is stored at the server, and out of the outbox. `FAILED`: the
   * server refused it; it stays until it is retried or discarded. `DISCARDED`: somebody did.
   */
  readonly status: 'QUEUED' | 'SENDING' | 'SENT' | 'FAILED' | 'DISCARDED'
  /** Why it failed. */
  readonly failure: SendFailure | null
  /** What was answered; null until then, and where it was an event or another tab that told of it. */
  readonly sent: Sent | null
}

/** What an outbox needs of the client. */
export type OutboxHost = {
  readonly backOff: Bounds
  execute(query: string, variables: object): Promise<Result>
  /** Whether the session is over; then what waits is left for the next client. */
  isOver(): boolean
}

const lockMs = 60_000
/** So many wait at most; the app is told `LIMIT_EXCEEDED` by `send` beyond. */
export const queuedMax = 10_000

/** The outbox of a client. */
export class Outbox {
  readonly #storage: OutboxStorage
  readonly #host: OutboxHost
  readonly #messages = new Map<string, OutboxMessage>()
  /** The keys that have been seen in the storage; what is being stored is not missed there. */
  readonly #isAdded = new Set<string>()
  readonly #listeners = new Set<(message: OutboxMessage) => void>()
  readonly #pause = new Pause()
  readonly #unlisten: () => void
  #working: Promise<void> | null = null
  readonly #closing = new AbortController()
  #isClosed = false
  #attempt = 0

  constructor(storage: OutboxStorage, host: OutboxHost) {
    this.#storage = storage
    this.#host = host
    this.#unlisten = onNetwork((isThere) => {
      if (isThere) this.#pause.end()
    })
    this.#work()
  }

  /** What is queued, under way or failed, in order. */
  get messages(): readonly OutboxMessage[] {
    return [...this.#messages.values()]
  }

  /** Tells of every change of a message, also of those of an earlier run. @returns what ends it */
  onChange(listener: (message: OutboxMessage) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Takes a message. When this resolves it is stored, and will be sent. */
  async send(input: MessageInput, clientMessageId = uuidv7()): Promise<OutboxMessage> {
    if (this.#messages.size >= queuedMax) throw new RangeError(`There are ${queuedMax} messages in the outbox`)
    const stored: StoredMessage = { clientMessageId, input, queuedAtMs: Date.now(), failure: null }
    const message = this.#set(fromStored(stored))
    try {
      await this.#storage.add(stored)
    } catch (error) {
      this.#drop({ ...message, status: 'DISCARDED' })
      throw error
    }
    this.#isAdded.add(clientMessageId)
    this.#work()
    return message
  }

  /** Resolves when a message is on its way no more: `SENT`, `FAILED` or `DISCARDED`. Never where the client is closed before. */
  settled(clientMessageId: string): Promise<OutboxMessage> {
    return new Promise((resolve, reject) => {
      const now = this.#messages.get(clientMessageId)
      if (!now) return reject(new RangeError('There is no such message in the outbox'))
      if (now.status === 'FAILED') return resolve(now)
      const stop = this.onChange((message) => {
        if (message.clientMessageId !== clientMessageId || message.status === 'QUEUED' || message.status === 'SENDING') return
        stop()
        resolve(message)
      })
    })
  }

  /** Sends a message that failed once more, with the same key. */
  async retry(clientMessageId: string): Promise<void> {
    const message = this.#messages.get(clientMessageId)
    if (message?.status !== 'FAILED') return
    const queued: OutboxMessage = { ...message, status: 'QUEUED', failure: null }
    await this.#storage.replace(toStored(queued))
    this.#set(queued)
    this.#work()
  }

  /** Takes a message out. Where it was tried before, without an answer, it may be there all the same. */
  async discard(clientMessageId: string): Promise<void> {
    const message = this.#messages.get(clientMessageId)
    if (!message) return
    await this.#storage.remove(clientMessageId)
    if (this.#messages.has(clientMessageId)) this.#drop({ ...message, status: 'DISCARDED' })
  }

  /** An event has brought a message with this key: whatever became of the answer, it is sent. */
  heard(clientMessageId: string): void {
    const message = this.#messages.get(clientMessageId)
    if (!message) return
    this.#drop({ ...message, status: 'SENT', failure: null })
    this.#storage.remove(clientMessageId).catch(() => undefined)
  }

  /** Sends no more. What waits stays in the storage, which is closed. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#closing.abort()
    this.#unlisten()
    this.#pause.end()
    await this.#working
    await this.#storage.close()
  }

  #work(): void {
    if (this.#isClosed || this.#host.isOver()) return
    this.#working ??= this.#rounds().finally(() => {
      this.#working = null
      if ([...this.#messages.values()].some((m) => m.status === 'QUEUED' && this.#isAdded.has(m.clientMessageId))) this.#work()
    })
  }

  async #rounds(): Promise<void> {
    for (let isDone = false; !isDone && !this.#isClosed && !this.#host.isOver(); ) {
      const name = this.#storage.name
      const round = () => this.#round()
      const failure = await (name === null
        ? round()
        : withLock(`parley-outbox:${name}`, lockMs, round, this.#closing.signal)
      ).catch(failureOf)
      isDone = failure === null
      if (failure && !this.#isClosed && !this.#host.isOver()) {
        await this.#pause.wait((failure.retryAfterMs ?? 0) + backOffMs(this.#attempt, this.#host.backOff))
        this.#attempt += 1
      }
    }
  }

  /** Sends everything that is stored, one after another. @returns what stopped it; null where nothing is left */
  async #round(): Promise<ParleyFailure | null> {
    // What is added while the storage is read may not be in what was read.
    const known = new Set(this.#isAdded)
    const stored = await this.#storage.load()
    this.#meet(stored, known)
    for (const { clientMessageId } of stored) {
      if (this.#isClosed || this.#host.isOver()) return null
      const message = this.#messages.get(clientMessageId)
      if (message?.status !== 'QUEUED') continue
      const failure = await this.#sendOne(this.#set({ ...message, status: 'SENDING' }))
      if (failure) return failure
      this.#attempt = 0
    }
    return null
  }

  /** Brings what we hold together with the storage, in which other tabs and earlier runs have been at work. */
  #meet(stored: readonly StoredMessage[], known: ReadonlySet<string>): void {
    const kept = new Map(stored.map((message) => [message.clientMessageId, message]))
    for (const message of this.#messages.values()) {
      const other = kept.get(message.clientMessageId)
      if (!other && known.has(message.clientMessageId)) this.#drop({ ...message, status: 'SENT' })
      if (other && message.status !== statusOf(other)) this.#set(fromStored(other))
    }
    for (const message of stored) {
      this.#isAdded.add(message.clientMessageId)
      if (!this.#messages.has(message.clientMessageId)) this.#set(fromStored(message))
    }
  }

  /** @returns why it has to be tried again; null where it is settled, or is another client's to send */
  async #sendOne(message: OutboxMessage): Promise<ParleyFailure | null> {
    const { clientMessageId } = message
    const result = await this.#host
      .execute(sendMessage, { input: { ...message.input, clientMessageId } })
      .then(({ data, errors }) => (errors ? refusal(errors) : (data as SendAnswer)))
      .catch(failureOf)
    // An event was faster, or somebody took it out.
    if (!this.#messages.has(clientMessageId)) return null
    if (!(result instanceof Error)) {
      const { message: made, cursor } = result.sendMessage
      this.#drop({ ...message, status: 'SENT', sent: { messageId: made.id, seq: made.seq, createdAt: made.createdAt, cursor } })
      await this.#storage.remove(clientMessageId)
      return null
    }
    if (result.isRetryable || result.endsSession || result.code === 'TOKEN_EXPIRED') {
      this.#set({ ...message, status: 'QUEUED' })
      return result
    }
    const failed = this.#set({ ...message, status: 'FAILED', failure: { code: result.code, message: result.message } })
    await this.#storage.replace(toStored(failed))
    return null
  }

  #set(message: OutboxMessage): OutboxMessage {
    this.#messages.set(message.clientMessageId, message)
    this.#tell(message)
    return message
  }

  #drop(message: OutboxMessage): void {
    this.#messages.delete(message.clientMessageId)
    this.#isAdded.delete(message.clientMessageId)
    this.#tell(message)
  }

  #tell(message: OutboxMessage): void {
    for (const listener of [...this.#listeners]) tell(() => listener(message))
  }
}

type SendAnswer = {
  readonly sendMessage: { readonly message: { id: string; seq: number; createdAt: string }; readonly cursor: string }
}

const statusOf = ({ failure }: StoredMessage) => (failure ? 'FAILED' : 'QUEUED')

function fromStored(stored: StoredMessage): OutboxMessage {
  const { clientMessageId, input, queuedAtMs, failure } = stored
  return { clientMessageId, input, queuedAt: new Date(queuedAtMs), status: statusOf(stored), failure, sent: null }
}

function toStored({ clientMessageId, input, queuedAt, failure }: OutboxMessage): StoredMessage {
  return { clientMessageId, input, queuedAtMs: queuedAt.getTime(), failure }
}
