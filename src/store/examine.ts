// Looks at a database without changing anything, for `parley doctor`.

import { readdir } from 'node:fs/promises'
import pg from 'pg'
import { StartError } from '../errors.ts'
import { explain, explainConnection } from './explain.ts'
import { requireFitness } from './fitness.ts'
import { migrationsDirectory } from './migrate.ts'
import { connectionSettings, pinning } from './postgres.ts'

/** What there is to say about a database. */
export type DatabaseExamination = {
  /** The version of Postgres: `18.1`. */
  readonly version: string
  /** How long Postgres takes to answer, in milliseconds. */
  readonly answerMs: number
  /** How far its clock is ahead of this machine's, in milliseconds; inexact by half of `answerMs`. */
  readonly aheadMs: number
  readonly bytes: number
  /** Migrations that the next node of this version would apply. */
  readonly pending: readonly string[]
  /** Whether the user may create tables and functions, which migrations do. */
  readonly mayMigrate: boolean
}

/**
 * Examines a database.
 * @throws StartError if it cannot be reached or used
 */
export async function examineDatabase(databaseUrl: string): Promise<DatabaseExamination> {
  const client = new pg.Client(connectionSettings(databaseUrl, 'parley doctor'))
  client.on('error', () => undefined)
  try {
    await client.connect()
  } catch (error) {
    throw explainConnection(error, databaseUrl)
  }
  try {
    await requireFitness(client, databaseUrl)
    await client.query(pinning)
    const startedAt = Date.now()
    const { rows } = await client.query<{ now: Date; version: string; bytes: string; migrate: boolean }>(
      `select clock_timestamp() as now, current_setting('server_version') as version, pg_database_size(current_database()) as bytes,
              has_schema_privilege('public', 'CREATE') and has_database_privilege(current_database(), 'CREATE') as migrate`,
    )
    const answerMs = Date.now() - startedAt
    const [state] = rows
    if (!state) throw new Error('the database said nothing of itself')
    const aheadMs = state.now.getTime() - (startedAt + answerMs / 2)
    const { version, bytes, migrate: mayMigrate } = state
    return { version, answerMs, aheadMs, bytes: Number(bytes), pending: await findPending(client), mayMigrate }
  } catch (error) {
    throw error instanceof StartError ? error : (explain(error, databaseUrl) ?? error)
  } finally {
    await client.end().catch(() => undefined)
  }
}

async function findPending(client: pg.Client): Promise<string[]> {
  const entries = await readdir(migrationsDirectory, { withFileTypes: true })
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  const { rows: known } = await client.query("select to_regclass('public._prisma_migrations') is not null as exists")
  if (!known[0].exists) return names.toSorted()
  const { rows } = await client.query<{ name: string }>(
    'select migration_name as name from _prisma_migrations where finished_at is not null',
  )
  const applied = new Set(rows.map(({ name }) => name))
  return names.filter((name) => !applied.has(name)).toSorted()
}
