// The statements on the tables of the search index. They are S tables, and only the indexer writes them.

import { foldVersion } from '../account/fold.ts'
import type { MessageId, Position } from '../id.ts'
import { movableRow } from '../journal/durable-reader.ts'
import type { Place } from '../journal/fact.ts'
import type { MessageRow } from '../message/row.ts'
import { type Reader, statement } from '../store/reader.ts'
import { indexText } from './terms.ts'

/** The progress of the index: it includes all facts up to this place. */
export type IndexProgress = {
  readonly position: Position
  readonly tag: number
  /** The message id that a rebuild has come to, on its way to `position`; null if no rebuild is under way. */
  readonly walked: Position | null
  /** The seal of the version that wrote this progress: see `sealOf`. */
  readonly seal: string
}

/** The index row of a message. */
export type IndexRow = Pick<MessageRow, 'id' | 'conversationId' | 'seq' | 'senderId' | 'createdAt'> & {
  readonly terms: string
  readonly body: string
}

const progress = statement<IndexProgress>('search_progress', 'select position, tag, walked, seal from message_search_progress')
const messagesAfter = statement<{ id: MessageId }>(
  'search_messages_after',
  'select id from message where id > $1 and id <= $2 order by id limit $3',
)

/** Reads the committed progress. */
export async function readProgress(reader: Reader): Promise<IndexProgress> {
  const [row] = await reader.rows(progress, [])
  if (!row) throw new Error('the table message_search_progress has no row')
  return row
}

/** The ids of messages after `after` and up to `upTo`, in order, at most `limit`. */
export async function readMessageIds(reader: Reader, after: Position, upTo: Position, limit: number): Promise<MessageId[]> {
  return (await reader.rows(messagesAfter, [after, upTo, limit])).map(({ id }) => id)
}

/** What is searched of a message: its text, and then the names of its files. */
export const searchedText = ({ text }: Pick<MessageRow, 'text'>, fileNames: readonly string[]) => [text, ...fileNames].join('\n')

/** Makes the index row of a message with the names of its files; null if it has nothing to find. */
export function indexRow(message: MessageRow, fileNames: readonly string[]): IndexRow | null {
  const indexed = indexText(searchedText(message, fileNames))
  if (!indexed) return null
  const { id, conversationId, seq, senderId, createdAt } = message
  return { id, conversationId, seq, senderId, createdAt, ...indexed }
}

const turn = statement<IndexProgress>(
  'search_take_turn',
  'select position, tag, walked, seal from message_search_progress for update skip locked',
)
const rangeRemoved = statement<never>(
  'search_remove_range',
  'delete from message_search where message_id > $1 and message_id <= $2',
)
const rowsRemoved = statement<never>('search_remove_rows', 'delete from message_search where message_id = any($1::bigint[])')
/** Index rows from the columns that are parameters from `$first` on. */
const rowsIn = (
  first: number,
) => `select id, conversation_id, seq, sender_id, to_timestamp(created_at / 1000.0), body, terms::tsvector
     from unnest(${['bigint', 'bigint', 'int', 'bigint', 'bigint', 'text', 'text'].map((type, i) => `$${first + i}::${type}[]`).join(', ')})
          as r(id, conversation_id, seq, sender_id, created_at, body, terms)`
const intoRows = 'insert into message_search(message_id, conversation_id, seq, sender_id, created_at, body, terms)'
const orReplaced = `on conflict (message_id) do update set conversation_id = excluded.conversation_id, seq = excluded.seq,
     sender_id = excluded.sender_id, created_at = excluded.created_at, body = excluded.body, terms = excluded.terms`
/** The messages are as the recent log has them at this head: it must be in the journal, or an edit may be lost that they show. */
const headIsHeld = 'exists (select 1 from fact where fact.position = $7 and fact.tag = $8)'
const rowsAdded = statement<never>('search_add_rows', `${intoRows} ${rowsIn(1)} ${orReplaced}`)
const progressWritten = statement<never>(
  'search_write_progress',
  'update message_search_progress set position = $1, tag = $2, walked = $3, seal = $4',
)
const followed = statement<{ one: boolean }>(
  'search_follow',
  `with turn as (${movableRow('message_search_progress', `seal = $5 and walked is null and ${headIsHeld}`)}),
     removed as (delete from message_search where message_id = any($9::bigint[]) and exists (select 1 from turn)),
     added as (${intoRows} ${rowsIn(10)} where exists (select 1 from turn) ${orReplaced})
   update message_search_progress p set position = $1, tag = $2, seal = $6 from turn
    where p.one = turn.one returning p.one`,
)

/** Takes the turn to write the index until the transaction ends; null if another node has it. */
export async function takeTurn(tx: Reader): Promise<IndexProgress | null> {
  const [row] = await tx.rows(turn, [])
  return row ?? null
}

/** A range of ids, without `after` and with `upTo`. */
export type IdRange = { readonly after: Position; readonly upTo: Position }

/** Removes the rows of these messages. */
export async function removeRows(tx: Reader, ids: readonly MessageId[]): Promise<void> {
  if (ids.length > 0) await tx.rows(rowsRemoved, [ids])
}

/** Removes the rows of all messages in a range of ids. */
export async function removeRange(tx: Reader, { after, upTo }: IdRange): Promise<void> {
  await tx.rows(rangeRemoved, [after, upTo])
}

const columnNames = ['id', 'conversationId', 'seq', 'senderId', 'createdAt', 'body', 'terms'] as const
const columnsOf = (rows: readonly IndexRow[]) => columnNames.map((column) => rows.map((row) => row[column]))

/** Adds the rows of messages, or replaces them. */
export async function addRows(tx: Reader, rows: readonly IndexRow[]): Promise<void> {
  if (rows.length > 0) await tx.rows(rowsAdded, columnsOf(rows))
}

/**
 * Removes rows, adds or replaces others, and moves the progress to a place, all in one statement.
 * @param head the place of the newest fact that the rows include
 * @returns the new progress; null if nothing was written because the progress can't be moved there, or is not what it was
 */
export async function moveWith(
  reader: Reader,
  was: IndexProgress,
  { position, tag }: Place,
  head: Place,
  removed: readonly MessageId[],
  added: readonly IndexRow[],
): Promise<IndexProgress | null> {
  const seal = sealOf({ position, walked: null })
  const values = [position, tag, was.position, was.tag, was.seal, seal, head.position, head.tag, removed, ...columnsOf(added)]
  const moved = await reader.rows(followed, values)
  return moved.length > 0 ? { position, tag, walked: null, seal } : null
}

/** Stores the progress. @returns it with its seal */
export async function writeProgress(tx: Reader, progress: Omit<IndexProgress, 'seal'>): Promise<IndexProgress> {
  const { position, tag, walked } = progress
  const seal = sealOf(progress)
  await tx.rows(progressWritten, [position, tag, walked, seal])
  return { position, tag, walked, seal }
}

/**
 * The seal of progress that a node with this version of the folding rules has written. A node with other rules, or from before
 * seals, leaves another one.
 */
export function sealOf({ position, walked }: Pick<IndexProgress, 'position' | 'walked'>): string {
  return `${foldVersion}:${position}:${walked ?? 'whole'}`
}
