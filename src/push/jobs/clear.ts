// The job that clears notifications. A notification is over if its message was read on another device or deleted, or if the
// reader left the conversation or blocked the sender. One silent update removes it from each device. A device shows only the
// newest notification of each conversation, so while the newest one sent to it is not over, nothing is cleared there.

import type { ConversationId, SessionId, UserId } from '../../id.ts'
import type { App } from '../../parts.ts'
import { statement } from '../../store/reader.ts'
import { readWhereabouts } from '../presence.ts'
import { isOffered, type Registration, serviceOf } from '../providers/provider.ts'
import { addJobs, deliverJobs } from './jobs.ts'
import { openRegistrations, registrationColumns } from './notify.ts'
import { isOver } from './over.ts'

/** Locks the deliveries: this waits for those being recorded as sent, or they see for themselves that they are over. */
const lock = statement(
  'push_shown',
  `select 1 from push_delivery
    where user_id = $1 and conversation_id = $2 and kind = 'MESSAGE' and outcome in ('QUEUED', 'SENT') and cleared_at is null
    order by id for update`,
)
/** For each device, the newest notification that it was sent, if that is over, with all those that it replaced. */
const over = statement<{ registrationId: number; seq: number; ids: number[] }>(
  'push_over',
  `select s.registration_id as "registrationId", s.seqs[1] as seq, s.ids from (
     select d.registration_id, array_agg(d.seq order by d.seq desc) as seqs, array_agg(d.id order by d.seq desc) as ids,
            (array_agg(${isOver} order by d.seq desc))[1] as is_over
       from push_delivery d
      where d.user_id = $1 and d.conversation_id = $2 and d.kind = 'MESSAGE' and d.outcome = 'SENT' and d.cleared_at is null
      group by d.registration_id) s
    where s.is_over`,
)
const devices = statement<Registration>(
  'push_devices',
  `select ${registrationColumns} from ${openRegistrations} where r.id = any($1::bigint[])`,
)
const insert = statement<{ id: number; registrationId: number }>(
  'push_insert_clears',
  `insert into push_delivery(kind, user_id, conversation_id, seq, registration_id, session_id, outcome)
   select 'CLEAR', $1, $2, c.seq, r.id, r.session_id, 'QUEUED' from unnest($3::int[], $4::bigint[]) as c(seq, registration_id)
     join push_registration r on r.id = c.registration_id
   returning id, registration_id as "registrationId"`,
)
const markCleared = statement(
  'push_cleared',
  'update push_delivery set cleared_at = clock_timestamp() where id = any($1::bigint[])',
)

/** Clears a user's notifications of a conversation, on each device where the newest one is over. */
export async function clear(app: App, userId: UserId, conversationId: ConversationId): Promise<void> {
  const { devices: near = [] } = (await readWhereabouts(app, [userId])).get(userId) ?? {}
  const isThere = (sessionId: SessionId) => near.some((device) => device.sessionId === sessionId && device.state === 'ONLINE')
  await app.store.jobs.transaction(async (tx) => {
    // Usually nothing is over, because something is still unread: then no lock is taken.
    if ((await tx.rows(over, [userId, conversationId])).length === 0) return
    await tx.rows(lock, [userId, conversationId])
    const gone = await tx.rows(over, [userId, conversationId])
    const found = await tx.rows(devices, [gone.map(({ registrationId }) => registrationId)])
    const others = found.filter(({ provider, sessionId }) => isOffered(app, provider) && !isThere(sessionId))
    const seqs = new Map(gone.map(({ registrationId, seq }) => [registrationId, seq]))
    const ids = others.map(({ id }) => id)
    const rows = await tx.rows(insert, [userId, conversationId, ids.map((id) => seqs.get(id)), ids])
    const services = new Map(others.map((device) => [device.id, serviceOf(app.config, device)]))
    const due = rows.map(({ id, registrationId }) => ({ id, service: services.get(registrationId) ?? 'none' }))
    await tx.rows(markCleared, [gone.flatMap(({ ids: cleared }) => cleared)])
    await addJobs(tx, deliverJobs(due))
  })
}
