// Messages as events have brought them, for answers that were read before those events.

import { isIncluded, type JournalPlace } from '../place.ts'
import { type Message, type MessagePage, type MessageWindow, withMessage, withQuote } from './message-window.ts'

type RecentMessage = {
  readonly message: Message
  readonly conversationId: string
  readonly place: JournalPlace | null
  /** Whether its sending was among the events: only then it may be missing in an answer that is up to date. */
  readonly isNew: boolean
}

const recentMax = 500

/** The last changed messages. The oldest is forgotten when there are too many. */
export class RecentMessages {
  readonly #messages = new Map<string, RecentMessage>()
  /** The seq of the last new message that was forgotten, by conversation. */
  readonly #forgotten = new Map<string, number>()
  /** The messages that the viewer has hidden, and where. */
  readonly #hidden = new Map<string, JournalPlace | null>()

  /** Remembers a message as an event has brought it. `isSent`: the event is that of its sending. */
  add(message: Message, conversationId: string, place: JournalPlace | null, isSent: boolean): void {
    const isNew = isSent || (this.#messages.get(message.id)?.isNew ?? false)
    const forgotten = keep(this.#messages, message.id, { message, conversationId, place, isNew })
    if (forgotten?.isNew) this.#forgotten.set(forgotten.conversationId, forgotten.message.seq)
  }

  /** Remembers that the viewer has hidden a message. */
  hide(id: string, place: JournalPlace | null): void {
    this.#messages.delete(id)
    keep(this.#hidden, id, place)
  }

  /** Remembers that the viewer shows a message again. */
  unhide(id: string): void {
    this.#hidden.delete(id)
  }

  clear(): void {
    this.#messages.clear()
    this.#forgotten.clear()
    this.#hidden.clear()
  }

  /**
   * A page, with the newer states of its messages, and without those that were hidden since. @param place where the server was when it
   * answered
   */
  brought(page: MessagePage, place: JournalPlace | null): MessagePage {
    const shown = page.nodes.filter(({ id }) => !this.isHiddenSince(id, place))
    return { ...page, nodes: shown.map((message) => this.newest(message, place)) }
  }

  /** Whether the viewer has hidden a message after a place. */
  isHiddenSince(id: string, place: JournalPlace | null): boolean {
    const hidden = this.#hidden.get(id)
    return hidden !== undefined && !isIncluded(hidden, place)
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
    // What came next may be forgotten, so that the rest has to be loaded.
    if ((this.#forgotten.get(id) ?? 0) > last) return { ...window, hasNewer: true }
    return [...this.#messages.values()]
      .filter(({ conversationId, message, isNew }) => isNew && conversationId === id && message.seq > last)
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

/** Keeps a value as the newest one. @returns the oldest, which is forgotten if there are too many */
function keep<Value>(values: Map<string, Value>, id: string, value: Value): Value | null {
  values.delete(id)
  values.set(id, value)
  const [oldest] = values
  if (values.size <= recentMax || !oldest) return null
  values.delete(oldest[0])
  return oldest[1]
}
