// Typing in the schema: a signal, never stored.

import { z } from 'zod'
import { findUsers } from '../account/access.ts'
import { User } from '../account/schema.ts'
import { refusalOf } from '../conversation/refusal.ts'
import { builder } from '../graphql/builder.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { parseInput } from '../graphql/input.ts'
import { encodeId, parseId } from '../id.ts'
import { latestOf } from '../signal/latest.ts'
import type { Typists } from '../signal/typing-board.ts'
import { statement } from '../store/reader.ts'

type State = { readonly conversationId: number; readonly typists: Typists }

const TypingState = builder.objectRef<State>('TypingState').implement({
  description: 'Who is typing in a conversation at this moment.',
  fields: (t) => ({
    conversationId: t.id({
      description: 'The conversation.',
      resolve: ({ conversationId }) => encodeId('Conversation', conversationId),
    }),
    users: t.field({
      type: [User],
      description: 'Who is typing, without yourself. An empty list says that nobody is.',
      resolve: async ({ typists }, _args, context) => {
        const others = typists.filter((id) => id !== context.caller.viewer?.userId)
        return findUsers(context, others)
      },
    }),
  }),
})

const SetTypingInput = builder.inputType('SetTypingInput', {
  description: 'Whether you are typing.',
  fields: (t) => ({
    conversationId: t.id({ description: 'Where.' }),
    typing: t.boolean({
      description: 'True while you type: say it again every 4 seconds or so, since it lapses after 6. False when you stop.',
    }),
  }),
})
const SetTypingPayload = builder.objectRef<{ lapsesAt: Date | null }>('SetTypingPayload').implement({
  description: 'The answer to `setTyping`.',
  fields: (t) => ({
    lapsesAt: t.expose('lapsesAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the sign lapses unless it is repeated; null when you stopped.',
    }),
  }),
})

const form = z.object({ conversationId: z.string(), typing: z.boolean() })

const hears = statement<{ conversationId: number }>(
  'typing_audience',
  'select conversation_id as "conversationId" from audience where user_id = $1 and conversation_id = $2 and to_position is null',
)

/**
 * Whether the viewer hears a conversation now (somebody blocked does not): known without a question to Postgres where a
 * stream of theirs is open here.
 */
async function isListening(context: Context, conversationId: number): Promise<boolean> {
  const { userId } = requireViewer(context)
  const known = context.app.journal.findHears(userId, conversationId)
  return known ?? (await context.reader.rows(hears, [userId, conversationId])).length > 0
}

builder.mutationField('setTyping', (t) =>
  t.field({
    type: SetTypingPayload,
    description:
      'Tells the others that you are typing, or have stopped. Sending a message, leaving and losing the connection stop it too. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN.',
    args: { input: t.arg({ type: SetTypingInput, description: 'Where, and whether.' }) },
    resolve: async (_root, { input }, context) => {
      const { userId } = requireViewer(context)
      const parsed = parseInput(form, input)
      const conversationId = parseId('Conversation', parsed.conversationId, 'input.conversationId')
      if (!(await isListening(context, conversationId))) throw await refusalOf(userId, { conversationId }, context.app)
      return { lapsesAt: context.app.typing.signal(conversationId, userId, parsed.typing) }
    },
  }),
)

builder.subscriptionField('typing', (t) =>
  t.field({
    type: TypingState,
    description:
      'Who is typing in a conversation: now, and on every change. A signal: it may be lost, and it ends when you leave. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN.',
    args: { conversationId: t.arg.id({ description: 'Which conversation.' }) },
    subscribe: async (_root, args, context) => {
      const { userId } = requireViewer(context)
      const conversationId = parseId('Conversation', args.conversationId, 'conversationId')
      if (!(await isListening(context, conversationId))) throw await refusalOf(userId, { conversationId }, context.app)
      return latestOf<State>(
        () => conversationId,
        (show, end) =>
          context.app.typing.watch(conversationId, { userId, show: (typists) => show({ conversationId, typists }), end }),
      )
    },
    resolve: (state) => state,
  }),
)
