// What an app on Node keeps between its runs, in two files: each change replaces the whole file in one step, so that an app that is
// killed finds the state before the change or the one after it.

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { deserialize, serialize } from 'node:v8'
import { memoryOutbox, type OutboxStorage, type StoredMessage } from '../../../client/src/client.ts'
import { type EncryptionStorage, type EncryptionTable, memoryEncryption } from '../../../client/src/e2ee.ts'
import type { Kept } from './apps.ts'

const tables: readonly EncryptionTable[] = ['device', 'cursor', 'keyPackages', 'groups', 'seqs', 'contents', 'drafts', 'verified']

/** Opens the files of a directory. `written` is called after each change. */
export async function openKept(directory: string, written: () => void = () => undefined): Promise<Kept> {
  return {
    storage: await encryptionIn(path.join(directory, 'encryption'), written),
    outbox: await outboxIn(path.join(directory, 'outbox'), written),
  }
}

async function encryptionIn(file: string, written: () => void): Promise<EncryptionStorage> {
  const memory = memoryEncryption()
  await memory.write(read<Parameters<EncryptionStorage['write']>[0]>(file) ?? [])
  const everything = async () => {
    const entries = await Promise.all(tables.map(async (table) => ({ table, rows: await memory.entries(table) })))
    return entries.flatMap(({ table, rows }) => rows.map(([key, value]) => ({ table, key, value })))
  }
  return {
    ...memory,
    async write(changes) {
      await memory.write(changes)
      replace(file, await everything())
      written()
    },
  }
}

async function outboxIn(file: string, written: () => void): Promise<OutboxStorage> {
  const memory = memoryOutbox()
  for (const message of read<readonly StoredMessage[]>(file) ?? []) await memory.add(message)
  const keep = async (change: Promise<void>) => {
    await change
    replace(file, await memory.load())
    written()
  }
  return {
    ...memory,
    add: (message) => keep(memory.add(message)),
    replace: (message) => keep(memory.replace(message)),
    remove: (clientMessageId) => keep(memory.remove(clientMessageId)),
  }
}

const read = <T>(file: string): T | null => (existsSync(file) ? (deserialize(readFileSync(file)) as T) : null)

function replace(file: string, value: unknown): void {
  writeFileSync(`${file}.new`, serialize(value))
  renameSync(`${file}.new`, file)
}
