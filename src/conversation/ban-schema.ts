// The schema of bans from groups.

import { findPresentUser } from '../account/access.ts'
import { User } from '../account/schema.ts'
import { builder } from '../graphql/builder.ts'
import { requireViewer } from '../graphql/context.ts'
import { pageCost } from '../graphql/page.ts'
import { parseId } from '../id.ts'
import { type BanRow, readBans } from './ban-access.ts'
import { banMember, bansMax, unbanMember } from './ban-actions.ts'
import { conversationPayload } from './mutations.ts'
import { Conversation } from './schema.ts'

const Ban = builder.objectRef<BanRow>('Ban').implement({
  description: 'A user who cannot come back to a group.',
  fields: (t) => ({
    user: t.field({
      type: User,
      nullable: true,
      description: 'The user; null if the account was deleted.',
      resolve: ({ userId }, _args, context) => findPresentUser(context, userId),
    }),
    bannedBy: t.field({
      type: User,
      nullable: true,
      description: 'Who banned them; null if the account was deleted.',
      resolve: ({ bannedBy }, _args, context) => findPresentUser(context, bannedBy),
    }),
    bannedAt: t.expose('bannedAt', { type: 'DateTime', description: 'When they were banned.' }),
  }),
})

builder.objectField(Conversation, 'bans', (t) =>
  t.connection(
    {
      type: Ban,
      description: 'Who is banned from the group, in order of their IDs. Empty if you may not remove members.',
      complexity: pageCost,
      resolve: ({ id }, args, context) => readBans(context, id, args),
    },
    { name: 'BanConnection', description: 'A page of bans.' },
    { name: 'BanEdge', description: 'A ban on a page.' },
  ),
)

const BanMemberInput = builder.inputType('BanMemberInput', {
  description: 'Input for `banMember`.',
  fields: (t) => ({
    conversationId: t.id({ description: 'The ID of the group.' }),
    userId: t.id({ description: 'The ID of the user, who need not be a member any more.' }),
  }),
})
const UnbanMemberInput = builder.inputType('UnbanMemberInput', {
  description: 'Input for `unbanMember`.',
  fields: (t) => ({
    conversationId: t.id({ description: 'The ID of the group.' }),
    userId: t.id({ description: 'The ID of the user.' }),
  }),
})

const read = (input: { readonly conversationId: string; readonly userId: string }) =>
  [parseId('Conversation', input.conversationId, 'input.conversationId'), parseId('User', input.userId, 'input.userId')] as const

builder.mutationFields((t) => ({
  banMember: t.field({
    type: conversationPayload('BanMemberPayload', 'banMember'),
    description: `Removes a user from a group, and keeps them out: no invite and no member brings them back until the ban is lifted. Banning them again changes nothing. A group can have at most ${bansMax} bans. Errors: NOT_FOUND, FORBIDDEN, BAD_INPUT, LIMIT_EXCEEDED.`,
    args: { input: t.arg({ type: BanMemberInput, description: 'The group, and the user to ban.' }) },
    resolve: (_root, { input }, context) => banMember(requireViewer(context), ...read(input), context.app),
  }),
  unbanMember: t.field({
    type: conversationPayload('UnbanMemberPayload', 'unbanMember'),
    description:
      'Lifts a ban. The user may join by an invite or be added again, and does not become a member by this. Does nothing if there is no ban. Errors: NOT_FOUND, FORBIDDEN, BAD_INPUT.',
    args: { input: t.arg({ type: UnbanMemberInput, description: 'The group, and the user.' }) },
    resolve: (_root, { input }, context) => unbanMember(requireViewer(context), ...read(input), context.app),
  }),
}))
