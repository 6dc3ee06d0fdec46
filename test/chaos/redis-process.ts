// The Redis of a chaos run, which can be killed, frozen and emptied: a single one, or a cluster of 3 masters with a replica each, whose
// masters fail over and whose slots move.

import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { findFreePort } from '../../src/local/postgres.ts'
import type { Random } from '../support/random.ts'
import { RedisClusterProcesses } from '../support/redis-cluster.ts'
import { findRedis } from '../support/servers.ts'

/** What the nemesis does to it. Each resolves when it is whole again. */
export type ChaosRedis = {
  readonly isCluster: boolean
  /** The environment of the nodes that use it. */
  readonly environment: Readonly<Record<string, string>>
  /** Kills it, or a master, and starts it again. */
  restart(awayMs: number, random: Random): Promise<void>
  freeze(forMs: number, random: Random): Promise<void>
  empty(): Promise<void>
  /** Cuts the connections on which nodes subscribe. */
  cutSubscribers(): Promise<void>
  /** A replica takes over from its master. Only in a cluster, as the next one. */
  failOver(random: Random): Promise<void>
  /** Some slots that nodes use move to another master. */
  moveSlots(random: Random): Promise<void>
  stop(): Promise<void>
}

/** Starts a cluster. */
export async function startRedisCluster(): Promise<ChaosRedis> {
  const cluster = await RedisClusterProcesses.start(3, 1)
  const anyMaster = async (random: Random) => random.one((await cluster.masters()) as [Master, ...Master[]])
  const onMasters = async (act: (master: Master) => Promise<unknown>) => {
    for (const master of await cluster.masters()) await act(master)
  }
  return {
    isCluster: true,
    environment: cluster.environment,
    async restart(awayMs, random) {
      const master = await anyMaster(random)
      await master.kill()
      await delay(awayMs)
      master.restart()
      await cluster.whole()
    },
    async freeze(forMs, random) {
      const master = await anyMaster(random)
      master.freeze()
      await delay(forMs)
      master.thaw()
      await cluster.whole()
    },
    empty: () => onMasters(({ admin }) => admin.flushall()),
    cutSubscribers: () => onMasters(({ admin }) => admin.client('KILL', 'TYPE', 'PUBSUB')),
    async failOver(random) {
      const masters = await cluster.masters()
      const replicas = cluster.servers.filter((server) => !masters.includes(server))
      const replica = random.one(replicas as [Master, ...Master[]])
      // A replica that is not in step with its master refuses.
      await replica.admin.cluster('FAILOVER').catch(() => undefined)
      await delay(1_000)
      await cluster.whole()
    },
    async moveSlots(random) {
      for (let moved = 0; moved < 5; moved += 1) {
        const slot = Number(await cluster.servers[0]?.admin.cluster('KEYSLOT', `{${random.whole(0, 31)}}`))
        const to = await anyMaster(random)
        await cluster.move(slot, to)
      }
      await cluster.whole()
    },
    stop: () => cluster.stop(),
  }
}

type Master = RedisClusterProcesses['servers'][number]

/** A single Redis. */
export class RedisProcess implements ChaosRedis {
  readonly isCluster = false
  readonly environment: ChaosRedis['environment']
  readonly #start: () => ChildProcess
  readonly #admin: Redis
  #child: ChildProcess

  private constructor(url: string, start: () => ChildProcess) {
    this.environment = { REDIS_URL: url }
    this.#start = start
    this.#child = start()
    this.#admin = new Redis(url, { retryStrategy: () => 100, maxRetriesPerRequest: null, commandTimeout: 5_000 })
    this.#admin.on('error', () => undefined)
  }

  static async start(parent: string): Promise<RedisProcess> {
    const [binary, port] = [await findRedis(), await findFreePort()]
    const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', parent]
    return new RedisProcess(`redis://127.0.0.1:${port}`, () => spawn(binary, options, { stdio: 'ignore' }))
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

  /** Cuts the connections on which nodes subscribe. */
  async cutSubscribers(): Promise<void> {
    await this.#admin.client('KILL', 'TYPE', 'PUBSUB')
  }

  async failOver(): Promise<void> {}

  async moveSlots(): Promise<void> {}

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
