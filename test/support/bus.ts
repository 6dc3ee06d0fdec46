// A bus, opened as a node opens it, and the carriers that the contract suites run on.

import { inject } from 'vitest'
import type { Bus, Form } from '../../src/bus/bus.ts'
import { openMemoryBus } from '../../src/bus/memory.ts'
import { openRedisBus } from '../../src/bus/redis.ts'
import { redisWords } from '../../src/bus/redis-faults.ts'
import { createSeal } from '../../src/bus/seal.ts'
import { systemClock } from '../../src/clock.ts'
import type { RedisSettings } from '../../src/config/redis-settings.ts'
import { deriveKeys, type Secrets } from '../../src/keys.ts'
import { openLog } from '../../src/log/log.ts'
import { Outage } from '../../src/log/outage.ts'
import { RepeatLog } from '../../src/log/repeats.ts'
import { closeAtEnd, configOf, type Environment } from './node.ts'
import { RedisClusterProcesses } from './redis-cluster.ts'

export const silent = openLog('silent', 'test')
export const repeats = new RepeatLog(silent)
closeAtEnd(async () => repeats.close())

/** A topic that carries any JSON value. */
export const anything: Form<{ readonly value: unknown }> = { parse: (value) => ({ value }), isSigned: true }

/** The settings of the Redis of these variables. */
export function redisOf(environment: Environment): RedisSettings {
  const { redis } = configOf(environment)
  if (redis === null) throw new Error('these variables name no Redis')
  return redis
}

/** The settings of a single Redis: that of the tests unless another is given. */
export const redisAt = (url: string = inject('redisUrl')) => redisOf({ REDIS_URL: url })

export const memoryBus = (): Bus => openMemoryBus(systemClock, silent, repeats)
export const redisBus = (url: string = inject('redisUrl'), secrets: Secrets = 'the secret of all nodes'): Bus =>
  busOn(redisAt(url), secrets)
export const busOn = (settings: RedisSettings, secrets: Secrets = 'the secret of all nodes'): Bus =>
  openRedisBus(settings, createSeal(deriveKeys(secrets)), systemClock, new Outage(silent, redisWords), silent, repeats)

/** What a contract suite runs on: a name, and a function that gives the settings of a Redis; null for the memory of a process. */
export type Carrier = readonly [name: string, open: () => Promise<RedisSettings | null>]

let cluster: Promise<RedisClusterProcesses> | undefined

/** The cluster of this test file, started when it is first asked for. */
export function clusterOfFile(): Promise<RedisClusterProcesses> {
  cluster ??= RedisClusterProcesses.start().then((started) => {
    closeAtEnd(async () => {
      cluster = undefined
      await started.stop()
    })
    return started
  })
  return cluster
}

export const carriers: readonly Carrier[] = [
  ['memory', async () => null],
  ['Redis', async () => redisAt()],
  ['Redis Cluster', async () => redisOf((await clusterOfFile()).environment)],
]
