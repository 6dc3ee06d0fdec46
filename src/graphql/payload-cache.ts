// Caches the payloads of items, within a bound, for devices that are a moment behind the others.

import type { Fact } from '../journal/fact.ts'
import type { StreamItem } from '../journal/item.ts'
import type { Journal } from '../journal/journal.ts'
import type { NamedRow } from '../journal/named-row.ts'
import type { EventSource } from './event.ts'
import type { MaybePromise } from './loader.ts'

/** Stands for a payload that cannot be shared: the event is executed for each viewer. */
export const perViewer = Symbol('per viewer')

/** An item, and its payloads by number. */
export type CachedItem = {
  readonly row: NamedRow | undefined
  readonly event: EventSource
  /** The scope of look-ups that the executions under way share. Replaced after the last of them. */
  scope: object
  underWay: number
  readonly payloads: Map<number, MaybePromise<Buffer | typeof perViewer>>
  /** The part of the cache's bytes that this item takes. */
  bytes: number
  /** The map that it is cached in; null if it is not cached. */
  home: object | null
}

const cacheBytesMax = 32 * 1_048_576
/** The approximate size of an item without its payloads and row. */
const itemBytes = 1_000

/** The payloads of one node, by item. */
export class PayloadCache {
  readonly #journal: Journal
  #items = new Map<object, CachedItem>()
  #bytes = 0

  constructor(journal: Journal) {
    this.#journal = journal
  }

  /** The approximate size of the cache, in bytes. */
  get bytes(): number {
    return this.#bytes
  }

  forget(): void {
    this.#items = new Map()
    this.#bytes = 0
  }

  /**
   * The entry of an item: cached for facts that the node remembers, as long as they come with the same row, and for ticks that
   * all streams share. Facts replayed from Postgres and items for a single stream are not cached.
   */
  entryOf(item: StreamItem): CachedItem {
    const key: Fact | StreamItem = item.type === 'fact' ? item.fact : item
    const row = item.type === 'fact' ? item.row : undefined
    const known = this.#items.get(key)
    if (known && known.row === row) return known
    const occurredAt = item.type === 'fact' ? new Date(item.fact.occurredAt) : new Date()
    const event = { item, cursor: this.#journal.cursor(item.place), occurredAt }
    const entry: CachedItem = { row, event, scope: {}, underWay: 0, payloads: new Map(), bytes: 0, home: null }
    if (item.type === 'fact' ? !this.#journal.remembers(item.fact) : item.type !== 'tick') return entry
    if (known) {
      this.#bytes -= known.bytes
      known.home = null
    }
    this.#items.set(key, entry)
    entry.home = this.#items
    this.#count(entry, itemBytes + (row ? this.#journal.kinds.rows.bytesOf(row) : 0))
    return entry
  }

  /** Stores a payload with its item, and counts it if the item is cached. */
  store(entry: CachedItem, number: number, payload: Buffer | typeof perViewer): Buffer | typeof perViewer {
    entry.payloads.set(number, payload)
    if (payload !== perViewer) this.#count(entry, payload.length)
    return payload
  }

  /** Counts bytes. Beyond the bound it empties the whole cache: events that are needed again are executed again. */
  #count(entry: CachedItem, bytes: number): void {
    if (entry.home !== this.#items) return
    entry.bytes += bytes
    this.#bytes += bytes
    if (this.#bytes > cacheBytesMax) this.forget()
  }
}
