// The mutations and events of conversations.

import { z } from 'zod'
import { requireUser } from '../account/access.ts'
import { User } from '../account/schema.ts'
import { builder } from '../graphql/builder.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { conversationOf, type FactEvent, factEvent, subjectOf } from '../graphql/event.ts'
import { cursorField } from '../graphql/payload.ts'
import { conversationIdOf, parseId, userIdOf } from '../id.ts'
import { findMember, ifShown } from './access.ts'
import { type Done, startDirectConversation } from './actions.ts'
import { conversationKinds } from './events.ts'
import { Conversation, Encryption, Member, requireConversation } from './schema.ts'

/** Declares the payload of a mutation on a conversation: its current state, and the cursor of the mutation's last event. */
export function conversationPayload(name: string, mutation: string) {
  return builder.objectRef<Done>(name).implement({
    description: `The result of \`${mutation}\`.`,
    fields: (t) => ({
      conversation: t.field({
        type: Conversation,
        description: 'The conversation in its current state.',
        resolve: ({ conversationId }, _args, context) => requireConversation(context, conversationId),
      }),
      cursor: cursorField(t),
    }),
  })
}

const StartDirectConversationInput = builder.inputType('StartDirectConversationInput', {
  description: 'Input for `startDirectConversation`.',
  fields: (t) => ({
    userId: t.id({ description: 'The ID of the other user.' }),
    encryption: t.field({
      type: Encryption,
      defaultValue: 'NONE',
      description: 'Which of the two: the encrypted conversation stands beside the plain one.',
    }),
  }),
})
builder.mutationFields((t) => ({
  startDirectConversation: t.field({
    type: conversationPayload('StartDirectConversationPayload', 'startDirectConversation'),
    description:
      'Starts a direct conversation with a user, or returns the existing one. Errors: NOT_FOUND, BAD_INPUT, FORBIDDEN if there is none yet and the user does not accept messages from you or you have blocked them.',
    args: { input: t.arg({ type: StartDirectConversationInput, description: 'The user to talk to.' }) },
    resolve: (_root, { input }, context) =>
      startDirectConversation(
        requireViewer(context),
        parseId('User', input.userId, 'input.userId'),
        input.encryption,
        context.app,
      ),
  }),
}))

// ---- Events

const aboutConversation = (event: FactEvent, context: Context) => requireConversation(context, conversationOf(event))

const ConversationAdded = factEvent(
  conversationKinds.ConversationAdded,
  'You joined a conversation, or it was started with you. Its events follow this one.',
)
builder.objectField(ConversationAdded, 'conversation', (t) =>
  t.field({
    shared: true,
    type: Conversation,
    description: 'The conversation.',
    resolve: (event, _args, context) => requireConversation(context, conversationIdOf(subjectOf(event))),
  }),
)

const MemberJoined = factEvent(conversationKinds.MemberJoined, 'A user joined a conversation. The user may be you.')
const MemberLeft = factEvent(
  conversationKinds.MemberLeft,
  'A user left a conversation or was removed. If the user is you, this is the last event that you receive of it.',
)
const ConversationUpdated = factEvent(
  conversationKinds.ConversationUpdated,
  'The title, description or settings of a group changed.',
)
builder.objectField(ConversationUpdated, 'conversation', (t) =>
  t.field({
    shared: true,
    type: Conversation,
    description: 'The conversation in its current state.',
    resolve: (event, _args, context) => aboutConversation(event, context),
  }),
)

const MemberUpdated = factEvent(conversationKinds.MemberUpdated, 'The role of a member changed.')
for (const ref of [MemberJoined, MemberLeft, MemberUpdated]) {
  builder.objectFields(ref, (t) => ({
    conversation: t.field({
      shared: true,
      type: Conversation,
      description: 'The conversation.',
      resolve: (event, _args, context) => aboutConversation(event, context),
    }),
    user: t.field({
      shared: true,
      type: User,
      description: 'The user who joined or left, or whose role changed.',
      resolve: (event, _args, context) => requireUser(context, userIdOf(subjectOf(event))),
    }),
  }))
}
const joinPayload = z.object({ seq: z.number().int() })
builder.objectField(MemberJoined, 'seq', (t) =>
  t.int({
    shared: true,
    description:
      "The `seq` of the last message before the join; 0 if there was none. The new member's read marker is at this `seq` or later.",
    resolve: ({ item }) => joinPayload.parse(item.fact.payload).seq,
  }),
)
for (const ref of [MemberJoined, MemberUpdated]) {
  builder.objectField(ref, 'member', (t) =>
    t.field({
      shared: true,
      type: Member,
      nullable: true,
      description: 'The member in their current state; null if they, or you, have left since.',
      resolve: (event, _args, context) => {
        const conversationId = conversationOf(event)
        return ifShown(
          context,
          conversationId,
          () => findMember(context, `${conversationId}:${userIdOf(subjectOf(event))}`),
          null,
        )
      },
    }),
  )
}
