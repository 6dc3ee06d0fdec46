// Opens the database of the installation for a command. The command does not become a node. Running nodes see within a second
// what a command writes.

import { openMemoryBus } from '../bus/memory.ts'
import { systemClock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import { readConfig } from '../config/read-config.ts'
import { StartError } from '../errors.ts'
import { erasures, factKinds } from '../features.ts'
import { openJournal } from '../journal/journal.ts'
import { openInstallation } from '../local/installation.ts'
import { type Log, openLog } from '../log/log.ts'
import { RepeatLog } from '../log/repeats.ts'
import type { App } from '../parts.ts'
import { recordEntry } from '../platform/audit.ts'
import { explain } from '../store/explain.ts'
import { sqlStateOf } from '../store/postgres.ts'
import { openStore, type Store } from '../store/store.ts'

/** The SQLSTATEs of a function, a table, a column and a schema that do not exist. */
const missing = new Set(['42883', '42P01', '42703', '3F000'])

/** Records in the audit log what an operator has done. `subjects` are global ids. */
export const noteInAudit = (action: string, subjects: readonly string[]): Promise<void> =>
  withStore(({ jobs }) => recordEntry(jobs.reader, { actor: 'OPERATOR', keyId: null, userId: null, action, subjects }))

/** The parts of a node that operators' actions need. */
export type OperatorApp = Pick<App, 'clock' | 'config' | 'erasures' | 'journal' | 'log' | 'store'>

/** The database that a command works on. */
export type CommandDatabase = { readonly databaseUrl: string; readonly config: Config; readonly log: Log }

/**
 * Finds the database of the installation, works on it, and closes what it took. The embedded Postgres runs meanwhile.
 * @throws ConfigError, or StartError if the data directory cannot be used
 */
export async function withDatabase<T>(work: (database: CommandDatabase) => Promise<T>): Promise<T> {
  const config = readConfig()
  // The result says what was done, so the log is for what went wrong.
  const log = openLog(config.logLevel === 'info' ? 'warn' : config.logLevel, 'parley')
  const { databaseUrl } = config
  if (databaseUrl !== null) return work({ databaseUrl, config, log })
  const installation = await openInstallation(config, (fields, sentence) => log.info(fields, sentence))
  try {
    return await work({ databaseUrl: installation.databaseUrl, config, log })
  } finally {
    await installation.close()
  }
}

/**
 * Opens the store of the installation, works with it and closes it.
 * @throws ConfigError, or StartError if the database cannot be used or belongs to another version
 */
export function withStore<T>(work: (store: Store, database: CommandDatabase) => Promise<T>): Promise<T> {
  return withDatabase(async (database) => {
    const store = openStore(database.databaseUrl, 1, database.log)
    try {
      return await work(store, database)
    } catch (error) {
      if (!missing.has(sqlStateOf(error) ?? '')) throw explain(error, database.databaseUrl) ?? error
      throw new StartError('This database belongs to another version of Parley: start a node of this version on it first', {
        cause: error,
      })
    } finally {
      await store.close()
    }
  })
}

/** Like `withStore`, with the journal: for actions that make facts. */
export function withOperator<T>(work: (app: OperatorApp) => Promise<T>): Promise<T> {
  return withStore(async (store, { config, log }) => {
    const repeats = new RepeatLog(log)
    // Only nodes trim: this environment may have another retention than theirs.
    const settings = { ...config.journal, retentionS: null }
    const journal = await openJournal(store, openMemoryBus(systemClock, log, repeats), settings, factKinds, log, repeats)
    try {
      return await work({ clock: systemClock, config, erasures, journal, log, store })
    } finally {
      await journal.close()
      repeats.close()
    }
  })
}
