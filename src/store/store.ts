// The doors to Postgres: Prisma for what is written, Readers for what is shown, connections for the journal.

import { PrismaPg } from '@prisma/adapter-pg'
import pLimit from 'p-limit'
import type pg from 'pg'
import { ParleyError } from '../errors.ts'
import type { Log } from '../log.ts'
import { flushOn, sharedFlush } from './flush.ts'
import { PrismaClient } from './generated/client.ts'
import { isTransient, openPool } from './postgres.ts'
import { type Reader, readerOn } from './reader.ts'

export type { Prisma } from './generated/client.ts'
export { PrismaClient } from './generated/client.ts'

const poolSizes = { shared: 10, snapshots: 4 } as const

/** The open database of one node. */
export type Store = {
  /** For writes to the S tables. Never writes a J table. */
  readonly prisma: PrismaClient
  /** Reads outside any transaction; two reads promise no common snapshot. */
  readonly reader: Reader
  /** Connections of the journal alone, so that a busy API never keeps it from appending or following. */
  readonly journalPool: pg.Pool
  /**
   * Waits until all that this node has read or written so far is on disk, and on the stand-bys that Postgres waits for (B1).
   * Fails with the driver's error.
   */
  flush(): Promise<void>
  /**
   * Runs `work` in one transaction (READ COMMITTED) by named statements: for what writes to S tables all the time, as the
   * search index does, at a tenth of what Prisma's own transactions cost. Its statements queue on one connection.
   * Fails with the driver's error, or with what `work` fails with; nothing is written then.
   */
  transaction<T>(work: (tx: Reader) => Promise<T>): Promise<T>
  /**
   * Runs `read` in one read-only snapshot on a connection of its own (REPEATABLE READ; ended by the server after 5 s).
   * It is on disk when it is given (B1). Its statements queue on that connection. If one of them fails, the whole snapshot fails, even where `read` caught it.
   * @throws ParleyError UNAVAILABLE when no connection is free within 5 s, or Postgres fails.
   */
  snapshot<T>(read: (reader: Reader) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** Opens the pools; connects lazily. `appendLanes` sizes the journal's pool. */
export function openStore(databaseUrl: string, appendLanes: number, log: Log): Store {
  const shared = openPool(databaseUrl, 'api', poolSizes.shared, log)
  const snapshots = openPool(databaseUrl, 'snapshots', poolSizes.snapshots, log)
  const journalPool = openPool(databaseUrl, 'journal', appendLanes + 4, log)
  const prisma = new PrismaClient({
    adapter: new PrismaPg(shared, {
      onPoolError: (error) => log.warn({ err: error }, 'a Postgres connection was lost'),
      onConnectionError: (error) => log.warn({ err: error }, 'a Postgres connection failed'),
    }),
    transactionOptions: { maxWait: 5_000, timeout: 10_000 },
  })
  return {
    prisma,
    reader: readerOn(shared),
    journalPool,
    flush: sharedFlush(journalPool),
    transaction: (work) => runTransaction(shared, work),
    snapshot: (read) => readSnapshot(snapshots, read),
    async close() {
      await prisma.$disconnect()
      await Promise.all([shared, snapshots, journalPool].map((pool) => (pool.ended ? undefined : pool.end())))
    },
  }
}

async function runTransaction<T>(pool: pg.Pool, work: (tx: Reader) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    const result = await work(readerOn(client))
    await client.query('commit')
    client.release()
    return result
  } catch (error) {
    client.release(true) // the connection ends, and the transaction with it
    throw error
  }
}

async function readSnapshot<T>(pool: pg.Pool, read: (reader: Reader) => Promise<T>): Promise<T> {
  let client: pg.PoolClient | undefined
  let failure: unknown
  let isOver = false
  try {
    client = await pool.connect()
    await client.query('begin isolation level repeatable read read only')
    // The first look takes the snapshot: what it shows was written before this place of the log.
    const look = "select set_config('statement_timeout', '5s', true), pg_current_wal_insert_lsn()::text as upto"
    const { rows } = await client.query<{ upto: string }>(look)
    const inner = readerOn(client)
    const turn = pLimit(1) // the driver takes one statement at a time
    const result = await read({
      rows: (statement, values) =>
        turn(async () => {
          // A field that failed ends an execution while others still read; the connection may be somebody else's by now.
          if (isOver) throw new ParleyError('UNAVAILABLE', 'The snapshot is over')
          return inner.rows(statement, values)
        }).catch((error: unknown) => {
          failure ??= error
          throw error
        }),
    })
    isOver = true
    if (failure !== undefined) throw failure
    await client.query('commit')
    await flushOn(client, rows[0]?.upto ?? null)
    client.release()
    return result
  } catch (error) {
    isOver = true
    client?.release(true)
    if (!isTransient(failure ?? error)) throw failure ?? error
    throw new ParleyError('UNAVAILABLE', 'The snapshot could not be read', { cause: failure ?? error })
  }
}
