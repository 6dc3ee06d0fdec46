// Keyset pagination for connections, in both directions: the cursor is the sort key of a row.

import type { DefaultConnectionArguments } from '@pothos/plugin-relay'
import { badInput } from '../errors.ts'
import type { UserId } from '../id.ts'
import { type Reader, statement } from '../store/reader.ts'
import { type Context, requireViewer } from './context.ts'
import { groupBy, sharedLoader, viewerLoader } from './loader.ts'

/** The maximum and the default page size. */
export const pageSizes = { max: 100, fallback: 50 } as const

/** The rows to read for a page: those between `after` and `before`, from one end. */
export type PageRequest<Key = number> = {
  /** The keys of the rows before and after the page; null for none. */
  readonly after: Key | null
  readonly before: Key | null
  /** The end to start from. */
  readonly from: 'START' | 'END'
  /** How many rows to read: one more than the page size, to find out whether there are more. */
  readonly limit: number
}

/** A connection in the form of the schema. */
export type Page<Row> = {
  readonly edges: { cursor: string; node: Row }[]
  readonly pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string | null; endCursor: string | null }
}

/** The page size that the arguments request. @throws ParleyError BAD_INPUT naming the invalid argument */
function sizeOf({ first, last }: DefaultConnectionArguments): number {
  if (first != null && last != null) throw badInput('last', 'cannot be combined with first')
  const [name, size] = last != null ? ['last', last] : ['first', first ?? pageSizes.fallback]
  if (size < 1 || size > pageSizes.max) throw badInput(String(name), `must be between 1 and ${pageSizes.max}`)
  return size
}

/** The cost of a page, for `complexity` of connection fields: its size times the cost of the selection below it. */
export function pageCost(args: DefaultConnectionArguments): { field: number; multiplier: number } {
  const size = args.first ?? args.last ?? pageSizes.fallback
  return { field: 1, multiplier: Math.min(Math.max(size, 1), pageSizes.max) }
}

/** The cost of a page of search results: no client needs many searches in one request. */
export function searchCost(args: DefaultConnectionArguments): { field: number; multiplier: number } {
  return { ...pageCost(args), field: 6_000 }
}

const encodeKey = (key: number | string) => Buffer.from(String(key)).toString('base64url')

const findNumber = (text: string) => (/^\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : null)
/** A forged text key only returns other rows of the same list, but Postgres must be able to process it. */
const findText = (text: string) => (/^[^\0\ufffd]{1,200}$/.test(text) ? text : null)

function parseKey<Key extends number | string>(
  cursor: string | null | undefined,
  argument: string,
  find: (text: string) => Key | null,
): Key | null {
  if (cursor == null) return null
  const key = find(Buffer.from(cursor, 'base64url').toString())
  // Accept only exactly the encoded text: Buffer also decodes text that is not base64.
  if (key === null || encodeKey(key) !== cursor) throw badInput(argument, 'is not a cursor of this connection')
  return key
}

/**
 * Reads a page. `read` returns rows starting from the requested end: for `END` of a list that grows at its end, the newest first.
 * `keyOf` returns their sort key.
 * @throws ParleyError BAD_INPUT if the arguments are invalid
 */
export function readPage<Row>(
  args: DefaultConnectionArguments,
  keyOf: (row: Row) => number,
  read: (request: PageRequest) => Promise<readonly Row[]>,
): Promise<Page<Row>> {
  return readPageBy(findNumber, args, keyOf, read)
}

/** Reads a page of rows that are sorted by a text, such as a name. */
export function readPageByText<Row>(
  args: DefaultConnectionArguments,
  keyOf: (row: Row) => string,
  read: (request: PageRequest<string>) => Promise<readonly Row[]>,
): Promise<Page<Row>> {
  return readPageBy(findText, args, keyOf, read)
}

async function readPageBy<Row, Key extends number | string>(
  find: (text: string) => Key | null,
  args: DefaultConnectionArguments,
  keyOf: (row: Row) => Key,
  read: (request: PageRequest<Key>) => Promise<readonly Row[]>,
): Promise<Page<Row>> {
  const size = sizeOf(args)
  const from = args.last != null ? 'END' : 'START'
  const [after, before] = [parseKey(args.after, 'after', find), parseKey(args.before, 'before', find)]
  const rows = await read({ after, before, from, limit: size + 1 })
  const hasMore = rows.length > size
  const shown = rows.slice(0, size)
  if (from === 'END') shown.reverse()
  const edges = shown.map((node) => ({ cursor: encodeKey(keyOf(node)), node }))
  return {
    edges,
    pageInfo: {
      hasNextPage: from === 'START' ? hasMore : before !== null,
      hasPreviousPage: from === 'END' ? hasMore : after !== null,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  }
}

/** A part of one of several lists in the same table, such as the lists of all conversations. Both bounds are exclusive. */
type Part = {
  readonly of: number
  readonly after: number
  readonly before: number
  readonly from: 'START' | 'END'
  readonly limit: number
}

/**
 * A table of lists. `columns` are those of a row, from the alias `m`; `of` is the column of the list ID, `key` the sort key. `shownTo`: a
 * condition on rows, in which `$5` is the viewer's ID.
 */
type Lists = {
  readonly name: string
  readonly table: string
  readonly columns: string
  readonly of: string
  readonly key: string
  readonly shownTo?: string
}

/** Takes arrays of lists, lower bounds and upper bounds, and a limit. `part` of a row is its index in these arrays, from 1. */
function partsStatement<Row>(end: string, order: string, { name, table, columns, of, key, shownTo }: Lists) {
  return statement<Row & { readonly part: number }>(
    `${name}_${end}`,
    `select a.n as part, ${columns}
       from unnest($1::bigint[], $2::bigint[], $3::bigint[]) with ordinality as a(list, "after", "before", n)
      cross join lateral (
        select * from ${table} where ${of} = a.list and ${key} > a."after" and ${key} < a."before"${shownTo ? ` and ${shownTo}` : ''}
         order by ${key} ${order} limit $4) m
      order by a.n, m.${key} ${order}`,
  )
}

/** Reads parts of lists: all parts requested in the same turn, of any lists, with one statement for each end and limit. */
export function batchedParts<Row>(lists: Lists) {
  const statements = { START: partsStatement<Row>('forward', 'asc', lists), END: partsStatement<Row>('backward', 'desc', lists) }
  const read = async (reader: Reader, keys: readonly string[], viewer: readonly UserId[]) => {
    const found = new Map<string, Row[]>(keys.map((key) => [key, []]))
    const alike = groupBy(
      keys.map((key) => ({ key, part: JSON.parse(key) as Part })),
      ({ part: { from, limit } }) => `${from} ${limit}`,
    )
    const readAlike = async (asked: readonly { key: string; part: Part }[], { from, limit }: Part) => {
      const parts = asked.map(({ part }) => part)
      const values = [
        parts.map(({ of }) => of),
        parts.map(({ after }) => after),
        parts.map(({ before }) => before),
        limit,
        ...viewer,
      ]
      for (const row of await reader.rows(statements[from], values)) found.get(asked[row.part - 1]?.key ?? '')?.push(row)
    }
    await Promise.all([...alike.values()].map((asked) => asked[0] && readAlike(asked, asked[0].part)))
    return found
  }
  const find = lists.shownTo
    ? viewerLoader((context, keys: readonly string[]) => read(context.reader, keys, [requireViewer(context).userId]))
    : sharedLoader((reader, keys: readonly string[]) => read(reader, keys, []))
  return async (context: Context, part: Part): Promise<readonly Row[]> => (await find(context, JSON.stringify(part))) ?? []
}

/** How many rows a page around a row has before it and after it. */
export type Around = { readonly before: number; readonly after: number }

/**
 * Reads a page with the row with this key in the middle. Its cursors continue in both directions. `read` is as in `readPage`, and
 * is called once for each direction.
 */
export async function readPageAround<Row>(
  key: number,
  around: Around,
  keyOf: (row: Row) => number,
  read: (request: PageRequest) => Promise<readonly Row[]>,
): Promise<Page<Row>> {
  const [earlier, later] = await Promise.all([
    read({ after: null, before: key, from: 'END', limit: around.before + 1 }),
    // The row itself is the first of these.
    read({ after: key - 1, before: null, from: 'START', limit: around.after + 2 }),
  ])
  const shown = [...earlier.slice(0, around.before).reverse(), ...later.slice(0, around.after + 1)]
  const edges = shown.map((node) => ({ cursor: encodeKey(keyOf(node)), node }))
  return {
    edges,
    pageInfo: {
      hasNextPage: later.length > around.after + 1,
      hasPreviousPage: earlier.length > around.before,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  }
}
