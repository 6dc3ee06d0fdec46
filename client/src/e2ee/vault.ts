// The storage as the parts of encryption use it: one change at a time, in all tabs, and groups that are not restored for each message.

import { withLock } from '../browser.ts'
import { EncryptedGroup } from './group.ts'
import type { DeviceTrust } from './identity.ts'
import type { EncryptionChange, EncryptionStorage, StoredGroup } from './storage.ts'
import { isEncryptionFailure } from './suite.ts'

const lockMs = 60_000

/** A group, as it is stored. */
export type KnownGroup = { readonly stored: StoredGroup; readonly group: EncryptedGroup | null }

const noGroup: StoredGroup = { state: null, pending: null }

/** Reads and changes the storage. */
export class EncryptionVault {
  readonly storage: EncryptionStorage
  readonly #trust: DeviceTrust
  /** The last groups, by conversation. They are valid while their stored bytes are the same. */
  readonly #groups = new Map<string, { readonly bytes: Uint8Array; readonly group: EncryptedGroup }>()
  readonly #closing = new AbortController()
  #last: Promise<unknown> = Promise.resolve()

  constructor(storage: EncryptionStorage, trust: DeviceTrust) {
    this.storage = storage
    this.#trust = trust
  }

  /** Does something while nothing else, in this tab or another one, changes the storage. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const { name } = this.storage
    const run = name === null ? work : () => withLock(`parley-encryption:${name}`, lockMs, work, this.#closing.signal)
    const done = this.#last.then(run)
    this.#last = done.catch(() => undefined)
    return done
  }

  /** The group of a conversation. */
  async group(conversationId: string): Promise<KnownGroup> {
    const stored = (await this.storage.get('groups', conversationId)) ?? noGroup
    if (!stored.state) return { stored, group: null }
    const known = this.#groups.get(conversationId)
    if (known && isSame(known.bytes, stored.state)) return { stored, group: known.group }
    try {
      const group = EncryptedGroup.restore(stored.state, this.#trust)
      this.#groups.set(conversationId, { bytes: stored.state, group })
      return { stored, group }
    } catch (error) {
      // It is damaged: the device joins again.
      if (isEncryptionFailure(error)) return { stored: { ...stored, state: null }, group: null }
      throw error
    }
  }

  /** The change that stores a group. */
  changeOf(conversationId: string, group: EncryptedGroup | null, rest: Omit<StoredGroup, 'state'>): EncryptionChange {
    const bytes = group?.bytes() ?? null
    if (group && bytes) this.#groups.set(conversationId, { bytes, group })
    else this.#groups.delete(conversationId)
    return { table: 'groups', key: conversationId, value: { ...rest, state: bytes } }
  }

  async write(changes: readonly EncryptionChange[]): Promise<void> {
    if (changes.length > 0) await this.storage.write(changes)
  }

  /** Waits for what is under way, and closes the storage. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.#last
    await this.storage.close()
  }
}

// Byte by byte: a state differs from the one before it in a few keys only.
const isSame = (one: Uint8Array, other: Uint8Array) =>
  one === other || (one.length === other.length && one.every((byte, i) => byte === other[i]))
