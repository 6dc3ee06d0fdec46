// A Postgres from the machine's own packages, with what the embedded one lacks: pg_dump, TLS, and the oldest version that
// Parley supports. On Debian .ci/run installs it.

import { execFile, spawn } from 'node:child_process'
import { appendFile, chown, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { findFreePort } from '../../src/local/postgres.ts'
import { closeAtEnd } from './node.ts'
import { until } from './until.ts'

const run = promisify(execFile)

/** A running server: it trusts every role on loopback, until `pg_hba.conf` says otherwise. */
export type SystemPostgres = {
  /** Its data and its Unix socket. */
  readonly directory: string
  readonly port: number
  /** A URL of one of its databases, for a role, with a password if given. */
  url(database: string, role?: string, password?: string): string
  /** Runs a statement as the superuser. */
  query<Row extends pg.QueryResultRow>(database: string, text: string, values?: unknown[]): Promise<Row[]>
  /** Reloads its configuration files. */
  reload(): Promise<void>
  /** Stops all of its processes, like a machine that hangs, until `thaw`: connections stay open, and nothing is answered. */
  freeze(): Promise<void>
  thaw(): Promise<void>
  /** Runs one of its client programs (`pg_dump`), or a shell, with these variables. */
  run(file: string, args: readonly string[], environment?: Record<string, string>): Promise<{ stdout: string; stderr: string }>
}

/** The directory of the newest installed Postgres. */
async function findBinaries(): Promise<string> {
  const home = '/usr/lib/postgresql'
  const versions = await readdir(home).catch((): string[] => [])
  const newest = versions
    .map(Number)
    .filter(Number.isInteger)
    .sort((a, b) => b - a)[0]
  if (newest !== undefined) return path.join(home, String(newest), 'bin')
  return run('pg_config', ['--bindir']).then(
    ({ stdout }) => stdout.trim(),
    () => {
      throw new Error('This test needs an installed Postgres: apt install postgresql, or brew install postgresql')
    },
  )
}

/** Starts one on a free port. `settings` are lines of postgresql.conf. It is stopped when the file ends. */
export async function openSystemPostgres(settings: readonly string[] = []): Promise<SystemPostgres> {
  const binaries = await findBinaries()
  const directory = await mkdtemp(path.join(tmpdir(), 'parley-pg-'))
  closeAtEnd(() => rm(directory, { recursive: true, force: true }))
  // Postgres refuses to run as root.
  const identity: { uid?: number; gid?: number } = process.getuid?.() === 0 ? await postgresUser() : {}
  if (identity.uid !== undefined) await chown(directory, identity.uid, identity.gid ?? 0)
  const data = path.join(directory, 'data')
  const port = await findFreePort()
  const options = ['-D', data, '-U', 'super', '--auth=trust', '--locale=C.UTF-8', '--encoding=UTF8', '--no-sync']
  await run(path.join(binaries, 'initdb'), options, { cwd: '/', ...identity })
  const lines = [`port = ${port}`, "listen_addresses = '127.0.0.1'", `unix_socket_directories = '${directory}'`, 'fsync = off']
  await appendFile(path.join(data, 'postgresql.conf'), `${[...lines, 'max_connections = 300', ...settings].join('\n')}\n`)
  const server = spawn(path.join(binaries, 'postgres'), ['-D', data], { cwd: '/', ...identity, stdio: 'ignore' })
  const ended = new Promise((resolve) => server.once('exit', resolve))
  const signalAll = async (signal: NodeJS.Signals) => {
    const { stdout } = await run('pgrep', ['-P', String(server.pid)])
    for (const pid of [server.pid ?? 0, ...stdout.trim().split('\n').map(Number)]) process.kill(pid, signal)
  }
  closeAtEnd(async () => {
    await signalAll('SIGCONT').catch(() => undefined)
    server.kill('SIGINT')
    await ended
  })
  const url = (database: string, role = 'super', password?: string) =>
    `postgresql://${role}${password === undefined ? '' : `:${password}`}@127.0.0.1:${port}/${database}`
  const query = async <Row extends pg.QueryResultRow>(database: string, text: string, values: unknown[] = []) => {
    const client = new pg.Client({ host: directory, port, user: 'super', database })
    await client.connect()
    try {
      return (await client.query<Row>(text, values)).rows
    } finally {
      await client.end()
    }
  }
  await until('the installed Postgres to answer', () =>
    query('postgres', 'select 1').then(
      () => true,
      () => false,
    ),
  )
  return {
    directory,
    port,
    url,
    query,
    async reload() {
      await query('postgres', 'select pg_reload_conf()')
    },
    freeze: () => signalAll('SIGSTOP'),
    thaw: () => signalAll('SIGCONT'),
    run: (file, args, environment = {}) =>
      run(file, [...args], {
        cwd: directory,
        // biome-ignore lint/style/noProcessEnv: programs are found by the path
        env: { PATH: `${binaries}:${process.env.PATH ?? ''}`, PGHOST: '127.0.0.1', PGPORT: String(port), ...environment },
      }),
  }
}

async function postgresUser(): Promise<{ uid: number; gid: number }> {
  const [uid, gid] = await Promise.all(['-u', '-g'].map(async (flag) => Number((await run('id', [flag, 'postgres'])).stdout)))
  return { uid: uid ?? 0, gid: gid ?? 0 }
}
