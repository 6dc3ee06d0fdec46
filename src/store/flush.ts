// The flush (B1). An append is visible before it is on disk, because the journal's lock does not wait for the disk. So a node
// flushes before it keeps, forwards or answers with what it has read from Postgres; otherwise a crash of Postgres could take
// back what a client has already seen.

import type pg from 'pg'

const text = 'call journal_flush($1::pg_lsn)'
/** Below statement_timeout: if Postgres itself ends the wait for a standby, the wait looks successful. */
const flushMs = 5_000

/**
 * Waits until everything that was visible on this Postgres up to a position in its write-ahead log (null: up to now) is on disk,
 * and on the standbys that it waits for. Call it outside transactions only.
 */
export async function flushOn(source: pg.Pool | pg.PoolClient, upto: string | null): Promise<void> {
  await source.query({ name: 'journal_flush', text, values: [upto], query_timeout: flushMs } as pg.QueryConfig)
}

/** Makes the flush of a node: callers during a flush share the next one. It rejects with the driver's error. */
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
    // The current flush may have started before the write that the caller has seen.
    next ??= running
      .catch(() => undefined)
      .then(() => {
        next = null
        return run()
      })
    return next
  }
}
