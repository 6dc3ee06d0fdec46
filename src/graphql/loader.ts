// Batching of look-ups: what the fields of one operation ask for in the same turn is read with one statement.

import DataLoader from 'dataloader'
import type { Context } from './context.ts'

/**
 * A look-up by key that batches within an operation. Nothing is remembered between turns: a subscription lives for days,
 * and must show what is true now.
 * @param read finds the values of distinct keys; what it leaves out is null.
 */
export function batched<Key, Value>(
  read: (context: Context, keys: readonly Key[]) => Promise<ReadonlyMap<Key, Value>>,
): (context: Context, key: Key) => Promise<Value | null> {
  const loaders = new WeakMap<Context, DataLoader<Key, Value | null>>()
  return (context, key) => {
    let loader = loaders.get(context)
    if (!loader) {
      loader = new DataLoader(
        async (keys) => {
          const values = await read(context, [...new Set(keys)])
          return keys.map((k) => values.get(k) ?? null)
        },
        { cache: false, maxBatchSize: 1_000 },
      )
      loaders.set(context, loader)
    }
    return loader.load(key)
  }
}

/** Rows by a key of theirs. */
export function by<Key, Row>(rows: readonly Row[], keyOf: (row: Row) => Key): Map<Key, Row> {
  return new Map(rows.map((row) => [keyOf(row), row]))
}

/** Rows in groups by a key of theirs, each in the order in which they came. */
export function grouped<Key, Row>(rows: readonly Row[], keyOf: (row: Row) => Key): Map<Key, Row[]> {
  const groups = new Map<Key, Row[]>()
  for (const row of rows) {
    const group = groups.get(keyOf(row))
    if (group) group.push(row)
    else groups.set(keyOf(row), [row])
  }
  return groups
}
