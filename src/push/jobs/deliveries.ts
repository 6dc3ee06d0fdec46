// Reads the deliveries that are due and records their outcomes. Everything that follows from an attempt (the outcome, the
// device's pause, the next try) is one transaction.

import type { Config } from '../../config/config.ts'
import { groupBy } from '../../graphql/loader.ts'
import type { ConversationId, MessageId, UserId } from '../../id.ts'
import type { App } from '../../parts.ts'
import { reportFailure } from '../../store/postgres.ts'
import { type Reader, statement } from '../../store/reader.ts'
import { lifetimeMs, type SkipReason } from '../decide.ts'
import { pushSubscriptionChanged } from '../events.ts'
import { type PushResult, type Registration, serviceOf } from '../providers/provider.ts'
import { addJobs, deliverJobs, type Job } from './jobs.ts'
import { openRegistrations, registrationColumns } from './notify.ts'
import { isOver } from './over.ts'
import { clearJob } from './reader.ts'

/** A delivery that is due. */
export type Due = {
  readonly id: number
  readonly kind: 'MESSAGE' | 'CLEAR' | 'TEST'
  readonly userId: UserId
  readonly conversationId: ConversationId | null
  readonly messageId: MessageId | null
  readonly attempts: number
  readonly decidedAt: Date
  /** A newer notification of the conversation makes this one obsolete; for a CLEAR, it may still be on its way. */
  readonly isSuperseded: boolean
  /** The device's registration; null if it is no longer registered. */
  readonly registration: Registration | null
  /** When the device's pause ends; null if a notification may be sent now. */
  readonly restsUntil: Date | null
  /** The number of consecutive failures for this device. */
  readonly failures: number
}

/** The outcome of a delivery. UNTRIED: it was not attempted; the next try is at `until`, or soon. */
export type DeliveryOutcome = { readonly due: Due } & (
  | PushResult
  | { readonly type: 'SKIPPED'; readonly reason: SkipReason }
  | { readonly type: 'UNTRIED'; readonly until?: Date }
)

/** The reasons for a failed delivery, with their descriptions in the schema. */
export const failReasons = {
  GONE: 'The device is no longer registered.',
  REFUSED: 'The push service rejected the notification.',
  EXHAUSTED: 'The push service did not accept the notification, even after retries.',
} as const

type DueRow = Omit<Due, 'registration'> & { readonly registrationId: number | null }

const due = statement<DueRow>(
  'push_due',
  `select d.id, d.kind, d.user_id as "userId", d.conversation_id as "conversationId", d.message_id as "messageId", d.attempts,
     d.decided_at as "decidedAt", d.registration_id as "registrationId", coalesce(r.failures, 0) as failures,
     case when r.retry_at > clock_timestamp() then r.retry_at end as "restsUntil",
     exists (
       select 1 from push_delivery n where n.user_id = d.user_id and n.conversation_id = d.conversation_id and n.kind = 'MESSAGE'
          and n.outcome in ('QUEUED', 'SENT') and n.cleared_at is null and n.seq > d.seq
          and (d.kind = 'CLEAR' or (d.attempts > 0 and n.outcome = 'SENT' and n.registration_id = d.registration_id)))
       as "isSuperseded"
   from push_delivery d left join push_registration r on r.id = d.registration_id
  where d.id = any($1::bigint[]) and d.outcome = 'QUEUED' and (d.retry_at is null or d.retry_at <= clock_timestamp())`,
)
const registrations = statement<Registration>(
  'push_registrations',
  `select ${registrationColumns} from ${openRegistrations} where r.id = any($1::bigint[])`,
)

/** Finds the deliveries that are due among these: neither done, nor waiting for another job. */
export async function findDue(reader: Reader, ids: readonly number[]): Promise<Due[]> {
  const rows = await reader.rows(due, [ids])
  const found = await reader.rows(registrations, [rows.map(({ registrationId }) => registrationId)])
  const byId = new Map(found.map((registration) => [registration.id, registration]))
  return rows.map(({ registrationId, ...row }) => ({ ...row, registration: byId.get(registrationId ?? 0) ?? null }))
}

const finish = statement(
  'push_finish',
  `update push_delivery d set outcome = o.outcome::push_outcome, reason = o.reason, error = o.error, retry_at = null,
     attempts = d.attempts + o.tried, sent_at = case when o.outcome = 'SENT' then clock_timestamp() end
     from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::int[]) as o(id, outcome, reason, error, tried)
    where d.id = o.id and (d.outcome = 'QUEUED' or o.outcome = 'SENT')`,
)
const wait = statement(
  'push_wait',
  `update push_delivery d set retry_at = o.retry_at, error = coalesce(o.error, d.error), attempts = d.attempts + o.tried
     from unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::int[]) as o(id, retry_at, error, tried)
    where d.id = o.id and d.outcome = 'QUEUED'`,
)
const succeeded = statement(
  'push_registration_succeeded',
  `update push_registration set sent_at = clock_timestamp(), failing_since = null, failures = 0, retry_at = null
    where id = any($1::bigint[])`,
)
const failed = statement(
  'push_registration_failed',
  `update push_registration r set failures = failures + 1, failing_since = coalesce(failing_since, clock_timestamp()),
     retry_at = o.retry_at
     from unnest($1::bigint[], $2::timestamptz[]) as o(id, retry_at) where r.id = o.id`,
)
/** The conversations of the deliveries, among these, that were over by the time they were sent. */
const overMeanwhile = statement<{ userId: UserId; conversationId: ConversationId }>(
  'push_over_meanwhile',
  `select distinct d.user_id as "userId", d.conversation_id as "conversationId" from push_delivery d
    where d.id = any($1::bigint[]) and d.kind = 'MESSAGE' and ${isOver}`,
)

const attemptsMax = 10
const backOffMs = { least: 5_000, most: 900_000 } as const
/** The delay before the next try of an untried delivery: random, so that they do not all come back at once. */
const untriedMs = { least: 200, spread: 800 } as const

/** The update of a delivery's row: it is done, or tried again later. */
type DeliveryUpdate =
  | {
      readonly isDone: true
      readonly id: number
      readonly outcome: string
      readonly reason: string | null
      readonly error: string | null
    }
  | { readonly isDone: false; readonly id: number; readonly retryAt: Date; readonly error: string | null }

function rowOf(outcome: DeliveryOutcome, now: number, soon: number): DeliveryUpdate {
  const { id, attempts, failures, decidedAt } = outcome.due
  const lastAt = decidedAt.getTime() + lifetimeMs
  const done = (name: string, reason: string | null, error: string | null): DeliveryUpdate => ({
    isDone: true,
    id,
    outcome: name,
    reason,
    error,
  })
  switch (outcome.type) {
    case 'SENT':
      return done('SENT', null, null)
    case 'SKIPPED':
      return done('SKIPPED', outcome.reason, null)
    case 'GONE':
      return done('FAILED', 'GONE', null)
    case 'REFUSED':
      return done('FAILED', 'REFUSED', outcome.error)
    case 'UNTRIED': {
      const retryAt = new Date(Math.max(soon, outcome.until?.getTime() ?? 0))
      return retryAt.getTime() > lastAt
        ? done('FAILED', 'EXHAUSTED', 'the push service was not contacted, because it has been failing')
        : { isDone: false, id, retryAt, error: null }
    }
    case 'LATER': {
      const retryAt = new Date(now + retryMs(failures, outcome.afterMs))
      const isOver = attempts + 1 >= attemptsMax || retryAt.getTime() > lastAt
      return isOver ? done('FAILED', 'EXHAUSTED', outcome.error) : { isDone: false, id, retryAt, error: outcome.error }
    }
  }
}

/** The delay before a retry: doubles with each failure, random in the upper half, never less than the service asks for. */
export function retryMs(failures: number, afterMs: number | null): number {
  const backOff = Math.min(backOffMs.most, backOffMs.least * 2 ** Math.min(failures, 20))
  return Math.max(backOff * (0.5 + Math.random() / 2), (afterMs ?? 0) * (1 + Math.random() / 10))
}

const isTried = ({ type }: DeliveryOutcome) => type === 'SENT' || type === 'GONE' || type === 'REFUSED' || type === 'LATER'

/** Records outcomes and adds the jobs that follow from them. Can be repeated. */
export async function record(app: App, outcomes: readonly DeliveryOutcome[]): Promise<void> {
  const now = Date.now()
  const soon = now + untriedMs.least + Math.random() * untriedMs.spread
  const rows = outcomes.map((outcome) => ({ ...rowOf(outcome, now, soon), tried: isTried(outcome) ? 1 : 0, given: outcome }))
  const done = rows.filter((row) => row.isDone)
  const waiting = rows.filter((row) => !row.isDone)
  const registrationsOf = (type: DeliveryOutcome['type']) =>
    rows.flatMap(({ given }) => (given.type === type && given.due.registration ? [given.due.registration.id] : []))
  await app.store.jobs.lasting(async (tx) => {
    const retryAts = waiting.map(({ retryAt }) => retryAt)
    const ids = waiting.map(({ id }) => id)
    if (done.length > 0) {
      const columns = (['id', 'outcome', 'reason', 'error', 'tried'] as const).map((key) => done.map((row) => row[key]))
      await tx.rows(finish, columns)
    }
    const errors = waiting.map(({ error }) => error)
    if (waiting.length > 0) await tx.rows(wait, [ids, retryAts, errors, waiting.map(({ tried }) => tried)])
    const sent = registrationsOf('SENT')
    if (sent.length > 0) await tx.rows(succeeded, [[...new Set(sent)].sort((a, b) => a - b)])
    const later = waiting.filter(({ given }) => given.type === 'LATER')
    if (later.length > 0)
      await tx.rows(failed, [later.map(({ given }) => given.due.registration?.id), later.map(({ retryAt }) => retryAt)])
    const sentIds = rows.flatMap(({ given }) => (given.type === 'SENT' ? [given.due.id] : []))
    const over = sentIds.length > 0 ? await tx.rows(overMeanwhile, [sentIds]) : []
    await addJobs(tx, [...over.map(clearJob), ...retryJobs(app.config, waiting)])
  })
  // The outcomes are recorded by now. If this fails, the service reports the device as gone again next time.
  await forgetGone(app, outcomes).catch((error: unknown) => {
    reportFailure(app.log, error, 'registrations of devices that are gone could not be removed')
  })
}

type DeliveryRetry = { readonly given: DeliveryOutcome; readonly retryAt: Date; readonly id: number }

/** The jobs for the next tries. Tries at the same time share a job. */
function retryJobs(config: Config, waiting: readonly DeliveryRetry[]): Job[] {
  const due = waiting.map(({ given: { due }, retryAt, id }) => {
    return { id, at: retryAt.getTime(), service: due.registration === null ? 'none' : serviceOf(config, due.registration) }
  })
  return [...groupBy(due, ({ at }) => at)].flatMap(([at, ones]) => deliverJobs(ones, new Date(at)))
}

/** Removes the registrations of devices that their services no longer know, unless they have registered again since. */
async function forgetGone({ journal }: App, outcomes: readonly DeliveryOutcome[]): Promise<void> {
  for (const { type, due } of outcomes) {
    const { registration } = due
    if (type !== 'GONE' || registration === null) continue
    const { id, endpoint, userId, sessionId } = registration
    await journal.writing(async (tx) => {
      const { count } = await tx.pushRegistration.deleteMany({ where: { id, endpoint } })
      return { result: undefined, facts: count === 0 ? [] : [pushSubscriptionChanged(userId, sessionId)] }
    })
  }
}
