// The schema of lists: of conversations, and of the members of one.

import { findPresentUser } from '../account/access.ts'
import { User } from '../account/schema.ts'
import { parseSearchText, searchTextMax } from '../account/search-text.ts'
import { builder } from '../graphql/builder.ts'
import { pageCost, searchCost } from '../graphql/page.ts'
import { conversationIdOf } from '../id.ts'
import { ifShown } from './access.ts'
import { otherOf, readConversations, readGroupsInCommon, readLastActivity } from './list-access.ts'
import { readMembers } from './member-access.ts'
import { Conversation, Member, MemberRole } from './schema.ts'

builder.objectFields(Conversation, (t) => ({
  lastActivityAt: t.field({
    type: 'DateTime',
    nullable: true,
    description:
      'When something last happened that moves the conversation to the top of `conversations`: a message, a new member, a new title and the like. Null if you are not a member.',
    resolve: ({ id }, _args, context) => ifShown(context, id, () => readLastActivity(context, id), null),
  }),
  otherUser: t.field({
    type: User,
    nullable: true,
    description: 'The other person of a direct conversation; null for a group, and if the account was deleted.',
    resolve: (conversation, _args, context) => {
      const otherId = otherOf(context, conversation)
      return otherId === null ? null : findPresentUser(context, otherId)
    },
  }),
  members: t.connection(
    {
      type: Member,
      description: 'The members, ordered by user; empty if you are not a member. Errors: BAD_INPUT.',
      args: {
        query: t.arg.string({
          required: false,
          description: `Returns only members whose username or display name contains this text, as in \`searchUsers\`: 1 to ${searchTextMax} characters.`,
        }),
        role: t.arg({ type: MemberRole, required: false, description: 'Returns only members with this role.' }),
      },
      complexity: pageCost,
      resolve: async ({ id }, { query, role = null, ...args }, context) => {
        const filter = { text: query == null ? null : parseSearchText(query), role }
        const nobody = conversationIdOf(0)
        const members = await ifShown(context, id, () => readMembers(context, id, filter, args), null)
        return members ?? readMembers(context, nobody, filter, args)
      },
    },
    { name: 'MemberConnection', description: 'A page of members.' },
    { name: 'MemberEdge', description: 'A member on a page.' },
  ),
}))

const ConversationEdge = builder.edgeObject({
  type: Conversation,
  name: 'ConversationEdge',
  description: 'A conversation on a page.',
})
const ConversationConnection = builder.connectionObject(
  { type: Conversation, name: 'ConversationConnection', description: 'A page of conversations.' },
  ConversationEdge,
)

builder.queryFields((t) => ({
  conversations: t.connection(
    {
      type: Conversation,
      description:
        'Your conversations, most recent activity (`lastActivityAt`) first. Omits archived ones unless you set `archived`. Errors: BAD_INPUT.',
      args: {
        query: t.arg.string({
          required: false,
          description: `Returns only groups whose title, and direct conversations where the name or username of the other person, contains this text. Ignores case, accents and everything else that \`searchMessages\` ignores. 1 to ${searchTextMax} characters.`,
        }),
        archived: t.arg.boolean({
          required: false,
          defaultValue: false,
          description: 'False returns conversations that you have not archived, true those that you have, null both.',
        }),
        pinned: t.arg.boolean({
          required: false,
          description:
            'True returns conversations that you have pinned, false those that you have not. Omitted or null returns both.',
        }),
      },
      complexity: (args) => (args.query == null ? pageCost(args) : searchCost(args)),
      resolve: (_root, { archived, pinned, query, ...args }, context) => {
        const text = query == null ? null : parseSearchText(query)
        return readConversations(context, { archived: archived ?? null, pinned: pinned ?? null, text }, args)
      },
    },
    ConversationConnection,
    ConversationEdge,
  ),
}))

builder.objectField(User, 'groupsInCommon', (t) =>
  t.connection(
    {
      type: Conversation,
      description: 'The groups that you and this user are both members of, most recent activity first.',
      complexity: pageCost,
      resolve: ({ id }, args, context) => readGroupsInCommon(context, id, args),
    },
    ConversationConnection,
    ConversationEdge,
  ),
)
