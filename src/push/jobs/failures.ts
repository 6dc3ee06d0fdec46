// The dead letters of notifications, for operators: what was given up. Devices that are gone do not count, because operators
// cannot do anything about them.

import { type Reader, statement } from '../../store/reader.ts'
import { addJobs, deliverJobs } from './jobs.ts'

/** A failed delivery, or a job that failed too often. */
export type PushFailure = {
  readonly what: string
  readonly id: number
  readonly at: Date
  readonly attempts: number
  readonly reason: string | null
  readonly error: string | null
}

const listMax = 1_000
const jobsOfOurs = "task_identifier like 'push\\_%' and attempts >= max_attempts and locked_at is null"

const list = statement<PushFailure>(
  'push_failures',
  `(select 'delivery ' || lower(kind::text) as what, id, decided_at as at, attempts, reason, error from push_failure)
   union all
   (select 'job ' || task_identifier, id, created_at, attempts, null, last_error from graphile_worker.jobs where ${jobsOfOurs})
   order by at desc limit ${listMax}`,
)
const requeue = statement<{ id: number }>(
  'push_requeue',
  `update push_delivery set outcome = 'QUEUED', reason = null, attempts = 0, retry_at = null
    where id = any(array(select id from push_failure order by id limit ${listMax})) returning id`,
)
const reschedule = statement<{ id: number }>(
  'push_reschedule',
  `select id from graphile_worker.reschedule_jobs(
     array(select id from graphile_worker.jobs where ${jobsOfOurs} limit ${listMax}), run_at := now(), attempts := 0)`,
)

/** Lists the failures that are still stored, newest first, at most 1,000. */
export function listFailures(reader: Reader): Promise<PushFailure[]> {
  return reader.rows(list, [])
}

/**
 * Queues failures again, at most 1,000 at once, in the transaction of `reader`. Notifications that are no longer wanted (the
 * message was read, or is too old) are then skipped.
 * @returns how many it queued
 */
export async function retryFailures(reader: Reader): Promise<number> {
  const deliveries = await reader.rows(requeue, [])
  // The job finds the service of each delivery when it runs.
  await addJobs(reader, deliverJobs(deliveries.map(({ id }) => ({ id, service: 'retried' }))))
  return deliveries.length + (await reader.rows(reschedule, [])).length
}
