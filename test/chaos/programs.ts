// The programs of a chaos run, each a real process on a port that it keeps: one Postgres, one Redis, and the nodes. They can
// be killed, frozen and started again; one that ends without having been asked to is a fault.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { type EmbeddedPostgres, findFreePort, startPostgres } from '../../src/local/postgres.ts'
import { openLog } from '../../src/log.ts'
import { findRedis } from '../support/servers.ts'
import type { Record } from './record.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** How long a device is there after its last sign of life. */
export const presenceTtlMs = 10_000
const startMs = 20_000
const startsMax = 30

/** Waits until something holds. */
export async function until(what: string, limitMs: number, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + limitMs
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`)
    await delay(20)
  }
}

/** A Postgres that can be stopped in any manner, and started again on its port. */
export class PostgresProgram {
  readonly port: number
  readonly #directory: string
  #running: EmbeddedPostgres

  private constructor(directory: string, port: number, running: EmbeddedPostgres) {
    this.#directory = directory
    this.port = port
    this.#running = running
  }

  static async start(parent: string): Promise<PostgresProgram> {
    const [directory, port] = [path.join(parent, 'postgres'), await findFreePort()]
    return new PostgresProgram(directory, port, await launch(directory, port))
  }

  get url(): string {
    return this.#running.url
  }

  /** Ends it by a signal to the postmaster (SIGINT: fast, SIGQUIT: immediate), leaves it away for so long, and starts it again. */
  async restart(signal: 'SIGINT' | 'SIGQUIT', awayMs: number): Promise<void> {
    const pid = Number.parseInt(await readFile(path.join(this.#directory, 'postmaster.pid'), 'utf8'), 10)
    process.kill(pid, signal)
    await until('Postgres to end', startMs, () => !isAlive(pid))
    await delay(awayMs)
    this.#running = await launch(this.#directory, this.port)
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

/** A Redis that can be killed, frozen and emptied. */
export class RedisProgram {
  readonly url: string
  readonly #start: () => ChildProcess
  readonly #admin: Redis
  #child: ChildProcess

  private constructor(url: string, start: () => ChildProcess) {
    this.url = url
    this.#start = start
    this.#child = start()
    this.#admin = new Redis(url, { retryStrategy: () => 100, maxRetriesPerRequest: null, commandTimeout: 5_000 })
    this.#admin.on('error', () => undefined)
  }

  static async start(parent: string): Promise<RedisProgram> {
    const [binary, port] = [await findRedis(), await findFreePort()]
    const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', parent]
    return new RedisProgram(`redis://127.0.0.1:${port}`, () => spawn(binary, options, { stdio: 'ignore' }))
  }

  async restart(awayMs: number): Promise<void> {
    await this.#end('SIGKILL')
    await delay(awayMs)
    this.#child = this.#start()
  }

  async freeze(forMs: number): Promise<void> {
    this.#child.kill('SIGSTOP')
    await delay(forMs)
    this.#child.kill('SIGCONT')
  }

  async empty(): Promise<void> {
    await this.#admin.flushall()
  }

  /** Cuts the connections over which nodes listen. */
  async cutListeners(): Promise<void> {
    await this.#admin.client('KILL', 'TYPE', 'PUBSUB')
  }

  async stop(): Promise<void> {
    this.#admin.disconnect()
    await this.#end('SIGKILL')
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve))
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill(signal)
      await ended
    }
  }
}

/** A node: `src/main.ts` as a process. */
export class NodeProgram {
  readonly name: string
  readonly port: number
  readonly #environment: { readonly [name: string]: string }
  readonly #record: Record
  #child: ChildProcess | null = null
  #isAsked = false
  #tail = ''

  constructor(name: string, port: number, environment: { readonly [name: string]: string }, record: Record) {
    this.name = name
    this.port = port
    this.#environment = environment
    this.#record = record
  }

  /** What it wrote last to standard error. */
  get tail(): string {
    return this.#tail
  }

  /** Starts it, again and again where Postgres is away at that moment, as whatever looks after a process does. */
  async start(): Promise<void> {
    for (let attempt = 1; attempt <= startsMax; attempt += 1) {
      if (await this.#tryToStart()) return
      this.#record.count('starts in vain')
      await delay(200)
    }
    throw new Error(`${this.name} does not start:\n${this.#tail}`)
  }

  /** Ends it by a signal. @returns its exit code; null where the signal ended it. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return null
    this.#isAsked = true
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
    child.kill(signal)
    const limit = setTimeout(() => child.kill('SIGKILL'), startMs)
    const code = await ended
    clearTimeout(limit)
    return code
  }

  async freeze(forMs: number): Promise<void> {
    this.#child?.kill('SIGSTOP')
    await delay(forMs)
    this.#child?.kill('SIGCONT')
  }

  async #tryToStart(): Promise<boolean> {
    // biome-ignore lint/style/noProcessEnv: a process needs the path to programs
    const env = { PATH: process.env.PATH ?? '', PORT: String(this.port), ...this.#environment }
    const child = spawn(process.execPath, ['--import', 'tsx', 'src/main.ts'], {
      cwd: root,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    this.#isAsked = false
    let isReady = false
    let hasEnded = false
    child.stdout.on('data', (chunk) => {
      if (String(chunk).includes('Parley is ready.')) isReady = true
    })
    child.stderr.on('data', (chunk) => this.#hear(String(chunk)))
    child.once('exit', (code, signal) => {
      hasEnded = true
      if (isReady && !this.#isAsked) this.#record.fault(`D7 ${this.name} ended by itself: ${code ?? signal}\n${this.#tail}`)
    })
    const deadline = Date.now() + startMs
    while (!isReady && !hasEnded && Date.now() < deadline) await delay(20)
    if (!isReady && !hasEnded) child.kill('SIGKILL')
    return isReady
  }

  #hear(text: string): void {
    this.#tail = (this.#tail + text).slice(-4_000)
    for (const line of text.split('\n')) {
      if (/a promise was left alone|in a way nobody expected/.test(line))
        this.#record.fault(`D7 ${this.name}: ${line.slice(0, 1_500)}`)
      if (line.startsWith('{"level":50')) this.#record.count(`logged: ${/"msg":"([^"]*)"/.exec(line)?.[1]}`)
    }
  }
}

/** All programs of a run. */
export type Programs = {
  readonly postgres: PostgresProgram
  readonly redis: RedisProgram
  readonly nodes: readonly NodeProgram[]
  stop(): Promise<void>
}

/** How much each of the nodes remembers: the first soon has to read from Postgres what the last still knows. */
const windows = [100, 1_000, 100_000] as const

/** Starts everything. */
export async function startPrograms(record: Record, membersMax: number): Promise<Programs> {
  const directory = await mkdtemp(path.join(tmpdir(), 'parley-chaos-'))
  const [postgres, redis] = await Promise.all([PostgresProgram.start(directory), RedisProgram.start(directory)])
  const shared = {
    DATABASE_URL: postgres.url,
    REDIS_URL: redis.url,
    PARLEY_DATA_DIR: '/dev/null/none',
    PARLEY_TOKEN_SECRET: 'the token secret of all nodes of the chaos run',
    PARLEY_LOG_LEVEL: 'warn',
    PARLEY_ACCESS_TOKEN_TTL_S: '86400',
    PARLEY_TICK_INTERVAL_MS: '1000',
    PARLEY_PRESENCE_TTL_S: String(presenceTtlMs / 1_000),
    PARLEY_GROUP_MEMBERS_MAX: String(membersMax),
  }
  const nodes: NodeProgram[] = []
  for (const [i, window] of windows.entries()) {
    const environment = { ...shared, PARLEY_WINDOW_FACTS_MAX: String(window) }
    nodes.push(new NodeProgram(`node ${i + 1}`, await findFreePort(), environment, record))
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
  return { postgres, redis, nodes, stop }
}
