// Reads bans. Members who may remove others see them.

import type { DefaultConnectionArguments } from '@pothos/plugin-relay'
import type { Context } from '../graphql/context.ts'
import { type Page, readPage } from '../graphql/page.ts'
import type { ConversationId, UserId } from '../id.ts'
import { statement } from '../store/reader.ts'
import { findMembership, isStillMember } from './access.ts'
import { can } from './capabilities.ts'

/** A user who cannot come back to a group. */
export type BanRow = { readonly userId: UserId; readonly bannedBy: UserId; readonly bannedAt: Date }

const listed = `select user_id as "userId", banned_by as "bannedBy", banned_at as "bannedAt" from ban
   where conversation_id = $1 and ($2::bigint is null or user_id > $2) and ($3::bigint is null or user_id < $3)`
const listing = {
  START: statement<BanRow>('bans_forward', `${listed} order by user_id limit $4`),
  END: statement<BanRow>('bans_backward', `${listed} order by user_id desc limit $4`),
}

/** Reads a page of the bans of a group. Empty for a viewer who may not remove members. */
export async function readBans(
  context: Context,
  conversationId: ConversationId,
  args: DefaultConnectionArguments,
): Promise<Page<BanRow>> {
  const membership = await findMembership(context, conversationId)
  return readPage(
    args,
    ({ userId }) => userId,
    async ({ after, before, from, limit }) => {
      if (!membership || !can('REMOVE_MEMBERS', 'GROUP', membership.role)) return []
      const bans = await context.reader.rows(listing[from], [conversationId, after, before, limit])
      return (await isStillMember(context, membership)) ? bans : []
    },
  )
}
