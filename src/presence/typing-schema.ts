// The schema of typing: a signal, never stored.

import { z } from 'zod'
import { findUsers } from '../account/access.ts'
import { User } from '../account/schema.ts'
import { refusalOf } from '../conversation/refusal.ts'
import { builder } from '../graphql/builder.ts'
import { requireViewer } from '../graphql/context.ts'
import { parseInput } from '../graphql/input.ts'
import { type ConversationId, encodeId, parseId } from '../id.ts'
import { isInAudience } from './audience-access.ts'
import { latestOf } from './latest.ts'
import type { Typists } from './typing-service.ts'

type TypingUsers = { readonly conversationId: ConversationId; readonly typists: Typists }

const TypingState = builder.objectRef<TypingUsers>('TypingState').implement({
  description: 'The users who are typing in a conversation right now.',
  fields: (t) => ({
    conversationId: t.id({
      description: 'The ID of the conversation.',
      resolve: ({ conversationId }) => encodeId('Conversation', conversationId),
    }),
    users: t.field({
      type: [User],
      description: 'The users who are typing, except you. Empty if nobody is.',
      resolve: async ({ typists }, _args, context) => {
        const others = typists.filter((id) => id !== context.caller.viewer?.userId)
        return findUsers(context, others)
      },
    }),
  }),
})

const SetTypingInput = builder.inputType('SetTypingInput', {
  description: 'Input for `setTyping`.',
  fields: (t) => ({
    conversationId: t.id({ description: 'The ID of the conversation.' }),
    typing: t.boolean({
      description: 'True while you are typing: repeat it about every 4 seconds, because it lapses after 6. False when you stop.',
    }),
  }),
})
const SetTypingPayload = builder.objectRef<{ lapsesAt: Date | null }>('SetTypingPayload').implement({
  description: 'The result of `setTyping`.',
  fields: (t) => ({
    lapsesAt: t.expose('lapsesAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the signal lapses unless you repeat it; null if you stopped.',
    }),
  }),
})

const form = z.object({ conversationId: z.string(), typing: z.boolean() })

builder.mutationField('setTyping', (t) =>
  t.field({
    type: SetTypingPayload,
    description:
      "Signals to the other members that you are typing or have stopped. Sending a message or leaving the conversation stops it too. A signal sent over a WebSocket also stops when that WebSocket closes; one sent over HTTP belongs to the whole session and stops when the session's last WebSocket closes, if that one was on the node that received the signal. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN.",
    args: { input: t.arg({ type: SetTypingInput, description: 'The conversation, and whether you are typing in it.' }) },
    resolve: async (_root, { input }, context) => {
      const viewer = requireViewer(context)
      const parsed = parseInput(form, input)
      const conversationId = parseId('Conversation', parsed.conversationId, 'input.conversationId')
      if (!(await isInAudience(context, conversationId))) throw await refusalOf(viewer.userId, { conversationId }, context.app)
      return { lapsesAt: context.app.typing.signal(conversationId, viewer, context.device(), parsed.typing) }
    },
  }),
)

builder.subscriptionField('typing', (t) =>
  t.field({
    type: TypingState,
    description:
      'Reports who is typing in a conversation: the current users first, then every change. Typing is a signal, which may be lost. The subscription ends when you leave the conversation. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN.',
    args: { conversationId: t.arg.id({ description: 'The ID of the conversation.' }) },
    subscribe: async (_root, args, context) => {
      const { userId } = requireViewer(context)
      const conversationId = parseId('Conversation', args.conversationId, 'conversationId')
      if (!(await isInAudience(context, conversationId))) throw await refusalOf(userId, { conversationId }, context.app)
      return latestOf<TypingUsers>(
        () => conversationId,
        (show, end) =>
          context.app.typing.watch(conversationId, { userId, show: (typists) => show({ conversationId, typists }), end }),
      )
    },
    resolve: (state) => state,
  }),
)
