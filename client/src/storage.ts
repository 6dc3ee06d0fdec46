// The interfaces of an app's storage, for credentials and for unsent messages, and a storage in memory. The ones for browsers
// are in indexed-db.ts.

import type { EncryptedContent } from './e2ee/content.ts'
import { fromApp } from './failure.ts'

/** The answer of `logIn`, `signUp` and `refreshSession`. `expiresAt` is when the access token expires, as an ISO 8601 string. */
export type Credentials = { readonly accessToken: string; readonly refreshToken: string; readonly expiresAt: string }

/** Stores the credentials of an app. All tabs of an origin must share one store. */
export type CredentialsStore = {
  /** The credentials that were saved last; null if there are none. */
  load(): Credentials | null | Promise<Credentials | null>
  /**
   * Saves credentials; null when the session is over. The client uses the access token only after this has finished. If it
   * fails, the client continues with the fresh token, and calls it again whenever it needs a token.
   */
  save(credentials: Credentials | null): void | Promise<void>
}

/** The content of a message, as the app gives it. */
export type MessageInput = {
  readonly conversationId: string
  readonly text: string
  readonly replyToId?: string | null
  readonly mentionedUserIds?: readonly string[] | null
  /** Attachments that the app has uploaded by itself. */
  readonly attachmentIds?: readonly string[] | null
  /** Files that the outbox uploads before it sends the message. They come after `attachmentIds`. */
  readonly files?: readonly OutgoingFile[]
  /** What to encrypt in place of the text. The message waits until encryption is open. See `parley-client/e2ee`. */
  readonly encrypted?: EncryptedContent
}

/** A file to send with a message. */
export type OutgoingFile = {
  readonly blob: Blob
  readonly fileName: string
  /** By default the type of the blob. */
  readonly contentType?: string
  /** Whether the bytes are encrypted already. */
  readonly isEncrypted?: boolean
}

/** The upload of a file, once it has begun. */
export type FileUpload = {
  readonly attachmentId: string
  readonly url: string
  /** Where tus works; null if the server takes the file in one piece only. */
  readonly resumableUrl: string | null
  readonly headers: Readonly<Record<string, string>>
  /** Until when the server takes the bytes, in milliseconds since 1970. */
  readonly expiresAtMs: number
  /** How many bytes the server has; all of them when the upload is complete. */
  readonly sentBytes: number
}

/** Why the server refused a message. */
export type SendFailure = { readonly code: string; readonly message: string }

/** An unsent message in its stored form. */
export type StoredMessage = {
  /** Its key, the same for every attempt. */
  readonly clientMessageId: string
  readonly input: MessageInput
  /** When the app sent it, in milliseconds since 1970. */
  readonly queuedAtMs: number
  /** Why it is not sent until the app retries it; null while it is queued. */
  readonly failure: SendFailure | null
  /** The uploads of its files, in their order; null for one that has not begun. */
  readonly uploads?: readonly (FileUpload | null)[]
  /** When it was discarded, in milliseconds since 1970. It stays for a day, without its text, for other tabs to see. */
  readonly discardedAtMs?: number
}

/** Stores unsent messages. Tabs may share one. */
export type OutboxStorage = {
  /** Identifies the storage among those of the origin; null if it is not shared. */
  readonly name: string | null
  /** All messages of all tabs, in the order in which they were added. */
  load(): Promise<readonly StoredMessage[]>
  /** The message with this key; null if it is gone. Called just before the message is sent. */
  find(clientMessageId: string): Promise<StoredMessage | null>
  add(message: StoredMessage): Promise<void>
  /** Replaces a message by its key, and keeps its place in the order. Does nothing if it is gone. */
  replace(message: StoredMessage): Promise<void>
  remove(clientMessageId: string): Promise<void>
  close(): Promise<void>
}

/** Wraps a storage so that its errors become `APP_FAILED`. */
export function reporting(storage: OutboxStorage): OutboxStorage {
  return {
    name: storage.name,
    load: () => fromApp(() => storage.load()),
    find: (clientMessageId) => fromApp(() => storage.find(clientMessageId)),
    add: (message) => fromApp(() => storage.add(message)),
    replace: (message) => fromApp(() => storage.replace(message)),
    remove: (clientMessageId) => fromApp(() => storage.remove(clientMessageId)),
    close: () => fromApp(() => storage.close()),
  }
}

/** Keeps unsent messages in memory. */
export function memoryOutbox(): OutboxStorage {
  const kept = new Map<string, StoredMessage>()
  return {
    name: null,
    load: async () => [...kept.values()],
    find: async (clientMessageId) => kept.get(clientMessageId) ?? null,
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
