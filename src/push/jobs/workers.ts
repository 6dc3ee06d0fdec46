// Runs the workers of graphile-worker, which shares jobs between nodes by row locks in Postgres. This file adds what the library
// lacks: each node sends a heartbeat every two seconds, other nodes take over the jobs of a node whose heartbeats have stopped,
// and a node that cannot send heartbeats stops sending notifications before that. If the pool of workers fails, it is reopened.

import { EventEmitter } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { Logger, type Runner, run, type TaskList, type WorkerEvents } from 'graphile-worker'
import type { Log } from '../../log/log.ts'
import type { App } from '../../parts.ts'
import { isTransient, reportFailure } from '../../store/postgres.ts'
import { statement } from '../../store/reader.ts'
import { requestMs } from '../providers/post.ts'
import { workers } from '../providers/services.ts'

const beatMs = 2_000
/** How long after a heartbeat a node may begin to send. */
const leaseMs = 6_000
/** How long a node is silent before others take over its jobs: by then, everything that it began to send has ended. */
const silenceMs = leaseMs + requestMs + 4_000
const pollMs = 1_000
/** How often to look for jobs of silent nodes. */
const takeOverMs = 10_000
const reopenMs = 1_000
/**
 * Makes the library record finished jobs in batches. Otherwise it does not await these writes: a failed one is an unhandled
 * rejection, and its job stays locked by a live worker.
 */
const written = { completeJobBatchDelay: 0, failJobBatchDelay: 0 } as const

const beat = statement(
  'push_beat',
  `insert into push_worker(id, seen_at) values ($1, clock_timestamp()) on conflict (id) do update set seen_at = excluded.seen_at`,
)
const takeOver = statement<{ taken: string[] | null }>(
  'push_take_over',
  `with dead as (
     select distinct j.locked_by as id from graphile_worker.jobs j
      where j.locked_at < clock_timestamp() - make_interval(secs => $1) and not exists (
        select 1 from push_worker w where w.id = j.locked_by and w.seen_at > clock_timestamp() - make_interval(secs => $1)))
   select array_agg(id) as taken, graphile_worker.force_unlock_workers(array_agg(id)) from dead`,
)
const forget = statement('push_forget_workers', "delete from push_worker where seen_at < clock_timestamp() - interval '1 hour'")

/** The workers of a node. */
export type Workers = {
  /** Whether this node may begin to send: no other node can have taken over its jobs. */
  isHeld(): boolean
  /** Waits for running jobs to end. */
  close(): Promise<void>
}

/** Opens workers for these tasks. `busy` returns the services whose jobs must wait. */
export function openWorkers({ store, log }: App, taskList: TaskList, busy: () => string[]): Workers {
  const closing = new AbortController()
  const events = new EventEmitter() as WorkerEvents
  const ids = new Set<string>()
  let runner: Runner | undefined
  let heldUntil = 0
  let heldSince = 0
  let lookedAt = 0
  events.on('pool:create', ({ workerPool }) => ids.add(workerPool.id))

  async function sayAlive(): Promise<void> {
    const startedAt = Date.now()
    for (const id of ids) await store.jobs.reader.rows(beat, [id])
    if (startedAt > heldUntil) heldSince = startedAt
    heldUntil = startedAt + leaseMs
    // A node that was itself cut off gives the others time to send a heartbeat.
    if (startedAt - heldSince < silenceMs || startedAt - lookedAt < takeOverMs) return
    lookedAt = startedAt
    const [row] = await store.jobs.reader.rows(takeOver, [silenceMs / 1_000])
    if (row?.taken) log.warn({ workers: row.taken }, 'the jobs of silent nodes were taken over')
    await store.jobs.reader.rows(forget, [])
  }
  async function keepBeat(): Promise<void> {
    while (!closing.signal.aborted) {
      await sayAlive().catch((error: unknown) =>
        reportFailure(log, error, 'the heartbeat of the notification workers could not be written'),
      )
      await delay(beatMs, undefined, { signal: closing.signal }).catch(() => undefined)
    }
  }
  async function keepRunning(): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        ids.clear()
        runner = await run({
          pgPool: store.jobs.pool,
          preset: { worker: written },
          taskList,
          parsedCronItems: [],
          concurrency: workers,
          pollInterval: pollMs,
          noHandleSignals: true,
          forbiddenFlags: busy,
          logger: loggerOf(log),
          events,
        })
        if (closing.signal.aborted) await runner.stop()
        await runner.promise
      } catch (error) {
        reportFailure(log, error, 'the notification workers failed: reopening them')
      }
      await delay(reopenMs, undefined, { signal: closing.signal }).catch(() => undefined)
    }
  }

  const [beating, running] = [keepBeat(), keepRunning()]
  return {
    isHeld: () => !closing.signal.aborted && Date.now() < heldUntil,
    async close() {
      closing.abort()
      await runner?.stop().catch(() => undefined) // it may already have ended
      await Promise.all([beating, running])
    },
  }
}

/** Passes the library's log lines to our log. A job that fails while the database is away is not an error. */
function loggerOf(log: Log): Logger {
  const from = 'graphile-worker'
  return new Logger(() => (level, message, meta) => {
    const err = (meta as { error?: unknown } | undefined)?.error
    if (level === 'error' && err !== undefined && !isTransient(err)) log.error({ from, err }, 'a job failed')
    else if (err !== undefined && isTransient(err)) log.debug({ from }, message.split('\n')[0])
    else if (level === 'error' || level === 'warning') log.warn({ from }, message.split('\n')[0])
    else log.trace({ from }, message)
  })
}
