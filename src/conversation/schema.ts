// The schema of conversations. The fact of a departure names the conversation to a user who is no longer a member; that user sees
// only its id, kind and time of creation.

import { requireUser } from '../account/access.ts'
import { User } from '../account/schema.ts'
import { findAttachment, shownToAll } from '../attachment/access.ts'
import { Attachment } from '../attachment/schema.ts'
import { notFound } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import type { Context } from '../graphql/context.ts'
import { readCustomData } from '../graphql/custom-data.ts'
import { type MaybePromise, mapMaybePromise } from '../graphql/loader.ts'
import { type ConversationId, conversationIdOf, parseId, type UserId } from '../id.ts'
import {
  type ConversationRow,
  countMembers,
  findConversation,
  findMember,
  findMembership,
  findOwnConversation,
  ifShown,
  isShownInEvent,
  type MemberRow,
} from './access.ts'

const ConversationKind = builder.enumType('ConversationKind', {
  description: 'The kind of a conversation.',
  values: {
    DIRECT: { description: 'A conversation between two fixed people. Each pair of users has at most one, and one encrypted.' },
    GROUP: { description: 'A conversation with a title that people can join and leave.' },
  } as const,
})
export const MemberRole = builder.enumType('MemberRole', {
  description: 'The role of a member, which decides what they may do in a group.',
  values: {
    OWNER: { description: 'May do everything, and cannot be removed. Every group has exactly one owner.' },
    ADMIN: { description: 'May do everything that the owner may, except hand over the group.' },
    MEMBER: { description: 'May read and write messages.' },
  } as const,
})

export const HistoryVisibility = builder.enumType('HistoryVisibility', {
  description:
    "How much of a group's history new members see. The value at the time somebody joins applies to them for as long as they stay.",
  values: {
    ALL: { description: 'All messages, from the very first.' },
    SINCE_JOINING: { description: 'Only messages sent after they joined.' },
  } as const,
})

export const Encryption = builder.enumType('Encryption', {
  description: 'Whether the devices of its members encrypt what is said in a conversation.',
  values: {
    NONE: { description: 'No: the server stores texts, and finds them.' },
    MLS: {
      description:
        'With MLS (RFC 9420): the server stores and delivers ciphertexts that it cannot read. There is no search, and no text in notifications.',
    },
  } as const,
})

export const Member = builder.objectRef<MemberRow>('Member')
builder.node(Member, {
  description: "A user's membership in a conversation.",
  id: { shared: true, resolve: ({ conversationId, userId }) => `${conversationId}:${userId}` },
  loadManyWithoutCache: (ids, context) =>
    Promise.all(
      ids.map(async (id) => {
        const member = await findMember(context, id as `${ConversationId}:${UserId}`)
        return member && (await findOwnConversation(context, member.conversationId)) && member
      }),
    ),
  fields: (t) => ({
    user: t.field({
      shared: true,
      type: User,
      description: 'The user.',
      resolve: ({ userId }, _args, context) => requireUser(context, userId),
    }),
    role: t.expose('role', {
      shared: true,
      type: MemberRole,
      description: "The member's role. Always MEMBER in a direct conversation.",
    }),
    joinedAt: t.expose('joinedAt', { shared: true, type: 'DateTime', description: 'When the user joined the conversation.' }),
  }),
})

export const Conversation = builder.objectRef<ConversationRow>('Conversation')
builder.node(Conversation, {
  description:
    'A direct conversation between two people, or a group. If you have left it, you can read only its ID, `kind`, `encryption` and `createdAt`: every other field is null, empty, 0 or false unless it says otherwise.',
  id: { shared: true, resolve: ({ id }) => String(id) },
  loadManyWithoutCache: (ids, context) => Promise.all(ids.map((id) => findOwnConversation(context, conversationIdOf(id)))),
  fields: (t) => ({
    kind: t.expose('kind', {
      shared: true,
      type: ConversationKind,
      description: 'Whether this is a direct conversation or a group.',
    }),
    title: t.string({
      shared: true,
      nullable: true,
      description: 'The title of the group; null for a direct conversation, or if you are not a member.',
      resolve: (conversation, _args, context) => {
        const { id, title } = conversation
        return title === null || isShownInEvent(context, conversation) ? title : ifShown(context, id, () => title, null)
      },
    }),
    data: t.field({
      shared: true,
      type: 'JSON',
      nullable: true,
      description: 'Custom data of the app; null if there is none, or if you are not a member.',
      resolve: (conversation, _args, context) => {
        const { id, data } = conversation
        if (data === null) return null
        return isShownInEvent(context, conversation)
          ? readCustomData(data)
          : ifShown(context, id, () => readCustomData(data), null)
      },
    }),
    description: t.string({
      nullable: true,
      description: 'What the group is about; null if it has no description, or if you are not a member.',
      resolve: ({ id, description }, _args, context) => ifShown(context, id, () => description, null),
    }),
    historyVisibility: t.field({
      type: HistoryVisibility,
      nullable: true,
      description: 'How much of the history new members see; null if you are not a member.',
      resolve: ({ id, historyVisibility }, _args, context) => ifShown(context, id, () => historyVisibility, null),
    }),
    avatar: t.field({
      type: Attachment,
      nullable: true,
      shared: true,
      description: 'The picture of the group, which is square; null if it has none, or if you are not a member.',
      resolve: (conversation, _args, context) => {
        const { id, avatarId } = conversation
        if (avatarId === null) return null
        const show = () => mapMaybePromise(findAttachment(context, avatarId), (found) => found && shownToAll(found))
        return isShownInEvent(context, conversation) ? show() : ifShown(context, id, show, null)
      },
    }),
    encryption: t.expose('encryption', {
      shared: true,
      type: Encryption,
      description: 'Whether devices encrypt what is said. It is chosen at the start, for ever.',
    }),
    createdAt: t.expose('createdAt', { shared: true, type: 'DateTime', description: 'When the conversation was started.' }),
    memberCount: t.int({
      description: 'The number of members; 0 if you are not a member.',
      resolve: ({ id }, _args, context) => ifShown(context, id, () => countMembers(context, id), 0),
    }),
    viewerMembership: t.field({
      type: Member,
      nullable: true,
      description: 'Your own membership; null if you are not a member.',
      resolve: ({ id }, _args, context) => findMembership(context, id),
    }),
  }),
})

builder.queryField('conversation', (t) =>
  t.field({
    type: Conversation,
    nullable: true,
    description: 'One of your conversations; null if it does not exist or you are not a member.',
    args: { id: t.arg.id({ description: 'The ID of the conversation.' }) },
    resolve: (_root, { id }, context) => findOwnConversation(context, parseId('Conversation', id, 'id')),
  }),
)

/** Finds a conversation without a permission check: something that the viewer sees must already name it. */
export function requireConversation(context: Context, conversationId: ConversationId): MaybePromise<ConversationRow> {
  return mapMaybePromise(findConversation(context, conversationId), (conversation) => {
    if (!conversation) throw notFound('Conversation')
    return conversation
  })
}
