// The job that clears: what somebody was shown of a conversation, and has read on another device since, goes from the others by
// one silent update each. Where the newest that was shown is still unread, all stays: devices show one for each conversation.

import type { App } from '../app.ts'
import { statement } from '../store/reader.ts'
import { addJobs, deliverJobs } from './jobs.ts'
import { openRegistrations, registrationColumns } from './notify.ts'
import { readWhereabouts } from './presence.ts'
import { isOffered, type Registration, serviceOf } from './provider.ts'

/** Locked, so that what is just being sent is either waited for, or sees the read marker itself. */
const shown = statement<{ id: number; seq: number; registrationId: number; outcome: 'QUEUED' | 'SENT' }>(
  'push_shown',
  `select id, seq, registration_id as "registrationId", outcome from push_delivery
    where user_id = $1 and conversation_id = $2 and kind = 'MESSAGE' and outcome in ('QUEUED', 'SENT') and cleared_at is null
    order by id for update`,
)
const leftUnread = statement(
  'push_left_unread',
  `select 1 from push_delivery d left join read_marker r on r.user_id = d.user_id and r.conversation_id = d.conversation_id
    where d.user_id = $1 and d.conversation_id = $2 and d.kind = 'MESSAGE' and d.outcome = 'SENT' and d.cleared_at is null
      and d.seq > coalesce(r.seq, 0) limit 1`,
)
const readUpTo = statement<{ seq: number }>(
  'push_read_up_to',
  'select seq from read_marker where user_id = $1 and conversation_id = $2',
)
const devices = statement<Registration>(
  'push_devices',
  `select ${registrationColumns} from ${openRegistrations} where r.id = any($1::bigint[])`,
)
const insert = statement<{ id: number; registrationId: number }>(
  'push_insert_clears',
  `insert into push_delivery(kind, user_id, conversation_id, seq, registration_id, session_id, outcome)
   select 'CLEAR', $1, $2, $3, r.id, r.session_id, 'QUEUED' from push_registration r where r.id = any($4::bigint[])
   returning id, registration_id as "registrationId"`,
)
const markCleared = statement(
  'push_cleared',
  'update push_delivery set cleared_at = clock_timestamp() where id = any($1::bigint[])',
)

/** Clears what this person was shown of a conversation, where they have read all of it. */
export async function clear(app: App, userId: number, conversationId: number): Promise<void> {
  const { devices: near = [] } = (await readWhereabouts(app, [userId])).get(userId) ?? {}
  const isThere = (sessionId: number) => near.some((device) => device.sessionId === sessionId && device.state === 'ONLINE')
  await app.store.jobs.transaction(async (tx) => {
    // Most of what is read leaves something unread: then nothing is locked.
    if ((await tx.rows(leftUnread, [userId, conversationId])).length > 0) return
    const sent = (await tx.rows(shown, [userId, conversationId])).filter(({ outcome }) => outcome === 'SENT')
    const seq = (await tx.rows(readUpTo, [userId, conversationId]))[0]?.seq ?? 0
    if (sent.length === 0 || sent.some((delivery) => delivery.seq > seq)) return
    const found = await tx.rows(devices, [[...new Set(sent.map(({ registrationId }) => registrationId))]])
    const others = found.filter(({ provider, sessionId }) => isOffered(app.config, provider) && !isThere(sessionId))
    const rows = await tx.rows(insert, [userId, conversationId, seq, others.map(({ id }) => id)])
    const services = new Map(others.map((device) => [device.id, serviceOf(app.config, device)]))
    const due = rows.map(({ id, registrationId }) => ({ id, service: services.get(registrationId) ?? 'none' }))
    await tx.rows(markCleared, [sent.map(({ id }) => id)])
    await addJobs(tx, deliverJobs(due, new Date()))
  })
}
