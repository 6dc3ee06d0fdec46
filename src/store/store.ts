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

/** Of those for jobs eight work, one listens, and the others are for the readers of the journal and the search index. */
const poolSizes = { shared: 10, snapshots: 4, jobs: 12 } as const

/** The open database of one node. */
export type Store = {
  /** For writes to the S tables. Never writes a J table. */
  readonly prisma: PrismaClient
  /** Reads outside any transaction; two reads promise no common snapshot. */
  readonly reader: Reader
  /** Where jobs are kept, made and worked on. Connections of their own: however many there are, the API keeps its own. */
  readonly jobs: Jobs
  /** Connections of the journal alone, so that a busy API never keeps it from appending or following. */
  readonly journalPool: pg.Pool
  /**
   * Waits until all that this node has read or written so far is on disk, and on the stand-bys that Postgres waits for (B1).
   * Fails with the driver's error.
   */
  flush(): Promise<void>
  /**
   * Runs `read` in one read-only snapshot on a connection of its own (REPEATABLE READ; ended by the server after 5 s).
   * It is on disk when it is given (B1). Its statements queue on that connection. If one of them fails, the whole snapshot fails, even where `read` caught it.
   * @throws ParleyError UNAVAILABLE when no connection is free within 5 s, or Postgres fails.
   */
  snapshot<T>(read: (reader: Reader) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/**
 * The part of the database that work in the background has for itself, as the search index and the jobs are. It connects when it is first used. Its commits do not wait
 * for the disk, so that jobs do not keep sends from it: whoever shows something outside flushes first, and what must be on disk when
 * it is over says so by `lasting`.
 */
export type Jobs = {
  readonly pool: pg.Pool
  readonly reader: Reader
  /** Runs statements in one READ COMMITTED transaction; what `work` throws takes it back. Fails with the driver's error. */
  transaction<T>(work: (reader: Reader) => Promise<T>): Promise<T>
  /** The same, and on disk when it is over. */
  lasting<T>(work: (reader: Reader) => Promise<T>): Promise<T>
}

/** Opens the pools; connects lazily. `appendLanes` sizes the journal's pool. */
export function openStore(databaseUrl: string, appendLanes: number, log: Log): Store {
  const shared = openPool(databaseUrl, 'api', poolSizes.shared, log)
  const snapshots = openPool(databaseUrl, 'snapshots', poolSizes.snapshots, log)
  const journalPool = openPool(databaseUrl, 'journal', appendLanes + 4, log)
  const jobs = openPool(databaseUrl, 'jobs', poolSizes.jobs, log, 'set synchronous_commit = off')
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
    jobs: {
      pool: jobs,
      reader: readerOn(jobs),
      transaction: (work) => transact(jobs, 'begin', work),
      lasting: (work) => transact(jobs, 'begin; set local synchronous_commit to default', work),
    },
    journalPool,
    flush: sharedFlush(journalPool),
    snapshot: (read) => readSnapshot(snapshots, read),
    async close() {
      await prisma.$disconnect()
      await Promise.all([shared, snapshots, jobs, journalPool].map((pool) => (pool.ended ? undefined : pool.end())))
    },
  }
}

async function transact<T>(pool: pg.Pool, begin: string, work: (reader: Reader) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  try {
    await client.query(begin)
    const result = await work(readerOn(client))
    await client.query('commit')
    client.release()
    return result
  } catch (error) {
    client.release(true) // whatever it was in the middle of ends with the connection
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
