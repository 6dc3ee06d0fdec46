// Messages as rows: the table `message`, which only the SQL functions of sends and changes write. They are the rows that facts
// name, so a message travels with its facts and each node remembers the newest ones.

import type { NamedRow, NamedRows } from '../journal/named-row.ts'
import { milliseconds } from '../journal/tables.ts'
import { type Reader, statement } from '../store/reader.ts'

/** A message as it is stored, and as it travels with the facts that name it. */
export type MessageRow = {
  /** The position of the fact that created it. */
  readonly id: number
  readonly conversationId: number
  readonly seq: number
  readonly senderId: number
  readonly clientMessageId: string
  readonly text: string
  /** Milliseconds since 1970, as the two that follow. */
  readonly createdAt: number
  /** Counts from 1; each edit, and the deletion, adds one. */
  readonly version: number
  readonly editedAt: number | null
  /** When it was deleted for everyone: then its text is empty. */
  readonly deletedAt: number | null
  readonly replyToId: number | null
  readonly mentionedUserIds: readonly number[]
  /** The position of the last edit, or of the deletion; null, or left out, where there was none. */
  readonly changedPosition?: number | null
  /** The row is that of the sending itself: nobody has reacted to the message or pinned it, as far as this row goes. */
  readonly isNew?: true
}

/** The columns of a message with the names of `MessageRow`, from a table or alias `m`. */
export const messageColumns = `m.id, m.conversation_id as "conversationId", m.seq, m.sender_id as "senderId",
  coalesce(m.client_message_spelling, m.client_message_id::text) as "clientMessageId", m.text, ${milliseconds('m.created_at')} as "createdAt",
  m.version, ${milliseconds('m.edited_at')} as "editedAt", ${milliseconds('m.deleted_at')} as "deletedAt",
  m.reply_to_id as "replyToId", m.mentioned_user_ids as "mentionedUserIds", m.changed_position as "changedPosition"`

const messagesByIds = statement<MessageRow>(
  'messages_by_ids',
  `select ${messageColumns} from message m where m.id = any($1::bigint[])`,
)

/** The messages with these ids, in no order. */
export function readMessages(reader: Reader, ids: readonly number[]): Promise<MessageRow[]> {
  return ids.length === 0 ? Promise.resolve([]) : reader.rows(messagesByIds, [ids])
}

/** A message with a longer text, in characters, does not travel with its fact: whoever shows it reads it. */
export const travellingTextMax = 4_096

/** Messages as the rows that facts name. */
export const messageRows: NamedRows = {
  read: readMessages,
  bytesOf: ({ text, mentionedUserIds }: MessageRow) => 280 + text.length * 2 + mentionedUserIds.length * 16,
  travels: ({ text }: MessageRow) => text.length <= travellingTextMax,
}

/** The message among the rows that facts name. */
export const messageOf = (row: NamedRow | undefined) => row as MessageRow | undefined
