// The common part of the programs that run beside the nodes: they read the same environment, work on the database, and print a
// result, or an expected failure in one sentence.

import { ConfigError } from '../config/config.ts'
import { readConfig } from '../config/read-config.ts'
import { StartError } from '../errors.ts'
import { openInstallation } from '../local/installation.ts'
import { openLog } from '../log/log.ts'
import { explain } from '../store/explain.ts'
import { sqlStateOf } from '../store/postgres.ts'
import { openStore, type Store } from '../store/store.ts'

/** The SQLSTATEs of a function, a table and a schema that do not exist. */
const missing = new Set(['42883', '42P01', '3F000'])

/** Runs a program and prints its result. If it fails, prints why, and the process exits with 1. */
export async function runCommand(run: () => Promise<string>): Promise<void> {
  try {
    process.stdout.write(`${await run()}\n`)
  } catch (error) {
    process.exitCode = 1
    const isExpected = error instanceof ConfigError || error instanceof StartError
    process.stderr.write(`${isExpected ? error.message : String((error as Error).stack)}\n`)
  }
}

/**
 * Opens the store of the installation that the environment describes, works with it and closes it.
 * @throws ConfigError, or StartError if the database cannot be used or belongs to another version
 */
export async function withStore<T>(work: (store: Store) => Promise<T>): Promise<T> {
  const config = readConfig()
  const log = openLog(config.logLevel, 'parley')
  const installation = await openInstallation(config, (fields, sentence) => log.info(fields, sentence))
  try {
    const store = openStore(installation.databaseUrl, 1, log)
    try {
      return await work(store)
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
