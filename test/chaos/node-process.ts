// A node of a chaos run: Parley as a process on a fixed port. It can be killed, frozen and restarted.

import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { fileOf } from '../support/programs.ts'
import { unlimited } from '../support/rates.ts'
import type { RunRecord } from './record.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** A start may take long on a slow machine or while Redis does not answer. */
const readyMs = 60_000
const endMs = 20_000
const startsMax = 30

/** The Postgres of a node: see PostgresProcess. */
type Watched = { watch(): () => boolean }

/** A node as a process. */
export class NodeProcess {
  readonly name: string
  readonly port: number
  readonly #environment: { readonly [name: string]: string }
  readonly #postgres: Watched
  readonly #record: RunRecord
  #child: ChildProcess | null = null
  /** The processes that this run ends itself. */
  readonly #ending = new WeakSet<ChildProcess>()
  #tail = ''

  constructor(
    name: string,
    port: number,
    environment: { readonly [name: string]: string },
    postgres: Watched,
    record: RunRecord,
  ) {
    this.name = name
    this.port = port
    this.#environment = environment
    this.#postgres = postgres
    this.#record = record
  }

  /** The address of its metrics. */
  get metricsUrl(): string {
    return `http://127.0.0.1:${this.#environment.PARLEY_METRICS_PORT}/metrics`
  }

  /** The end of its standard error. */
  get tail(): string {
    return this.#tail
  }

  /**
   * Starts the node, and retries while Postgres is away, as a supervisor does. It is a violation if the node does not start although
   * Postgres is there, or does not say in one sentence that Postgres is away.
   */
  async start(): Promise<void> {
    for (let attempt = 1; attempt <= startsMax; attempt += 1) {
      this.#tail = ''
      const wasAway = this.#postgres.watch()
      if (await this.#tryToStart()) return
      this.#record.count('failed starts')
      if (!wasAway()) this.#record.violation(`D9 ${this.name} did not start, although Postgres was there:\n${this.#tail}`)
      else if (!saysAway(this.#tail)) this.#record.violation(`D9 ${this.name} did not start and did not say why:\n${this.#tail}`)
      await delay(200)
    }
    throw new Error(`${this.name} does not start:\n${this.#tail}`)
  }

  /** Ends the node by a signal. @returns its exit code; null if the signal killed it. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return null
    this.#ending.add(child)
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
    child.kill(signal)
    const limit = setTimeout(() => child.kill('SIGKILL'), endMs)
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
    const env = { PATH: process.env.PATH ?? '', PORT: String(this.port), ...unlimited, ...this.#environment }
    const child = spawn(process.execPath, [fileOf('main')], {
      cwd: root,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    let isReady = false
    let hasEnded = false
    child.stdout.on('data', (chunk) => {
      if (String(chunk).includes('Parley is ready.')) isReady = true
    })
    child.stderr.on('data', (chunk) => this.#readLog(String(chunk)))
    // Not `exit`: what it wrote to standard error may arrive after that.
    child.once('close', (code, signal) => {
      hasEnded = true
      if (isReady && !this.#ending.has(child))
        this.#record.violation(`D7 ${this.name} exited by itself: ${code ?? signal}\n${this.#tail}`)
    })
    const deadline = Date.now() + readyMs
    while (!isReady && !hasEnded && Date.now() < deadline) await delay(20)
    if (!isReady && !hasEnded) {
      this.#tail += `not ready after ${readyMs} ms`
      child.kill('SIGKILL')
    }
    return isReady
  }

  #readLog(text: string): void {
    this.#tail = (this.#tail + text).slice(-4_000)
    for (const line of text.split('\n')) {
      if (/a promise was rejected|failed unexpectedly/.test(line))
        this.#record.violation(`D7 ${this.name}: ${line.slice(0, 1_500)}`)
      if (line.startsWith('{"level":50')) this.#record.count(`logged: ${/"msg":"([^"]*)"/.exec(line)?.[1]}`)
    }
  }
}

/** Whether a node that exited at start says, in one sentence and without a stack, that it cannot reach Postgres. */
function saysAway(tail: string): boolean {
  const lines = tail.split('\n').filter((line) => line !== '' && !line.startsWith('{'))
  return lines.length === 1 && /^DATABASE_URL: .* (cannot be reached|in a moment)/.test(lines[0] ?? '')
}
