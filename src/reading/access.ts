// What may be read of reading: how far each member has come, and what the viewer has not read.

import { batched, batchedForAll, by, grouped } from '../graphql/loader.ts'
import { statement } from '../store/reader.ts'

/** How far somebody has read a conversation. */
export type ReadMarkerRow = { readonly conversationId: number; readonly userId: number; readonly seq: number }

/** What the viewer has not read of a conversation. */
export type UnreadRow = { readonly conversationId: number; readonly unread: number; readonly mentions: number }

const markers = statement<ReadMarkerRow>(
  'read_markers',
  `select r.conversation_id as "conversationId", r.user_id as "userId", r.seq
     from read_marker r
     join member m on m.conversation_id = r.conversation_id and m.user_id = r.user_id
     join "user" u on u.id = r.user_id and u.deleted_at is null
    where r.conversation_id = any($1::bigint[]) and r.seq > 0 order by r.conversation_id, r.user_id`,
)
const unread = statement<UnreadRow>(
  'unread_counts',
  `select c.id as "conversationId",
     (select count(*) from message m
       where m.conversation_id = c.id and m.seq > coalesce(r.seq, 0) and m.sender_id <> $1 and m.deleted_at is null) as unread,
     (select count(*) from mention n where n.user_id = $1 and n.conversation_id = c.id and n.seq > coalesce(r.seq, 0)) as mentions
   from unnest($2::bigint[]) as c(id) left join read_marker r on r.conversation_id = c.id and r.user_id = $1`,
)

/** The read markers of a conversation's members. The caller has checked that the viewer is one. */
export const readMarkers = batchedForAll(async (reader, conversationIds: readonly number[]) =>
  grouped(await reader.rows(markers, [conversationIds]), (row) => row.conversationId),
)

/** What the viewer has not read of a conversation. The caller has checked that the viewer is in it. */
export const readUnread = batched(async ({ reader, caller }, conversationIds: readonly number[]) =>
  by(await reader.rows(unread, [caller.viewer?.userId ?? 0, conversationIds]), (row) => row.conversationId),
)
