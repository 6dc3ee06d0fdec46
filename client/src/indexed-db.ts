// Stores unsent messages and credentials in IndexedDB, which outlives a tab and is shared by all tabs of an origin. The
// database numbers the messages, so their order holds across tabs.

import type { Credentials, CredentialsStore, OutboxStorage, StoredMessage } from './storage.ts'

// The parts of IndexedDB used here, so that an app does not need the DOM library of TypeScript.
type IdbRequest<T> = { readonly result: T; readonly error: unknown; onsuccess: (() => void) | null; onerror: (() => void) | null }
type IdbCursor = { readonly value: IdbRow; update(row: IdbRow): unknown; delete(): unknown }
type IdbStore = {
  get(key: number | string): IdbRequest<unknown>
  getAll<Row = IdbRow>(range?: unknown): IdbRequest<Row[]>
  add(value: StoredMessage): unknown
  put(value: unknown, key: number | string): unknown
  delete(key: number | string): unknown
  index(name: string): { openCursor(key: string): IdbRequest<IdbCursor | null> }
  createIndex(name: string, path: string, options: { unique: boolean }): unknown
}
type IdbTransaction = {
  objectStore(name: string): IdbStore
  readonly error: unknown
  oncomplete: (() => void) | null
  onabort: (() => void) | null
}
type Database = {
  transaction(name: string, mode: 'readonly' | 'readwrite'): IdbTransaction
  createObjectStore(name: string, options?: { keyPath: string; autoIncrement: boolean }): IdbStore
  close(): void
  onversionchange: (() => void) | null
}
type Factory = { open(name: string, version: number): IdbRequest<Database> & { onupgradeneeded: (() => void) | null } }
type IdbRow = StoredMessage & { readonly order: number }

/** The name of the only object store of each database. */
export const store = 'kept'
/** The key of the only value of a database. */
const theOnly = 1
const key = 'clientMessageId'

/**
 * Keeps unsent messages in IndexedDB. Its methods reject if the browser refuses IndexedDB (in some private windows): use
 * `memoryOutbox` then.
 * @param name the name of the database. Use one for each user: its messages are sent as the user who is logged in
 */
export function indexedDbOutbox(name: string): OutboxStorage {
  let opening: Promise<Database> | null = null
  const open = () => {
    opening ??= openDatabase(name, (database) => {
      database.createObjectStore(store, { keyPath: 'order', autoIncrement: true }).createIndex(key, key, { unique: true })
    }).catch((error: unknown) => {
      opening = null
      throw error
    })
    return opening
  }
  const change = async (mode: 'readonly' | 'readwrite', act: (messages: IdbStore) => void) => run(await open(), mode, act)
  const atKey = (clientMessageId: string, act: (cursor: IdbCursor) => void) =>
    change('readwrite', (messages) => {
      const request = messages.index(key).openCursor(clientMessageId)
      request.onsuccess = () => {
        if (request.result) act(request.result)
      }
    })
  return {
    name,
    async load() {
      let rows: IdbRow[] = []
      await change('readonly', (messages) => {
        const request = messages.getAll()
        request.onsuccess = () => {
          rows = request.result
        }
      })
      return rows
    },
    async find(clientMessageId) {
      let row: IdbRow | null = null
      await change('readonly', (messages) => {
        const request = messages.index(key).openCursor(clientMessageId)
        request.onsuccess = () => {
          row = request.result?.value ?? null
        }
      })
      return row
    },
    add: (message) => change('readwrite', (messages) => void messages.add(message)),
    replace: (message) =>
      atKey(message.clientMessageId, (cursor) => void cursor.update({ ...message, order: cursor.value.order })),
    remove: (clientMessageId) => atKey(clientMessageId, (cursor) => void cursor.delete()),
    async close() {
      const opened = await opening?.catch(() => null)
      opening = null
      opened?.close()
    },
  }
}

/**
 * Keeps credentials in IndexedDB, where other tabs see a write at once. In `localStorage` they may not: a tab that reads a
 * refresh token which another tab has just used ends the session.
 * @param name the name of the database. Use one for each user
 */
export function indexedDbCredentials(name: string): CredentialsStore {
  return keptValue<Credentials>(name)
}

/** Keeps one value in a database of its own; null removes it. */
export function keptValue<Value>(name: string): { load(): Promise<Value | null>; save(value: Value | null): Promise<void> } {
  const once = async (mode: 'readonly' | 'readwrite', act: (kept: IdbStore) => void) => {
    const database = await openDatabase(name, (made) => void made.createObjectStore(store))
    await run(database, mode, act).finally(() => database.close())
  }
  return {
    async load() {
      let value: Value | null = null
      await once('readonly', (kept) => {
        const request = kept.get(theOnly)
        request.onsuccess = () => {
          value = (request.result as Value | undefined) ?? null
        }
      })
      return value
    },
    save: (value) => once('readwrite', (kept) => void (value === null ? kept.delete(theOnly) : kept.put(value, theOnly))),
  }
}

/**
 * Opens a database, and creates it if it does not exist.
 * @throws if there is no IndexedDB, or the browser refuses it
 */
export function openDatabase(name: string, make: (database: Database) => void): Promise<Database> {
  return new Promise((resolve, reject) => {
    const { indexedDB } = globalThis as { indexedDB?: Factory }
    if (!indexedDB) throw new Error('There is no IndexedDB in this environment.')
    const request = indexedDB.open(name, 1)
    request.onupgradeneeded = () => make(request.result)
    request.onsuccess = () => {
      // Let another tab delete the database.
      request.result.onversionchange = () => request.result.close()
      resolve(request.result)
    }
    request.onerror = () => reject(request.error)
  })
}

/** Runs `act` in a transaction. Resolves when the transaction has committed. */
export function run(database: Database, mode: 'readonly' | 'readwrite', act: (messages: IdbStore) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(store, mode)
    transaction.oncomplete = () => resolve()
    transaction.onabort = () => reject(transaction.error)
    act(transaction.objectStore(store))
  })
}
