// What may be found: messages that the viewer sees, of the conversations that the viewer is in. The index finds them; what is shown,
// and where it was met, is the message as it is now.

import type { DefaultConnectionArguments } from '@pothos/plugin-relay'
import { findMembership } from '../conversation/access.ts'
import { notFound } from '../errors.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { type Page, type PageRequest, readPage } from '../graphql/page.ts'
import { type MessageRow, messageColumns } from '../journal/tables.ts'
import { type Reader, statement } from '../store/reader.ts'
import { findRanges, type TextRange } from './highlights.ts'
import type { Query } from './terms.ts'

/** What to look for, and where. */
export type Search = {
  readonly query: Query
  /** Only in this conversation; null for all of the viewer's. */
  readonly conversationId: number | null
  readonly senderId: number | null
  /** From this moment on, and before that one. */
  readonly since: Date | null
  readonly until: Date | null
}

/** A page of messages that were found, each with the ranges of its text that the query met. */
export type FoundPage = Omit<Page<MessageRow>, 'edges'> & {
  readonly edges: readonly (Page<MessageRow>['edges'][number] & { readonly highlights: readonly TextRange[] })[]
}

const found = `select ${messageColumns}
  from message_search_find($1, $2::tsquery, $3, $4, $5, $6, $7, $8, $9, $10, $11) f(id) join message m on m.id = f.id`
const newestFirst = statement<MessageRow>('search_newest_first', `${found} order by m.id desc`)
const oldestFirst = statement<MessageRow>('search_oldest_first', `${found} order by m.id`)

const lowest = -1
const highest = Number.MAX_SAFE_INTEGER

/** The messages that a viewer may see and that the index says match, from the end that the request names on. */
export function readFound(reader: Reader, viewerId: number, search: Search, request: PageRequest): Promise<MessageRow[]> {
  const { query, conversationId, senderId, since, until } = search
  const isNewestFirst = request.from === 'START'
  return reader.rows(isNewestFirst ? newestFirst : oldestFirst, [
    viewerId,
    query.wanted,
    query.parts,
    conversationId,
    senderId,
    since,
    until,
    request.before ?? lowest,
    request.after ?? highest,
    isNewestFirst,
    request.limit,
  ])
}

/**
 * A page of what is found, the newest first. A message that the index has not followed yet (it was edited or deleted within
 * the last second) and that matches no more is left out.
 * @throws ParleyError NOT_FOUND where it is to be in a conversation that the viewer is not in
 */
export async function searchMessages(context: Context, search: Search, args: DefaultConnectionArguments): Promise<FoundPage> {
  const { userId } = requireViewer(context)
  if (search.conversationId !== null && !(await findMembership(context, search.conversationId))) throw notFound('Conversation')
  const { edges, pageInfo } = await readPage<MessageRow>(
    args,
    (message) => message.id,
    (request) => readFound(context.reader, userId, search, request),
  )
  const shown = edges.flatMap((edge) => {
    const highlights = findRanges(edge.node.text, search.query)
    return highlights ? [{ ...edge, highlights }] : []
  })
  return { edges: shown, pageInfo }
}
