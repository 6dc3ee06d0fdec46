// What is unread, in SQL: unread counts and badges count by the same rule. A message is unread if it comes after the user's read
// marker, is neither deleted nor hidden by the user, and its sender is neither the user nor blocked by the user. A mention is unread if its message is.

/** The most unread messages, and the most unread mentions, that are counted in one conversation. */
export const unreadMax = 1_000
/** How many messages after a read marker are examined. */
export const scanMax = 10_000

/** SQL expressions for what is counted. */
export type UnreadScope = {
  readonly userId: string
  readonly conversationId: string
  /** The seq of the user's read marker; 0 without one. */
  readonly readSeq: string
  /** The ids of the users that the user has blocked, as an array. */
  readonly blockedIds: string
  /** Whether the user has hidden something in the conversation. */
  readonly hides: string
}

const isOthers = ({ userId, blockedIds }: UnreadScope) => `m.sender_id <> ${userId} and m.sender_id <> all (${blockedIds})`

/** SQL: the user sees `m`. A subquery in an OR is not run for those who hide nothing. */
const isShown = ({ userId, hides }: UnreadScope) => `(not ${hides} or not exists (select 1 from hidden_message x
  where x.user_id = ${userId} and x.conversation_id = m.conversation_id and x.seq = m.seq))`

/** SQL: how many messages are unread, counted up to `limit`. */
export const countUnread = (scope: UnreadScope, limit: number) => `(select count(*) from (
  select 1 from message m
   where m.conversation_id = ${scope.conversationId} and m.seq > ${scope.readSeq} and m.seq <= ${scope.readSeq} + ${scanMax}
     and m.deleted_at is null and ${isOthers(scope)} and ${isShown(scope)}
   limit ${limit}) x)`

/** SQL: how many mentions of the user are unread, counted up to `unreadMax`. The deletion of a message removes its mentions. */
export const countMentions = (scope: UnreadScope) => `(select count(*) from (
  select 1 from mention n join message m on m.conversation_id = n.conversation_id and m.seq = n.seq
   where n.user_id = ${scope.userId} and n.conversation_id = ${scope.conversationId} and n.seq > ${scope.readSeq}
     and ${isOthers(scope)} and ${isShown(scope)}
   limit ${unreadMax}) x)`
