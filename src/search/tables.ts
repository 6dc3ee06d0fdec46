// The tables of the search index: what is read of them and written to them. S tables, written by the indexer alone.

import type { MessageRow } from '../journal/tables.ts'
import { type Reader, statement } from '../store/reader.ts'
import { indexText } from './terms.ts'

/** How far the index is. It holds what the facts up to this place say. */
export type Progress = {
  readonly position: number
  readonly tag: number
  /** How far the messages up to `position` were read anew; null where that is done. */
  readonly walked: number | null
}

/** A message as the index keeps it. */
export type IndexRow = Pick<MessageRow, 'id' | 'conversationId' | 'seq' | 'senderId' | 'createdAt'> & {
  readonly terms: string
  readonly body: string
}

const progress = statement<Progress>('search_progress', 'select position, tag, walked from message_search_progress')
const messagesAfter = statement<{ id: number }>(
  'search_messages_after',
  'select id from message where id > $1 and id <= $2 order by id limit $3',
)

/** How far the index is, by what is committed. */
export async function readProgress(reader: Reader): Promise<Progress> {
  const [row] = await reader.rows(progress, [])
  if (!row) throw new Error('the table message_search_progress has no row')
  return row
}

/** The ids of messages after one and up to another, in order, at most `limit`. */
export async function readMessageIds(reader: Reader, after: number, upTo: number, limit: number): Promise<number[]> {
  return (await reader.rows(messagesAfter, [after, upTo, limit])).map(({ id }) => id)
}

/** What the index keeps of a message; null for one in which there is nothing to find. */
export function indexRow(message: MessageRow): IndexRow | null {
  const indexed = indexText(message.text)
  if (!indexed) return null
  const { id, conversationId, seq, senderId, createdAt } = message
  return { id, conversationId, seq, senderId, createdAt, ...indexed }
}

const turn = statement<Progress>(
  'search_take_turn',
  'select position, tag, walked from message_search_progress for update skip locked',
)
const rowsRemoved = statement<never>('search_remove_rows', 'delete from message_search where message_id = any($1::bigint[])')
const rangeRemoved = statement<never>(
  'search_remove_range',
  'delete from message_search where message_id > $1 and message_id <= $2',
)
const rowsAdded = statement<never>(
  'search_add_rows',
  `insert into message_search(message_id, conversation_id, seq, sender_id, created_at, body, terms)
   select id, conversation_id, seq, sender_id, to_timestamp(created_at / 1000.0), body, terms::tsvector
     from unnest($1::bigint[], $2::bigint[], $3::int[], $4::bigint[], $5::bigint[], $6::text[], $7::text[])
          as r(id, conversation_id, seq, sender_id, created_at, body, terms)`,
)
const progressWritten = statement<never>(
  'search_write_progress',
  'update message_search_progress set position = $1, tag = $2, walked = $3',
)

/** Takes the turn to write the index, until the transaction ends; null where somebody else has it. */
export async function takeTurn(tx: Reader): Promise<Progress | null> {
  const [row] = await tx.rows(turn, [])
  return row ?? null
}

/** A range of ids: the first one is not in it, the last one is. */
export type IdRange = { readonly after: number; readonly upTo: number }

/** Removes what the index holds of these messages. */
export async function removeRows(tx: Reader, ids: readonly number[]): Promise<void> {
  if (ids.length > 0) await tx.rows(rowsRemoved, [ids])
}

/** Removes what the index holds of all ids in a range. */
export async function removeRange(tx: Reader, { after, upTo }: IdRange): Promise<void> {
  await tx.rows(rangeRemoved, [after, upTo])
}

/** Adds messages to the index that are not in it. */
export async function addRows(tx: Reader, rows: readonly IndexRow[]): Promise<void> {
  if (rows.length === 0) return
  const columns = ['id', 'conversationId', 'seq', 'senderId', 'createdAt', 'body', 'terms'] as const
  await tx.rows(
    rowsAdded,
    columns.map((column) => rows.map((row) => row[column])),
  )
}

/** Says how far the index is now. */
export async function writeProgress(tx: Reader, { position, tag, walked }: Progress): Promise<void> {
  await tx.rows(progressWritten, [position, tag, walked])
}
