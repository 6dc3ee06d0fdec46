// Pages of lists in memory. Like those of the server, their cursors are the keys of their rows.

import { badInput } from './refusal.ts'

/** The arguments of a connection. */
export type PageArguments = {
  readonly first?: number | null
  readonly after?: string | null
  readonly last?: number | null
  readonly before?: string | null
}

/** A page of a list. */
export type TestPage<Row> = {
  readonly nodes: readonly Row[]
  readonly edges: readonly { readonly cursor: string; readonly node: Row }[]
  readonly pageInfo: {
    readonly hasNextPage: boolean
    readonly hasPreviousPage: boolean
    readonly startCursor: string | null
    readonly endCursor: string | null
  }
}

const [maxSize, usualSize] = [100, 50]
const cursorOf = (key: number) => btoa(String(key)).replace(/=+$/, '')

function keyOfCursor(cursor: string | null | undefined, argument: string): number | null {
  if (cursor == null) return null
  const key = /^[A-Za-z0-9]+$/.test(cursor) ? Number(atob(cursor)) : Number.NaN
  if (Number.isNaN(key) || cursorOf(key) !== cursor) throw badInput(argument, 'is not a cursor of this connection')
  return key
}

function madeOf<Row>(rows: readonly Row[], keyOf: (row: Row) => number, hasPrevious: boolean, hasNext: boolean): TestPage<Row> {
  const edges = rows.map((node) => ({ cursor: cursorOf(keyOf(node)), node }))
  const [startCursor = null, endCursor = null] = [edges[0]?.cursor, edges.at(-1)?.cursor]
  return { nodes: rows, edges, pageInfo: { hasNextPage: hasNext, hasPreviousPage: hasPrevious, startCursor, endCursor } }
}

/** A page of a list in its order. The keys grow along the list. */
export function pageOf<Row>(rows: readonly Row[], keyOf: (row: Row) => number, args: PageArguments): TestPage<Row> {
  const { first, last } = args
  if (first != null && last != null) throw badInput('last', 'cannot be combined with first')
  const size = last ?? first ?? usualSize
  if (size < 1 || size > maxSize) throw badInput(last != null ? 'last' : 'first', `must be between 1 and ${maxSize}`)
  const [after, before] = [keyOfCursor(args.after, 'after'), keyOfCursor(args.before, 'before')]
  const within = rows.filter((row) => (after === null || keyOf(row) > after) && (before === null || keyOf(row) < before))
  const hasMore = within.length > size
  return last != null
    ? madeOf(within.slice(-size), keyOf, hasMore, before !== null)
    : madeOf(within.slice(0, size), keyOf, after !== null, hasMore)
}

/** A page around a key of a list that grows: the row with that key is the first after the middle. */
export function pageAround<Row>(
  rows: readonly Row[],
  keyOf: (row: Row) => number,
  key: number,
  around: { readonly before: number; readonly after: number },
): TestPage<Row> {
  const found = rows.findIndex((row) => keyOf(row) >= key)
  const middle = found < 0 ? rows.length : found
  const [from, to] = [Math.max(middle - around.before, 0), Math.min(middle + around.after + 1, rows.length)]
  return madeOf(rows.slice(from, to), keyOf, from > 0, to < rows.length)
}
