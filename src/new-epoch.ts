// A process beside the nodes: starts the journal anew, so that every cursor that was given before is refused with RESET
// OTHER_EPOCH and every device reads its snapshot anew. Nodes that run notice within a second. Reads the same environment as
// they do, and asks for nothing: whoever runs it means it.

import { ConfigError, readConfig } from './config.ts'
import { StartError } from './errors.ts'
import { openInstallation } from './local/installation.ts'
import { openLog } from './log.ts'
import { sqlStateOf } from './store/postgres.ts'
import { statement } from './store/reader.ts'
import { openStore } from './store/store.ts'

const newEpoch = statement<{ epoch: string }>('journal_new_epoch', 'call journal_new_epoch(null)')
const unknown = new Set(['42883', '42P01'])

async function beginEpoch(): Promise<string> {
  const config = readConfig()
  const log = openLog(config.logLevel, 'parley')
  const installation = await openInstallation(config, log)
  try {
    const store = openStore(installation.databaseUrl, 1, log)
    try {
      const [row] = await store.reader.rows(newEpoch, [])
      return row?.epoch ?? ''
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

try {
  const epoch = await beginEpoch()
  process.stdout.write(`The journal has the new epoch ${epoch}: every device reads its snapshot anew.\n`)
} catch (error) {
  process.exitCode = 1
  const isExpected = error instanceof ConfigError || error instanceof StartError
  process.stderr.write(`${isExpected ? error.message : String((error as Error).stack)}\n`)
}
