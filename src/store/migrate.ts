// Brings a database to this version's schema under one advisory lock: first the SQL files of prisma/migrations, once each, in
// the order of their names, each in a transaction; then the functions of prisma/functions. It maintains Prisma's own table of
// migrations, so that `prisma migrate deploy` agrees about the tables.

import { createHash, randomUUID } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Logger, runMigrations } from 'graphile-worker'
import pg from 'pg'
import { StartError } from '../errors.ts'
import type { Log, ReportProgress } from '../log/log.ts'
import { explain, explainConnection, isConnectionLost } from './explain.ts'
import { requireFitness } from './fitness.ts'
import { applyFunctions } from './functions.ts'
import { locks } from './locks.ts'
import { connectionSettings, openPool, pinning, sqlStateOf } from './postgres.ts'

/** Where the migrations are. */
export const migrationsDirectory = fileURLToPath(new URL('../../prisma/migrations', import.meta.url))

/** The first migration of every database since 0.1.0. */
const firstMigration = '20261129000000_init'

/** `_prisma_migrations` as Prisma 7 creates it. */
const history = `create table _prisma_migrations(
  id varchar(36) primary key, checksum varchar(64) not null, finished_at timestamptz, migration_name varchar(255) not null,
  logs text, rolled_back_at timestamptz, started_at timestamptz not null default now(), applied_steps_count integer not null default 0)`

/**
 * Settings of Parley's connections, made on the role in this database because a pooler drops start-up options. The time-outs
 * bound how long a frozen or vanished node can hold a lock (docs/architecture.md, "What bounds the lock"). `since` is the first
 * Postgres version that has the setting.
 */
const roleSettings: readonly (readonly [name: string, value: string, since: number])[] = [
  ['idle_in_transaction_session_timeout', '2s', 0],
  ['statement_timeout', '10s', 0],
  ['tcp_user_timeout', '5s', 0],
  ['client_connection_check_interval', '1s', 0],
  ['transaction_timeout', '15s', 170_000],
]

/**
 * Applies missing migrations and functions. Many nodes may run it at once: one applies them, the others wait.
 * @param report called with what was applied
 * @throws StartError if the database cannot be reached or used, or has other migrations than these
 */
export async function migrate(
  databaseUrl: string,
  log: Log,
  report: ReportProgress = (fields, sentence) => log.info(fields, sentence),
): Promise<void> {
  try {
    await bringUp(databaseUrl, log, report)
  } catch (error) {
    throw error instanceof StartError ? error : (explain(error, databaseUrl) ?? error)
  }
}

async function bringUp(databaseUrl: string, log: Log, report: ReportProgress): Promise<void> {
  const client = await connect(databaseUrl, log)
  try {
    await requireFitness(client, databaseUrl)
    await client.query(pinning)
    await client.query(`${liftTimeouts}; set lock_timeout = '60s'`)
    await client.query('select pg_advisory_lock($1, $2)', [...locks.migrations]).catch((error: unknown) => {
      if (sqlStateOf(error) !== '55P03') throw error
      throw new StartError('Another node has been migrating this database for over a minute: wait for it to finish', {
        cause: error,
      })
    })
    const { rows } = await client.query("select to_regclass('public._prisma_migrations') is null as missing")
    if (rows[0].missing) await client.query(history)
    await applyMissing(client, log, report)
    await applyFunctions(client, log)
    await migrateJobs(databaseUrl, log)
    await applyRoleSettings(client)
  } finally {
    await client.end().catch(() => undefined)
  }
}

async function connect(databaseUrl: string, log: Log): Promise<pg.Client> {
  try {
    const client = new pg.Client({ ...connectionSettings(databaseUrl, 'parley migrate'), query_timeout: 0 })
    client.on('error', (error) => log.warn({ err: error }, 'the connection that migrates was lost'))
    await client.connect()
    return client
  } catch (error) {
    throw explainConnection(error, databaseUrl)
  }
}

/** Turns time-outs off: a migration may take any time, and only its wait for a lock has a limit. */
const liftTimeouts = `select set_config(name, '0', false) from pg_settings
  where name in ('statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')`

async function applyMissing(client: pg.Client, log: Log, report: ReportProgress): Promise<void> {
  const names = (await readdir(migrationsDirectory, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
  const { rows } = await client.query<{ migration_name: string; checksum: string; finished_at: Date | null }>(
    'select migration_name, checksum, finished_at from _prisma_migrations where rolled_back_at is null',
  )
  const applied = new Map(rows.map((row) => [row.migration_name, row]))
  for (const row of rows) {
    if (!row.finished_at)
      throw new StartError(`The migration ${row.migration_name} was started but never finished: see docs/operations.md`)
    if (row.migration_name < firstMigration)
      throw new StartError(
        'The database was created by a Parley from before 0.1.0, which this version cannot migrate: use an empty database, or start the version that created this one',
      )
    if (!names.includes(row.migration_name))
      throw new StartError(`The database belongs to a newer Parley: it has the migration ${row.migration_name}`)
  }
  const done: string[] = []
  for (const name of names.sort()) {
    const sql = await readFile(path.join(migrationsDirectory, name, 'migration.sql'), 'utf8')
    const checksum = createHash('sha256').update(sql).digest('hex')
    const before = applied.get(name)
    if (before && before.checksum !== checksum)
      throw new StartError(`The migration ${name} differs from the one that was applied to this database`)
    if (before) continue
    await applyOne(client, name, sql, checksum)
    log.debug({ migration: name }, 'migration applied')
    done.push(name)
  }
  if (done.length === 0) return
  const fields = { migrations: done.length, last: done.at(-1) }
  report(
    fields,
    rows.length === 0 ? 'The database was set up' : `The database was brought up to date by ${done.length} migrations`,
  )
}

async function applyOne(client: pg.Client, name: string, sql: string, checksum: string): Promise<void> {
  await client.query('begin')
  try {
    await client.query(sql)
    await client.query(
      'insert into _prisma_migrations(id, checksum, finished_at, migration_name, applied_steps_count) values ($1, $2, clock_timestamp(), $3, 1)',
      [randomUUID(), checksum, name],
    )
    await client.query('commit')
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    if (sqlStateOf(error) === '42501' || isConnectionLost(error)) throw error
    throw new StartError(`The migration ${name} failed: ${(error as Error).message}`, { cause: error })
  }
}

/** Lets the job library bring its own schema in this database, `graphile_worker`, up to date. */
async function migrateJobs(databaseUrl: string, log: Log): Promise<void> {
  const pool = openPool(databaseUrl, 'migrate', 2, log, liftTimeouts)
  try {
    const logger = new Logger(() => (_level, message) => log.debug({ from: 'graphile-worker' }, message))
    await runMigrations({ pgPool: pool, logger })
  } catch (error) {
    if (sqlStateOf(error) === '42501' || isConnectionLost(error)) throw error
    throw new StartError(`The schema graphile_worker could not be created: ${(error as Error).message}`, { cause: error })
  } finally {
    await pool.end()
  }
}

/** Sets `roleSettings` on the role that logs in, because only its settings apply: the current role may be another one. */
async function applyRoleSettings(client: pg.Client): Promise<void> {
  await client.query('set role none')
  const { rows } = await client.query<{ database: string; version: number; settings: string[] }>(
    `select current_database() as database, current_setting('server_version_num')::int as version,
       coalesce((select setconfig from pg_db_role_setting where setrole = (select oid from pg_roles where rolname = current_user)
                  and setdatabase = (select oid from pg_database where datname = current_database())), '{}') as settings`,
  )
  const [now] = rows
  if (!now) return
  for (const [name, value, since] of roleSettings) {
    if (now.version < since || now.settings.includes(`${name}=${value}`)) continue
    await client.query(`alter role current_user in database ${client.escapeIdentifier(now.database)} set ${name} = '${value}'`)
  }
}
