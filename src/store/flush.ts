// The flush (B1). An append is visible before it is on disk: the journal's lock does not wait for that. So what is read from
// Postgres and then kept, handed on or answered by waits for a flush first; else a Postgres that crashes could take back what
// somebody was told.

import type pg from 'pg'

const text = 'call journal_flush($1::pg_lsn)'
/** Below statement_timeout: a wait for a stand-by that Postgres breaks off itself would look like one that was met. */
const flushMs = 5_000

/**
 * Waits until all that was visible on this Postgres up to a place of its log (null: up to now) is on disk, and on the
 * stand-bys that it waits for. Outside any transaction only.
 */
export async function flushOn(source: pg.Pool | pg.PoolClient, upto: string | null): Promise<void> {
  await source.query({ name: 'journal_flush', text, values: [upto], query_timeout: flushMs } as pg.QueryConfig)
}

/** Makes the flush of a node: who asks while one is under way shares the next one. Fails with the driver's error. */
export function sharedFlush(pool: pg.Pool): () => Promise<void> {
  let running: Promise<void> | null = null
  let next: Promise<void> | null = null
  const run = () => {
    running = flushOn(pool, null).finally(() => {
      running = null
    })
    return running
  }
  return () => {
    if (!running) return run()
    // The one under way may have begun before that was written which the caller has seen.
    next ??= running
      .catch(() => undefined)
      .then(() => {
        next = null
        return run()
      })
    return next
  }
}
