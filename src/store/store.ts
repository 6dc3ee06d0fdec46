// The access to Postgres: Prisma for writes to S tables, Readers for queries, and connections for the journal and for jobs.

import { setTimeout as delay } from 'node:timers/promises'
import { PrismaPg } from '@prisma/adapter-pg'
import pLimit from 'p-limit'
import type pg from 'pg'
import { ParleyError } from '../errors.ts'
import type { Log } from '../log/log.ts'
import { flushOn, sharedFlush } from './flush.ts'
import { type Prisma, PrismaClient } from './generated/client.ts'
import { journalPoolSize, poolSizes } from './pool-sizes.ts'
import { breakerOf, isTransient, listenToErrors, openPool } from './postgres.ts'
import { type Reader, readerOn } from './reader.ts'

export type { Prisma } from './generated/client.ts'
export { PrismaClient } from './generated/client.ts'

/** How long pools may take to end. */
const endingMs = 3_000

/** An interactive transaction of Prisma, in which a rare write runs. */
export type Transaction = Prisma.TransactionClient

/** The open database of one node. */
export type Store = {
  /** For writes to S tables. It never writes a J table. */
  readonly prisma: PrismaClient
  /** Reads outside transactions; two reads need not see the same snapshot. */
  readonly reader: Reader
  /** The connections for jobs and other background work, apart from those of the API. */
  readonly jobs: Jobs
  /** Connections for the journal alone, so that a busy API never keeps it from appending or following. */
  readonly journalPool: pg.Pool
  /**
   * Waits until everything that this node has read or written so far is on disk, and on the standbys that Postgres waits for
   * (B1). Rejects with the driver's error.
   */
  flush(): Promise<void>
  /**
   * Runs `read` in one read-only snapshot on a connection of its own (REPEATABLE READ; the server ends it after 5 s). What it has
   * read is on disk when it resolves (B1). Its statements run one after another. If one of them fails, the whole snapshot fails,
   * even if `read` catches the error.
   * @throws ParleyError UNAVAILABLE if no connection is free within 5 s, or Postgres fails
   */
  snapshot<T>(read: (reader: Reader) => Promise<T>): Promise<T>
  /** The connections of each pool, and the requests that wait for one. */
  poolCounts(): readonly PoolCount[]
  /** Calls `listener` with every error that Postgres answers to this node, on any pool. */
  onRefused(listener: (error: Error) => void): void
  /** Breaks all connections, so that nothing waits for Postgres any longer: for a node that must close at once. */
  abandon(): void
  close(): Promise<void>
}

/**
 * The connections for background work, such as jobs and the search index. They open when first used. Their commits do not wait
 * for the disk, so that jobs do not slow down sends: flush before you show a result outside, and use `lasting` for a write that
 * must be on disk.
 */
export type Jobs = {
  readonly pool: pg.Pool
  readonly reader: Reader
  /** Runs statements in one READ COMMITTED transaction, and rolls it back if `work` throws. Rejects with the driver's error. */
  transaction<T>(work: (reader: Reader) => Promise<T>): Promise<T>
  /** Like `transaction`, but the commit is on disk when it resolves. */
  lasting<T>(work: (reader: Reader) => Promise<T>): Promise<T>
}

/** A connection that was taken from a pool. */
export type PooledClient = pg.PoolClient

/** The connections of a pool: open ones, idle ones among them, and requests that wait for one. */
export type PoolCount = { readonly pool: string; readonly open: number; readonly idle: number; readonly waiting: number }

/** Opens the pools, which connect when first used. `appendLanes` sizes the journal's pool. */
export function openStore(databaseUrl: string, appendLanes: number, log: Log): Store {
  const shared = openPool(databaseUrl, 'api', poolSizes.shared, log)
  const snapshots = openPool(databaseUrl, 'snapshots', poolSizes.snapshots, log)
  const journalPool = openPool(databaseUrl, 'journal', journalPoolSize(appendLanes), log)
  const jobs = openPool(databaseUrl, 'jobs', poolSizes.jobs, log, 'set synchronous_commit = off')
  const pools = [shared, snapshots, journalPool, jobs]
  const breakers = pools.map(breakerOf)
  const listeners = new Set<(error: Error) => void>()
  for (const pool of pools) {
    listenToErrors(pool, (error) => {
      for (const listener of listeners) listener(error)
    })
  }
  const prisma = new PrismaClient({
    adapter: new PrismaPg(shared, {
      onPoolError: (error) => log.debug({ err: error }, 'a Postgres connection was lost'),
      onConnectionError: (error) => log.debug({ err: error }, 'a Postgres connection failed'),
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
    poolCounts: () =>
      Object.entries({ api: shared, snapshots, journal: journalPool, jobs }).map(([pool, counts]) => ({
        pool,
        open: counts.totalCount,
        idle: counts.idleCount,
        waiting: counts.waitingCount,
      })),
    onRefused(listener) {
      listeners.add(listener)
    },
    abandon() {
      for (const breakAll of breakers) breakAll()
    },
    async close() {
      await prisma.$disconnect()
      const over = new AbortController()
      const ended = Promise.all(pools.map((pool) => (pool.ended ? undefined : pool.end())))
      // A pool waits for connections that were taken from it, also for one that a library has lost.
      await Promise.race([ended, delay(endingMs, undefined, { signal: over.signal }).catch(() => undefined)])
      over.abort()
      for (const breakAll of breakers) breakAll()
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
    client.release(true) // closing the connection rolls the transaction back
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
    // The first statement takes the snapshot: everything in it was written before this position of the write-ahead log.
    const look = "select set_config('statement_timeout', '5s', true), pg_current_wal_insert_lsn()::text as upto"
    const { rows } = await client.query<{ upto: string }>(look)
    const inner = readerOn(client)
    const turn = pLimit(1) // the driver takes one statement at a time
    const result = await read({
      rows: (statement, values) =>
        turn(async () => {
          // A failed field may end an execution while other fields still read; the connection may serve another request by now.
          if (isOver) throw new ParleyError('UNAVAILABLE', 'The snapshot has ended.')
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
    throw new ParleyError('UNAVAILABLE', 'The snapshot could not be read.', { cause: failure ?? error })
  }
}
