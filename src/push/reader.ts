// The durable reader of the journal that makes jobs of facts: of a message that was sent, to decide whom to notify; of a read
// marker that moved, to clear what was shown elsewhere. Each node has one; the lock on the row of progress lets one of them work
// at a time. The jobs and the place that it has come to are one transaction: a node that is killed loses none and doubles none.
//
// No flush is waited for (B1): this transaction commits after the facts that it has seen. A Postgres that crashes before they are
// on disk takes back the jobs and the place with them, and what a job shows outside passes a flush first (deliver.ts).

import type { App } from '../app.ts'
import { type Fact, factKinds, type Place } from '../journal/fact.ts'
import type { ReadPayload } from '../journal/read-marker.ts'
import { readFactsAfter, readHead, readTagAt } from '../journal/tables.ts'
import { isTransient } from '../store/postgres.ts'
import { type Reader, statement } from '../store/reader.ts'
import { lifetimeMs } from './decide.ts'
import { addJobs, type Job } from './jobs.ts'
import { pushSteps } from './steps.ts'

const factsAtOnce = 500
/** How long facts gather before a turn. */
const gatherMs = 100
/** How often it is looked whether there is something to do that nobody told of. */
const lookMs = 1_000

const progress = statement<Place>('push_progress', 'select position, tag from push_progress')
const take = statement<Place>('push_take', 'select position, tag from push_progress for update skip locked')
const move = statement('push_move', 'update push_progress set position = $1, tag = $2')
/** Of these messages, those that somebody else hears who has a device to notify. */
const notifiable = statement<{ id: number }>(
  'push_notifiable',
  `select f.id from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as f(id, conversation_id, sender_id)
    where exists (select 1 from audience a join push_registration r on r.user_id = a.user_id
                   where a.conversation_id = f.conversation_id and a.to_position is null and a.user_id <> f.sender_id)`,
)
/** Of these readers, those to whom something was sent that may still be shown, or is about to be. */
const clearable = statement<{ userId: number; conversationId: number }>(
  'push_clearable',
  `select distinct m.user_id as "userId", m.conversation_id as "conversationId"
     from unnest($1::bigint[], $2::bigint[], $3::int[]) as m(user_id, conversation_id, seq)
     join push_delivery d on d.user_id = m.user_id and d.conversation_id = m.conversation_id and d.seq <= m.seq
      and d.kind = 'MESSAGE' and d.outcome in ('QUEUED', 'SENT') and d.cleared_at is null`,
)

/** The reader of a node. */
export type PushReader = { close(): Promise<void> }

/** Opens the reader: it begins to follow at once. */
export function openReader(app: App): PushReader {
  let isClosed = false
  let working: Promise<void> | undefined
  let gathering: NodeJS.Timeout | undefined

  async function catchUp(): Promise<void> {
    while (!isClosed && (await hasWork(app)) && (await takeTurn(app)));
  }
  function work(): void {
    gathering = undefined
    working ??= catchUp()
      .catch((error: unknown) => {
        if (isTransient(error)) app.log.warn({ err: error }, 'notifications wait for the database')
        else app.log.error({ err: error }, 'facts could not be read for notifications')
      })
      .finally(() => {
        working = undefined
      })
  }
  function wake(): void {
    if (!isClosed) gathering ??= setTimeout(work, gatherMs)
  }

  app.journal.onFact(({ kind }) => {
    if (kind === factKinds.MessageSent || kind === factKinds.ReadMarkersMoved) wake()
  })
  const look = setInterval(wake, lookMs)
  wake()
  return {
    async close() {
      isClosed = true
      clearInterval(look)
      clearTimeout(gathering)
      await working
    },
  }
}

/** Whether the reader is somewhere else than this node's journal. A look that costs little, for the nodes that only stand by. */
async function hasWork({ store, journal }: App): Promise<boolean> {
  const [[place], head] = [await store.jobs.reader.rows(progress, []), journal.head()]
  return place?.position !== head.position || place.tag !== head.tag
}

/** Makes the jobs of the next facts. @returns whether there may be more to do for this node. */
async function takeTurn({ store, config, log }: App): Promise<boolean> {
  let jobs: readonly Job[] = []
  const isMoved = await store.jobs.transaction(async (tx) => {
    const [was] = await tx.rows(take, [])
    if (!was) return false
    const from = await confirm(tx, was)
    if (from !== was) log.warn({ position: was.position }, 'notifications had followed another journal: they go on from here')
    const facts = await readFactsAfter(tx, from.position, factsAtOnce)
    jobs = [...(await notifyJobs(tx, facts, config.push.delayMs)), ...(await clearJobs(tx, facts))]
    await addJobs(tx, jobs)
    if (jobs.length > 0) pushSteps.reading.publish({ jobs: jobs.length })
    const now = facts.at(-1) ?? from
    if (now === was) return false
    await tx.rows(move, [now.position, now.tag])
    return true
  })
  if (jobs.length > 0) pushSteps.read.publish({ jobs: jobs.length })
  return isMoved
}

/**
 * The place, where the journal still holds its fact, or has trimmed it: then whatever was not seen is too old by far. Otherwise
 * (the tables were restored apart from each other) the head: what would be notified of again is worse than what would not.
 */
async function confirm(reader: Reader, place: Place): Promise<Place> {
  const { tag, floor } = await readTagAt(reader, place.position)
  if (tag === null ? place.position <= floor : tag === place.tag) return place
  const { position, tag: headTag } = await readHead(reader)
  return { position, tag: headTag }
}

async function notifyJobs(reader: Reader, facts: readonly Fact[], delayMs: number): Promise<Job[]> {
  const oldest = Date.now() - lifetimeMs
  const sent = facts.filter(({ kind, occurredAt }) => kind === factKinds.MessageSent && occurredAt > oldest)
  if (sent.length === 0) return []
  const columns = [sent.map((f) => f.subjectId), sent.map((f) => f.conversationId), sent.map((f) => f.actorId)]
  const wanted = new Set((await reader.rows(notifiable, columns)).map(({ id }) => id))
  return sent.flatMap(({ subjectId: messageId, occurredAt }) =>
    messageId !== null && wanted.has(messageId)
      ? [{ name: 'push_notify', payload: { messageId, isLast: false }, runAt: new Date(occurredAt + delayMs) } as const]
      : [],
  )
}

async function clearJobs(reader: Reader, facts: readonly Fact[]): Promise<Job[]> {
  const moved = facts.flatMap(({ kind, payload, subjectId, conversationId }) => {
    if (kind !== factKinds.ReadMarkersMoved) return []
    const { seq, markers } = payload as ReadPayload
    return (markers ?? [{ userId: subjectId ?? 0, seq }]).map((marker) => ({ ...marker, conversationId }))
  })
  if (moved.length === 0) return []
  const columns = [moved.map((m) => m.userId), moved.map((m) => m.conversationId), moved.map((m) => m.seq)]
  return (await reader.rows(clearable, columns)).map((payload) => clearJob(payload))
}

/** The job that clears what somebody was shown of a conversation; several at once are one. */
export function clearJob(payload: { userId: number; conversationId: number }): Job<'push_clear'> {
  return { name: 'push_clear', payload, runAt: new Date(), key: `push_clear:${payload.userId}:${payload.conversationId}` }
}
