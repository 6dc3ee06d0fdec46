// Opens the database of the installation for a command. The command does not become a node. Running
// nodes see within a second what a command writes.

import { openMemoryBus } from '../bus/memory.ts'
import { systemClock } from '../clock.ts'
import { readConfig } from '../config/read-config.ts'
import { StartError } from '../errors.ts'
import { erasures, factKinds } from '../features.ts'
import { openJournal } from '../journal/journal.ts'
import { openInstallation } from '../local/installation.ts'
import { type Log, openLog } from '../log/log.ts'
import { RepeatLog } from '../log/repeats.ts'
import type { App } from '../parts.ts'
import { explain } from '../store/explain.ts'
import { sqlStateOf } from '../store/postgres.ts'
import { openStore, type Store } from '../store/store.ts'

/** The SQLSTATEs of a function, a table, a column and a schema that do not exist. */
const missing = new Set(['42883', '42P01', '42703', '3F000'])

/** The parts of a node that operators' actions need. */
export type OperatorApp = Pick<App, 'clock' | 'config' | 'erasures' | 'journal' | 'log' | 'store'>

/**
 * Opens the store of the installation, works with it and closes it.
 * @throws ConfigError, or StartError if the database cannot be used or belongs to another version
 */
export async function withStore<T>(work: (store: Store, log: Log) => Promise<T>): Promise<T> {
  const config = readConfig()
  const log = openLog(config.logLevel === 'info' ? 'warn' : config.logLevel, 'parley')
  const { databaseUrl } = config
  // A database of one's own needs no data directory, and gets none.
  const installation =
    databaseUrl === null
      ? await openInstallation(config, (fields, sentence) => log.info(fields, sentence))
      : { databaseUrl, close: async () => undefined }
  try {
    const store = openStore(installation.databaseUrl, 1, log)
    try {
      return await work(store, log)
    } finally {
      await store.close()
    }
  } catch (error) {
    if (!missing.has(sqlStateOf(error) ?? '')) throw explain(error, installation.databaseUrl) ?? error
    throw new StartError('This database belongs to another version of Parley: start a node of this version on it first', {
      cause: error,
    })
  } finally {
    await installation.close()
  }
}

/** Like `withStore`, with the journal: for actions that make facts. */
export function withOperator<T>(work: (app: OperatorApp) => Promise<T>): Promise<T> {
  return withStore(async (store, log) => {
    const config = readConfig()
    const repeats = new RepeatLog(log)
    // Only nodes trim: this environment may have another retention than theirs.
    const settings = { ...config.journal, retentionS: null }
    const journal = await openJournal(store, openMemoryBus(log, repeats), settings, factKinds, log, repeats)
    try {
      return await work({ clock: systemClock, config, erasures, journal, log, store })
    } finally {
      await journal.close()
      repeats.close()
    }
  })
}
