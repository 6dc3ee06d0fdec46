// Caches the payloads of items, within a bound, for devices that are a moment behind the others.

import type { Position } from '../id.ts'
import type { StreamItem } from '../journal/item.ts'
import type { EventSource } from './event.ts'
import type { MaybePromise } from './loader.ts'

/** Stands for a payload that cannot be shared: the event is executed for each viewer. */
export const perViewer = Symbol('per viewer')

/** What the executions of an event that are under way share: the source object, and the scope of their look-ups. */
export type EventExecution = { readonly event: EventSource; readonly scope: object; underWay: number }

/** An item's payloads by number. */
export type CachedItem = {
  /** The fact's tag, and the version of its row that they show; null if it has none, or it is not known. */
  readonly tag: number | null
  readonly version: Position | null
  /** When it happened, in milliseconds since 1970: the same for all executions of a tick too. */
  readonly occurredAt: number
  readonly payloads: Map<number, MaybePromise<Buffer | typeof perViewer>>
  /** When the payloads stop being right, in milliseconds since 1970; infinite if never. */
  holdsUntil: number
  /** Null if no execution is under way. */
  execution: EventExecution | null
  /** The part of the cache's bytes that this item takes. 0 if it is not cached, or no longer. */
  bytes: number
}

const cacheBytesMax = 32 * 1_048_576
/** The approximate size of an item without its payloads. */
const itemBytes = 500

/** The payloads of one node, by item. */
export class PayloadCache {
  readonly #now: () => number
  /** By a fact's position, or by the item that all streams share. The oldest come first. */
  readonly #items = new Map<Position | StreamItem, CachedItem>()
  #bytes = 0

  /** @param now the time by which payloads stop being right */
  constructor(now: () => number) {
    this.#now = now
  }

  /** The approximate size of the cache, in bytes. */
  get bytes(): number {
    return this.#bytes
  }

  forget(): void {
    for (const key of this.#items.keys()) this.#drop(key)
  }

  /**
   * The entry of an item: cached for facts from the recent log, as long as their row has this version, and for ticks that all
   * streams share. Facts replayed from Postgres and items for a single stream are not cached.
   */
  entryOf(item: StreamItem): CachedItem {
    const version = item.type === 'fact' ? item.version : null
    const tag = item.type === 'fact' ? item.fact.tag : null
    const isCached = item.type === 'fact' ? version !== null : item.type === 'tick'
    const key = item.type === 'fact' ? item.fact.position : item
    const known = isCached ? this.#items.get(key) : undefined
    if (known && known.version === version && known.tag === tag && this.#holds(known)) return known
    const occurredAt = item.type === 'fact' ? item.fact.occurredAt : Date.now()
    const entry: CachedItem = { tag, version, occurredAt, payloads: new Map(), holdsUntil: Infinity, execution: null, bytes: 0 }
    if (!isCached) return entry
    this.#drop(key)
    this.#items.set(key, entry)
    this.#count(entry, itemBytes)
    return entry
  }

  /** Stores a payload with its item, and counts it if the item is cached. */
  store(entry: CachedItem, number: number, payload: Buffer | typeof perViewer): Buffer | typeof perViewer {
    entry.payloads.set(number, payload)
    if (payload !== perViewer && entry.bytes > 0) this.#count(entry, payload.length)
    return payload
  }

  #holds({ holdsUntil }: CachedItem): boolean {
    return holdsUntil === Infinity || holdsUntil > this.#now()
  }

  /** Beyond the bound, the oldest items are dropped. */
  #count(entry: CachedItem, bytes: number): void {
    entry.bytes += bytes
    this.#bytes += bytes
    for (const key of this.#items.keys()) {
      if (this.#bytes <= cacheBytesMax) return
      this.#drop(key)
    }
  }

  #drop(key: Position | StreamItem): void {
    const entry = this.#items.get(key)
    if (!entry) return
    this.#items.delete(key)
    this.#bytes -= entry.bytes
    entry.bytes = 0
  }
}
