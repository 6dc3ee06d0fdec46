// Encrypted messages in a store: what they say comes from encryption (`parley-client/e2ee`), which the store knows only by this interface.

import type { EncryptedContent } from '../e2ee/content.ts'
import type { OutboxMessage } from '../outbox-message.ts'
import type { MessageInput } from '../storage.ts'
import type { Message } from './message-window.ts'

/** Content that only changes another message. */
export type ContentChange = Exclude<EncryptedContent, { readonly type: 'text' }>

/** Reads and writes encrypted messages for a store. */
export type MessageContents = {
  /** A message of a conversation with its content; the same object until that changes. Null for one that only changes another one. */
  show(conversationId: string, message: Message, viewerId: string | null): Message | null
  /** Sends a message to an encrypted conversation. */
  send(input: MessageInput): Promise<OutboxMessage>
  /** Sends an edit, a deletion or a reaction to an encrypted conversation. */
  change(conversationId: string, content: ContentChange): Promise<OutboxMessage>
  /** Calls the listener when contents of a conversation have changed. @returns a function to remove it */
  onContents(listener: (conversationId: string) => void): () => void
}

/** An unsent message as the app shows it; null for one that only changes another one. */
export function shownPending(message: OutboxMessage): OutboxMessage | null {
  const { encrypted, ...input } = message.input
  if (!encrypted) return message
  return encrypted.type === 'text' ? { ...message, input: { ...input, text: encrypted.text } } : null
}
