// Counters that all nodes share: how often something happened for a key within a period. They are in Redis; while Redis does not
// answer within 100 ms, and without Redis, each node counts in its own memory. Keys are hashed, because they name accounts and
// addresses.

import { createHash } from 'node:crypto'
import { channel } from 'node:diagnostics_channel'
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import type { RedisSettings } from '../config/redis-settings.ts'
import { ParleyError } from '../errors.ts'
import type { Outage } from '../log/outage.ts'
import { reportTo } from './heartbeat.ts'
import { connectRedis } from './redis-connection.ts'

/** A limit: at most `most` times for one key within `periodS` seconds, from the first time on. */
export type CountLimit = { readonly name: string; readonly most: number; readonly periodS: number }

/** The counters of a node. No method rejects because Redis is away. */
export type Counters = {
  /**
   * Counts one more, or `times` more.
   * @returns 0 if that is within the limit, otherwise how many milliseconds are left of the period
   */
  count(limit: CountLimit, key: string, times?: number): Promise<number>
  /** Takes as many back. */
  uncount(limit: CountLimit, key: string, times?: number): Promise<void>
  /** Forgets what was counted. */
  forget(limit: CountLimit, key: string): Promise<void>
  close(): Promise<void>
}

/** A limit was reached, and something was refused: `{ limit }`, its name. */
export const limitReached = channel('parley:limit.reached')

const answerMs = 100

type Limiter = Pick<RateLimiterMemory, 'consume' | 'reward' | 'delete'>

/** Counters in the memory of this node. */
export function openMemoryCounters(): Counters {
  return countersOf(({ most, periodS }) => new RateLimiterMemory({ keyPrefix: '', points: most, duration: periodS }))
}

/** Counters in Redis. `prefix` makes the keys of this installation. */
export function openRedisCounters(settings: RedisSettings, prefix: () => string, outage: Outage): Counters {
  const redis = connectRedis(settings, { commandMs: answerMs })
  reportTo(redis, 'counters', outage)
  const make = ({ most, periodS }: CountLimit) =>
    new RateLimiterRedis({
      storeClient: redis,
      // The whole key comes from keyOf: an ACL may allow `parley:*` alone.
      keyPrefix: '',
      points: most,
      duration: periodS,
      rejectIfRedisNotReady: true,
      insuranceLimiter: new RateLimiterMemory({ keyPrefix: '', points: most, duration: periodS }),
    })
  return countersOf(make, prefix, async () => redis.disconnect())
}

function countersOf(make: (limit: CountLimit) => Limiter, prefix = () => '', close = async () => {}): Counters {
  const limiters = new Map<string, Limiter>()
  const limiterOf = (limit: CountLimit) => {
    const limiter = limiters.get(limit.name) ?? make(limit)
    limiters.set(limit.name, limiter)
    return limiter
  }
  const keyOf = ({ name }: CountLimit, key: string) =>
    `${prefix()}:${name}:${createHash('sha256').update(key).digest('base64url').slice(0, 22)}`
  return {
    async count(limit, key, times = 1) {
      try {
        await limiterOf(limit).consume(keyOf(limit, key), times)
        return 0
      } catch (error) {
        if (!(error instanceof RateLimiterRes)) throw error
        limitReached.publish({ limit: limit.name })
        return Math.max(1, Math.ceil(error.msBeforeNext))
      }
    },
    async uncount(limit, key, times = 1) {
      await limiterOf(limit).reward(keyOf(limit, key), times)
    },
    async forget(limit, key) {
      await limiterOf(limit).delete(keyOf(limit, key))
    },
    close,
  }
}

/** What `limited` counts, and the message of its refusal. */
export type Counted = {
  readonly limit: CountLimit
  readonly key: string
  readonly times?: number
  readonly refusal: string
  /** Whether an outcome counts: the result, or the error. By default only results do. */
  isCounted?(outcome: unknown): boolean
}

/**
 * Runs an action that may happen only so often. It counts from the start, so that concurrent ones count too.
 * @throws ParleyError RATE_LIMITED; any error of `act`
 */
export async function limited<T>(counters: Counters, counted: Counted, act: () => Promise<T>): Promise<T> {
  const { limit, key, times = 1, refusal, isCounted = (outcome) => !(outcome instanceof Error) } = counted
  const retryAfterMs = await counters.count(limit, key, times)
  if (retryAfterMs > 0) {
    if (times > 1) await counters.uncount(limit, key, times) // fewer may still be within the limit
    throw new ParleyError('RATE_LIMITED', refusal, { retryAfterMs })
  }
  try {
    const result = await act()
    if (!isCounted(result)) await counters.uncount(limit, key, times)
    return result
  } catch (error) {
    if (!isCounted(error)) await counters.uncount(limit, key, times)
    throw error
  }
}
