// Applies this version's SQL functions to a database. Each has one file in prisma/functions, its only definition. When one has
// changed, all are applied again in one transaction.

import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type pg from 'pg'
import { StartError } from '../errors.ts'
import type { Log } from '../log/log.ts'
import { isConnectionLost } from './explain.ts'
import { sqlStateOf } from './postgres.ts'

const directory = fileURLToPath(new URL('../../prisma/functions', import.meta.url))

/**
 * The number of this version's functions. The first change of a function after a release of Parley raises it
 * (CONTRIBUTING.md). A database remembers the highest number applied to it, so an older node that starts beside newer ones
 * leaves their functions alone.
 */
export const functionRelease = 2

/** Reads the SQL of all functions, and the checksum that changes with any of them. */
export async function readFunctions(): Promise<{ readonly sql: string; readonly checksum: string }> {
  const files = (await readdir(directory)).filter((file) => file.endsWith('.sql')).sort()
  const sql = (await Promise.all(files.map((file) => readFile(path.join(directory, file), 'utf8')))).join('\n')
  return { sql, checksum: createHash('sha256').update(sql).digest('hex') }
}

/**
 * Applies this version's functions, unless the database has those of a higher release. Call it with the tables up to date,
 * and under the lock of migrations.
 * @throws StartError if a function cannot be created
 */
export async function applyFunctions(client: pg.Client, log: Log): Promise<void> {
  const { sql, checksum } = await readFunctions()
  const { rows } = await client.query<{ number: number; checksum: string }>('select number, checksum from function_release')
  const [applied] = rows
  if (applied && applied.number > functionRelease) {
    log.info({ database: applied.number, node: functionRelease }, "the database has a newer version's functions, which are kept")
    return
  }
  if (applied?.number === functionRelease && applied.checksum === checksum) return
  await client.query('begin')
  try {
    await client.query(sql)
    await client.query(
      `insert into function_release(number, checksum) values ($1, $2)
       on conflict (one) do update set number = excluded.number, checksum = excluded.checksum, applied_at = now()`,
      [functionRelease, checksum],
    )
    await client.query('commit')
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    if (sqlStateOf(error) === '42501' || isConnectionLost(error)) throw error
    throw new StartError(`The functions of release ${functionRelease} could not be created: ${(error as Error).message}`, {
      cause: error,
    })
  }
  log.debug({ release: functionRelease }, 'the SQL functions were applied')
}
