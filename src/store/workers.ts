// Runs the workers of graphile-worker, which shares jobs between nodes by row locks in Postgres. This file adds what the library
// lacks: each node sends a heartbeat every two seconds, other nodes take over the jobs of a node whose heartbeats have stopped,
// and a node that cannot send heartbeats knows it before that. If the pool of workers fails, it is reopened, and so it is when it could
// not fetch a job: the answer that was lost may have locked one for it.

import { EventEmitter } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { Logger, type Runner, run, type WorkerEvents } from 'graphile-worker'
import type { Log } from '../log/log.ts'
import { isTransient, reportFailure } from './postgres.ts'
import { statement } from './reader.ts'
import type { Store } from './store.ts'

const beatMs = 2_000
/** How long after a heartbeat a node may begin something that must not happen on two nodes at once. */
const leaseMs = 6_000
/** How long such a thing may take, in milliseconds. */
export const leasedWorkMs = 10_000
/** How long a node is silent before others take over its jobs: by then, everything that it began under its lease has ended. */
const silenceMs = leaseMs + leasedWorkMs + 4_000
const pollMs = 1_000
/** How often to look for jobs of silent nodes. */
const takeOverMs = 10_000
const reopenMs = 1_000
/** How long workers may take to end. If Postgres goes away while one records a failed job, the library waits for it for ever. */
const endingMs = 5_000
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
const free = statement('push_free_jobs', 'select graphile_worker.force_unlock_workers($1)')
const forget = statement('push_forget_workers', "delete from push_worker where seen_at < clock_timestamp() - interval '1 hour'")

/** How a node works on some kinds of jobs. */
export type WorkerTasks = {
  /** What to do for each job, by its name. `attempt` counts from 1. A task that rejects is attempted again, later each time. */
  readonly tasks: { readonly [name: string]: (payload: unknown, attempt: number) => Promise<void> }
  /** How many jobs at once. */
  readonly concurrency: number
  /** The flags of jobs that must wait. */
  readonly busy?: () => string[]
}

/** The workers of a node for some kinds of jobs. */
export type Workers = {
  /** Whether no other node can have taken over its jobs, nor will for as long as `leasedWorkMs`. */
  isHeld(): boolean
  /** Waits for running jobs to end. */
  close(): Promise<void>
}

/** A job was given up because the node closes. It is no fault; another node, or the next start, does it. */
export class JobInterrupted extends Error {
  override readonly name = 'JobInterrupted'
}

/** Opens workers. */
export function openWorkers({ store, log }: { readonly store: Store; readonly log: Log }, work: WorkerTasks): Workers {
  const taskList = Object.fromEntries(
    Object.entries(work.tasks).map(([name, run]) => [
      name,
      (payload: unknown, { job }: { readonly job: { readonly attempts: number } }) => run(payload, job.attempts),
    ]),
  )
  const closing = new AbortController()
  const events = new EventEmitter() as WorkerEvents
  const ids = new Set<string>()
  let runner: Runner | undefined
  let heldUntil = 0
  let heldSince = 0
  let lookedAt = 0
  events.on('pool:create', ({ workerPool }) => ids.add(workerPool.id))
  events.on('worker:getJob:error', () => {
    if (runner) void stop(runner)
  })

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
      await sayAlive().catch((error: unknown) => reportFailure(log, error, 'the heartbeat of the workers could not be written'))
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
          concurrency: work.concurrency,
          pollInterval: pollMs,
          noHandleSignals: true,
          ...(work.busy ? { forbiddenFlags: work.busy } : {}),
          logger: loggerOf(log),
          events,
        })
        if (closing.signal.aborted) void stop(runner)
        if (await ended(runner, events)) await store.jobs.reader.rows(free, [[...ids]])
      } catch (error) {
        reportFailure(log, error, 'the workers failed: reopening them')
      }
      await delay(reopenMs, undefined, { signal: closing.signal }).catch(() => undefined)
    }
  }

  const [beating, running] = [keepBeat(), keepRunning()]
  return {
    isHeld: () => !closing.signal.aborted && Date.now() < heldUntil,
    async close() {
      closing.abort()
      if (runner) void stop(runner)
      await Promise.all([beating, running])
    },
  }
}

/** Waits until a runner has ended, or has been stopping for too long. @returns whether none of its jobs can be running */
async function ended({ promise }: Runner, events: WorkerEvents): Promise<boolean> {
  let limit: NodeJS.Timeout | undefined
  let giveUp = () => {}
  const late = new Promise<boolean>((resolve) => {
    giveUp = () => resolve(false)
  })
  const stopping = () => {
    limit = setTimeout(giveUp, endingMs)
  }
  events.once('stop', stopping)
  try {
    return await Promise.race([promise.then(() => true), late])
  } finally {
    clearTimeout(limit)
    events.off('stop', stopping)
  }
}

/** Stops a runner, unless it has already ended. */
const stop = (runner: Runner): Promise<void> => runner.stop().catch(() => undefined)

/** Passes the library's log lines to our log. A job that fails while the database is away is not an error. */
function loggerOf(log: Log): Logger {
  const from = 'graphile-worker'
  return new Logger(() => (level, message, meta) => {
    const err = (meta as { error?: unknown } | undefined)?.error
    if (err instanceof JobInterrupted) log.debug({ from }, 'a job was interrupted')
    else if (level === 'error' && err !== undefined && !isTransient(err)) log.error({ from, err }, 'a job failed')
    else if (err !== undefined && isTransient(err)) log.debug({ from }, message.split('\n')[0])
    else if (level === 'error' || level === 'warning') log.warn({ from }, message.split('\n')[0])
    else log.trace({ from }, message)
  })
}
