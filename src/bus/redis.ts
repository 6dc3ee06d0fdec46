// The bus over pub/sub of Redis (or Valkey); in a Redis Cluster over sharded pub/sub, in which a message goes only to the subscribers
// of its slot. It has two connections: the subscriber waits for Redis as long as it takes, the publisher never waits. Otherwise one
// command to a dead Redis would hold its caller for over a minute, and a late failure to unsubscribe would end the process. A
// connection that is open but dead is noticed within two seconds.

import { setTimeout as delay } from 'node:timers/promises'
import { RedisPubSub } from 'graphql-redis-subscriptions'
import { Cluster } from 'ioredis'
import type { Clock } from '../clock.ts'
import type { RedisSettings } from '../config/redis-settings.ts'
import type { Log } from '../log/log.ts'
import type { Outage } from '../log/outage.ts'
import type { RepeatLog } from '../log/repeats.ts'
import { type BoardCommands, boardScripts, openRedisBoard } from './board.ts'
import type { Bus } from './bus.ts'
import { keepPinging, reportTo } from './heartbeat.ts'
import { Reception } from './reception.ts'
import { connectRedis, type RedisConnection, unsentBytes } from './redis-connection.ts'
import { redisFaultOf } from './redis-faults.ts'
import type { Seal } from './seal.ts'
import { openRedisShelf } from './shelf.ts'
import { slotsOf } from './slots.ts'

const acknowledgementMs = 2_000
/** How many bytes may wait in the publisher's socket; with more, it drops messages. */
const unsentMax = 4_194_304

/** Opens both connections; does not wait for them. */
export function openRedisBus(
  settings: RedisSettings,
  seal: Seal,
  clock: Clock,
  outage: Outage,
  log: Log,
  repeats: RepeatLog,
): Bus {
  const slots = slotsOf(settings)
  const kind = settings.mode === 'cluster' ? 'cluster' : 'single'
  const subscriber = connectRedis(settings, { subscribes: true })
  const publisher = connectRedis(settings, { scripts: boardScripts }) as RedisConnection & BoardCommands
  const beatTopics = slots.all.map((slot) => `parley:beat:${slot}`)
  const stopPinging = [keepPinging(subscriber, beatTopics), keepPinging(publisher)]
  reportTo(subscriber, 'subscriber', outage)
  reportTo(publisher, 'publisher', outage)
  for (const connection of [subscriber, publisher]) if (connection instanceof Cluster) useShardedTopics(connection)
  for (const command of ['subscribe', 'unsubscribe', 'punsubscribe'] as const) ignoreLateFailures(subscriber, command)
  // The library must pass text through unchanged: the seal covers exactly these bytes.
  const asItIs = { serializer: String, deserializer: String }
  const messageEventName = kind === 'cluster' ? 'smessage' : 'message'
  const pubSub = new RedisPubSub({ subscriber, publisher, messageEventName, ...asItIs })
  const reception = new Reception(log, repeats, seal)
  let dropped = 0
  const drop = (topic: string, error: unknown) => {
    dropped += 1
    const fault = redisFaultOf(error, kind)
    if (fault !== null) repeats.note('warn', fault, { topic, fault }, 'Redis refuses what this node publishes')
    else log.debug({ err: error, topic }, 'a message to other nodes was dropped')
  }

  const shelf = openRedisShelf(publisher, seal, drop)
  return {
    shelf: {
      put: (items) => (unsentBytes(publisher) > unsentMax ? undefined : shelf.put(items)),
      take: (keys) => shelf.take(keys),
    },
    board: openRedisBoard(publisher, seal, clock),
    slots,
    publish(topic, message) {
      if (unsentBytes(publisher) > unsentMax) drop(topic, new Error('Redis takes nothing'))
      else pubSub.publish(topic, seal.close(topic, JSON.stringify(message))).catch((error: unknown) => drop(topic, error))
    },
    async subscribe(topic, form, listener) {
      let isEnded = false
      const receive = (text: string) => {
        if (!isEnded) reception.open(topic, form, text, listener)
      }
      // Unsubscribing before the acknowledgement throws inside the library, so it waits for this promise.
      const acknowledged = pubSub.subscribe(topic, receive).catch((error: unknown) => {
        const fault = redisFaultOf(error, kind) ?? String(error)
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
      for (const event of ['ready', 'close', ...clusterInterruptions]) subscriber.on(event, listener)
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

/** In a Cluster, what a lost or new connection to one of its masters is called. */
const clusterInterruptions = ['-node', 'subscribersReady'] as const

/** Makes the commands of topics those of sharded topics, for the library. No topic is a pattern. */
function useShardedTopics(cluster: Cluster): void {
  Object.assign(cluster, {
    publish: cluster.spublish.bind(cluster),
    subscribe: cluster.ssubscribe.bind(cluster),
    unsubscribe: cluster.sunsubscribe.bind(cluster),
    punsubscribe: async () => 0,
  })
}

/**
 * The libraries float the promises of these commands (ioredis that of `subscribe`, when it subscribes again after a
 * reconnection): if the connection closes before they settle, they would be unhandled rejections.
 */
function ignoreLateFailures(connection: RedisConnection, command: 'subscribe' | 'unsubscribe' | 'punsubscribe'): void {
  const send = connection[command].bind(connection) as (...topics: string[]) => Promise<unknown>
  const quiet = (...topics: string[]) => {
    const sent = send(...topics)
    sent.catch(() => undefined)
    return sent
  }
  Object.assign(connection, { [command]: quiet })
}
