// Brings a database to this version's schema: the SQL files of prisma/migrations, each in a transaction, once, in order of
// their names, under one advisory lock. Keeps Prisma's own table, so that `prisma migrate deploy` agrees with it.

import { createHash, randomUUID } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Logger, runMigrations } from 'graphile-worker'
import pg from 'pg'
import { StartError } from '../errors.ts'
import type { Log } from '../log.ts'
import { connectionSettings, openPool } from './postgres.ts'

const directory = fileURLToPath(new URL('../../prisma/migrations', import.meta.url))

/** The form of `_prisma_migrations` as Prisma 7 creates it. */
const history = `create table if not exists _prisma_migrations(
  id varchar(36) primary key, checksum varchar(64) not null, finished_at timestamptz, migration_name varchar(255) not null,
  logs text, rolled_back_at timestamptz, started_at timestamptz not null default now(), applied_steps_count integer not null default 0)`

/**
 * Settings of our connections, made on the role in this database because a pooler drops start-up options. The time-outs bound
 * how long a stopped or vanished node can hold a lock (docs/architecture.md, "What bounds the lock").
 */
const roleSettings: readonly (readonly [name: string, value: string, since: number])[] = [
  // The journal is appended to in READ COMMITTED only, whatever the database's own default is.
  ['default_transaction_isolation', 'read committed', 0],
  ['idle_in_transaction_session_timeout', '2s', 0],
  ['statement_timeout', '10s', 0],
  ['tcp_user_timeout', '5s', 0],
  ['client_connection_check_interval', '1s', 0],
  ['transaction_timeout', '15s', 170_000],
]

/**
 * Applies what is missing. Safe to run from many nodes at once: one does it, the others wait.
 * @throws StartError where the database cannot be reached, does not exist, is too old, or holds other migrations than these.
 */
export async function migrate(databaseUrl: string, log: Log): Promise<void> {
  const client = new pg.Client({ ...connectionSettings(databaseUrl, 'parley migrate'), query_timeout: 0 })
  client.on('error', (error) => log.warn({ err: error }, 'the connection that migrates was lost'))
  try {
    await client.connect().catch((error: unknown) => {
      throw cannotConnect(databaseUrl, error)
    })
    await requireFitness(client)
    await liftTimeouts(client)
    await client.query('select pg_advisory_lock(7021, 2)').catch((error: unknown) => {
      throw new StartError('Another node has been migrating this database for over a minute: wait for it', { cause: error })
    })
    await client.query(history)
    await applyMissing(client, log)
    await migrateJobs(databaseUrl, log)
    await applyRoleSettings(client)
  } finally {
    await client.end().catch(() => undefined)
  }
}

function cannotConnect(databaseUrl: string, error: unknown): StartError {
  const { host, pathname, username } = new URL(databaseUrl)
  const { code, message } = error as { code?: string; message?: string }
  const because =
    code === '3D000'
      ? `there is no database ${pathname.slice(1)} on ${host}: create it first`
      : code === '28P01' || code === '28000'
        ? `${host} refuses the user ${username} or its password`
        : `Postgres at ${host} cannot be reached (${code ?? message})`
  return new StartError(`DATABASE_URL: ${because}`, { cause: error })
}

/** What Parley needs of a Postgres: 15 or newer, and commits that are on disk when they are answered (D1). */
async function requireFitness(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ version: number; commit: string }>(
    "select current_setting('server_version_num')::int as version, current_setting('synchronous_commit') as commit",
  )
  const { version = 0, commit } = rows[0] ?? {}
  if (version < 150_000)
    throw new StartError(`DATABASE_URL: Postgres 15 or newer is needed, this is ${Math.floor(version / 10_000)}`)
  if (commit === 'off') {
    throw new StartError('DATABASE_URL: synchronous_commit is off there, so what was acknowledged could be lost: turn it on')
  }
}

/** A migration takes as long as it takes; only the wait for a lock has a limit. */
async function liftTimeouts(client: pg.Client): Promise<void> {
  const names = ['statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout']
  await client.query("select set_config(name, '0', false) from pg_settings where name = any($1)", [names])
  await client.query("set lock_timeout = '60s'")
}

async function applyMissing(client: pg.Client, log: Log): Promise<void> {
  const names = (await readdir(directory, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
  const { rows } = await client.query<{ migration_name: string; checksum: string; finished_at: Date | null }>(
    'select migration_name, checksum, finished_at from _prisma_migrations where rolled_back_at is null',
  )
  const applied = new Map(rows.map((row) => [row.migration_name, row]))
  for (const row of rows) {
    if (!row.finished_at)
      throw new StartError(`The migration ${row.migration_name} was begun and never finished: see docs/operations.md`)
    if (!names.includes(row.migration_name))
      throw new StartError(`The database is of a newer Parley: it has the migration ${row.migration_name}`)
  }
  for (const name of names.sort()) {
    const sql = await readFile(path.join(directory, name, 'migration.sql'), 'utf8')
    const checksum = createHash('sha256').update(sql).digest('hex')
    const before = applied.get(name)
    if (before && before.checksum !== checksum)
      throw new StartError(`The migration ${name} is not the one that was applied to this database`)
    if (before) continue
    await applyOne(client, name, sql, checksum)
    log.info({ migration: name }, 'migration applied')
  }
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
    await client.query('rollback')
    throw new StartError(`The migration ${name} failed: ${(error as Error).message}`, { cause: error })
  }
}

/** The job library keeps a schema of its own, `graphile_worker`, in this database: it brings it up to date itself. */
async function migrateJobs(databaseUrl: string, log: Log): Promise<void> {
  const pool = openPool(databaseUrl, 'migrate', 2, log)
  try {
    const logger = new Logger(() => (_level, message) => log.debug({ from: 'graphile-worker' }, message))
    await runMigrations({ pgPool: pool, logger })
  } catch (error) {
    throw new StartError(`The schema graphile_worker could not be made: ${(error as Error).message}`, { cause: error })
  } finally {
    await pool.end()
  }
}

async function applyRoleSettings(client: pg.Client): Promise<void> {
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
