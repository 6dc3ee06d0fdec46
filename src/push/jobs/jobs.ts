// Names and adds the jobs of notifications. graphile-worker keeps them in Postgres; each is added in the very transaction that
// makes it necessary.

import { z } from 'zod'
import { conversationIdOf, messageIdOf, userIdOf } from '../../id.ts'
import { type Reader, statement } from '../../store/reader.ts'

/** The payload of each job: only ids, so that a job stores nothing of a message or a device. */
export const jobForms = {
  /**
   * The delay after a message is over: decide for each user in the audience. `isLast`: also for users who were online the first
   * time, because a lost device still counts as online for a while.
   */
  push_notify: z.object({ messageId: z.number().int().transform(messageIdOf), isLast: z.boolean().default(false) }),
  /** Deliveries to one service are due. */
  push_deliver: z.object({ service: z.string(), deliveryIds: z.array(z.number().int()) }),
  /** A user's notifications of a conversation may be over: see clear.ts. */
  push_clear: z.object({
    userId: z.number().int().transform(userIdOf),
    conversationId: z.number().int().transform(conversationIdOf),
  }),
} as const
export type JobName = keyof typeof jobForms

/** A job to add. */
export type Job<Name extends JobName = JobName> = {
  readonly name: Name
  readonly payload: z.output<(typeof jobForms)[Name]>
  /** When it is due, by Postgres' clock; null means at once. */
  readonly runAt: Date | null
  /** The job replaces a waiting job with the same key. */
  readonly key?: string
  /** The push service that the job sends to. While it is slow or away, its jobs wait without blocking others. */
  readonly service?: string
}

/** How many times a job is attempted that fails because of a fault or without the database: retries take some days. */
const attemptsMax = 25

const add = statement<{ count: number }>(
  'push_add_jobs',
  `select count(*) from graphile_worker.add_jobs((
     select array_agg((j.name, j.payload::json, null, j.run_at, ${attemptsMax}::smallint, j.key, 0::smallint,
                       case when j.service is not null then array[j.service] end)::graphile_worker.job_spec)
       from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[]) as j(name, payload, run_at, key, service)))`,
)

/** Adds jobs in the transaction of `reader`. No two may have the same key. */
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

/** The most deliveries in one job, all sent at once: also the most that a killed node may have sent but not recorded. */
const deliveriesMax = 8

/** The jobs for some deliveries, grouped by service, with at most `deliveriesMax` in each. */
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
