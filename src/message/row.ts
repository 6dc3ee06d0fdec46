// Messages as rows of the table `message`, which only the SQL functions for sends and changes write. Facts name these rows, so a
// message travels with its facts, and each node remembers the newest ones.

import type { AttachmentId, ConversationId, MessageId, Position, UserId } from '../id.ts'
import type { NamedRow, NamedRows } from '../journal/named-row.ts'
import { milliseconds } from '../journal/tables.ts'
import { type Reader, statement } from '../store/reader.ts'

/** A message as it is stored, and as it travels with the facts that name it. */
export type MessageRow = {
  /** The position of the fact that created it. */
  readonly id: MessageId
  readonly conversationId: ConversationId
  readonly seq: number
  readonly senderId: UserId
  readonly clientMessageId: string
  readonly text: string
  /** In milliseconds since 1970, like `editedAt` and `deletedAt`. */
  readonly createdAt: number
  /** Counts from 1; each edit, and the deletion, adds one. */
  readonly version: number
  readonly editedAt: number | null
  /** When the message was deleted for everyone; its text is then empty. */
  readonly deletedAt: number | null
  readonly replyToId: MessageId | null
  readonly mentionedUserIds: readonly UserId[]
  /** In their order. Null or absent if there are none. */
  readonly attachmentIds?: readonly AttachmentId[] | null
  /** Custom data, as JSON text. Null or absent if there is none. */
  readonly data?: string | null
  /** The position of the last edit or of the deletion; null or absent if there was none. */
  readonly changedPosition?: Position | null
  /** In place of the text in an encrypted conversation, in base64. Null or absent in a plain one, and after the deletion. */
  readonly ciphertext?: string | null
  /** The epoch in which it was encrypted. Null or absent in a plain conversation. */
  readonly epoch?: number | null
  /** This is the row of the send itself: the message has no reactions or pin yet. */
  readonly isNew?: true
}

/** The columns of a message with the names of `MessageRow`, from a table or alias `m`. */
export const messageColumns = `m.id, m.conversation_id as "conversationId", m.seq, m.sender_id as "senderId",
  coalesce(m.client_message_spelling, m.client_message_id::text) as "clientMessageId", m.text, ${milliseconds('m.created_at')} as "createdAt",
  m.version, ${milliseconds('m.edited_at')} as "editedAt", ${milliseconds('m.deleted_at')} as "deletedAt",
  m.reply_to_id as "replyToId", m.mentioned_user_ids as "mentionedUserIds", m.changed_position as "changedPosition",
  nullif(m.attachment_ids, '{}') as "attachmentIds", m.data::text as data,
  translate(encode(m.ciphertext, 'base64'), E'\\n', '') as ciphertext, m.epoch`

const messagesByIds = statement<MessageRow>(
  'messages_by_ids',
  `select ${messageColumns} from message m where m.id = any($1::bigint[])`,
)

/** Reads the messages with these ids, in no particular order. */
export function readMessages(reader: Reader, ids: readonly MessageId[]): Promise<MessageRow[]> {
  return ids.length === 0 ? Promise.resolve([]) : reader.rows(messagesByIds, [ids])
}

/** A message with a longer text or ciphertext, in characters or bytes, does not travel with its fact: nodes read it when they show it. */
export const travellingTextMax = 4_096

/** Messages as named rows of facts. */
export const messageRows: NamedRows = {
  read: readMessages,
  travels: ({ text, ciphertext }: MessageRow) =>
    text.length <= travellingTextMax && (ciphertext == null || Buffer.byteLength(ciphertext, 'base64') <= travellingTextMax),
}

/** A named row as a message. */
export const messageOf = (row: NamedRow | undefined) => row as MessageRow | undefined
