// The shelf: texts that a node lays down for other nodes, which fetch those that they need. Like the bus it may lose them, so a
// reader that misses one reads Postgres. One contract suite runs on all implementations: test/bus/shelf.test.ts.

import { LRUCache } from 'lru-cache'
import { entriesMax } from '../bounded.ts'
import type { RedisConnection } from './redis-connection.ts'
import type { Seal } from './seal.ts'
import { groupBySlot } from './slots.ts'

/** How long a text stays on the shelf, in seconds. */
export const shelfS = 60
/** How many texts the shelf of a single process holds. */
const heldMax = 10_000

/** A text and the key to fetch it by. In a Cluster, keys with the same text in braces are on the same master. */
export type ShelfItem = { readonly key: string; readonly text: string }

/** Texts for other nodes. */
export type Shelf = {
  /**
   * Lays down texts for 60 s. Never throws and never waits. On a single Redis they are there before what the bus publishes next.
   */
  put(items: readonly ShelfItem[]): void
  /**
   * Fetches the texts of these keys. null for those that are not there, or that no node of this installation signed. Rejects if
   * Redis does not answer within a second.
   */
  take(keys: readonly string[]): Promise<readonly (string | null)[]>
}

/** The shelf of an installation with a single process. */
export function openMemoryShelf(): Shelf {
  const texts = new LRUCache<string, string>({ ...entriesMax(heldMax), ttl: shelfS * 1_000 })
  return {
    put(items) {
      for (const { key, text } of items) texts.set(key, text)
    },
    take: async (keys) => keys.map((key) => texts.get(key) ?? null),
  }
}

/** The shelf in Redis. `drop` counts what could not be laid down. */
export function openRedisShelf(connection: RedisConnection, seal: Seal, drop: (key: string, error: unknown) => void): Shelf {
  return {
    put(items) {
      for (const [, some] of groupBySlot(items, ({ key }) => slotOf(key))) {
        const [first] = some
        // A Cluster that is not known yet would keep them all.
        if (connection.status !== 'ready') {
          if (first) drop(first.key, new Error('Redis is away'))
          continue
        }
        const pipeline = connection.pipeline()
        for (const { key, text } of some) pipeline.set(key, seal.close(key, text), 'EX', shelfS)
        pipeline.exec().then(
          (results) => {
            for (const [error] of results ?? []) if (error && first) drop(first.key, error)
          },
          (error: unknown) => first && drop(first.key, error),
        )
      }
    },
    async take(keys) {
      const found = new Map<string, string | null>()
      const groups = groupBySlot(keys, slotOf).map(([, some]) => some)
      const answers = await Promise.all(groups.map((some) => connection.mget(...some)))
      for (const [i, some] of groups.entries()) {
        for (const [k, key] of some.entries()) {
          const sealed = answers[i]?.[k] ?? null
          found.set(key, sealed === null ? null : seal.open(key, sealed))
        }
      }
      return keys.map((key) => found.get(key) ?? null)
    },
  }
}

/** The slot of a key: the text in its braces. */
const slotOf = (key: string) => /\{(.*?)\}/.exec(key)?.[1] ?? ''
