// The messages of an outbox in memory: their states, their order, and their conversion to and from storage.

import { notify } from './notify.ts'
import type { FileUpload, MessageInput, SendFailure, StoredMessage } from './storage.ts'

/** The server's answer to a sent message. */
export type Sent = { readonly messageId: string; readonly seq: number; readonly createdAt: string; readonly cursor: string }

/** A message in the outbox. */
export type OutboxMessage = {
  readonly clientMessageId: string
  readonly input: MessageInput
  readonly queuedAt: Date
  /**
   * `QUEUED`: waiting. `SENDING`: under way. `SENT`: stored on the server; while the app follows events, the message stays in
   * the outbox until the app has processed its event. `FAILED`: refused by the server; it stays until it is retried or
   * discarded. `DISCARDED`: removed, here or in another tab.
   */
  readonly status: 'QUEUED' | 'SENDING' | 'SENT' | 'FAILED' | 'DISCARDED'
  /** Why it failed. */
  readonly failure: SendFailure | null
  /** How far its files are, in their order; null for one whose upload has not begun. Empty before the first has. */
  readonly uploads: readonly (FileUpload | null)[]
  /** The server's answer; null before, and if the message is known as sent from an event or another tab. */
  readonly sent: Sent | null
}

/** The status of a message that comes from storage. */
export const statusOf = ({ failure, discardedAtMs }: StoredMessage) =>
  discardedAtMs !== undefined ? 'DISCARDED' : failure ? 'FAILED' : 'QUEUED'

/** Converts a message from its stored form. */
export function fromStored(stored: StoredMessage): OutboxMessage {
  const { clientMessageId, input, queuedAtMs, failure, uploads = [] } = stored
  return { clientMessageId, input, queuedAt: new Date(queuedAtMs), status: statusOf(stored), failure, uploads, sent: null }
}

/** Converts a message to its stored form. */
export function toStored({ clientMessageId, input, queuedAt, failure, uploads }: OutboxMessage): StoredMessage {
  return { clientMessageId, input, queuedAtMs: queuedAt.getTime(), failure, ...(uploads.length > 0 ? { uploads } : {}) }
}

/** How many messages that have left the outbox are remembered, for `settled`. */
const settledMax = 1_000

/** The messages of an outbox in order, and the listeners to their changes. */
export class Messages {
  readonly #all = new Map<string, OutboxMessage>()
  /** Keys of messages whose event the app is processing. */
  readonly #hidden = new Set<string>()
  /** The last messages that have left the outbox, in their final state. */
  readonly #settled = new Map<string, OutboxMessage>()
  readonly #listeners = new Set<(message: OutboxMessage) => void>()
  #list: readonly OutboxMessage[] | null = null

  /** The messages to show: the same array until it changes. */
  get list(): readonly OutboxMessage[] {
    this.#list ??= [...this.#all.values()].filter(({ clientMessageId }) => !this.#hidden.has(clientMessageId))
    return this.#list
  }

  get size(): number {
    return this.#all.size
  }

  /** All messages, hidden ones too: a copy. */
  all(): readonly OutboxMessage[] {
    return [...this.#all.values()]
  }

  get(clientMessageId: string): OutboxMessage | undefined {
    return this.#all.get(clientMessageId)
  }

  /** A message in the outbox, or the final state of one that has left it. */
  known(clientMessageId: string): OutboxMessage | undefined {
    return this.#all.get(clientMessageId) ?? this.#settled.get(clientMessageId)
  }

  /** Adds or replaces a message, and notifies the listeners. */
  set(message: OutboxMessage): OutboxMessage {
    this.#hidden.delete(message.clientMessageId)
    this.#all.set(message.clientMessageId, message)
    this.#list = null
    this.#notify(message)
    return message
  }

  /** Adds or replaces a message, shown or hidden, without notifying the listeners. */
  hold(message: OutboxMessage, isShown: boolean): void {
    this.#all.set(message.clientMessageId, message)
    if (isShown) this.#hidden.delete(message.clientMessageId)
    else this.#hidden.add(message.clientMessageId)
    this.#list = null
  }

  /** Removes a message, and notifies the listeners of its final state. */
  drop(message: OutboxMessage): void {
    const { clientMessageId } = message
    this.#all.delete(clientMessageId)
    this.#hidden.delete(clientMessageId)
    this.#list = null
    this.#settled.delete(clientMessageId)
    this.#settled.set(clientMessageId, message)
    const [oldest] = this.#settled.keys()
    if (this.#settled.size > settledMax && oldest !== undefined) this.#settled.delete(oldest)
    this.#notify(message)
  }

  /** Calls the listener at every change of a message. @returns a function to remove the listener */
  onChange(listener: (message: OutboxMessage) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #notify(message: OutboxMessage): void {
    for (const listener of [...this.#listeners]) notify(() => listener(message))
  }
}
