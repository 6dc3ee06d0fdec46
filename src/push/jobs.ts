// The jobs of push: their names, what each carries, and how they are added. They are kept in Postgres by graphile-worker, and
// are added in the very transaction that makes them necessary.

import { z } from 'zod'
import { type Reader, statement } from '../store/reader.ts'

/** What each job carries: ids alone, so that nothing of a message or a device is kept in it. */
export const jobForms = {
  /**
   * The delay after a message is over: decide for each of those who hear it. `isLast`: also for those who were online then, and may
   * only have looked so, since a device that is lost is there for a while.
   */
  push_notify: z.object({ messageId: z.number().int(), isLast: z.boolean().default(false) }),
  /** Deliveries to one service are due. */
  push_deliver: z.object({ service: z.string(), deliveryIds: z.array(z.number().int()) }),
  /** Something that somebody was notified of in a conversation may be over: read, deleted, or not theirs to see any more. */
  push_clear: z.object({ userId: z.number().int(), conversationId: z.number().int() }),
} as const
export type JobName = keyof typeof jobForms

/** A job to add. */
export type Job<Name extends JobName = JobName> = {
  readonly name: Name
  readonly payload: z.output<(typeof jobForms)[Name]>
  /** When it is due, by Postgres' clock; null is at once. */
  readonly runAt: Date | null
  /** A job that waits under the same key is replaced. */
  readonly key?: string
  /** What may be slow or away as a whole: its jobs wait without keeping others from running. */
  readonly service?: string
}

/** A job that fails by a fault or for want of the database is tried again so often, over some days. */
const attemptsMax = 25

const add = statement<{ count: number }>(
  'push_add_jobs',
  `select count(*) from graphile_worker.add_jobs((
     select array_agg((j.name, j.payload::json, null, j.run_at, ${attemptsMax}::smallint, j.key, 0::smallint,
                       case when j.service is not null then array[j.service] end)::graphile_worker.job_spec)
       from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[]) as j(name, payload, run_at, key, service)))`,
)

/** Adds jobs, in the transaction of `reader`. No two with one key. */
export async function addJobs(reader: Reader, jobs: readonly Job[]): Promise<void> {
  if (jobs.length === 0) return
  await reader.rows(add, [
    jobs.map(({ name }) => name),
    jobs.map(({ payload }) => JSON.stringify(payload)),
    jobs.map(({ runAt }) => runAt),
    jobs.map(({ key }) => key ?? null),
    jobs.map(({ service }) => service ?? null),
  ])
}

/** How many deliveries one job holds at most, which are sent at once: what a killed node may have sent and not said so. */
const deliveriesMax = 8

/** The jobs that deliver: those of one service together, `deliveriesMax` at a time. */
export function deliverJobs(
  due: readonly { readonly id: number; readonly service: string }[],
  runAt: Date | null = null,
): Job<'push_deliver'>[] {
  const ofService = new Map<string, number[]>()
  for (const { id, service } of due) ofService.set(service, [...(ofService.get(service) ?? []), id])
  return [...ofService].flatMap(([service, ids]) =>
    Array.from({ length: Math.ceil(ids.length / deliveriesMax) }, (_, i) => {
      const deliveryIds = ids.slice(i * deliveriesMax, (i + 1) * deliveriesMax)
      return { name: 'push_deliver', payload: { service, deliveryIds }, runAt, service } as const
    }),
  )
}
