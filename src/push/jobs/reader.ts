// The durable reader that makes jobs from facts. A message that was sent needs a decision about its notifications. A read marker
// that moved, a message that was deleted, or a user who left or was blocked may clear notifications.
//
// It waits for no flush (B1), because its transaction commits after the facts that it has read. If Postgres crashes before the
// facts are on disk, the jobs and the place are lost with them. A job waits for a flush before it sends anything (deliver.ts).

import { contactKinds } from '../../contact/events.ts'
import type { ConversationId, MessageId, UserId } from '../../id.ts'
import { DurableReader, type DurableReading, movableRow, standingOf } from '../../journal/durable-reader.ts'
import type { Fact, Place } from '../../journal/fact.ts'
import { payloadOf } from '../../journal/kind.ts'
import { readFactsAfter, readHead } from '../../journal/tables.ts'
import { messageKinds } from '../../message/events.ts'
import type { App } from '../../parts.ts'
import { type Reader, statement } from '../../store/reader.ts'
import { lifetimeMs } from '../decide.ts'
import { addJobs, type Job } from './jobs.ts'
import { pushSteps } from './steps.ts'

const factsMax = 500
const seqMax = 2_147_483_647

const progress = statement<Place>('push_progress', 'select position, tag from push_progress')
const take = statement<Place>('push_take', 'select position, tag from push_progress for update skip locked')
const moveFrom = statement<{ one: boolean }>(
  'push_move_from',
  `with turn as (${movableRow('push_progress')})
   update push_progress p set position = $1, tag = $2 from turn where p.one = turn.one returning p.one`,
)
const move = statement('push_move', 'update push_progress set position = $1, tag = $2')
/** The messages, among these, with another user in their audience who has a registered device. */
const notifiable = statement<{ id: MessageId }>(
  'push_notifiable',
  `select f.id from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as f(id, conversation_id, sender_id)
    where exists (select 1 from current_audience a join push_registration r on r.user_id = a.user_id
                   where a.conversation_id = f.conversation_id and a.user_id <> f.sender_id)`,
)
/** The notification may be shown on a device, or is on its way. */
const isShown = "d.kind = 'MESSAGE' and d.outcome in ('QUEUED', 'SENT') and d.cleared_at is null"
/** The users, among these, who may see notifications of a conversation up to a seq. */
const clearable = statement<{ userId: UserId; conversationId: ConversationId }>(
  'push_clearable',
  `select distinct m.user_id as "userId", m.conversation_id as "conversationId"
     from unnest($1::bigint[], $2::bigint[], $3::int[]) as m(user_id, conversation_id, seq)
     join push_delivery d on d.user_id = m.user_id and d.conversation_id = m.conversation_id and d.seq <= m.seq
      and ${isShown}`,
)
/** The users who may see notifications of these messages. */
const clearableOfMessages = statement<{ userId: UserId; conversationId: ConversationId }>(
  'push_clearable_of_messages',
  `select distinct d.user_id as "userId", d.conversation_id as "conversationId" from push_delivery d
    where d.message_id = any($1::bigint[]) and ${isShown}`,
)
/** The users who may see notifications of senders that they may have blocked. */
const clearableOfSenders = statement<{ userId: UserId; conversationId: ConversationId }>(
  'push_clearable_of_senders',
  `select distinct d.user_id as "userId", d.conversation_id as "conversationId"
     from unnest($1::bigint[], $2::bigint[]) as b(user_id, sender_id)
     join push_delivery d on d.user_id = b.user_id and d.conversation_id is not null and ${isShown}
     join message m on m.id = d.message_id and m.sender_id = b.sender_id`,
)

/** Opens the reader of a node. It starts at once. */
export function openReader(app: App): DurableReader {
  const reading: DurableReading = {
    gatherMs: 250,
    factsMax,
    failure: 'facts could not be read for notifications',
    rests: false,
    concerns: (fact) => fact.kind === messageKinds.MessageSent.number || mayClear(fact),
    async readProgress() {
      const [place] = await app.store.jobs.reader.rows(progress, [])
      if (!place) throw new Error('the table push_progress has no row')
      return place
    },
    follow: (place, facts) => follow(app, place, facts),
    takeTurn: () => takeTurn(app),
  }
  return new DurableReader(reading, app.journal, app.log)
}

/** Makes the jobs for facts of the recent log. @returns the new place; null if the old one was not where it is said to be */
async function follow({ store, config }: App, was: Place, facts: readonly [Fact, ...Fact[]]): Promise<Place | null> {
  const { position, tag } = facts.at(-1) ?? facts[0]
  const jobs = await jobsFor(store.jobs.reader, facts, config.push.delayMs)
  const moveAndAdd = async (reader: Reader) => {
    const moved = await reader.rows(moveFrom, [position, tag, was.position, was.tag])
    if (moved.length === 0) return null
    if (jobs.length > 0) {
      await addJobs(reader, jobs)
      pushSteps.reading.publish({ jobs: jobs.length })
    }
    return { position, tag }
  }
  if (jobs.length === 0) return moveAndAdd(store.jobs.reader)
  const now = await store.jobs.transaction(moveAndAdd)
  if (now) pushSteps.read.publish({ jobs: jobs.length })
  return now
}

/** Makes the jobs for the next facts in Postgres. @returns the new place; null if there is no more to do for this node */
async function takeTurn({ store, config, log }: App): Promise<Place | null> {
  let jobs: readonly Job[] = []
  const moved = await store.jobs.transaction(async (tx) => {
    const [was] = await tx.rows(take, [])
    if (!was) return null
    const from = await confirm(tx, was)
    if (from !== was) log.warn({ position: was.position }, 'notifications had followed another journal: they continue from here')
    const facts = await readFactsAfter(tx, from.position, factsMax)
    jobs = await jobsFor(tx, facts, config.push.delayMs)
    await addJobs(tx, jobs)
    if (jobs.length > 0) pushSteps.reading.publish({ jobs: jobs.length })
    const now = facts.at(-1) ?? from
    if (now === was) return null
    await tx.rows(move, [now.position, now.tag])
    return { position: now.position, tag: now.tag }
  })
  if (jobs.length > 0) pushSteps.read.publish({ jobs: jobs.length })
  return moved
}

/**
 * The place to continue from. That is the stored place if the journal has its fact or has trimmed it; facts missed by trimming
 * are far too old to notify of. Otherwise the tables were restored separately, and it is the head: skipping some notifications is
 * better than repeating many.
 */
async function confirm(reader: Reader, place: Place): Promise<Place> {
  if ((await standingOf(reader, place)) !== 'OTHER') return place
  const { position, tag: headTag } = await readHead(reader)
  return { position, tag: headTag }
}

async function jobsFor(reader: Reader, facts: readonly Fact[], delayMs: number): Promise<readonly Job[]> {
  return [...(await notifyJobs(reader, facts, delayMs)), ...(await clearJobs(reader, facts))]
}

async function notifyJobs(reader: Reader, facts: readonly Fact[], delayMs: number): Promise<Job[]> {
  const oldest = Date.now() - lifetimeMs
  const sent = facts.filter(({ kind, occurredAt }) => kind === messageKinds.MessageSent.number && occurredAt > oldest)
  if (sent.length === 0) return []
  const columns = [sent.map((f) => f.subjectId), sent.map((f) => f.conversationId), sent.map((f) => f.actorId)]
  const wanted = new Set((await reader.rows(notifiable, columns)).map(({ id }) => id))
  return sent.flatMap(({ subjectId, occurredAt }) => {
    const messageId = subjectId as MessageId | null
    return messageId !== null && wanted.has(messageId)
      ? [{ name: 'push_notify', payload: { messageId, isLast: false }, runAt: new Date(occurredAt + delayMs) } as const]
      : []
  })
}

async function clearJobs(reader: Reader, facts: readonly Fact[]): Promise<Job[]> {
  const moved = facts
    .filter(({ kind }) => kind === messageKinds.ReadMarkersMoved.number)
    .flatMap((fact) => {
      const { markers } = payloadOf(messageKinds.ReadMarkersMoved, fact)
      return markers.map((marker) => ({ ...marker, conversationId: fact.conversationId }))
    })
  const left = facts
    .filter(({ audienceChange }) => audienceChange < 0)
    .map(({ subjectId, conversationId }) => ({ userId: subjectId ?? 0, seq: seqMax, conversationId }))
  const over = [...moved, ...left]
  const deleted = facts.filter(({ kind }) => kind === messageKinds.MessageDeleted.number).map(({ subjectId }) => subjectId)
  const blocks = facts.filter(({ kind }) => kind === contactKinds.BlockChanged.number)
  const columns = [over.map((m) => m.userId), over.map((m) => m.conversationId), over.map((m) => m.seq)]
  const found = [
    ...(over.length > 0 ? await reader.rows(clearable, columns) : []),
    ...(deleted.length > 0 ? await reader.rows(clearableOfMessages, [deleted]) : []),
    ...(blocks.length > 0
      ? await reader.rows(clearableOfSenders, [blocks.map(({ userId }) => userId), blocks.map(({ subjectId }) => subjectId)])
      : []),
  ]
  // No two jobs may have the same key.
  return [...new Map(found.map((payload) => [clearJob(payload).key, clearJob(payload)])).values()]
}

/** Whether a fact may clear notifications: a message was read or deleted, or a user left or was blocked. */
function mayClear({ kind, audienceChange }: Fact): boolean {
  return (
    kind === messageKinds.ReadMarkersMoved.number ||
    kind === messageKinds.MessageDeleted.number ||
    kind === contactKinds.BlockChanged.number ||
    audienceChange < 0
  )
}

/** The job that clears a user's notifications of a conversation. Several waiting jobs become one. */
export function clearJob(payload: { userId: UserId; conversationId: ConversationId }): Job<'push_clear'> {
  return { name: 'push_clear', payload, runAt: null, key: `push_clear:${payload.userId}:${payload.conversationId}` }
}
