// Conversations in the schema. A conversation may be named to somebody who is no longer in it, by the fact that tells the
// leaving; beyond its id, kind and title such a person sees an empty one.

import { requireUser } from '../account/access.ts'
import { User } from '../account/schema.ts'
import { notFound } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import type { Context } from '../graphql/context.ts'
import { andThen, type MaybePromise } from '../graphql/loader.ts'
import { pageCost } from '../graphql/page.ts'
import { parseId } from '../id.ts'
import {
  type ConversationRow,
  countMembers,
  findConversation,
  findMember,
  findMembership,
  findOwnConversation,
  ifMember,
  type MemberRow,
  readConversations,
  readMembers,
} from './access.ts'

const ConversationKind = builder.enumType('ConversationKind', {
  description: 'What a conversation is.',
  values: {
    DIRECT: { description: 'Of two people, who are fixed. A pair has one, for ever.' },
    GROUP: { description: 'Of people who come and go, with a title.' },
  } as const,
})
export const MemberRole = builder.enumType('MemberRole', {
  description: 'What a member of a group may do.',
  values: {
    OWNER: { description: 'Everything; cannot be removed. A group has one, always.' },
    ADMIN: { description: 'Runs the group: all that the owner may, but not hand it over.' },
    MEMBER: { description: 'Reads and writes.' },
  } as const,
})

export const HistoryVisibility = builder.enumType('HistoryVisibility', {
  description: 'What members of a group see who come later. What it is at the moment of joining holds for as long as one stays.',
  values: {
    ALL: { description: 'All messages, from the first.' },
    SINCE_JOINING: { description: 'The messages that are sent after they joined.' },
  } as const,
})

export const Member = builder.objectRef<MemberRow>('Member')
builder.node(Member, {
  description: 'Somebody in a conversation.',
  id: { shared: true, resolve: ({ conversationId, userId }) => `${conversationId}:${userId}` },
  loadMany: (ids, context) =>
    Promise.all(
      ids.map(async (id) => {
        const own = await findOwnConversation(context, Number(id.split(':')[0]))
        return own && findMember(context, id as `${number}:${number}`)
      }),
    ),
  fields: (t) => ({
    user: t.field({
      shared: true,
      type: User,
      description: 'Who it is.',
      resolve: ({ userId }, _args, context) => requireUser(context, userId),
    }),
    role: t.expose('role', {
      shared: true,
      type: MemberRole,
      description: 'What they may do. In a direct conversation: MEMBER.',
    }),
    joinedAt: t.expose('joinedAt', { shared: true, type: 'DateTime', description: 'Since when they are in it.' }),
  }),
})

export const Conversation = builder.objectRef<ConversationRow>('Conversation')
builder.node(Conversation, {
  description: 'A place where people write to each other.',
  id: { shared: true, resolve: ({ id }) => String(id) },
  loadMany: (ids, context) => Promise.all(ids.map((id) => findOwnConversation(context, Number(id)))),
  fields: (t) => ({
    kind: t.expose('kind', { shared: true, type: ConversationKind, description: 'Direct, or a group.' }),
    title: t.exposeString('title', {
      shared: true,
      nullable: true,
      description: 'The title of a group; null for a direct conversation.',
    }),
    description: t.string({
      nullable: true,
      description: 'What a group is for; null where nothing is said, and for somebody who is not in it.',
      resolve: ({ id, description }, _args, context) => ifMember(context, id, () => description, null),
    }),
    historyVisibility: t.field({
      type: HistoryVisibility,
      nullable: true,
      description: 'What those see who join it now; null for somebody who is not in it.',
      resolve: ({ id, historyVisibility }, _args, context) => ifMember(context, id, () => historyVisibility, null),
    }),
    createdAt: t.expose('createdAt', { shared: true, type: 'DateTime', description: 'When it was started.' }),
    memberCount: t.int({
      description: 'How many people are in it; 0 for somebody who is not.',
      resolve: ({ id }, _args, context) => ifMember(context, id, () => countMembers(context, id), 0),
    }),
    viewerMembership: t.field({
      type: Member,
      nullable: true,
      description: 'Yourself in it; null when you have left.',
      resolve: ({ id }, _args, context) => findMembership(context, id),
    }),
    members: t.connection(
      {
        type: Member,
        description: 'Who is in it; nobody, for somebody who is not.',
        complexity: pageCost,
        resolve: async ({ id }, args, context) => readMembers(context, (await findMembership(context, id)) ? id : 0, args),
      },
      { name: 'MemberConnection', description: 'Members, by page.' },
      { name: 'MemberEdge', description: 'A member in a page.' },
    ),
  }),
})

builder.queryFields((t) => ({
  conversation: t.field({
    type: Conversation,
    nullable: true,
    description: 'One of your conversations by its id; null where it does not exist or you are not in it.',
    args: { id: t.arg.id({ description: 'Its global id.' }) },
    resolve: (_root, { id }, context) => findOwnConversation(context, parseId('Conversation', id, 'id')),
  }),
  conversations: t.connection(
    {
      type: Conversation,
      description:
        'Your conversations, the one where something happened last first; without those that you have archived, where `archived` is left out.',
      args: {
        archived: t.arg.boolean({
          required: false,
          defaultValue: false,
          description: 'False: those that are not archived. True: those that are. Null: both.',
        }),
      },
      complexity: pageCost,
      resolve: (_root, { archived, ...args }, context) => readConversations(context, archived ?? null, args),
    },
    { name: 'ConversationConnection', description: 'Conversations, by page.' },
    { name: 'ConversationEdge', description: 'A conversation in a page.' },
  ),
}))

/** A conversation that something names already. */
export function requireConversation(context: Context, conversationId: number): MaybePromise<ConversationRow> {
  return andThen(findConversation(context, conversationId), (conversation) => {
    if (!conversation) throw notFound('Conversation')
    return conversation
  })
}
