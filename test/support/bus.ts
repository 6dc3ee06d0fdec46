// A bus, opened as a node opens it, for the suite that both implementations share.

import { inject } from 'vitest'
import type { Bus, Form } from '../../src/bus/bus.ts'
import { openMemoryBus } from '../../src/bus/memory.ts'
import { openRedisBus } from '../../src/bus/redis.ts'
import { redisWords } from '../../src/bus/redis-faults.ts'
import { createSeal } from '../../src/bus/seal.ts'
import { deriveKeys, type Secrets } from '../../src/keys.ts'
import { openLog } from '../../src/log/log.ts'
import { Outage } from '../../src/log/outage.ts'
import { RepeatLog } from '../../src/log/repeats.ts'
import { closeAtEnd } from './node.ts'

export const silent = openLog('silent', 'test')
export const repeats = new RepeatLog(silent)
closeAtEnd(async () => repeats.close())

/** A topic that carries any JSON value. */
export const anything: Form<{ readonly value: unknown }> = { parse: (value) => ({ value }), isSigned: true }

export const memoryBus = (): Bus => openMemoryBus(silent, repeats)
export const redisBus = (url: string = inject('redisUrl'), secrets: Secrets = 'the secret of all nodes'): Bus =>
  openRedisBus(url, createSeal(deriveKeys(secrets)), new Outage(silent, redisWords), silent, repeats)
