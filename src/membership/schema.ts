// The viewer's own membership of a conversation in the schema: muted, archived.

import { z } from 'zod'
import { findMembership, type MemberRow, type MembershipRow } from '../conversation/access.ts'
import { conversationPayload } from '../conversation/mutations.ts'
import { Conversation, Member, requireConversation } from '../conversation/schema.ts'
import { builder } from '../graphql/builder.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { factEvent, subjectOf } from '../graphql/event.ts'
import { future, parseInput } from '../graphql/input.ts'
import { parseId } from '../id.ts'
import { archiveConversation, muteConversation } from './actions.ts'

/** The viewer's own membership behind a member; null for anybody else's. */
async function findOwnMembership(context: Context, { conversationId, userId }: MemberRow): Promise<MembershipRow | null> {
  return context.caller.viewer?.userId === userId ? findMembership(context, conversationId) : null
}

builder.objectFields(Member, (t) => ({
  mutedUntil: t.field({
    type: 'DateTime',
    nullable: true,
    description: 'Until when you want no notifications of it; null, or past, when it is not muted. Null of everybody else.',
    resolve: async (member, _args, context) => (await findOwnMembership(context, member))?.mutedUntil ?? null,
  }),
  archivedAt: t.field({
    type: 'DateTime',
    nullable: true,
    description: 'When you put it away; null where you have not. Null of everybody else.',
    resolve: async (member, _args, context) => (await findOwnMembership(context, member))?.archivedAt ?? null,
  }),
}))

const MuteConversationInput = builder.inputType('MuteConversationInput', {
  description: 'How long a conversation shall be quiet for you.',
  fields: (t) => ({
    conversationId: t.id({ description: 'Which one, of either kind.' }),
    until: t.field({
      type: 'DateTime',
      required: false,
      description: 'Until when: a moment to come, as far away as you like. Null, or left out: it is muted no longer.',
    }),
  }),
})
const ArchiveConversationInput = builder.inputType('ArchiveConversationInput', {
  description: 'Whether a conversation shall be put away for you.',
  fields: (t) => ({
    conversationId: t.id({ description: 'Which one, of either kind.' }),
    archived: t.boolean({ description: 'True puts it away, false takes it out again.' }),
  }),
})
const muteForm = z.object({ until: future.nullish() })

builder.mutationFields((t) => ({
  muteConversation: t.field({
    type: conversationPayload('MuteConversationPayload', 'muteConversation'),
    description:
      'Mutes a conversation for you, on all of your devices: it makes no notifications until then. Nobody else learns of it. Errors: NOT_FOUND, BAD_INPUT.',
    args: { input: t.arg({ type: MuteConversationInput, description: 'Which one, and until when.' }) },
    resolve: (_root, { input }, context) => {
      const { until = null } = parseInput(muteForm, input)
      const conversationId = parseId('Conversation', input.conversationId, 'input.conversationId')
      return muteConversation(requireViewer(context), conversationId, until, context.app)
    },
  }),
  archiveConversation: t.field({
    type: conversationPayload('ArchiveConversationPayload', 'archiveConversation'),
    description:
      'Puts a conversation away for you, or takes it out again. A new message leaves it where it is. Nobody else learns of it. Errors: NOT_FOUND, BAD_INPUT.',
    args: { input: t.arg({ type: ArchiveConversationInput, description: 'Which one, and where to.' }) },
    resolve: (_root, { input }, context) => {
      const conversationId = parseId('Conversation', input.conversationId, 'input.conversationId')
      return archiveConversation(requireViewer(context), conversationId, input.archived, context.app)
    },
  }),
}))

const MembershipUpdated = factEvent(
  'MembershipUpdated',
  'You have muted or archived a conversation, or no longer; perhaps on another device. Comes to you alone.',
)
builder.objectFields(MembershipUpdated, (t) => ({
  conversation: t.field({
    shared: true,
    type: Conversation,
    description: 'Which one.',
    resolve: (event, _args, context) => requireConversation(context, subjectOf(event)),
  }),
  member: t.field({
    type: Member,
    nullable: true,
    description: 'Yourself in it, as you are now; null when you have left since.',
    resolve: (event, _args, context) => findMembership(context, subjectOf(event)),
  }),
}))
