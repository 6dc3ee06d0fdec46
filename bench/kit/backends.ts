// The backends of all lines: one Postgres that commits to disk, and one Redis, both of the bench's own.

import { execFile, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import pg from 'pg'
import { findFreePort, startPostgres } from '../../src/local/postgres.ts'
import { openLog } from '../../src/log/log.ts'

const run = promisify(execFile)

/** The backends of a run. */
export type Backends = {
  readonly redisUrl: string
  /** The version of Postgres, with the settings that decide the cost of a commit. */
  readonly postgres: string
  /** Creates a database; returns its URL. */
  createDatabase(name: string): Promise<string>
  close(): Promise<void>
}

/** Starts Postgres, as Parley starts it, and Redis. */
export async function openBackends(): Promise<Backends> {
  const directory = await mkdtemp(path.join(tmpdir(), 'parley-bench-'))
  const closers: (() => Promise<unknown>)[] = [() => rm(directory, { recursive: true, force: true })]
  const close = async () => {
    for (const closeNext of closers.splice(0).reverse()) await closeNext()
  }
  try {
    const preload = ['shared_preload_libraries=pg_stat_statements', 'pg_stat_statements.track=top']
    const postgres = await startPostgres(path.join(directory, 'postgres'), 'bench-password', openLog('warn', 'bench'), preload)
    closers.push(() => postgres.stop())
    const admin = Object.assign(new URL(postgres.url), { pathname: '/postgres' }).href
    const redis = await startRedis(directory)
    closers.push(redis.stop)
    return {
      redisUrl: redis.url,
      postgres: await query(admin, async (client) => describe(client)),
      createDatabase: (name) =>
        query(admin, async (client) => {
          await client.query(`create database ${client.escapeIdentifier(name)}`)
          return Object.assign(new URL(postgres.url), { pathname: `/${name}` }).href
        }),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

async function describe(client: pg.Client): Promise<string> {
  const names = ['fsync', 'synchronous_commit', 'full_page_writes', 'shared_buffers']
  const { rows } = await client.query<{ name: string; value: string }>(
    'select name, current_setting(name) as value from unnest($1::text[]) as name',
    [names],
  )
  const { rows: version } = await client.query<{ server_version: string }>('show server_version')
  return `${version[0]?.server_version} (${rows.map(({ name, value }) => `${name} ${value}`).join(', ')})`
}

/** Runs something on a connection without time-outs, and closes it. */
export async function query<T>(databaseUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: databaseUrl })
  client.on('error', () => undefined)
  await client.connect()
  try {
    await client.query(
      "select set_config(name, '0', false) from pg_settings where name in ('statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout')",
    )
    return await work(client)
  } finally {
    await client.end()
  }
}

async function startRedis(directory: string): Promise<{ url: string; stop(): Promise<void> }> {
  const binary = await findProgram('redis-server', 'valkey-server')
  if (!binary) throw new Error('the bench needs redis-server or valkey-server on the PATH')
  const port = await findFreePort()
  const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', directory]
  const child = spawn(binary, options, { stdio: 'ignore' })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const url = `redis://127.0.0.1:${port}`
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
  }
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null })
  client.on('error', () => undefined)
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const answers = await client.connect().then(
      () => true,
      () => false,
    )
    if (answers) {
      client.disconnect()
      return { url, stop }
    }
    await delay(25)
  }
  await stop()
  throw new Error('Redis did not start')
}

/** The first of these programs that is on the PATH. */
export async function findProgram(...names: readonly string[]): Promise<string | null> {
  for (const name of names) {
    const found = await run('which', [name]).then(
      ({ stdout }) => stdout.trim(),
      () => '',
    )
    if (found) return found
  }
  return null
}
