// Reads reactions. Members see all of them.

import type { DefaultConnectionArguments } from '@pothos/plugin-relay'
import { findUsers, type UserRow } from '../account/access.ts'
import type { Context } from '../graphql/context.ts'
import { groupBy, sharedLoader } from '../graphql/loader.ts'
import { type Page, readPage } from '../graphql/page.ts'
import type { MessageId, UserId } from '../id.ts'
import { statement } from '../store/reader.ts'

/** The reactions to a message with one emoji. */
export type ReactionGroupRow = {
  readonly messageId: MessageId
  readonly emoji: string
  /** The users who reacted, in order. */
  readonly userIds: readonly UserId[]
}

const groupsByMessages = statement<ReactionGroupRow>(
  'reaction_groups',
  `select message_id as "messageId", emoji, array_agg(user_id order by created_at, user_id) as "userIds"
     from reaction where message_id = any($1::bigint[])
    group by message_id, emoji order by message_id, min(created_at), emoji`,
)

/** Reads the reactions to a message, first-used emoji first. The caller has checked that the viewer may see them. */
export const readReactions = sharedLoader(async (reader, messageIds: readonly MessageId[]) =>
  groupBy(await reader.rows(groupsByMessages, [messageIds]), (row) => row.messageId),
)

/** Reads a page of the users who reacted with an emoji, by user. */
export function readReactors(
  context: Context,
  { userIds }: ReactionGroupRow,
  args: DefaultConnectionArguments,
): Promise<Page<UserRow>> {
  return readPage(
    args,
    ({ id }) => id,
    async ({ after, before, from, limit }) => {
      const within = userIds.filter((id) => id > (after ?? 0) && (before === null || id < before)).sort((a, b) => a - b)
      if (from === 'END') within.reverse()
      return findUsers(context, within.slice(0, limit))
    },
  )
}
