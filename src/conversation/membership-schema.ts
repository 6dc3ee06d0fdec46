// The schema of the viewer's own membership of a conversation: muted, archived.

import { builder } from '../graphql/builder.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { asHearer, factEvent, subjectOf } from '../graphql/event.ts'
import { requireFuture } from '../graphql/input.ts'
import { conversationIdOf, parseId } from '../id.ts'
import { findMembership, type MemberRow, type MembershipRow } from './access.ts'
import { conversationKinds } from './events.ts'
import { archiveConversation, muteConversation } from './membership-actions.ts'
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

builder.mutationFields((t) => ({
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
  'You changed your own settings of a conversation (mute, archive or notification level), on this or another device. Sent only to you.',
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
