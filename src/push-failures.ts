// A process beside the nodes: lists the notifications that were given up in the last week, and jobs that failed too often, for
// whoever runs the server; with --retry it has them tried again. Reads the same environment as the nodes do.

import process from 'node:process'
import { ConfigError, readConfig } from './config.ts'
import { StartError } from './errors.ts'
import { openInstallation } from './local/installation.ts'
import { openLog } from './log.ts'
import { listFailures, retryFailures } from './push/failures.ts'
import { sqlStateOf } from './store/postgres.ts'
import { openStore, type Store } from './store/store.ts'

const unknown = new Set(['42883', '42P01', '3F000'])
const arguments_ = process.argv.slice(2)

async function withStore<T>(work: (store: Store) => Promise<T>): Promise<T> {
  const config = readConfig()
  const log = openLog(config.logLevel, 'parley')
  const installation = await openInstallation(config, log)
  try {
    const store = openStore(installation.databaseUrl, 1, log)
    try {
      return await work(store)
    } finally {
      await store.close()
    }
  } catch (error) {
    if (!unknown.has(sqlStateOf(error) ?? '')) throw error
    throw new StartError('This database is not of this version of Parley: start a node on it first', { cause: error })
  } finally {
    await installation.close()
  }
}

async function run(): Promise<string> {
  if (arguments_.length === 0) {
    const failures = await withStore(({ jobs }) => listFailures(jobs.reader))
    return [...failures.map((failure) => JSON.stringify(failure)), `${failures.length} given up`].join('\n')
  }
  if (arguments_.join(' ') !== '--retry') throw new StartError('Usage: npm run push-failures [-- --retry]')
  const retried = await withStore(({ jobs }) => jobs.transaction(retryFailures))
  return `${retried} are tried again`
}

try {
  process.stdout.write(`${await run()}\n`)
} catch (error) {
  process.exitCode = 1
  const isExpected = error instanceof ConfigError || error instanceof StartError
  process.stderr.write(`${isExpected ? error.message : String((error as Error).stack)}\n`)
}
