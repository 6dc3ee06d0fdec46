// Search for messages that the viewer may see, in the viewer's conversations. The index finds candidates; the message itself, as
// it is now, decides what is returned and highlighted.

import type { DefaultConnectionArguments } from '@pothos/plugin-relay'
import { findMembership } from '../conversation/access.ts'
import { notFound } from '../errors.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { type Page, type PageRequest, readPage } from '../graphql/page.ts'
import type { ConversationId, UserId } from '../id.ts'
import { type MessageRow, messageColumns } from '../message/row.ts'
import { type Reader, statement } from '../store/reader.ts'
import { namesOf, readFileNames } from './file-names.ts'
import { findRanges, type TextRange } from './highlights.ts'
import { searchedText } from './tables.ts'
import type { Query } from './terms.ts'

/** A search: the query and its filters. */
export type Search = {
  readonly query: Query
  /** Searches only this conversation; null for all of the viewer's. */
  readonly conversationId: ConversationId | null
  readonly senderId: UserId | null
  /** Searches only messages created at or after `since` and before `until`. */
  readonly since: Date | null
  readonly until: Date | null
}

/** A page of found messages, each with the ranges of its text that match the query. */
export type FoundPage = Omit<Page<MessageRow>, 'edges'> & {
  readonly edges: readonly (Page<MessageRow>['edges'][number] & { readonly highlights: readonly TextRange[] })[]
}

const found = `select ${messageColumns}
  from message_search_find($1, $2::tsquery, $3, $4, $5, $6, $7, $8, $9, $10, $11) f(id) join message m on m.id = f.id`
const newestFirst = statement<MessageRow>('search_newest_first', `${found} order by m.id desc`)
const oldestFirst = statement<MessageRow>('search_oldest_first', `${found} order by m.id`)

const lowest = -1
const highest = Number.MAX_SAFE_INTEGER

/** Reads messages that the viewer may see and that match according to the index, starting at the end that the request names. */
export function readFound(reader: Reader, viewerId: UserId, search: Search, request: PageRequest): Promise<MessageRow[]> {
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
 * Finds a page of messages, the newest first. It omits a message that no longer matches, because it was edited or deleted within
 * the last second and the index has not followed yet.
 * @throws ParleyError NOT_FOUND if the viewer is not a member of the conversation to search
 */
export async function searchMessages(context: Context, search: Search, args: DefaultConnectionArguments): Promise<FoundPage> {
  const { userId } = requireViewer(context)
  if (search.conversationId !== null && !(await findMembership(context, search.conversationId))) throw notFound('Conversation')
  const { edges, pageInfo } = await readPage<MessageRow>(
    args,
    (message) => message.id,
    (request) => readFound(context.reader, userId, search, request),
  )
  const names = await readFileNames(
    context.reader,
    edges.map(({ node }) => node),
  )
  const shown = edges.flatMap((edge) => {
    const { length } = edge.node.text
    const ranges = findRanges(searchedText(edge.node, namesOf(edge.node, names)), search.query)
    // What is found in the name of a file is not in the text.
    const highlights = ranges?.flatMap(({ start, end }) => (start < length ? [{ start, end: Math.min(end, length) }] : []))
    return highlights ? [{ ...edge, highlights }] : []
  })
  return { edges: shown, pageInfo }
}
