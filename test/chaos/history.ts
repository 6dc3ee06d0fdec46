// The history of a run as Postgres has it when all is mended: the facts, with what tells one from another, and the tables
// beside them that the judge compares with what follows from the facts.

import type pg from 'pg'
import { encodeId } from '../../src/id.ts'
import { type FactKind, factKinds } from '../../src/journal/fact.ts'
import type { AudibleFact, Visibility } from './oracle.ts'

const kinds = new Map<number, FactKind>(Object.entries(factKinds).map(([kind, number]) => [number, kind as FactKind]))

/** A fact with all that the judge goes by. */
export type Fact = AudibleFact & {
  readonly actorId: number | null
  /** Of a message that was sent. */
  readonly sent: { readonly seq: number; readonly senderId: number } | null
  /** Of gathered read markers. */
  readonly markers: readonly { readonly userId: number; readonly seq: number }[]
}

/** A message as it is stored. */
export type MessageRow = {
  readonly id: string
  readonly sender: string
  readonly client_message_id: string
  readonly text: string
  readonly version: number
}

/** What a conversation is, what it began with, and where it has come to. */
export type ConversationRow = {
  readonly id: number
  readonly isGroup: boolean
  readonly began: Visibility
  readonly visibility: Visibility
  /** How many have joined with its invites. */
  readonly uses: number
}

/** All of it. */
export type History = {
  readonly facts: readonly Fact[]
  readonly messages: readonly MessageRow[]
  readonly conversations: readonly ConversationRow[]
  /** `conversation user ROLE`, and `conversation user from visibleFromSeq`: each list is sorted. */
  readonly members: readonly string[]
  readonly audience: readonly string[]
}

/** The title of a group says what visibility it began with, since no fact does. Nobody changes titles in a run. */
export function titleOf(name: string, visibility: Visibility): string {
  return `${name}: ${visibility}`
}

/** Reads everything. */
export async function readHistory(sql: pg.Client): Promise<History> {
  const { rows: messages } = await sql.query<MessageRow>(
    'select id, sender_id as sender, client_message_id, text, version from message order by id',
  )
  const { rows: conversations } = await sql.query<{ [key in 'id' | 'kind' | 'title' | 'uses']: string } & { now: Visibility }>(
    `select c.id, c.kind, c.title, c.history_visibility as now,
       (select coalesce(sum(i.uses), 0) from invite i where i.conversation_id = c.id) as uses from conversation c`,
  )
  const { rows: members } = await sql.query<{ line: string }>(
    "select concat_ws(' ', conversation_id, user_id, role) as line from member",
  )
  const { rows: audience } = await sql.query<{ line: string }>(
    "select concat_ws(' ', conversation_id, user_id, from_position, visible_from_seq) as line from audience",
  )
  return {
    facts: await readFacts(sql),
    messages,
    conversations: conversations.map(({ id, kind, title, now, uses }) => ({
      id: Number(id),
      isGroup: kind === 'GROUP',
      began: title?.endsWith(': SINCE_JOINING') ? 'SINCE_JOINING' : 'ALL',
      visibility: now,
      uses: Number(uses),
    })),
    members: members.map(({ line }) => line).sort(),
    audience: audience.map(({ line }) => line).sort(),
  }
}

type Row = {
  position: string
  tag: number
  kind: number
  conversation: string | null
  user: string | null
  actor: string | null
  subject: string | null
  change: number
  payload: { markers?: { userId: number; seq: number }[] } | null
  seq: number | null
  client_message_id: string | null
  sender: string | null
}

async function readFacts(sql: pg.Client): Promise<Fact[]> {
  const { rows } = await sql.query<Row>(
    `select f.position, f.tag, f.kind, f.conversation_id as conversation, f.user_id as "user", f.actor_id as actor,
       f.subject_id as subject, f.audience_change as change, f.payload, m.seq, m.client_message_id, m.sender_id as sender
       from fact f left join message m on m.id = f.position order by f.position`,
  )
  return rows.map((row) => {
    const subjectId = Number(row.subject)
    return {
      position: Number(row.position),
      tag: row.tag,
      kind: kinds.get(row.kind) ?? `kind ${row.kind}`,
      subject: subjectOf(row),
      subjectId,
      conversationId: row.conversation === null ? null : Number(row.conversation),
      userId: row.user === null ? null : Number(row.user),
      actorId: row.actor === null ? null : Number(row.actor),
      joins: row.change > 0 ? subjectId : null,
      leaves: row.change < 0 ? subjectId : null,
      sent: row.seq === null ? null : { seq: row.seq, senderId: Number(row.sender) },
      markers: row.payload?.markers ?? [],
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
    case 'PinsChanged':
      return `${conversation} ${encodeId('Message', subject)}`
    case 'MemberJoined':
    case 'MemberLeft':
    case 'MemberUpdated':
      return `${conversation} ${encodeId('User', subject)}`
    case 'ReadMarkersMoved':
      return `${conversation} ${row.payload?.markers?.map(({ userId, seq }) => `${encodeId('User', userId)} ${seq}`).join(' ')}`
    case 'ConversationAdded':
    case 'ConversationUpdated':
    case 'InvitesChanged':
    case 'MembershipUpdated':
      return conversation
    default:
      return ''
  }
}
