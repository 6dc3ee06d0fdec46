// The consumers of `changes`: for each, by its name, the place up to which its backend has stored everything.

import { notFound, ParleyError } from '../errors.ts'
import { type Cursor, parseCursor } from '../journal/cursor.ts'
import type { Start } from '../journal/item.ts'
import type { App } from '../parts.ts'
import { type Reader, statement } from '../store/reader.ts'
import type { ServerKey } from '../viewer.ts'
import { type CursorColumns, cursorOf, shownCursor } from './stored-cursor.ts'

/** The most consumers of a tenant, or of those in none. */
export const consumersMax = 100

/** A consumer, with its cursor. */
export type ConsumerRow = {
  readonly name: string
  readonly cursor: string
  /** In facts. */
  readonly behindBy: number
  readonly acknowledgedAt: Date | null
}

type StoredRow = CursorColumns & { readonly name: string; readonly acknowledgedAt: Date | null }

const columns = 'name, epoch_key as "epochKey", position, tag, acknowledged_at as "acknowledgedAt"'
const all = statement<StoredRow>('change_consumers', `select ${columns} from change_consumer where tenant = $1 order by name`)
const one = statement<StoredRow>('change_consumer', `select ${columns} from change_consumer where tenant = $1 and name = $2`)
const make = statement<{ name: string }>(
  'change_consumer_make',
  `insert into change_consumer(tenant, name, epoch_key, position, tag)
   select $1, $2, $3, $4, $5 where (select count(*) from change_consumer where tenant = $1) < ${consumersMax}
   on conflict do nothing returning name`,
)
const move = statement<StoredRow>(
  'change_consumer_move',
  `update change_consumer set epoch_key = $3, position = $4, tag = $5, acknowledged_at = now()
    where tenant = $1 and name = $2 and ($6 or epoch_key <> $3 or position <= $4) returning ${columns}`,
)
const remove = statement<{ name: string }>(
  'change_consumer_remove',
  'delete from change_consumer where tenant = $1 and name = $2 returning name',
)
const furthest = statement<{ name: string; tenant: string; position: number }>(
  'change_consumers_behind',
  'select name, tenant, position from change_consumer',
)

const tenantOf = ({ tenant }: ServerKey) => tenant ?? ''

/** The consumers of the key's tenant, by name. */
export async function readConsumers(by: ServerKey, { journal, store }: App): Promise<ConsumerRow[]> {
  const rows = await store.reader.rows(all, [tenantOf(by)])
  const head = journal.head().position
  return rows.map((row) => shown(row, head))
}

function shown(row: StoredRow, head: number): ConsumerRow {
  const { name, position, acknowledgedAt } = row
  return { name, cursor: shownCursor(row), behindBy: Math.max(0, head - position), acknowledgedAt }
}

/**
 * Where a stream of changes starts: after a cursor, or where its consumer is. A new consumer is where the journal is now.
 * @throws ParleyError LIMIT_EXCEEDED for one consumer too many; UNAVAILABLE
 */
export async function startOfChanges(by: ServerKey, name: string, after: Cursor | null, app: App): Promise<Start> {
  const { journal, store } = app
  const head = journal.head()
  const { epochKey } = parseCursor(journal.cursor(head), 'after')
  const made = await store.reader.rows(make, [tenantOf(by), name, String(epochKey), head.position, head.tag])
  const [known] = await store.reader.rows(one, [tenantOf(by), name])
  if (!known) {
    throw new ParleyError('LIMIT_EXCEEDED', `There can be at most ${consumersMax} consumers: delete one.`, {
      argument: 'consumer',
    })
  }
  if (made.length > 0 && after === null) return { mode: 'FRESH', place: head }
  const from = after ?? cursorOf(known)
  const reason = await journal.findResetReason(from)
  return reason === null ? { mode: 'RESUMED', place: from } : { mode: 'RESET', reason, place: journal.head() }
}

/**
 * Stores the place of a consumer. It only moves forward, unless the journal can no longer continue from where it was.
 * @throws ParleyError NOT_FOUND, CURSOR_REFUSED, UNAVAILABLE
 */
export async function acknowledgeChanges(by: ServerKey, name: string, cursor: Cursor, app: App): Promise<ConsumerRow> {
  const { journal, store } = app
  const reason = await journal.findResetReason(cursor)
  if (reason !== null) {
    throw new ParleyError('CURSOR_REFUSED', `The server cannot continue from this cursor: ${reason}.`, {
      argument: 'input.cursor',
    })
  }
  const [known] = await store.reader.rows(one, [tenantOf(by), name])
  if (!known) throw notFound('Consumer')
  const isLost = (await journal.findResetReason(cursorOf(known))) !== null
  const values = [tenantOf(by), name, String(cursor.epochKey), cursor.position, cursor.tag, isLost]
  const [moved = known] = await store.reader.rows(move, values)
  return shown(moved, journal.head().position)
}

/** Deletes a consumer. @throws ParleyError NOT_FOUND */
export async function deleteConsumer(by: ServerKey, name: string, { store }: App): Promise<void> {
  const removed = await store.reader.rows(remove, [tenantOf(by), name])
  if (removed.length === 0) throw notFound('Consumer')
}

/** How far all consumers are, for metrics. */
export const readConsumerPlaces = (reader: Reader) => reader.rows(furthest, [])
