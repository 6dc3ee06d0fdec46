// The processes of a chaos run, each on a fixed port: one Postgres, one Redis, and the nodes. They can be killed, frozen and
// restarted. A node that exits by itself is a violation.

import { mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type EmbeddedPostgres, findFreePort, startPostgres } from '../../src/local/postgres.ts'
import { openLog } from '../../src/log/log.ts'
import { NodeProcess } from './node-process.ts'
import type { RunRecord } from './record.ts'
import { type ChaosRedis, RedisProcess, startRedisCluster } from './redis-process.ts'

/** A device counts as online for this long after its last sign of life. */
export const presenceTtlMs = 10_000
const startMs = 20_000

/** Waits until a condition holds. */
export async function until(what: string, limitMs: number, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + limitMs
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`timed out waiting for ${what}`)
    await delay(20)
  }
}

/** A Postgres that can be stopped in any way and restarted on its port. */
export class PostgresProcess {
  readonly port: number
  readonly #directory: string
  #running: EmbeddedPostgres
  #outages = 0
  #isAway = false

  private constructor(directory: string, port: number, running: EmbeddedPostgres) {
    this.#directory = directory
    this.port = port
    this.#running = running
  }

  static async start(parent: string): Promise<PostgresProcess> {
    const [directory, port] = [path.join(parent, 'postgres'), await findFreePort()]
    return new PostgresProcess(directory, port, await launch(directory, port))
  }

  get url(): string {
    return this.#running.url
  }

  /** Starts watching. @returns a function that tells whether Postgres has been away since. */
  watch(): () => boolean {
    const before = this.#isAway ? -1 : this.#outages
    return () => this.#outages !== before
  }

  /** Ends Postgres by a signal to the postmaster (SIGINT: fast, SIGQUIT: immediate) and restarts it after `awayMs`. */
  async restart(signal: 'SIGINT' | 'SIGQUIT', awayMs: number): Promise<void> {
    const pid = Number.parseInt(await readFile(path.join(this.#directory, 'postmaster.pid'), 'utf8'), 10)
    this.#outages += 1
    this.#isAway = true
    process.kill(pid, signal)
    await until('Postgres to end', startMs, () => !isAlive(pid))
    await delay(awayMs)
    this.#running = await launch(this.#directory, this.port)
    this.#isAway = false
  }

  stop(): Promise<void> {
    return this.#running.stop()
  }
}

function launch(directory: string, port: number): Promise<EmbeddedPostgres> {
  return startPostgres(directory, 'the password of the chaos run', openLog('error', 'chaos'), [], port)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** The directory in which all nodes keep files, and which can be taken away. */
export class FileDirectory {
  readonly #path: string

  constructor(path: string) {
    this.#path = path
  }

  /** Takes it away for a while. @returns false if nothing is in it yet */
  async takeAway(forMs: number): Promise<boolean> {
    const isThere = await rename(this.#path, `${this.#path}.away`).then(
      () => true,
      () => false,
    )
    if (!isThere) return false
    await delay(forMs)
    await rename(`${this.#path}.away`, this.#path)
    return true
  }
}

/** All processes of a run. */
export type Processes = {
  readonly postgres: PostgresProcess
  readonly redis: ChaosRedis
  readonly nodes: readonly NodeProcess[]
  readonly files: FileDirectory
  stop(): Promise<void>
}

/** The window of each node: the first soon reads from Postgres what the last still has in memory. */
const windows = [100, 1_000, 100_000] as const

/** What the nodes of a run have between them, and how they follow each other; by default a single Redis, and everything. */
export type Arrangement = { readonly redis?: 'single' | 'cluster'; readonly follow?: string; readonly windowFacts?: number }

/** Starts all processes. */
export async function startProcesses(record: RunRecord, membersMax: number, arrangement: Arrangement): Promise<Processes> {
  const directory = await mkdtemp(path.join(tmpdir(), 'parley-chaos-'))
  const { redis: kind, follow = 'full', windowFacts } = arrangement
  const startRedis = () => (kind === 'cluster' ? startRedisCluster() : RedisProcess.start(directory))
  const [postgres, redis] = await Promise.all([PostgresProcess.start(directory), startRedis()])
  const shared = {
    DATABASE_URL: postgres.url,
    ...redis.environment,
    PARLEY_FOLLOW: follow,
    PARLEY_DATA_DIR: directory,
    PARLEY_TOKEN_SECRET: 'the token secret of all nodes of the chaos run',
    PARLEY_LOG_LEVEL: 'warn',
    PARLEY_SOCKETS_PER_ADDRESS_MAX: '100000',
    PARLEY_SOCKETS_WITHOUT_SESSION_PER_ADDRESS_MAX: '100000',
    PARLEY_ACCESS_TOKEN_TTL_S: '86400',
    PARLEY_TICK_INTERVAL_MS: '1000',
    PARLEY_PRESENCE_TTL_S: String(presenceTtlMs / 1_000),
    PARLEY_GROUP_MEMBERS_MAX: String(membersMax),
  }
  const nodes: NodeProcess[] = []
  for (const [i, window] of windows.entries()) {
    const [port, metricsPort] = [await findFreePort(), await findFreePort()]
    const own = { PARLEY_WINDOW_FACTS_MAX: String(windowFacts ?? window), PARLEY_METRICS_PORT: String(metricsPort) }
    nodes.push(new NodeProcess(`node ${i + 1}`, port, { ...shared, ...own }, postgres, record))
  }
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.end('SIGKILL')))
    await Promise.all([postgres.stop(), redis.stop()])
    await rm(directory, { recursive: true, force: true })
  }
  try {
    await Promise.all(nodes.map((node) => node.start()))
  } catch (error) {
    await stop()
    throw error
  }
  return { postgres, redis, nodes, files: new FileDirectory(path.join(directory, 'files')), stop }
}
