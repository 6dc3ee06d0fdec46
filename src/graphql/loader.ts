// Look-ups by key: what the fields of one operation ask for in the same turn is read with one statement, and what does not
// depend on who looks is read once for all who are shown the same event.

import DataLoader from 'dataloader'
import { LRUCache } from 'lru-cache'
import { entriesMax } from '../bounded.ts'
import type { Fact } from '../journal/fact.ts'
import type { App } from '../parts.ts'
import type { Reader } from '../store/reader.ts'
import type { Context } from './context.ts'

/** A value, or the promise of one: an event whose rows are all known is executed without a single turn. */
export type MaybePromise<T> = T | Promise<T>

/** Goes on with a value: at once where it is there. */
export function mapMaybePromise<T, R>(value: MaybePromise<T>, next: (value: T) => MaybePromise<R>): MaybePromise<R> {
  return value instanceof Promise ? value.then(next) : next(value)
}

/** A look-up by key. */
export type Finder<Key, Value> = {
  /** The value of a key, null for none: at once where it is known. */
  (context: Context, key: Key): MaybePromise<Value | null>
  /** Makes values known for the rest of this turn: of a page of fifty, each is then there without a promise. */
  prime(context: Context, values: ReadonlyMap<Key, Value>): void
  /** Looks values up with one statement, and makes them known. */
  prepare(context: Context, keys: readonly Key[]): Promise<void>
}

/**
 * A look-up by key for the viewer of an operation. Nothing is remembered between turns.
 * @param read finds the values of distinct keys; what it leaves out is null.
 */
export function viewerLoader<Key, Value>(
  read: (context: Context, keys: readonly Key[]) => Promise<ReadonlyMap<Key, Value>>,
): Finder<Key, Value> {
  const loaderOf = loaders(read)
  return finder((context, key) => loaderOf(context, context, false).load(key))
}

/**
 * A look-up by key that does not depend on who looks, so that operations which ask in the same turn are read for together: the
 * answers to a batch of sends, say. Nothing is remembered between turns, except in the scope of one event: it is executed for
 * several questions and viewers, and shows the same to all.
 * @param read finds the values of distinct keys; what it leaves out is null.
 */
export function sharedLoader<Key, Value>(
  read: (reader: Reader, keys: readonly Key[]) => Promise<ReadonlyMap<Key, Value>>,
): Finder<Key, Value> {
  const loaderOf = loaders(read)
  return finder((context, key) => {
    // What reads in its own way, in a snapshot or within a bound, is neither read for by others nor reads for them.
    const scope = context.scope ?? (context.reader === context.app.store.reader ? context.app : context)
    return loaderOf(scope, context.reader, context.scope !== null).load(key)
  })
}

function finder<Key, Value>(find: (context: Context, key: Key) => MaybePromise<Value | null>): Finder<Key, Value> {
  const known = new WeakMap<Context, ReadonlyMap<Key, Value>>()
  const prime = (context: Context, values: ReadonlyMap<Key, Value>) => {
    if (!known.has(context)) setImmediate(() => known.delete(context))
    known.set(context, new Map([...(known.get(context) ?? []), ...values]))
  }
  const prepare = async (context: Context, keys: readonly Key[]) => {
    const distinct = [...new Set(keys)]
    const found = await Promise.all(distinct.map((key) => find(context, key)))
    const pairs = distinct.flatMap((key, i) => (found[i] == null ? [] : [[key, found[i]] as const]))
    prime(context, new Map(pairs))
  }
  return Object.assign((context: Context, key: Key) => known.get(context)?.get(key) ?? find(context, key), { prime, prepare })
}

/** One loader for each scope. It reads from the source that its scope was first asked with, and all of one scope have the same. */
function loaders<Source, Key, Value>(read: (source: Source, keys: readonly Key[]) => Promise<ReadonlyMap<Key, Value>>) {
  const known = new WeakMap<object, DataLoader<Key, Value | null>>()
  return (scope: object, source: Source, cache: boolean) => {
    let loader = known.get(scope)
    if (!loader) {
      const made: DataLoader<Key, Value | null> = new DataLoader(
        async (keys) => {
          try {
            const values = await read(source, [...new Set(keys)])
            return keys.map((key) => values.get(key) ?? null)
          } catch (error) {
            for (const key of keys) made.clear(key) // a fault is told once, and not remembered
            throw error
          }
        },
        { cache, maxBatchSize: 1_000 },
      )
      loader = made
      known.set(scope, loader)
    }
    return loader
  }
}

/** How many rows of one kind a node remembers for its events. */
const rememberedMax = 50_000

/**
 * A look-up of rows that do not depend on who looks, and whose every change is told by a fact: in events they are remembered
 * by the node until such a fact comes. Queries and mutations read them anew.
 * @param read finds the rows of distinct ids; what it leaves out is null, and not remembered
 * @param changedBy the id of the row that a fact tells the change of; null for none
 * @param complete adds to the rows, in events, what else has to be remembered of them. It is read after them
 */
export function cachedLoader<Row extends object>(
  read: (reader: Reader, ids: readonly number[]) => Promise<ReadonlyMap<number, Row>>,
  changedBy: (fact: Fact) => number | null,
  complete: (reader: Reader, rows: ReadonlyMap<number, Row>) => MaybePromise<ReadonlyMap<number, Row>> = (_, rows) => rows,
): Finder<number, Row> {
  const find = sharedLoader(read)
  const memories = new WeakMap<App, Memory<Row>>()
  const memoryOf = (app: App) => {
    const memory = memories.get(app) ?? new Memory<Row>(app, changedBy)
    memories.set(app, memory)
    return memory
  }
  const loaderOf = loaders(async ({ app, reader }: Context, ids: readonly number[]) => {
    const memory = memoryOf(app)
    const { changes } = memory
    const rows = await complete(reader, await read(reader, ids))
    // A row that was read while something changed may be the one before the change.
    if (memory.changes === changes) for (const [id, row] of rows) memory.rows.set(id, row)
    return rows
  })
  const lookUp = (context: Context, id: number) =>
    context.scope === null
      ? find(context, id)
      : (memoryOf(context.app).rows.get(id) ?? loaderOf(context.scope, context, true).load(id))
  return Object.assign(lookUp, { prime: find.prime, prepare: find.prepare })
}

/** The rows of one kind that a node remembers. Facts are heard of before any stream is given them. */
class Memory<Row extends object> {
  readonly rows = new LRUCache<number, Row>(entriesMax(rememberedMax))
  changes = 0

  constructor({ journal }: App, changedBy: (fact: Fact) => number | null) {
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

/** Rows by a key of theirs. */
export function indexBy<Key, Row>(rows: readonly Row[], keyOf: (row: Row) => Key): Map<Key, Row> {
  return new Map(rows.map((row) => [keyOf(row), row]))
}

/** Rows in groups by a key of theirs, each in the order in which they came. */
export function groupBy<Key, Row>(rows: readonly Row[], keyOf: (row: Row) => Key): Map<Key, Row[]> {
  const groups = new Map<Key, Row[]>()
  for (const row of rows) {
    const group = groups.get(keyOf(row))
    if (group) group.push(row)
    else groups.set(keyOf(row), [row])
  }
  return groups
}
