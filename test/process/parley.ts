// Parley as an operator sees it: a process of its own, started with a complete environment, with its output kept. Whatever a
// test leaves behind (the process, its embedded Postgres, its directory) is cleaned up with it.

import { type ChildProcess, spawn } from 'node:child_process'
import { access, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { inject, onTestFinished } from 'vitest'
import { Device, request } from '../support/device.ts'
import * as documents from '../support/documents.ts'
import { createDatabase, type Environment, type Node } from '../support/node.ts'
import { fileOf, type Program } from '../support/programs.ts'
import { unlimited } from '../support/rates.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const patienceMs = 45_000

/** The environment of processes on one new database, with the seeded users. Fully configured, they need no data directory. */
export const sharedEnvironment = async (): Promise<Environment> => ({
  PORT: '0',
  PARLEY_DATA_DIR: '/dev/null/none',
  DATABASE_URL: await createDatabase(),
  REDIS_URL: inject('redisUrl'),
  PARLEY_TOKEN_SECRET: 'the token secret of all of the processes',
  PARLEY_SEED: 'true',
})

/** How a process ended: its exit code, or the signal that killed it. */
export type Ending = { readonly code: number | null; readonly signal: NodeJS.Signals | null }

/** A running or finished Parley process. */
export class Parley {
  readonly pid: number
  stdout = ''
  stderr = ''
  ending: Ending | null = null
  readonly #child: ChildProcess

  /**
   * Starts one. Beside `environment` it gets only PATH. It leads a process group, as in a terminal.
   * @param atEnd registers the clean-up: at the end of the test, or with `closeAtEnd` of the file
   * @param program what to run: a node, or one of the other commands, with its arguments
   */
  constructor(
    environment: Environment,
    atEnd: (close: () => Promise<void>) => void = onTestFinished,
    program: Program = 'main',
    programArguments: readonly string[] = [],
  ) {
    // biome-ignore lint/style/noProcessEnv: without the path there is no shell either
    const env = { PATH: process.env.PATH ?? '', ...unlimited, ...environment }
    this.#child = spawn(process.execPath, [fileOf(program), ...programArguments], {
      cwd: root,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.pid = this.#child.pid ?? 0
    this.#child.stdout?.on('data', (chunk) => {
      this.stdout += String(chunk)
    })
    this.#child.stderr?.on('data', (chunk) => {
      this.stderr += String(chunk)
    })
    this.#child.once('close', (code, signal) => {
      this.ending = { code, signal }
    })
    atEnd(async () => {
      if (this.ending === null) this.#child.kill('SIGKILL')
      await this.ended()
    })
  }

  /** Waits until it serves, and reads the address from its output. */
  async ready(): Promise<ServerAddress> {
    const shown = /^Parley is ready\.\n.*(http:\/\/\S+)\n.*(ws:\/\/\S+) .*\n/m
    await until('it to be ready', () => this.ending !== null || shown.test(this.stdout))
    const [, url, socketUrl] = shown.exec(this.stdout) ?? []
    if (!url || !socketUrl) throw new Error(`It did not start: ${JSON.stringify(this.ending)}\n${this.stdout}${this.stderr}`)
    return { url, socketUrl }
  }

  /** Waits until it has exited and all of its output has arrived. */
  async ended(): Promise<Ending> {
    await until('its end', () => this.ending !== null)
    return this.ending ?? { code: null, signal: null }
  }

  /** Sends it a signal. */
  kill(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal)
  }

  /** Sends a signal to its process group, like a terminal at Ctrl-C. */
  killGroup(signal: NodeJS.Signals): void {
    process.kill(-this.pid, signal)
  }

  /** Its standard error, without log lines below the level warn. */
  get complaints(): string[] {
    return this.stderr.split('\n').filter((line) => line !== '' && !/^\{"level":[123]0,/.test(line))
  }
}

/** Starts one on a data directory, on any port. */
export const startOn = (directory: string, more: Environment = {}) =>
  new Parley({ PORT: '0', PARLEY_DATA_DIR: directory, ...more })

/** The endings of a process that was told to stop, that could not start, and that was killed. */
export const endings = {
  ok: { code: 0, signal: null },
  failed: { code: 1, signal: null },
  killed: { code: null, signal: 'SIGKILL' },
} as const

/** The address of a Parley. */
export type ServerAddress = Pick<Node, 'url' | 'socketUrl'>

/** Logs in as one of the seeded users. */
export async function logIn(server: ServerAddress, username: string, password = 'password'): Promise<Device> {
  const input = { username, password, deviceName: 'Terminal' }
  const { data, errors } = await request(server.url, documents.LogIn, { input })
  if (!data) throw new Error(`logIn: ${errors[0]?.message}`)
  return new Device(at(server), data.logIn)
}

/** What a seeded user finds: title, texts, reactions and unread counts of each conversation, direct ones first. */
export async function conversationsOf({ accessToken }: Device, { url }: Pick<ServerAddress, 'url'>) {
  const query = `{ conversations(first: 20) { nodes { title unreadCount mentionCount messages(first: 50) {
    nodes { text sender { username } replyTo { text } reactions { emoji count } } } } } }`
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${accessToken}` }
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query }) })
  type Message = {
    text: string
    sender: { username: string }
    replyTo: { text: string } | null
    reactions: { emoji: string; count: number }[]
  }
  type Found = { title: string | null; unreadCount: number; mentionCount: number; messages: { nodes: Message[] } }
  const { data } = (await response.json()) as { data: { conversations: { nodes: Found[] } } }
  return data.conversations.nodes.toSorted((a, b) => (a.title ?? '').localeCompare(b.title ?? ''))
}

/** An address as a device needs it: it uses nothing else of a node. */
export function at(server: ServerAddress): Node {
  return server as Node
}

/**
 * The path of a data directory that does not exist yet.
 * @param atEnd registers the clean-up, which kills whatever still runs on it and removes it: at the end of the test, or with
 * `closeAtEnd` of the file
 */
export async function dataDirectory(atEnd: (close: () => Promise<void>) => void = onTestFinished): Promise<string> {
  const parent = await mkdtemp(path.join(tmpdir(), 'parley-process-'))
  const directory = path.join(parent, 'data')
  atEnd(async () => {
    for (const pid of await processesOn(directory)) process.kill(pid, 'SIGKILL')
    await until('the last process on the directory to end', async () => (await processesOn(directory)).length === 0)
    await rm(parent, { recursive: true, force: true })
  })
  return directory
}

/** The processes started with a path below this directory among their arguments: Postgres and what creates it. */
export async function processesOn(directory: string): Promise<number[]> {
  const found: number[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const args = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')
    if (args.includes(directory)) found.push(Number(name))
  }
  return found
}

/** Whether there is such a file or directory. */
export function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  )
}

/** A port that another listener holds, until the test ends or the listener is closed. */
export async function takenPort(): Promise<{ port: number; listener: Server }> {
  const listener = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void listener.close())
  const address = listener.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return { port: address.port, listener }
}

/** Waits until a condition holds. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + patienceMs
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`timed out waiting for ${what}`)
    await delay(25)
  }
}
