// Reads the read markers of members, and the viewer's unread counts.

import { type Context, requireViewer } from '../graphql/context.ts'
import { groupBy, indexBy, sharedLoader, viewerLoader } from '../graphql/loader.ts'
import type { ConversationId, UserId } from '../id.ts'
import { statement } from '../store/reader.ts'
import type { MarkerInput } from './markers.ts'
import { countMentions, countUnread, scanMax, unreadMax } from './unread.ts'

/** The viewer's unread counts of a conversation. */
export type UnreadRow = {
  readonly conversationId: ConversationId
  readonly unread: number
  readonly mentions: number
  /** Whether `unread` is the complete count. */
  readonly isExact: boolean
}

const markers = statement<MarkerInput>(
  'read_markers',
  `select r.conversation_id as "conversationId", r.user_id as "userId", r.seq
     from read_marker r
     join member m on m.conversation_id = r.conversation_id and m.user_id = r.user_id
     join "user" u on u.id = r.user_id and u.deleted_at is null
    where r.conversation_id = any($1::bigint[]) and r.seq > 0 order by r.conversation_id, r.user_id`,
)
const viewersScope = { userId: '$1', readSeq: 'coalesce(r.seq, 0)', blockedIds: 'b.ids', hides: 'a.hides_messages' }
const scope = { ...viewersScope, conversationId: 'c.id' }
const totalsScope = { ...viewersScope, conversationId: 's.conversation_id' }
const unread = statement<UnreadRow>(
  'unread_counts',
  `select c.id as "conversationId", least(u.count, ${unreadMax}) as unread, n.count as mentions,
     u.count <= ${unreadMax} and coalesce(h.last_seq, 0) - coalesce(r.seq, 0) <= ${scanMax} as "isExact"
   from unnest($2::bigint[]) as c(id)
   cross join (select array(select blocked_id from block where blocker_id = $1) as ids) b
   left join conversation_head h on h.conversation_id = c.id
   left join read_marker r on r.conversation_id = c.id and r.user_id = $1
   -- nothing is unread where the viewer is out of the audience: in a closed conversation nobody can read on
   join audience a on a.conversation_id = c.id and a.user_id = $1 and a.to_position is null
   cross join lateral ${countUnread(scope, unreadMax + 1)} u
   cross join lateral ${countMentions(scope)} n`,
)

/** What is unread in all of the viewer's conversations together. */
export type UnreadTotalsRow = { readonly conversations: number; readonly messages: number; readonly mentions: number }

const totals = statement<UnreadTotalsRow>(
  'unread_totals',
  `select count(*)::int as conversations, coalesce(sum(u.count), 0)::int as messages, coalesce(sum(n.count), 0)::int as mentions
     from member s
     join audience a on a.conversation_id = s.conversation_id and a.user_id = s.user_id and a.to_position is null
     join conversation_head h on h.conversation_id = s.conversation_id
     left join read_marker r on r.conversation_id = s.conversation_id and r.user_id = s.user_id
    cross join (select array(select blocked_id from block where blocker_id = $1) as ids) b
    cross join lateral ${countUnread(totalsScope, unreadMax)} u
    cross join lateral ${countMentions(totalsScope)} n
    where s.user_id = $1 and (s.muted_until is null or s.muted_until <= $2) and h.last_seq > coalesce(r.seq, 0) and u.count > 0`,
)

/** Counts what is unread in the viewer's conversations that are not muted at this time. */
export async function readUnreadTotals(context: Context, now: Date): Promise<UnreadTotalsRow> {
  const [row] = await context.reader.rows(totals, [requireViewer(context).userId, now])
  return row ?? { conversations: 0, messages: 0, mentions: 0 }
}

const readTimes = statement<{ conversationId: ConversationId; userId: UserId; movedAt: Date }>(
  'read_times',
  `select r.conversation_id as "conversationId", r.user_id as "userId", r.moved_at as "movedAt"
     from unnest($1::bigint[], $2::bigint[]) as p(conversation_id, user_id) join read_marker r using (conversation_id, user_id)
    where r.seq > 0`,
)

/** Finds when the read marker of a member (`conversation:user`) last moved. The caller has checked that the viewer is a member. */
export const findReadTime = sharedLoader(async (reader, pairs: readonly `${ConversationId}:${UserId}`[]) => {
  const [conversationIds, userIds] = [0, 1].map((part) => pairs.map((pair) => Number(pair.split(':')[part])))
  const rows = await reader.rows(readTimes, [conversationIds, userIds])
  return new Map(rows.map(({ conversationId, userId, movedAt }) => [`${conversationId}:${userId}` as const, movedAt]))
})

/** Reads the read markers of a conversation's members. The caller has checked that the viewer is a member. */
export const readMarkers = sharedLoader(async (reader, conversationIds: readonly ConversationId[]) =>
  groupBy(await reader.rows(markers, [conversationIds]), (row) => row.conversationId),
)

/** Reads the viewer's unread counts of a conversation. The caller has checked that the viewer is a member. */
export const readUnread = viewerLoader(async ({ reader, caller }, conversationIds: readonly ConversationId[]) =>
  indexBy(await reader.rows(unread, [caller.viewer?.userId ?? 0, conversationIds]), (row) => row.conversationId),
)
