// The bus over Redis pub/sub (or Valkey). Two connections: the subscriber waits for Redis as long as it takes, the publisher
// never waits: without that, one request to a dead Redis holds its caller for over a minute, and an unsubscription that
// fails later ends the process. A connection that is open and dead is noticed within two seconds.

import { setTimeout as delay } from 'node:timers/promises'
import { RedisPubSub } from 'graphql-redis-subscriptions'
import { Redis } from 'ioredis'
import type { Log } from '../log.ts'
import type { Bus } from './bus.ts'
import { answerMs, keepAsking } from './heartbeat.ts'

const acknowledgementMs = 2_000
/** What may wait in the publisher's socket; beyond it nothing more is published. */
const unsentMax = 4_194_304
const reconnectMs = { first: 50, longest: 2_000 } as const

/** Opens both connections; does not wait for them. */
export function openRedisBus(redisUrl: string, log: Log): Bus {
  const retryStrategy = (attempt: number) => Math.min(reconnectMs.first * 2 ** attempt, reconnectMs.longest)
  const shared = { retryStrategy, connectTimeout: 2_000, socketTimeout: answerMs }
  const subscriber = new Redis(redisUrl, { ...shared, maxRetriesPerRequest: null })
  const publisher = new Redis(redisUrl, {
    ...shared,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: 1_000,
  })
  const silences = [subscriber, publisher].map(keepAsking)
  for (const [role, connection] of Object.entries({ subscriber, publisher })) {
    connection.on('error', (error) => log.warn({ err: error, role }, 'Redis'))
  }
  for (const command of ['subscribe', 'unsubscribe', 'punsubscribe'] as const) ignoreLateFailures(subscriber, command)
  const pubSub = new RedisPubSub({ subscriber, publisher })
  let dropped = 0
  const drop = (topic: string, error: unknown) => {
    dropped += 1
    log.debug({ err: error, topic }, 'a message to other nodes was dropped')
  }

  return {
    publish(topic, message) {
      // There is no stream before the first connection, whatever the types say.
      const unsent = (publisher.stream as typeof publisher.stream | undefined)?.writableLength ?? 0
      if (unsent > unsentMax) drop(topic, new Error('Redis takes nothing'))
      else pubSub.publish(topic, message).catch((error: unknown) => drop(topic, error))
    },
    async subscribe(topic, listener) {
      let isEnded = false
      const guarded = (message: unknown) => {
        if (isEnded) return
        try {
          listener(message)
        } catch (error) {
          log.error({ err: error, topic }, 'a listener of a topic failed')
        }
      }
      // Unsubscribing before the acknowledgement throws inside the library, so both ways out wait for this promise.
      const acknowledged = pubSub.subscribe(topic, guarded).catch((error: unknown) => {
        log.error({ err: error, topic }, 'Redis refused a subscription')
        return null
      })
      const limit = new AbortController()
      const waited = delay(acknowledgementMs, undefined, { signal: limit.signal }).catch(() => undefined)
      await Promise.race([acknowledged, waited])
      limit.abort()
      return async () => {
        isEnded = true
        void acknowledged.then((id) => {
          if (id !== null && subscriber.status !== 'end') pubSub.unsubscribe(id)
        })
      }
    },
    onInterruption(listener) {
      subscriber.on('ready', listener)
      subscriber.on('close', listener)
    },
    dropped: () => dropped,
    async close() {
      for (const silence of silences) silence()
      subscriber.disconnect()
      publisher.disconnect()
    },
  }
}

/**
 * The libraries float the promises of these commands (ioredis that of `subscribe`, when it renews what is heard after a
 * reconnection); a connection closed meanwhile would make them unhandled rejections.
 */
function ignoreLateFailures(connection: Redis, command: 'subscribe' | 'unsubscribe' | 'punsubscribe'): void {
  const send = connection[command].bind(connection) as (...topics: string[]) => Promise<unknown>
  const quiet = (...topics: string[]) => {
    const sent = send(...topics)
    sent.catch(() => undefined)
    return sent
  }
  Object.assign(connection, { [command]: quiet })
}
