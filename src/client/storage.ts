// Where an outbox keeps what has not been sent: the port, and its twin in memory. That of browsers is in indexed-db.ts.

/** What an app sends. */
export type MessageInput = {
  readonly conversationId: string
  readonly text: string
  readonly replyToId?: string | null
  readonly mentionedUserIds?: readonly string[] | null
  readonly attachmentIds?: readonly string[] | null
}

/** Why a message was not sent, as the server told it. */
export type SendFailure = { readonly code: string; readonly message: string }

/** An unsent message as it is kept. */
export type StoredMessage = {
  /** Its key, the same for every attempt. */
  readonly clientMessageId: string
  readonly input: MessageInput
  /** When the app gave it, in milliseconds since 1970. */
  readonly queuedAtMs: number
  /** Why it will not be sent unless somebody asks for it; null while it waits. */
  readonly failure: SendFailure | null
}

/** Where unsent messages are kept. It may be shared between tabs. */
export type OutboxStorage = {
  /** Tells the stores of one origin apart; null where nobody else can have this one. */
  readonly name: string | null
  /** All messages, in the order in which they were added, by whomever. */
  load(): Promise<readonly StoredMessage[]>
  add(message: StoredMessage): Promise<void>
  /** Replaces a message by its key, and leaves it where it is. Does nothing where it is gone. */
  replace(message: StoredMessage): Promise<void>
  remove(clientMessageId: string): Promise<void>
  close(): Promise<void>
}

/** Keeps unsent messages for as long as the process lives. */
export function memoryOutbox(): OutboxStorage {
  const kept = new Map<string, StoredMessage>()
  return {
    name: null,
    load: async () => [...kept.values()],
    async add(message) {
      kept.set(message.clientMessageId, message)
    },
    async replace(message) {
      if (kept.has(message.clientMessageId)) kept.set(message.clientMessageId, message)
    },
    async remove(clientMessageId) {
      kept.delete(clientMessageId)
    },
    close: async () => undefined,
  }
}
