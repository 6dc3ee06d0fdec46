// What one does with conversations, in the schema, and what is heard of them.

import { z } from 'zod'
import { requireUser } from '../account/access.ts'
import { User } from '../account/schema.ts'
import { builder } from '../graphql/builder.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { conversationOf, type FactEvent, factEvent, subjectOf } from '../graphql/event.ts'
import { parseId } from '../id.ts'
import { findMember, findMembership } from './access.ts'
import { type Done, startDirectConversation } from './actions.ts'
import { Conversation, Member, requireConversation } from './schema.ts'

/** Declares the payload of a mutation on a conversation: the conversation as it is now, and the place of what was done. */
export function conversationPayload(name: string, mutation: string) {
  return builder.objectRef<Done>(name).implement({
    description: `The answer to \`${mutation}\`.`,
    fields: (t) => ({
      conversation: t.field({
        type: Conversation,
        description: 'The conversation as it is now.',
        resolve: ({ conversationId }, _args, context) => requireConversation(context, conversationId),
      }),
      cursor: t.field({
        type: 'Cursor',
        nullable: true,
        description: 'The place of the last fact that this caused; null where nothing had to change.',
        resolve: ({ place }, _args, { app }) => place && app.journal.cursor(place),
      }),
    }),
  })
}

const StartDirectConversationInput = builder.inputType('StartDirectConversationInput', {
  description: 'Whom to write to.',
  fields: (t) => ({ userId: t.id({ description: 'The other person.' }) }),
})
builder.mutationFields((t) => ({
  startDirectConversation: t.field({
    type: conversationPayload('StartDirectConversationPayload', 'startDirectConversation'),
    description:
      'Starts the direct conversation with somebody, or finds it where the pair has it already. Errors: NOT_FOUND, BAD_INPUT, FORBIDDEN where there is none yet and they do not let you reach them, or you have blocked them.',
    args: { input: t.arg({ type: StartDirectConversationInput, description: 'With whom.' }) },
    resolve: (_root, { input }, context) =>
      startDirectConversation(requireViewer(context), parseId('User', input.userId, 'input.userId'), context.app),
  }),
}))

// ---- Events

const aboutConversation = (event: FactEvent, context: Context) => requireConversation(context, conversationOf(event))

const ConversationAdded = factEvent('ConversationAdded', 'A conversation has appeared among yours. What happens in it follows.')
builder.objectField(ConversationAdded, 'conversation', (t) =>
  t.field({
    shared: true,
    type: Conversation,
    description: 'The conversation.',
    resolve: (event, _args, context) => requireConversation(context, subjectOf(event)),
  }),
)

const MemberJoined = factEvent('MemberJoined', 'Somebody has joined a conversation; perhaps you.')
const MemberLeft = factEvent(
  'MemberLeft',
  'Somebody has left a conversation, or was removed; perhaps you: then it is the last you hear of it.',
)
const ConversationUpdated = factEvent('ConversationUpdated', "A group's title, description or settings have changed.")
builder.objectField(ConversationUpdated, 'conversation', (t) =>
  t.field({
    shared: true,
    type: Conversation,
    description: 'The conversation, as it is now.',
    resolve: (event, _args, context) => aboutConversation(event, context),
  }),
)

const MemberUpdated = factEvent('MemberUpdated', "A member's role has changed.")
for (const ref of [MemberJoined, MemberLeft, MemberUpdated]) {
  builder.objectFields(ref, (t) => ({
    conversation: t.field({
      shared: true,
      type: Conversation,
      description: 'Where.',
      resolve: (event, _args, context) => aboutConversation(event, context),
    }),
    user: t.field({
      shared: true,
      type: User,
      description: 'Who.',
      resolve: (event, _args, context) => requireUser(context, subjectOf(event)),
    }),
  }))
}
const joinPayload = z.object({ seq: z.number().int() })
builder.objectField(MemberJoined, 'seq', (t) =>
  t.int({
    shared: true,
    description:
      'The `seq` of the last message before the join, 0 for none: it is where the read marker of who joined stands at least.',
    resolve: ({ item }) => joinPayload.parse(item.fact.payload).seq,
  }),
)
for (const ref of [MemberJoined, MemberUpdated]) {
  builder.objectField(ref, 'member', (t) =>
    t.field({
      shared: true,
      type: Member,
      nullable: true,
      description: 'The member as they are now; null when they have left since, or you have.',
      resolve: async (event, _args, context) => {
        const conversationId = conversationOf(event)
        return (await findMembership(context, conversationId)) && findMember(context, `${conversationId}:${subjectOf(event)}`)
      },
    }),
  )
}
