// The bus over pub/sub of Redis (or Valkey). It has two connections: the subscriber waits for Redis as long as it takes, the
// publisher never waits. Otherwise one command to a dead Redis would hold its caller for over a minute, and a late failure to
// unsubscribe would end the process. A connection that is open but dead is noticed within two seconds.

import { setTimeout as delay } from 'node:timers/promises'
import { RedisPubSub } from 'graphql-redis-subscriptions'
import { Redis } from 'ioredis'
import type { Log } from '../log/log.ts'
import type { Outage } from '../log/outage.ts'
import type { RepeatLog } from '../log/repeats.ts'
import type { Bus } from './bus.ts'
import { answerMs, keepPinging, reportTo } from './heartbeat.ts'
import { Reception } from './reception.ts'
import { redisFaultOf } from './redis-faults.ts'
import type { Seal } from './seal.ts'

const acknowledgementMs = 2_000
/** How many bytes may wait in the publisher's socket; with more, it drops messages. */
const unsentMax = 4_194_304
const reconnectMs = { first: 50, longest: 2_000 } as const

/** Opens both connections; does not wait for them. */
export function openRedisBus(redisUrl: string, seal: Seal, outage: Outage, log: Log, repeats: RepeatLog): Bus {
  const retryStrategy = (attempt: number) => Math.min(reconnectMs.first * 2 ** attempt, reconnectMs.longest)
  const shared = { retryStrategy, connectTimeout: 2_000, socketTimeout: answerMs }
  const subscriber = new Redis(redisUrl, { ...shared, maxRetriesPerRequest: null })
  const publisher = new Redis(redisUrl, {
    ...shared,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: 1_000,
  })
  const stopPinging = [subscriber, publisher].map(keepPinging)
  reportTo(subscriber, 'subscriber', outage)
  reportTo(publisher, 'publisher', outage)
  for (const command of ['subscribe', 'unsubscribe', 'punsubscribe'] as const) ignoreLateFailures(subscriber, command)
  // The library must pass text through unchanged: the seal covers exactly these bytes.
  const asItIs = { serializer: String, deserializer: String }
  const pubSub = new RedisPubSub({ subscriber, publisher, ...asItIs })
  const reception = new Reception(log, repeats, seal)
  let dropped = 0
  const drop = (topic: string, error: unknown) => {
    dropped += 1
    const fault = redisFaultOf(error)
    if (fault !== null) repeats.note('warn', fault, { topic, fault }, 'Redis refuses what this node publishes')
    else log.debug({ err: error, topic }, 'a message to other nodes was dropped')
  }

  return {
    publish(topic, message) {
      // Despite its type, the stream is undefined before the first connection.
      const unsent = (publisher.stream as typeof publisher.stream | undefined)?.writableLength ?? 0
      if (unsent > unsentMax) drop(topic, new Error('Redis takes nothing'))
      else pubSub.publish(topic, seal.close(topic, JSON.stringify(message))).catch((error: unknown) => drop(topic, error))
    },
    async subscribe(topic, form, listener) {
      let isEnded = false
      const receive = (text: string) => {
        if (!isEnded) reception.open(topic, form, text, listener)
      }
      // Unsubscribing before the acknowledgement throws inside the library, so it waits for this promise.
      const acknowledged = pubSub.subscribe(topic, receive).catch((error: unknown) => {
        const fault = redisFaultOf(error) ?? String(error)
        repeats.note('warn', fault, { topic, fault }, 'Redis does not let this node subscribe to a topic')
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
    malformed: () => reception.malformed,
    refused: () => reception.refused,
    async close() {
      for (const stop of stopPinging) stop()
      subscriber.disconnect()
      publisher.disconnect()
    },
  }
}

/**
 * The libraries float the promises of these commands (ioredis that of `subscribe`, when it subscribes again after a
 * reconnection): if the connection closes before they settle, they would be unhandled rejections.
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
