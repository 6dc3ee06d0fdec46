// The final state in Postgres, after all repairs: the facts, and the tables that the checker compares with them.

import type pg from 'pg'
import { kindsByName } from '../../src/features.ts'
import { conversationIdOf, encodeId, messageIdOf, userIdOf } from '../../src/id.ts'

import type { FactWithAudience, Visibility } from './oracle.ts'

type FactKind = keyof typeof kindsByName
const kinds = new Map<number, FactKind>(Object.entries(kindsByName).map(([kind, { number }]) => [number, kind as FactKind]))

/** A fact with everything that the checker needs. */
export type Fact = FactWithAudience & {
  readonly actorId: number | null
  /** For MessageSent. */
  readonly sent: { readonly seq: number; readonly senderId: number } | null
  /** For ReadMarkersMoved. */
  readonly markers: readonly { readonly userId: number; readonly seq: number }[]
}

/** A row of the message table. */
export type MessageRow = {
  readonly id: string
  readonly sender: string
  readonly client_message_id: string
  readonly text: string
  readonly version: number
}

/** A conversation, with its first and its last history visibility. */
export type ConversationRow = {
  readonly id: number
  readonly isGroup: boolean
  readonly initialVisibility: Visibility
  readonly visibility: Visibility
  /** How many joins its invites have counted. */
  readonly uses: number
}

/** The facts and the tables. */
export type StoredState = {
  readonly facts: readonly Fact[]
  readonly messages: readonly MessageRow[]
  readonly conversations: readonly ConversationRow[]
  /** Sorted lines: `conversation user ROLE`. */
  readonly members: readonly string[]
  /** Sorted lines: `conversation user from visibleFromSeq`. */
  readonly audience: readonly string[]
}

/** The title of a group records its first visibility, since no fact does. Nobody changes titles in a run. */
export function titleOf(name: string, visibility: Visibility): string {
  return `${name}: ${visibility}`
}

/** Reads the final state. */
export async function readStoredState(sql: pg.Client): Promise<StoredState> {
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
      initialVisibility: title?.endsWith(': SINCE_JOINING') ? 'SINCE_JOINING' : 'ALL',
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
  payload: { markers?: { userId: number; seq: number }[]; epoch?: number } | null
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

/** The subject of a fact, as a device names it. */
function subjectOf(row: Row): string {
  const conversation = encodeId('Conversation', conversationIdOf(Number(row.conversation ?? row.subject)))
  const subject = Number(row.subject)
  const user = (id: number) => encodeId('User', userIdOf(id))
  switch (kinds.get(row.kind)) {
    case 'MessageSent':
      return `${conversation} ${encodeId('Message', messageIdOf(subject))} ${row.client_message_id} ${user(Number(row.sender))}`
    case 'MessageEdited':
    case 'MessageDeleted':
    case 'ReactionsChanged':
    case 'PinsChanged':
    case 'AttachmentChanged':
      return `${conversation} ${encodeId('Message', messageIdOf(subject))}`
    case 'MessageHidden':
    case 'MessageUnhidden':
      return encodeId('Message', messageIdOf(subject))
    case 'MemberJoined':
    case 'MemberLeft':
    case 'MemberUpdated':
      return `${conversation} ${user(subject)}`
    case 'EpochCommitted':
      return `${conversation} ${row.payload?.epoch}`
    case 'DeliveryMarkersMoved':
    case 'ReadMarkersMoved':
      return `${conversation} ${row.payload?.markers?.map(({ userId, seq }) => `${user(userId)} ${seq}`).join(' ')}`
    case 'ConversationAdded':
    case 'ConversationUpdated':
    case 'InvitesChanged':
    case 'MembershipUpdated':
    case 'DraftChanged':
      return conversation
    default:
      return ''
  }
}
