// Look-ups by key. All keys that the fields of an operation look up in the same turn are read with one statement. Data that does
// not depend on the viewer is read once for all recipients of an event.

import DataLoader from 'dataloader'
import { LRUCache } from 'lru-cache'
import { entriesMax } from '../bounded.ts'
import type { Fact } from '../journal/fact.ts'
import type { App } from '../parts.ts'
import type { Reader } from '../store/reader.ts'
import type { Context } from './context.ts'

/** A value, or a promise of one: an event whose rows are all known is executed synchronously. */
export type MaybePromise<T> = T | Promise<T>

/** Calls `next` with a value: synchronously unless the value is a promise. */
export function mapMaybePromise<T, R>(value: MaybePromise<T>, next: (value: T) => MaybePromise<R>): MaybePromise<R> {
  return value instanceof Promise ? value.then(next) : next(value)
}

/** A look-up by key. */
export type Finder<Key, Value> = {
  /** Finds the value of a key, or null if there is none: synchronously if it is known. */
  (context: Context, key: Key): MaybePromise<Value | null>
  /** Makes values known for the rest of this turn, so that look-ups for each row of a page need no promise. */
  prime(context: Context, values: ReadonlyMap<Key, Value>): void
  /**
   * Looks up values with one statement and makes them known, once the caller has what it reads meanwhile, too: on another connection that
   * may come in a later turn. @returns what was read meanwhile
   */
  prepare<Other>(context: Context, keys: readonly Key[], meanwhile: MaybePromise<Other>): Promise<Other>
}

/**
 * A look-up by key for the viewer of an operation. It remembers nothing between turns.
 * @param read finds the values of distinct keys; missing ones are null
 */
export function viewerLoader<Key, Value>(
  read: (context: Context, keys: readonly Key[]) => Promise<ReadonlyMap<Key, Value>>,
): Finder<Key, Value> {
  const load = loaders(read)
  return finder((context, key) => load(context, context, false, key))
}

/**
 * A look-up by key that does not depend on the viewer. One read serves all operations of the same turn, such as the answers to a
 * batch of sends. It remembers nothing between turns, except in the scope of one event, whose executions for several operation
 * keys and viewers show the same data.
 * @param read finds the values of distinct keys; missing ones are null
 */
export function sharedLoader<Key, Value>(
  read: (reader: Reader, keys: readonly Key[]) => Promise<ReadonlyMap<Key, Value>>,
): Finder<Key, Value> {
  const load = loaders(read)
  return finder((context, key) => {
    // An operation with a reader of its own, such as a snapshot, does not share reads with other operations.
    const scope = context.scope ?? (context.reader === context.app.store.reader ? context.app : context)
    return load(scope, context.reader, context.scope !== null, key)
  })
}

function finder<Key, Value>(find: (context: Context, key: Key) => MaybePromise<Value | null>): Finder<Key, Value> {
  const known = new WeakMap<Context, ReadonlyMap<Key, Value>>()
  const prime = (context: Context, values: ReadonlyMap<Key, Value>) => {
    if (!known.has(context)) setImmediate(() => known.delete(context))
    known.set(context, new Map([...(known.get(context) ?? []), ...values]))
  }
  const prepare = async <Other>(context: Context, keys: readonly Key[], meanwhile: MaybePromise<Other>) => {
    const distinct = [...new Set(keys)]
    const [found, other] = await Promise.all([Promise.all(distinct.map((key) => find(context, key))), meanwhile])
    const pairs = distinct.flatMap((key, i) => (found[i] == null ? [] : [[key, found[i]] as const]))
    prime(context, new Map(pairs))
    return other
  }
  return Object.assign((context: Context, key: Key) => known.get(context)?.get(key) ?? find(context, key), { prime, prepare })
}

/** Creates one loader per scope. All calls in a scope have the same source. */
function loaders<Source, Key, Value>(read: (source: Source, keys: readonly Key[]) => Promise<ReadonlyMap<Key, Value>>) {
  const known = new WeakMap<object, ScopeLoader<Source, Key, Value>>()
  return (scope: object, source: Source, cache: boolean, key: Key): Promise<Value | null> => {
    let loader = known.get(scope)
    if (!loader) {
      loader = new ScopeLoader(read, cache)
      known.set(scope, loader)
    }
    return loader.load(source, key)
  }
}

/**
 * The loader of a scope. It knows its source only until its batches of this turn have begun to read: the source is the scope or
 * leads to it, and V8's minor collections keep an entry of a WeakMap whose value leads to its key. Every operation would stay in
 * memory until a major one (docs/adr/0021-what-a-delivery-costs.md).
 */
class ScopeLoader<Source, Key, Value> {
  readonly #read: (source: Source, keys: readonly Key[]) => Promise<ReadonlyMap<Key, Value>>
  readonly #loader: DataLoader<Key, Value | null>
  #source: Source | null = null

  constructor(read: (source: Source, keys: readonly Key[]) => Promise<ReadonlyMap<Key, Value>>, cache: boolean) {
    this.#read = read
    this.#loader = new DataLoader((keys) => this.#readBatch(keys), { cache, maxBatchSize: 1_000 })
  }

  load(source: Source, key: Key): Promise<Value | null> {
    if (this.#source === null) {
      this.#source = source
      // DataLoader begins its batches in the next tick after the promises, so before this.
      setImmediate(() => {
        this.#source = null
      })
    }
    return this.#loader.load(key)
  }

  async #readBatch(keys: readonly Key[]): Promise<(Value | null)[]> {
    try {
      if (this.#source === null) throw new Error('a batch began after its turn')
      const values = await this.#read(this.#source, [...new Set(keys)])
      return keys.map((key) => values.get(key) ?? null)
    } catch (error) {
      for (const key of keys) this.#loader.clear(key) // do not remember failures
      throw error
    }
  }
}

/** The most rows of one kind that a node caches for its events. */
const rememberedMax = 50_000

/**
 * A look-up of rows that do not depend on the viewer and whose every change makes a fact. For events, the node caches them until
 * such a fact comes. Queries and mutations read them again.
 * @param read finds the rows of distinct IDs; missing ones are null and not cached
 * @param changedBy the ID of the row that a fact changes; null for none
 * @param complete for events, adds further data to the rows before they are cached. It runs after `read`
 */
export function cachedLoader<Id extends number, Row extends object>(
  read: (reader: Reader, ids: readonly Id[]) => Promise<ReadonlyMap<Id, Row>>,
  changedBy: (fact: Fact) => Id | null,
  complete: (reader: Reader, rows: ReadonlyMap<Id, Row>) => MaybePromise<ReadonlyMap<Id, Row>> = (_, rows) => rows,
): Finder<Id, Row> {
  const find = sharedLoader(read)
  const memories = new WeakMap<App, Memory<Id, Row>>()
  const memoryOf = (app: App) => {
    const memory = memories.get(app) ?? new Memory<Id, Row>(app, changedBy)
    memories.set(app, memory)
    return memory
  }
  const load = loaders(async ({ app, reader }: Context, ids: readonly Id[]) => {
    const memory = memoryOf(app)
    const { changes } = memory
    const rows = await complete(reader, await read(reader, ids))
    // If any row changed during the read, the rows may be from before the change.
    if (memory.changes === changes) for (const [id, row] of rows) memory.rows.set(id, row)
    return rows
  })
  const lookUp = (context: Context, id: Id) =>
    context.scope === null ? find(context, id) : (memoryOf(context.app).rows.get(id) ?? load(context.scope, context, true, id))
  return Object.assign(lookUp, { prime: find.prime, prepare: find.prepare })
}

/** A node's cache of rows of one kind. It sees each fact before any stream does. */
class Memory<Id extends number, Row extends object> {
  readonly rows = new LRUCache<Id, Row>(entriesMax(rememberedMax))
  changes = 0

  constructor({ journal }: App, changedBy: (fact: Fact) => Id | null) {
    journal.onFact((fact) => {
      const id = changedBy(fact)
      if (id === null) return
      this.rows.delete(id)
      this.changes += 1
    })
    journal.onRestart(() => {
      this.rows.clear()
      this.changes += 1
    })
  }
}

/** Indexes rows by key. */
export function indexBy<Key, Row>(rows: readonly Row[], keyOf: (row: Row) => Key): Map<Key, Row> {
  return new Map(rows.map((row) => [keyOf(row), row]))
}

/** Groups rows by key. Each group keeps the order of the rows. */
export function groupBy<Key, Row>(rows: readonly Row[], keyOf: (row: Row) => Key): Map<Key, Row[]> {
  const groups = new Map<Key, Row[]>()
  for (const row of rows) {
    const group = groups.get(keyOf(row))
    if (group) group.push(row)
    else groups.set(keyOf(row), [row])
  }
  return groups
}
