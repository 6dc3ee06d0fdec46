// What may be read of reactions: members see them all.

import { groupBy, sharedLoader } from '../graphql/loader.ts'
import { statement } from '../store/reader.ts'

/** What people reacted to a message with one emoji. */
export type ReactionGroupRow = {
  readonly messageId: number
  readonly emoji: string
  /** Who they are, in the order in which they reacted. */
  readonly userIds: readonly number[]
}

const groupsByMessages = statement<ReactionGroupRow>(
  'reaction_groups',
  `select message_id as "messageId", emoji, array_agg(user_id order by created_at, user_id) as "userIds"
     from reaction where message_id = any($1::bigint[])
    group by message_id, emoji order by message_id, min(created_at), emoji`,
)

/** The reactions to a message, the emoji that was used first before the others. The caller has checked that the viewer may see them. */
export const readReactions = sharedLoader(async (reader, messageIds: readonly number[]) =>
  groupBy(await reader.rows(groupsByMessages, [messageIds]), (row) => row.messageId),
)
