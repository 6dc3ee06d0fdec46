// A Redis Cluster for tests: masters and replicas on free ports of the loopback interface, made as an operator makes one. Masters can
// be killed, frozen, failed over and brought back, and slots move.

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { findFreePort } from '../../src/local/postgres.ts'
import { findRedis } from './servers.ts'
import { until } from './until.ts'

const run = promisify(execFile)
/** A master that is silent for this long is replaced by its replica. */
const nodeTimeoutMs = 1_500

/** One server of a cluster. */
export class ClusterServer {
  readonly port: number
  readonly #start: () => ChildProcess
  readonly admin: Redis
  #child: ChildProcess

  constructor(port: number, start: () => ChildProcess) {
    this.port = port
    this.#start = start
    this.#child = start()
    this.admin = new Redis(port, '127.0.0.1', { retryStrategy: () => 100, maxRetriesPerRequest: null })
    this.admin.on('error', () => undefined)
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.kill('SIGKILL')
    await ended
  }

  restart(): void {
    this.#child = this.#start()
  }

  freeze(): void {
    this.#child.kill('SIGSTOP')
  }

  thaw(): void {
    this.#child.kill('SIGCONT')
  }

  async role(): Promise<string> {
    return /role:(\w+)/.exec(await this.admin.info('replication'))?.[1] ?? ''
  }

  async id(): Promise<string> {
    return String(await this.admin.cluster('MYID'))
  }
}

/** A running cluster. */
export class RedisClusterProcesses {
  readonly servers: readonly ClusterServer[]
  readonly #directory: string

  private constructor(directory: string, servers: readonly ClusterServer[]) {
    this.#directory = directory
    this.servers = servers
  }

  /** Starts a cluster of so many masters, each with so many replicas, and waits until it is whole. */
  static async start(masters = 3, replicas = 0): Promise<RedisClusterProcesses> {
    const directory = await mkdtemp(path.join(tmpdir(), 'parley-redis-cluster-'))
    const binary = await findRedis()
    const servers: ClusterServer[] = []
    for (let i = 0; i < masters * (1 + replicas); i += 1) {
      const [port, busPort] = [await findFreePort(), await findFreePort()]
      const own = path.join(directory, String(port))
      await mkdir(own)
      const names = ['--port', String(port), '--cluster-port', String(busPort), '--bind', '127.0.0.1', '--dir', own]
      const cluster = ['--cluster-enabled', 'yes', '--cluster-node-timeout', String(nodeTimeoutMs)]
      const nothingOnDisk = ['--save', '', '--appendonly', 'no', '--repl-diskless-sync-delay', '0']
      servers.push(new ClusterServer(port, () => spawn(binary, [...names, ...cluster, ...nothingOnDisk], { stdio: 'ignore' })))
    }
    const processes = new RedisClusterProcesses(directory, servers)
    for (const { admin } of servers) await admin.ping()
    const addresses = servers.map(({ port }) => `127.0.0.1:${port}`)
    const shape = ['--cluster-replicas', String(replicas), '--cluster-yes']
    await run('redis-cli', ['--cluster', 'create', ...addresses, ...shape])
    await processes.whole()
    return processes
  }

  /** REDIS_URL for this cluster. */
  get url(): string {
    return this.servers.map(({ port }) => `redis://127.0.0.1:${port}`).join(',')
  }

  /** The environment of a node on this cluster. */
  get environment(): { REDIS_URL: string; PARLEY_REDIS_MODE: string } {
    return { REDIS_URL: this.url, PARLEY_REDIS_MODE: 'cluster' }
  }

  /** Waits until every server sees a whole cluster. */
  async whole(): Promise<void> {
    const isWhole = async ({ admin }: ClusterServer) => {
      const [info, nodes] = [String(await admin.cluster('INFO')), String(await admin.cluster('NODES'))]
      return /cluster_state:ok/.test(info) && !/fail|handshake/.test(nodes)
    }
    await until('a whole cluster', async () => (await Promise.all(this.servers.map(isWhole))).every(Boolean), 30_000)
  }

  /** The masters that have slots. */
  async masters(): Promise<readonly ClusterServer[]> {
    const roles = await Promise.all(this.servers.map((server) => server.role().catch(() => '')))
    return this.servers.filter((_server, i) => roles[i] === 'master')
  }

  /** The master of a slot. */
  async masterOf(slot: number): Promise<ClusterServer> {
    const [asked] = this.servers
    const ranges = (await asked?.admin.cluster('SLOTS')) ?? []
    const port = ranges.find(([first, last]) => first <= slot && slot <= last)?.[2]?.[1]
    const found = this.servers.find((server) => server.port === port)
    if (!found) throw new Error(`no server has the slot ${slot}`)
    return found
  }

  /** Moves a slot, with its keys, to another master. */
  async move(slot: number, to: ClusterServer): Promise<void> {
    const from = await this.masterOf(slot)
    if (from === to) return
    const [fromId, toId] = [await from.id(), await to.id()]
    await to.admin.cluster('SETSLOT', slot, 'IMPORTING', fromId)
    await from.admin.cluster('SETSLOT', slot, 'MIGRATING', toId)
    for (;;) {
      const keys = (await from.admin.cluster('GETKEYSINSLOT', slot, 100)) as string[]
      if (keys.length === 0) break
      await from.admin.call('MIGRATE', '127.0.0.1', to.port, '', 0, 5_000, 'KEYS', ...keys)
    }
    await to.admin.cluster('SETSLOT', slot, 'NODE', toId)
    await from.admin.cluster('SETSLOT', slot, 'NODE', toId)
  }

  async stop(): Promise<void> {
    for (const server of this.servers) {
      server.admin.disconnect()
      await server.kill()
    }
    await rm(this.#directory, { recursive: true, force: true })
  }
}
