// Reads lists of the viewer's conversations, most recent activity first.

import type { DefaultConnectionArguments } from '@pothos/plugin-relay'
import { findUser } from '../account/access.ts'
import { foldText } from '../account/fold.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { indexBy, type MaybePromise, mapMaybePromise, sharedLoader } from '../graphql/loader.ts'
import { type Page, type PageRequest, readPage } from '../graphql/page.ts'
import type { ConversationId, Position, UserId } from '../id.ts'
import { statement } from '../store/reader.ts'
import {
  type ConversationRow,
  conversationColumns,
  findMembership,
  lastInterval,
  type MembershipRow,
  membershipColumns,
} from './access.ts'

/** A conversation in the viewer's list, with the position of its last activity and the viewer's membership. */
export type ListedRow = ConversationRow & MembershipRow & { readonly lastPosition: Position }

const listed = (condition: string) => `select ${conversationColumns}, ${membershipColumns}, h.last_position as "lastPosition"
  from member m
  join conversation_head h on h.conversation_id = m.conversation_id
  join conversation c on c.id = m.conversation_id
  ${lastInterval}
 where m.user_id = $1 and h.last_position > $2 and h.last_position < $3 and ${condition}`

function listStatements(name: string, condition: string) {
  return {
    START: statement<ListedRow>(`${name}_newest_first`, `${listed(condition)} order by h.last_position desc limit $4`),
    END: statement<ListedRow>(`${name}_oldest_first`, `${listed(condition)} order by h.last_position limit $4`),
  }
}

const own = listStatements(
  'conversations',
  '($5::boolean is null or (m.archived_at is not null) = $5) and ($6::boolean is null or (m.pinned_at is not null) = $6)',
)
const inCommon = listStatements(
  'groups_in_common',
  `c.kind = 'GROUP' and exists (select 1 from member o where o.conversation_id = m.conversation_id and o.user_id = $5)`,
)

const lowest = -1
const highest = Number.MAX_SAFE_INTEGER
/** How many conversations a search reads at once. */
const searchedAtOnce = 200

/** Which of the viewer's conversations to list. */
type Filter = {
  /** Archived ones, others, or both (null). */
  readonly archived: boolean | null
  /** Pinned ones, others, or both (null). */
  readonly pinned: boolean | null
  /** A folded text that the title, or the other person's name, contains; null for all conversations. */
  readonly text: string | null
}

/** Reads a page of the viewer's conversations, most recent activity first. */
export function readConversations(
  context: Context,
  { archived, pinned, text }: Filter,
  args: DefaultConnectionArguments,
): Promise<Page<ListedRow>> {
  const read = (request: PageRequest) => readListed(context, own, request, archived, pinned)
  return readListPage(context, args, text === null ? read : (request) => readMatching(context, text, request, read))
}

/** Reads a page of the groups that the viewer and a user are both members of, most recent activity first. */
export function readGroupsInCommon(context: Context, userId: UserId, args: DefaultConnectionArguments): Promise<Page<ListedRow>> {
  return readListPage(context, args, (request) => readListed(context, inCommon, request, userId))
}

function readListPage(
  context: Context,
  args: DefaultConnectionArguments,
  read: (request: PageRequest) => Promise<readonly ListedRow[]>,
): Promise<Page<ListedRow>> {
  return readPage(
    args,
    (conversation) => conversation.lastPosition,
    async (request) => {
      const conversations = await read(request)
      const memberships = indexBy(conversations, ({ id }) => id)
      findMembership.prime(context, memberships)
      return conversations
    },
  )
}

function readListed(
  context: Context,
  statements: ReturnType<typeof listStatements>,
  { after, before, from, limit }: PageRequest,
  ...filter: readonly (boolean | UserId | null)[]
): Promise<ListedRow[]> {
  const { userId } = requireViewer(context)
  return context.reader.rows(statements[from], [userId, before ?? lowest, after ?? highest, limit, ...filter])
}

/** Reads on until enough conversations match. */
async function readMatching(
  context: Context,
  text: string,
  request: PageRequest,
  read: (request: PageRequest) => Promise<readonly ListedRow[]>,
): Promise<ListedRow[]> {
  const found: ListedRow[] = []
  if (text === '') return found
  let { after, before } = request
  for (;;) {
    const rows = await read({ ...request, after, before, limit: searchedAtOnce })
    const others = rows.map((row) => otherOf(context, row)).filter((id) => id !== null)
    await findUser.prepare(context, others, null)
    const matches = await Promise.all(rows.map((row) => isNamed(context, row, text)))
    found.push(...rows.filter((_row, i) => matches[i]))
    const last = rows.at(-1)
    if (!last || rows.length < searchedAtOnce || found.length >= request.limit) return found.slice(0, request.limit)
    if (request.from === 'START') after = last.lastPosition
    else before = last.lastPosition
  }
}

function isNamed(context: Context, row: ListedRow, text: string): MaybePromise<boolean> {
  const otherId = otherOf(context, row)
  if (otherId === null) return foldText(row.title ?? '').includes(text)
  return mapMaybePromise(
    findUser(context, otherId),
    (other) => other !== null && !other.isDeleted && `${other.username} ${foldText(other.displayName)}`.includes(text),
  )
}

/** The other person of a direct conversation of the viewer; null for a group, and for a viewer who is not in it. */
export function otherOf(context: Context, { directLow, directHigh }: ConversationRow): UserId | null {
  const { viewer } = context.caller
  if (viewer?.userId === directLow) return directHigh
  return viewer?.userId === directHigh ? directLow : null
}

const lastActivities = statement<{ conversationId: ConversationId; lastActivityAt: Date }>(
  'last_activities',
  `select conversation_id as "conversationId", last_activity_at as "lastActivityAt" from conversation_head
    where conversation_id = any($1::bigint[])`,
)

/** Reads when something last happened in a conversation. The caller has checked that the viewer is a member. */
export const readLastActivity = sharedLoader(async (reader, ids: readonly ConversationId[]) => {
  const rows = await reader.rows(lastActivities, [ids])
  return new Map(rows.map(({ conversationId, lastActivityAt }) => [conversationId, lastActivityAt]))
})
