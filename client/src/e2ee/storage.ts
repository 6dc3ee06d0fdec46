// The storage of encryption: keys, groups and decrypted content. Changes that belong together are written together, or not at all: a group
// and the cursor of the fact that changed it. An app on Node brings a storage of its own.

import type { EncryptedContent, UnknownContent, UnreadableReason } from './content.ts'
import type { SignatureKeys } from './identity.ts'
import type { OwnKeyPackage } from './key-packages.ts'

/** This device, as it was registered. */
export type StoredDevice = SignatureKeys & { readonly userId: string; readonly deviceId: string | null; readonly name: string }

/** An own commit that the server may have accepted. */
export type StoredCommit = {
  readonly epoch: number
  readonly commit: Uint8Array
  readonly welcomes: readonly { readonly deviceId: string; readonly welcome: Uint8Array }[]
  readonly groupInfo: Uint8Array
  /** Up to where the facts were applied when it was made. */
  readonly seen: string | null
  /** The group once the commit has come back. */
  readonly next: Uint8Array
}

/** The group of a conversation. */
export type StoredGroup = {
  /** The group; null while this device is not in it. */
  readonly state: Uint8Array | null
  readonly pending: StoredCommit | null
}

/** A user, with the name of that time. */
export type ContentSender = { readonly id: string; readonly displayName: string }

/** A reaction to a message. */
export type StoredReaction = { readonly emoji: string; readonly user: ContentSender }

/** What a message says, with all that later messages have changed of it. */
export type StoredContent = {
  readonly conversationId: string
  readonly seq: number
  readonly sender: ContentSender | null
  readonly content: EncryptedContent | UnknownContent | { readonly type: 'unreadable'; readonly reason: UnreadableReason }
  /** The text after the last edit. */
  readonly editedText?: string
  readonly editedAt?: string
  readonly deletedAt?: string
  readonly reactions?: readonly StoredReaction[]
}

/** An own message between its encryption and its fact. */
export type StoredDraft = {
  readonly conversationId: string
  readonly content: EncryptedContent
  readonly epoch: number
  readonly ciphertext: Uint8Array
}

/** The kinds of values, and their keys. */
export type EncryptionTables = {
  /** By the word `own`. */
  device: StoredDevice
  /** By the word `own`: up to where the facts are applied. */
  cursor: string
  /** By the reference. */
  keyPackages: OwnKeyPackage
  /** By conversation. */
  groups: StoredGroup
  /** By conversation: up to which seq messages were read, or never will be. */
  seqs: number
  /** By message. */
  contents: StoredContent
  /** By `clientMessageId`. */
  drafts: StoredDraft
  /** Safety numbers that the user has compared, by the id of the other user. */
  verified: string
}
export type EncryptionTable = keyof EncryptionTables

/** One change; null removes the value. */
export type EncryptionChange = {
  [Table in EncryptionTable]: { readonly table: Table; readonly key: string; readonly value: EncryptionTables[Table] | null }
}[EncryptionTable]

/** Keeps what encryption needs. Tabs may share one. Values have no functions and can be cloned. */
export type EncryptionStorage = {
  /** Identifies the storage among those of the origin; null if it is not shared. */
  readonly name: string | null
  get<Table extends EncryptionTable>(table: Table, key: string): Promise<EncryptionTables[Table] | null>
  entries<Table extends EncryptionTable>(table: Table): Promise<readonly (readonly [string, EncryptionTables[Table]])[]>
  /** Writes all changes in one transaction: after a crash, all of them are there or none. */
  write(changes: readonly EncryptionChange[]): Promise<void>
  close(): Promise<void>
}

/** The key of a table with one value. */
export const own = 'own'

/** Keeps all in memory: for tests, and for devices that are forgotten when the app closes. */
export function memoryEncryption(): EncryptionStorage {
  const tables = new Map<EncryptionTable, Map<string, unknown>>()
  const tableOf = (table: EncryptionTable) => {
    const found = tables.get(table) ?? new Map<string, unknown>()
    tables.set(table, found)
    return found
  }
  return {
    name: null,
    get: async <Table extends EncryptionTable>(table: Table, key: string) =>
      (tableOf(table).get(key) as EncryptionTables[Table] | undefined) ?? null,
    entries: async <Table extends EncryptionTable>(table: Table) =>
      [...tableOf(table)] as (readonly [string, EncryptionTables[Table]])[],
    async write(changes) {
      for (const { table, key, value } of changes) {
        if (value === null) tableOf(table).delete(key)
        else tableOf(table).set(key, structuredClone(value))
      }
    },
    close: async () => undefined,
  }
}
