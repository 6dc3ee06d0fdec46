// Encrypted messages as an app shows them. What was decrypted is in the storage; what is shown is also in memory, because apps draw at once.

import type { Message } from '../store/message-window.ts'
import type { SealedState } from '../store/sealed-state.ts'
import type { EncryptionStorage, StoredContent, StoredReaction } from './storage.ts'

/** How many contents are in memory. */
const contentsMax = 5_000

type ShownMessage = {
  readonly content: StoredContent | null
  readonly quoted: StoredContent | null
  readonly isPast: boolean
  readonly message: Message | null
}

/** Shows messages with their content. */
export class ContentView {
  readonly #storage: EncryptionStorage
  readonly #changed: (conversationId: string) => void
  readonly #known = new Map<string, StoredContent | null>()
  readonly #shown = new WeakMap<Message, ShownMessage>()
  readonly #loading = new Set<string>()
  readonly #seqs = new Map<string, number>()

  constructor(storage: EncryptionStorage, changed: (conversationId: string) => void) {
    this.#storage = storage
    this.#changed = changed
  }

  /** A content that was stored. */
  put(messageId: string, content: StoredContent): void {
    this.#keep(messageId, content)
    this.#changed(content.conversationId)
  }

  /** Up to which seq the messages of a conversation were read. Those without a content will never be. */
  reached(conversationId: string, seq: number): void {
    if (seq <= (this.#seqs.get(conversationId) ?? 0)) return
    this.#seqs.set(conversationId, seq)
    this.#changed(conversationId)
  }

  /** A message with its content; null if it only changes another one. */
  show(conversationId: string, message: Message, viewerId: string | null): Message | null {
    if (message.epoch == null || message.deletedAt) return message
    const content = this.#find(conversationId, message.id)
    const replyToId = content?.content.type === 'text' ? content.content.replyToId : undefined
    const quoted = replyToId === undefined ? null : this.#find(conversationId, replyToId)
    const before = this.#shown.get(message)
    const isPast = message.seq <= (this.#seqs.get(conversationId) ?? 0) && !this.#loading.has(message.id)
    if (before && before.content === content && before.quoted === quoted && before.isPast === isPast) return before.message
    const shown = content
      ? shownOf(message, content, replyToId ?? null, quoted, viewerId)
      : without(message, isPast ? { status: 'UNREADABLE', reason: 'BEFORE_JOINING' } : { status: 'READING' })
    this.#shown.set(message, { content, quoted, isPast, message: shown })
    return shown
  }

  #find(conversationId: string, messageId: string): StoredContent | null {
    const known = this.#known.get(messageId)
    if (known === undefined && !this.#loading.has(messageId)) void this.#load(conversationId, messageId)
    return known ?? null
  }

  async #load(conversationId: string, messageId: string): Promise<void> {
    this.#loading.add(messageId)
    const content = await this.#storage.get('contents', messageId).catch(() => null)
    this.#loading.delete(messageId)
    if (this.#known.get(messageId)) return
    this.#keep(messageId, content)
    this.#changed(content?.conversationId ?? conversationId)
  }

  #keep(messageId: string, content: StoredContent | null): void {
    this.#known.delete(messageId)
    this.#known.set(messageId, content)
    const [oldest] = this.#known.keys()
    if (this.#known.size > contentsMax && oldest !== undefined) this.#known.delete(oldest)
  }
}

const without = (message: Message, sealed: SealedState): Message => ({ ...message, text: '', sealed })

function shownOf(
  message: Message,
  stored: StoredContent,
  replyToId: string | null,
  quoted: StoredContent | null,
  viewerId: string | null,
): Message | null {
  const { content, editedText, editedAt = null, deletedAt = null, reactions = [] } = stored
  if (content.type === 'unreadable') return without(message, { status: 'UNREADABLE', reason: content.reason })
  if (content.type === 'unknown') return without(message, { status: 'UNKNOWN' })
  if (content.type !== 'text') return null
  return {
    ...without(message, { status: 'READ', files: content.files ?? [] }),
    ...{ text: editedText ?? content.text, editedAt, deletedAt },
    replyTo: replyToId === null ? null : quoteOf(replyToId, quoted),
    reactions: reactionsOf(message.id, reactions, viewerId),
  }
}

function quoteOf(id: string, quoted: StoredContent | null): NonNullable<Message['replyTo']> {
  const text = quoted?.content.type === 'text' ? (quoted.editedText ?? quoted.content.text) : ''
  return { id, text, seq: quoted?.seq ?? 0, deletedAt: quoted?.deletedAt ?? null, sender: quoted?.sender ?? null }
}

function reactionsOf(messageId: string, reactions: readonly StoredReaction[], viewerId: string | null): Message['reactions'] {
  return [...new Set(reactions.map(({ emoji }) => emoji))].map((emoji) => {
    const users = reactions.filter((each) => each.emoji === emoji).map(({ user }) => user)
    const viewerReacted = users.some(({ id }) => id === viewerId)
    return { id: `${messageId}:${emoji}`, emoji, count: users.length, viewerReacted, users }
  })
}
