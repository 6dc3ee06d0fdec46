// Who works on jobs: graphile-worker, watched over. It shares the jobs between nodes by row locks in Postgres. What it does not
// do by itself is done here: a node says every two seconds that it lives, the jobs of one that has not for long are taken by
// others, and a node that could not say so stops sending before that. When its pool of workers ends by a fault it is opened anew.

import { EventEmitter } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { Logger, type Runner, run, type TaskList, type WorkerEvents } from 'graphile-worker'
import type { Log } from '../log.ts'
import type { App } from '../parts.ts'
import { isTransient, reportFailure } from '../store/postgres.ts'
import { statement } from '../store/reader.ts'
import { requestMs } from './post.ts'
import { workers } from './services.ts'

const beatMs = 2_000
/** For how long after it said that it lives a node may begin to send. */
const leaseMs = 6_000
/** After how much silence a node's jobs are taken by others: when all that it may have begun to send has ended. */
const silenceMs = leaseMs + requestMs + 4_000
const pollMs = 1_000
/** How often it is looked for jobs of the silent. */
const takeOverMs = 10_000
const reopenMs = 1_000
/**
 * What is done is written down in batches. Without them the library lets each such write float: one that fails is an unhandled
 * rejection, and its job stays locked by a worker that lives.
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
  /** Whether this node may begin to send: none of its jobs can have been taken by another. */
  isHeld(): boolean
  /** Lets what is under way end. */
  close(): Promise<void>
}

/** Opens workers on these tasks. `busy` names what is not to be worked on now. */
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
    // Who was cut off itself has to give the others the time to say that they live.
    if (startedAt - heldSince < silenceMs || startedAt - lookedAt < takeOverMs) return
    lookedAt = startedAt
    const [row] = await store.jobs.reader.rows(takeOver, [silenceMs / 1_000])
    if (row?.taken) log.warn({ workers: row.taken }, 'the jobs of nodes that are silent were taken over')
    await store.jobs.reader.rows(forget, [])
  }
  async function keepBeat(): Promise<void> {
    while (!closing.signal.aborted) {
      await sayAlive().catch((error: unknown) =>
        reportFailure(log, error, 'the workers of notifications could not say that they live'),
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
        reportFailure(log, error, 'the workers of notifications ended, and are opened anew')
      }
      await delay(reopenMs, undefined, { signal: closing.signal }).catch(() => undefined)
    }
  }

  const [beating, running] = [keepBeat(), keepRunning()]
  return {
    isHeld: () => !closing.signal.aborted && Date.now() < heldUntil,
    async close() {
      closing.abort()
      await runner?.stop().catch(() => undefined) // it may have ended by itself
      await Promise.all([beating, running])
    },
  }
}

/** Hands its log lines to ours. A job that fails while the database is away is no fault. */
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
