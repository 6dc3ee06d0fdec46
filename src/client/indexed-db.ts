// The outbox of a browser: IndexedDB, which outlives the tab and is shared by all tabs of an origin. Messages are numbered by
// the database, so that the order holds over all of them.

import type { OutboxStorage, StoredMessage } from './storage.ts'

// The part of IndexedDB that is used here, so that an app needs no DOM library for its types.
type Asked<T> = { readonly result: T; readonly error: unknown; onsuccess: (() => void) | null; onerror: (() => void) | null }
type Cursor = { readonly value: Row; update(row: Row): unknown; delete(): unknown }
type Store = {
  getAll(): Asked<Row[]>
  add(value: StoredMessage): unknown
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
  createObjectStore(name: string, options: { keyPath: string; autoIncrement: boolean }): Store
  close(): void
  onversionchange: (() => void) | null
}
type Factory = { open(name: string, version: number): Asked<Database> & { onupgradeneeded: (() => void) | null } }
type Row = StoredMessage & { readonly order: number }

const store = 'messages'
const key = 'clientMessageId'

/**
 * Keeps unsent messages in IndexedDB.
 * @param name of the database; make one for each user, since what is in it is sent as whoever is logged in
 * @throws later, from its methods, where the browser refuses (in some private windows): use `memoryOutbox` then
 */
export function indexedDbOutbox(name: string): OutboxStorage {
  let opening: Promise<Database> | null = null
  const open = () => {
    opening ??= openDatabase(name, () => {
      opening = null
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

function openDatabase(name: string, failed: () => void): Promise<Database> {
  return new Promise((resolve, reject) => {
    const { indexedDB } = globalThis as { indexedDB?: Factory }
    if (!indexedDB) throw new Error('There is no IndexedDB here')
    const asked = indexedDB.open(name, 1)
    asked.onupgradeneeded = () => {
      asked.result.createObjectStore(store, { keyPath: 'order', autoIncrement: true }).createIndex(key, key, { unique: true })
    }
    asked.onsuccess = () => {
      // Another tab that wants to delete the database is not kept from it.
      asked.result.onversionchange = () => asked.result.close()
      resolve(asked.result)
    }
    asked.onerror = () => {
      failed()
      reject(asked.error)
    }
  })
}

/** Resolves when what was done is stored. */
function run(database: Database, mode: 'readonly' | 'readwrite', act: (messages: Store) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(store, mode)
    transaction.oncomplete = () => resolve()
    transaction.onabort = () => reject(transaction.error)
    act(transaction.objectStore(store))
  })
}
