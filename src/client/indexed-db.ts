// What a browser keeps for a client: unsent messages and credentials, in IndexedDB, which outlives the tab and is shared by all
// tabs of an origin. Messages are numbered by the database, so that their order holds over all tabs.

import type { Credentials, CredentialsStore } from './session.ts'
import type { OutboxStorage, StoredMessage } from './storage.ts'

// The part of IndexedDB that is used here, so that an app needs no DOM library for its types.
type Asked<T> = { readonly result: T; readonly error: unknown; onsuccess: (() => void) | null; onerror: (() => void) | null }
type Cursor = { readonly value: Row; update(row: Row): unknown; delete(): unknown }
type Store = {
  get(key: number | string): Asked<unknown>
  getAll(): Asked<Row[]>
  add(value: StoredMessage): unknown
  put(value: unknown, key: number | string): unknown
  delete(key: number | string): unknown
  index(name: string): { openCursor(key: string): Asked<Cursor | null> }
  createIndex(name: string, path: string, options: { unique: boolean }): unknown
}
type Transaction = {
  objectStore(name: string): Store
  readonly error: unknown
  oncomplete: (() => void) | null
  onabort: (() => void) | null
}
type Database = {
  transaction(name: string, mode: 'readonly' | 'readwrite'): Transaction
  createObjectStore(name: string, options?: { keyPath: string; autoIncrement: boolean }): Store
  close(): void
  onversionchange: (() => void) | null
}
type Factory = { open(name: string, version: number): Asked<Database> & { onupgradeneeded: (() => void) | null } }
type Row = StoredMessage & { readonly order: number }

/** The only store of each database. */
export const store = 'kept'
/** The key of the only credentials of a database. */
const theOnly = 1
const key = 'clientMessageId'

/**
 * Keeps unsent messages in IndexedDB.
 * @param name of the database; make one for each user, since what is in it is sent as whoever is logged in
 * @throws later, from its methods, where the browser refuses (in some private windows): use `memoryOutbox` then
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
  const change = async (mode: 'readonly' | 'readwrite', act: (messages: Store) => void) => run(await open(), mode, act)
  const atKey = (clientMessageId: string, act: (cursor: Cursor) => void) =>
    change('readwrite', (messages) => {
      const asked = messages.index(key).openCursor(clientMessageId)
      asked.onsuccess = () => {
        if (asked.result) act(asked.result)
      }
    })
  return {
    name,
    async load() {
      let rows: Row[] = []
      await change('readonly', (messages) => {
        const asked = messages.getAll()
        asked.onsuccess = () => {
          rows = asked.result
        }
      })
      return rows
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
 * Keeps credentials in IndexedDB. Other tabs see at once what one has saved, which they do not in `localStorage`: there a tab may
 * read a refresh token that another one has just used, and that ends the session.
 * @param name of the database; make one for each user
 */
export function indexedDbCredentials(name: string): CredentialsStore {
  const once = async (mode: 'readonly' | 'readwrite', act: (kept: Store) => void) => {
    const database = await openDatabase(name, (made) => void made.createObjectStore(store))
    await run(database, mode, act).finally(() => database.close())
  }
  return {
    async load() {
      let credentials: Credentials | null = null
      await once('readonly', (kept) => {
        const asked = kept.get(theOnly)
        asked.onsuccess = () => {
          credentials = (asked.result as Credentials | undefined) ?? null
        }
      })
      return credentials
    },
    save: (credentials) =>
      once('readwrite', (kept) => void (credentials ? kept.put(credentials, theOnly) : kept.delete(theOnly))),
  }
}

/**
 * Opens a database, and makes it where it is not there.
 * @throws where there is no IndexedDB, or the browser refuses it
 */
export function openDatabase(name: string, make: (database: Database) => void): Promise<Database> {
  return new Promise((resolve, reject) => {
    const { indexedDB } = globalThis as { indexedDB?: Factory }
    if (!indexedDB) throw new Error('There is no IndexedDB here')
    const asked = indexedDB.open(name, 1)
    asked.onupgradeneeded = () => make(asked.result)
    asked.onsuccess = () => {
      // Another tab that wants to delete the database is not kept from it.
      asked.result.onversionchange = () => asked.result.close()
      resolve(asked.result)
    }
    asked.onerror = () => reject(asked.error)
  })
}

/** Resolves when what was done is stored. */
export function run(database: Database, mode: 'readonly' | 'readwrite', act: (messages: Store) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(store, mode)
    transaction.oncomplete = () => resolve()
    transaction.onabort = () => reject(transaction.error)
    act(transaction.objectStore(store))
  })
}
