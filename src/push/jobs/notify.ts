// The job of a message: when the delay after it is over, decides for each user in the audience who has a registered device.
// The decisions and the jobs that deliver the notifications are one transaction; running it again changes nothing.

import type { MessageId, SessionId, UserId } from '../../id.ts'
import { readMessages } from '../../message/row.ts'
import type { App } from '../../parts.ts'
import { statement } from '../../store/reader.ts'
import { decide } from '../decide.ts'
import { isOffered, type Registration, serviceOf } from '../providers/provider.ts'
import { readCases } from '../situation.ts'
import { addJobs, deliverJobs, type Job } from './jobs.ts'
import { pushSteps } from './steps.ts'

/** The columns of a registration with the names of `Registration`, from a table or alias `r`. */
export const registrationColumns = `r.id, r.user_id as "userId", r.session_id as "sessionId", r.provider, r.platform, r.endpoint,
  r.p256dh, r.auth`
/** Registrations `r` of open sessions. */
export const openRegistrations = `push_registration r
  join session o on o.id = r.session_id and o.revoked_at is null and o.expires_at > now()`

/** The devices of the audience at a message's position, without its sender and without users already decided about. */
const hearers = statement<Registration>(
  'push_hearers',
  `select ${registrationColumns} from audience a
     join (${openRegistrations}) on r.user_id = a.user_id
    where a.conversation_id = $1 and a.user_id <> $3 and a.from_position < $2 and (a.to_position is null or a.to_position > $2)
      and not exists (select 1 from push_delivery p where p.message_id = $2 and p.user_id = a.user_id)`,
)
const insert = statement<{ id: number; registrationId: number | null }>(
  'push_insert_deliveries',
  `insert into push_delivery(kind, user_id, conversation_id, message_id, seq, registration_id, session_id, outcome, reason)
   select 'MESSAGE', d.user_id, $1, $2, $3, d.registration_id, d.session_id, d.outcome::push_outcome, d.reason
     from unnest($4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::text[])
       as d(user_id, registration_id, session_id, outcome, reason)
   on conflict do nothing returning id, registration_id as "registrationId"`,
)

type Decision = {
  readonly userId: UserId
  readonly registrationId: number | null
  readonly sessionId: SessionId | null
  readonly outcome: 'QUEUED' | 'SKIPPED'
  readonly reason: string | null
}

/**
 * Decides about a message. Postpones the decision for users who are online: a device that was just lost still counts as online
 * for as long as a sign of life lasts.
 */
export async function notify(app: App, job: { messageId: MessageId; isLast: boolean }): Promise<void> {
  const { messageId, isLast } = job
  const now = new Date(app.clock.now())
  const { reader } = app.store.jobs
  const [message] = await readMessages(reader, [messageId])
  if (!message) return
  const { conversationId, senderId, seq } = message
  const found = await reader.rows(hearers, [conversationId, messageId, senderId])
  const devices = found.filter(({ provider }) => isOffered(app, provider))
  const userIds = [...new Set(devices.map(({ userId }) => userId))]
  const cases = await readCases(
    app,
    userIds.map((userId) => ({ userId, messageId })),
  )
  let isLeftOut = false
  const decisions = cases.flatMap(({ userId, situation }): Decision[] => {
    const reason = decide(situation, now)
    if (reason === 'ONLINE' && !isLast) {
      isLeftOut = true
      return []
    }
    if (reason !== null) return [{ userId, registrationId: null, sessionId: null, outcome: 'SKIPPED', reason }]
    return devices
      .filter((device) => device.userId === userId)
      .map(({ id, sessionId }) => ({ userId, registrationId: id, sessionId, outcome: 'QUEUED', reason: null }))
  })
  const services = new Map(devices.map((device) => [device.id, serviceOf(app.config, device)]))
  await app.store.jobs.transaction(async (tx) => {
    const columns = (['userId', 'registrationId', 'sessionId', 'outcome', 'reason'] as const).map((key) =>
      decisions.map((decision) => decision[key]),
    )
    const rows = await tx.rows(insert, [conversationId, messageId, seq, ...columns])
    const due = rows.flatMap(({ id, registrationId }) =>
      registrationId === null ? [] : [{ id, service: services.get(registrationId) ?? 'none' }],
    )
    const lastAt = new Date(Date.now() + app.config.presence.ttlMs)
    const later: Job[] = isLeftOut ? [{ name: 'push_notify', payload: { messageId, isLast: true }, runAt: lastAt }] : []
    await addJobs(tx, [...deliverJobs(due), ...later])
  })
  pushSteps.decided.publish({ messageId })
}
