// The tables of the search index: what is read of them and written to them. S tables, written by the indexer alone.

import type { MessageRow } from '../journal/tables.ts'
import { type Reader, statement } from '../store/reader.ts'
import type { Prisma } from '../store/store.ts'
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

/** Takes the turn to write the index, until the transaction ends; null where somebody else has it. */
export async function takeTurn(tx: Prisma.TransactionClient): Promise<Progress | null> {
  const [row] = await tx.$queryRaw<{ position: bigint; tag: number; walked: bigint | null }[]>`
    select position, tag, walked from message_search_progress for update skip locked`
  return row ? { position: Number(row.position), tag: row.tag, walked: row.walked === null ? null : Number(row.walked) } : null
}

/** A range of ids: the first one is not in it, the last one is. */
export type IdRange = { readonly after: number; readonly upTo: number }

/** Removes what the index holds of these messages. */
export async function removeRows(tx: Prisma.TransactionClient, ids: readonly number[]): Promise<void> {
  if (ids.length > 0) await tx.$executeRaw`delete from message_search where message_id = any(${[...ids]}::bigint[])`
}

/** Removes what the index holds of all ids in a range. */
export async function removeRange(tx: Prisma.TransactionClient, { after, upTo }: IdRange): Promise<void> {
  await tx.$executeRaw`delete from message_search where message_id > ${after}::bigint and message_id <= ${upTo}::bigint`
}

/** Adds messages to the index that are not in it. */
export async function addRows(tx: Prisma.TransactionClient, rows: readonly IndexRow[]): Promise<void> {
  if (rows.length === 0) return
  await tx.$executeRaw`
    insert into message_search(message_id, conversation_id, seq, sender_id, created_at, body, terms)
    select id, conversation_id, seq, sender_id, to_timestamp(created_at / 1000.0), body, terms::tsvector
      from unnest(${rows.map((row) => row.id)}::bigint[], ${rows.map((row) => row.conversationId)}::bigint[],
                  ${rows.map((row) => row.seq)}::int[], ${rows.map((row) => row.senderId)}::bigint[],
                  ${rows.map((row) => row.createdAt)}::bigint[], ${rows.map((row) => row.body)}::text[],
                  ${rows.map((row) => row.terms)}::text[])
           as r(id, conversation_id, seq, sender_id, created_at, body, terms)`
}

/** Says how far the index is now. */
export async function writeProgress(tx: Prisma.TransactionClient, { position, tag, walked }: Progress): Promise<void> {
  await tx.$executeRaw`
    update message_search_progress set position = ${position}::bigint, tag = ${tag}::int, walked = ${walked}::bigint`
}
