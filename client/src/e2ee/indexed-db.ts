// Keeps encryption in IndexedDB, which outlives a tab and is shared by all tabs of an origin. The browser does not encrypt it: an
// unlocked device gives the keys away.

import { openDatabase, run, store } from '../indexed-db.ts'
import type { EncryptionStorage, EncryptionTable, EncryptionTables } from './storage.ts'

type Row<Table extends EncryptionTable> = { readonly key: string; readonly value: EncryptionTables[Table] }
type KeyRanges = { bound(lower: string, upper: string): unknown }

// No key of a table has a line break.
const keyOf = (table: EncryptionTable, key: string) => `${table}\n${key}`

/**
 * Keeps encryption in IndexedDB. Its methods reject if the browser refuses IndexedDB.
 * @param name the name of the database. Use one for each user
 */
export function indexedDbEncryption(name: string): EncryptionStorage {
  let opening: ReturnType<typeof openDatabase> | null = null
  const open = () => {
    opening ??= openDatabase(name, (made) => void made.createObjectStore(store)).catch((error: unknown) => {
      opening = null
      throw error
    })
    return opening
  }
  return {
    name,
    async get<Table extends EncryptionTable>(table: Table, key: string) {
      let row: Row<Table> | null = null
      await run(await open(), 'readonly', (kept) => {
        const request = kept.get(keyOf(table, key))
        request.onsuccess = () => {
          row = (request.result as Row<Table> | undefined) ?? null
        }
      })
      return (row as Row<Table> | null)?.value ?? null
    },
    async entries<Table extends EncryptionTable>(table: Table) {
      const { IDBKeyRange } = globalThis as unknown as { IDBKeyRange: KeyRanges }
      let rows: readonly Row<Table>[] = []
      await run(await open(), 'readonly', (kept) => {
        const request = kept.getAll<Row<Table>>(IDBKeyRange.bound(keyOf(table, ''), keyOf(table, '\uffff')))
        request.onsuccess = () => {
          rows = request.result
        }
      })
      return rows.map(({ key, value }) => [key, value] as const)
    },
    async write(changes) {
      await run(await open(), 'readwrite', (kept) => {
        for (const { table, key, value } of changes) {
          if (value === null) kept.delete(keyOf(table, key))
          else kept.put({ key, value }, keyOf(table, key))
        }
      })
    },
    async close() {
      const opened = await opening?.catch(() => null)
      opening = null
      opened?.close()
    },
  }
}
