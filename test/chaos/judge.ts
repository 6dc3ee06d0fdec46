// The judge of a run: reads the journal as Postgres has it, when all is mended, and compares it with everything that was
// answered to senders and told to devices.

import type pg from 'pg'
import { encodeId } from '../../src/id.ts'
import { type FactKind, factKinds } from '../../src/journal/fact.ts'
import { brokenLaws } from '../journal/laws.ts'
import type { Device } from './device.ts'
import { type AudibleFact, compare, type Verdict, verdicts, visibleTo } from './oracle.ts'
import type { Record, Seen } from './record.ts'

const kinds = new Map<number, FactKind>(Object.entries(factKinds).map(([kind, number]) => [number, kind as FactKind]))

/** The one law that holds of what the stress test writes alone: reactions and read markers do not move a conversation up. */
const ofWritesAlone = 'D5 the head of a conversation is its last fact'

type Row = {
  position: string
  tag: number
  kind: number
  conversation: string | null
  user: string | null
  subject: string | null
  change: number
  client_message_id: string | null
  sender: string | null
}
type MessageRow = {
  id: string
  sender: string
  client_message_id: string
  text: string
  version: number
  seq: number
  conversation: string
}

/** What the judge found: how many flaws of each kind there are in how many lists, and how many deliveries were compared. */
export type Judgement = {
  readonly flaws: { readonly [verdict in Verdict]: number }
  readonly deliveries: number
  readonly facts: number
}

/** Judges everything up to the position `end`. Faults go to the record. */
export async function judge(sql: pg.Client, devices: readonly Device[], record: Record, end: number): Promise<Judgement> {
  for (const law of await brokenLaws(sql)) if (law !== ofWritesAlone) record.fault(`a law of the journal is broken: ${law}`)
  const facts = await readFacts(sql)
  const messages = await readMessages(sql)
  judgeSends(record, messages)
  judgePlaces(record, facts)
  judgeSnapshots(record, facts, messages)
  const judgement = judgeDevices(record, devices, facts, end)
  return { ...judgement, facts: facts.length }
}

async function readFacts(sql: pg.Client): Promise<AudibleFact[]> {
  const { rows } = await sql.query<Row>(
    `select f.position, f.tag, f.kind, f.conversation_id as conversation, f.user_id as "user", f.subject_id as subject,
       f.audience_change as change, m.client_message_id, m.sender_id as sender
       from fact f left join message m on m.id = f.position order by f.position`,
  )
  return rows.map((row) => {
    const subject = Number(row.subject)
    return {
      position: Number(row.position),
      tag: row.tag,
      kind: kinds.get(row.kind) ?? `kind ${row.kind}`,
      subject: subjectOf(row),
      conversationId: row.conversation === null ? null : Number(row.conversation),
      userId: row.user === null ? null : Number(row.user),
      joins: row.change > 0 ? subject : null,
      leaves: row.change < 0 ? subject : null,
    }
  })
}

/** What a fact is about, in the words of a device. */
function subjectOf(row: Row): string {
  const conversation = encodeId('Conversation', Number(row.conversation ?? row.subject))
  const subject = Number(row.subject)
  switch (kinds.get(row.kind)) {
    case 'MessageSent':
      return `${conversation} ${encodeId('Message', subject)} ${row.client_message_id} ${encodeId('User', Number(row.sender))}`
    case 'MessageEdited':
    case 'MessageDeleted':
    case 'ReactionsChanged':
      return `${conversation} ${encodeId('Message', subject)}`
    case 'MemberJoined':
    case 'MemberLeft':
      return `${conversation} ${encodeId('User', subject)}`
    case 'ConversationAdded':
    case 'ReadMarkersMoved':
      return conversation
    default:
      return ''
  }
}

async function readMessages(sql: pg.Client): Promise<MessageRow[]> {
  const { rows } = await sql.query<MessageRow>(
    'select id, sender_id as sender, client_message_id, text, version, seq, conversation_id as conversation from message order by id',
  )
  return rows
}

/** Every acknowledged send is there once, with the id that was answered; what was refused every time is not there (D1, D2). */
function judgeSends(record: Record, messages: readonly MessageRow[]): void {
  const stored = new Map<string, MessageRow[]>()
  for (const message of messages) {
    const key = `${message.sender} ${message.client_message_id}`
    stored.set(key, [...(stored.get(key) ?? []), message])
  }
  const lastOf = new Map<number, string>()
  for (const { senderId, clientMessageId, ids, refusals, unanswered, text, isInTurn } of record.sendings) {
    const found = stored.get(`${senderId} ${clientMessageId}`) ?? []
    const name = `the send ${clientMessageId} of user ${senderId}`
    const [message] = found
    if (found.length > 1) record.fault(`D2 ${name} is there ${found.length} times`)
    if (ids.size > 1) record.fault(`D2 ${name} was answered with several ids: ${[...ids].join(', ')}`)
    if (ids.size === 0) {
      if (refusals.size > 0 && unanswered === 0 && message) record.fault(`D6 ${name} was refused and is there`)
      continue
    }
    if (!message) {
      record.fault(`D1 ${name} was acknowledged and is not there`)
      record.count('sends lost')
      continue
    }
    const id = encodeId('Message', Number(message.id))
    if (!ids.has(id)) record.fault(`D1 ${name} was acknowledged as ${[...ids].join()} and is ${id}`)
    if (message.version === 1 && message.text !== text) record.fault(`D1 ${name} has another text`)
    if (!isInTurn) continue
    const last = lastOf.get(senderId)
    if (last !== undefined && id <= last)
      record.fault(`A10 ${name} is ${id}, before ${last} that was answered before it was begun`)
    lastOf.set(senderId, id)
  }
}

/** Whatever was answered with a cursor is in the journal, at that very place (D1, A2). */
function judgePlaces(record: Record, facts: readonly Seen[]): void {
  const tags = new Map(facts.map(({ position, tag }) => [position, tag]))
  for (const { what, position, tag } of record.places) {
    if (tags.get(position) !== tag) record.fault(`D1 ${what} was answered at ${position}/${tag}; there is ${tags.get(position)}`)
  }
}

/** Each snapshot shows the conversations and last messages of its position, and of no other (D4). */
function judgeSnapshots(record: Record, facts: readonly AudibleFact[], messages: readonly MessageRow[]): void {
  const audiences = new Map<number, Set<number>>()
  const seqs = new Map<number, number>()
  const bySeq = new Map(messages.map(({ id, seq }) => [Number(id), seq]))
  let next = 0
  for (const { position, userId, last } of [...record.snapshots].sort((a, b) => a.position - b.position)) {
    for (let fact = facts[next]; fact && fact.position <= position; next += 1, fact = facts[next]) {
      if (fact.conversationId === null) continue
      const audience = audiences.get(fact.conversationId) ?? new Set()
      audiences.set(fact.conversationId, audience)
      if (fact.joins !== null) audience.add(fact.joins)
      if (fact.leaves !== null) audience.delete(fact.leaves)
      const seq = bySeq.get(fact.position)
      if (seq !== undefined) seqs.set(fact.conversationId, seq)
    }
    const right = [...audiences].filter(([, audience]) => audience.has(userId))
    const due = right.map(([id]) => `${encodeId('Conversation', id)} ${seqs.get(id) ?? null}`).sort()
    const had = [...last].map(([id, seq]) => `${id} ${seq}`).sort()
    if (due.join() !== had.join()) record.fault(`D4 a snapshot of user ${userId} at ${position} says ${had}; right is ${due}`)
  }
}

function judgeDevices(record: Record, devices: readonly Device[], facts: readonly AudibleFact[], end: number) {
  const flaws = Object.fromEntries(verdicts.map((verdict) => [verdict, 0])) as { [verdict in Verdict]: number }
  const heard = visibleTo(facts)
  let deliveries = 0
  for (const device of devices) {
    const mine = heard.get(device.userId) ?? []
    for (const [i, { from, upTo, received }] of device.stretches.entries()) {
      const isLast = i === device.stretches.length - 1
      const due = mine.filter(({ position }) => position > from && position <= (isLast ? end : upTo))
      const had = isLast ? received.filter(({ position }) => position <= end) : received
      deliveries += had.length
      for (const { verdict, seen } of compare(due, had)) {
        flaws[verdict] += 1
        const where = `${seen.kind} ${seen.subject} at ${seen.position}/${seen.tag}`
        record.fault(`${verdict === 'leaked' ? 'D6' : 'D3'} ${device.name}: ${verdict}: ${where} (from ${from}, up to ${upTo})`)
      }
    }
  }
  return { flaws, deliveries }
}
