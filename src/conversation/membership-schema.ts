// The schema of the viewer's own membership of a conversation: muted, archived.

import { builder } from '../graphql/builder.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { asHearer, factEvent, subjectOf } from '../graphql/event.ts'
import { requireFuture } from '../graphql/input.ts'
import { conversationIdOf, parseId } from '../id.ts'
import { findMembership, type MemberRow, type MembershipRow } from './access.ts'
import { conversationKinds } from './events.ts'
import {
  archiveConversation,
  markUnread,
  muteConversation,
  pinConversation,
  pinnedConversationsMax,
} from './membership-actions.ts'
import { conversationPayload } from './mutations.ts'
import { Conversation, Member, requireConversation } from './schema.ts'

/** Finds the membership of a member who is the viewer; null for any other member. */
async function findOwnMembership(context: Context, { conversationId, userId }: MemberRow): Promise<MembershipRow | null> {
  return context.caller.viewer?.userId === userId ? findMembership(context, conversationId) : null
}

builder.objectFields(Member, (t) => ({
  mutedUntil: t.field({
    type: 'DateTime',
    nullable: true,
    description:
      'When your mute of this conversation ends; null or in the past if it is not muted. Visible only to the member; null for everyone else.',
    resolve: async (member, _args, context) => (await findOwnMembership(context, member))?.mutedUntil ?? null,
  }),
  archivedAt: t.field({
    type: 'DateTime',
    nullable: true,
    description: 'When you archived this conversation; null if you have not. Visible only to the member; null for everyone else.',
    resolve: async (member, _args, context) => (await findOwnMembership(context, member))?.archivedAt ?? null,
  }),
  pinnedAt: t.field({
    type: 'DateTime',
    nullable: true,
    description:
      'When you pinned this conversation to the top of your list; null if you have not. Visible only to the member; null for everyone else.',
    resolve: async (member, _args, context) => (await findOwnMembership(context, member))?.pinnedAt ?? null,
  }),
  markedUnreadAt: t.field({
    type: 'DateTime',
    nullable: true,
    description:
      'When you marked this conversation as unread; null if you have not. It stays until you take the mark away, and changes no count. Visible only to the member; null for everyone else.',
    resolve: async (member, _args, context) => (await findOwnMembership(context, member))?.markedUnreadAt ?? null,
  }),
}))

const MuteConversationInput = builder.inputType('MuteConversationInput', {
  description: 'Input for `muteConversation`.',
  fields: (t) => ({
    conversationId: t.id({ description: 'The ID of the conversation, direct or group.' }),
    until: t.field({
      type: 'DateTime',
      required: false,
      description: 'When the mute ends: any time in the future. Null, or omitted, unmutes the conversation.',
    }),
  }),
})
const ArchiveConversationInput = builder.inputType('ArchiveConversationInput', {
  description: 'Input for `archiveConversation`.',
  fields: (t) => ({
    conversationId: t.id({ description: 'The ID of the conversation, direct or group.' }),
    archived: t.boolean({ description: 'True archives the conversation, false unarchives it.' }),
  }),
})
const PinConversationInput = builder.inputType('PinConversationInput', {
  description: 'Input for `pinConversation`.',
  fields: (t) => ({
    conversationId: t.id({ description: 'The ID of the conversation, direct or group.' }),
    pinned: t.boolean({ description: 'True pins the conversation, false unpins it.' }),
  }),
})
const MarkUnreadInput = builder.inputType('MarkUnreadInput', {
  description: 'Input for `markUnread`.',
  fields: (t) => ({
    conversationId: t.id({ description: 'The ID of the conversation, direct or group.' }),
    unread: t.boolean({
      description: 'True marks the conversation as unread, false takes the mark away, as apps do when it is opened.',
    }),
  }),
})

builder.mutationFields((t) => ({
  pinConversation: t.field({
    type: conversationPayload('PinConversationPayload', 'pinConversation'),
    description: `Pins a conversation to the top of your list on all your devices, or unpins it. You can pin at most ${pinnedConversationsMax}. Nobody else can see this. Errors: NOT_FOUND, BAD_INPUT, LIMIT_EXCEEDED.`,
    args: { input: t.arg({ type: PinConversationInput, description: 'The conversation, and whether to pin it.' }) },
    resolve: (_root, { input }, context) => {
      const conversationId = parseId('Conversation', input.conversationId, 'input.conversationId')
      return pinConversation(requireViewer(context), conversationId, input.pinned, context.app)
    },
  }),
  markUnread: t.field({
    type: conversationPayload('MarkUnreadPayload', 'markUnread'),
    description:
      'Marks a conversation as unread on all your devices, to come back to it later, or takes the mark away. Read markers stay where they are, and nobody else can see this. Errors: NOT_FOUND, BAD_INPUT.',
    args: { input: t.arg({ type: MarkUnreadInput, description: 'The conversation, and whether to mark it.' }) },
    resolve: (_root, { input }, context) => {
      const conversationId = parseId('Conversation', input.conversationId, 'input.conversationId')
      return markUnread(requireViewer(context), conversationId, input.unread, context.app)
    },
  }),
  muteConversation: t.field({
    type: conversationPayload('MuteConversationPayload', 'muteConversation'),
    description:
      'Mutes a conversation on all your devices: it sends you no notifications until the given time. Nobody else can see this. Errors: NOT_FOUND, BAD_INPUT.',
    args: { input: t.arg({ type: MuteConversationInput, description: 'The conversation, and when the mute ends.' }) },
    resolve: (_root, { input }, context) => {
      requireFuture('until', input.until, context.app.clock)
      const conversationId = parseId('Conversation', input.conversationId, 'input.conversationId')
      return muteConversation(requireViewer(context), conversationId, input.until ?? null, context.app)
    },
  }),
  archiveConversation: t.field({
    type: conversationPayload('ArchiveConversationPayload', 'archiveConversation'),
    description:
      'Archives or unarchives a conversation for you. A new message does not unarchive it. Nobody else can see this. Errors: NOT_FOUND, BAD_INPUT.',
    args: { input: t.arg({ type: ArchiveConversationInput, description: 'The conversation, and whether to archive it.' }) },
    resolve: (_root, { input }, context) => {
      const conversationId = parseId('Conversation', input.conversationId, 'input.conversationId')
      return archiveConversation(requireViewer(context), conversationId, input.archived, context.app)
    },
  }),
}))

const MembershipUpdated = factEvent(
  conversationKinds.MembershipUpdated,
  'You changed your own settings of a conversation (mute, archive, pin, the mark as unread, or notification level), on this or another device. Sent only to you.',
)
builder.objectFields(MembershipUpdated, (t) => ({
  conversation: t.field({
    shared: true,
    type: Conversation,
    description: 'The conversation.',
    resolve: (event, _args, context) => requireConversation(context, conversationIdOf(subjectOf(event))),
  }),
  member: t.field({
    type: Member,
    nullable: true,
    description: 'Your membership in its current state; null if you have left since.',
    resolve: (event, _args, context) => findMembership(asHearer(event, context), conversationIdOf(subjectOf(event))),
  }),
}))
