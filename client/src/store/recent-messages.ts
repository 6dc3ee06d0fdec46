// Messages as events have brought them, for answers that were read before those events.

import { isIncluded, type JournalPlace } from '../place.ts'
import { type Message, type MessagePage, type MessageWindow, withMessage, withQuote } from './message-window.ts'

type RecentMessage = { readonly message: Message; readonly conversationId: string; readonly place: JournalPlace | null }

const recentMax = 500

/** The last changed messages. The oldest is forgotten when there are too many. */
export class RecentMessages {
  readonly #messages = new Map<string, RecentMessage>()

  /** Remembers a message as an event has brought it. */
  add(message: Message, conversationId: string, place: JournalPlace | null): void {
    this.#messages.delete(message.id)
    this.#messages.set(message.id, { message, conversationId, place })
    const [oldest] = this.#messages.keys()
    if (this.#messages.size > recentMax && oldest !== undefined) this.#messages.delete(oldest)
  }

  clear(): void {
    this.#messages.clear()
  }

  /** A page, with the newer states of its messages. @param place where the server was when it answered */
  brought(page: MessagePage, place: JournalPlace | null): MessagePage {
    return { ...page, nodes: page.nodes.map((message) => this.newest(message, place)) }
  }

  /** A message of an answer, or its newer state. @param place where the server was when it answered */
  newest(message: Message, place: JournalPlace | null): Message {
    const newest = this.#since(message.id, place) ?? message
    const quoted = newest.replyTo && this.#since(newest.replyTo.id, place)
    return quoted ? withQuote(newest, quoted) : newest
  }

  /** A window that was just read, with the messages that have come since. */
  joined(id: string, window: MessageWindow): MessageWindow {
    const last = window.messages.at(-1)?.seq ?? 0
    return [...this.#messages.values()]
      .filter(({ conversationId, message }) => conversationId === id && message.seq > last)
      .map(({ message }) => message)
      .sort((a, b) => a.seq - b.seq)
      .reduce(withMessage, window)
  }

  /** A message as an event has brought it since a place; null if none has. */
  #since(id: string, place: JournalPlace | null): Message | null {
    const recent = this.#messages.get(id)
    return recent && !isIncluded(recent.place, place) ? recent.message : null
  }
}
