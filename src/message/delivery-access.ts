// Reads how far messages have been delivered: which members have a device that has acknowledged them.

import { groupBy, sharedLoader } from '../graphql/loader.ts'
import type { ConversationId, MessageId, UserId } from '../id.ts'
import { statement } from '../store/reader.ts'

const receivers = statement<{ messageId: MessageId; userId: UserId }>(
  'message_receivers',
  `select m.id as "messageId", b.user_id as "userId"
     from message m
     join member b on b.conversation_id = m.conversation_id and b.user_id <> m.sender_id
     join "user" u on u.id = b.user_id and u.deleted_at is null
    where m.id = any($1::bigint[])
      and exists (select 1 from current_audience a
                   where a.conversation_id = m.conversation_id and a.user_id = b.user_id and a.visible_from_seq < m.seq)
      and exists (select 1 from session s join acknowledgement k on k.session_id = s.id
                   where s.user_id = b.user_id and k.position >= m.id)
    order by m.id, b.user_id`,
)

/** Finds the members that a message has been delivered to, by user. The caller has checked that the viewer sees the message. */
export const findReceivers = sharedLoader(async (reader, messageIds: readonly MessageId[]) =>
  groupBy(await reader.rows(receivers, [messageIds]), (row) => row.messageId),
)

const deliveredSeqs = statement<{ conversationId: ConversationId; userId: UserId; seq: number }>(
  'delivered_seqs',
  `select p.conversation_id as "conversationId", p.user_id as "userId",
     message_delivered_seq(p.conversation_id, (
       select max(k.position) from session s join acknowledgement k on k.session_id = s.id where s.user_id = p.user_id)) as seq
     from unnest($1::bigint[], $2::bigint[]) as p(conversation_id, user_id)
     join current_audience a on a.conversation_id = p.conversation_id and a.user_id = p.user_id`,
)

/**
 * Finds the seq of the last message that was delivered to a member (`conversation:user`); null for a member of a closed conversation. The
 * caller has checked that the viewer is a member.
 */
export const findDeliveredSeq = sharedLoader(async (reader, pairs: readonly `${ConversationId}:${UserId}`[]) => {
  const [conversationIds, userIds] = [0, 1].map((part) => pairs.map((pair) => Number(pair.split(':')[part])))
  const rows = await reader.rows(deliveredSeqs, [conversationIds, userIds])
  return new Map(rows.map(({ conversationId, userId, seq }) => [`${conversationId}:${userId}` as const, seq]))
})
