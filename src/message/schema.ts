// Messages in the schema.

import { z } from 'zod'
import { findUser } from '../account/access.ts'
import { User } from '../account/schema.ts'
import { findConversation } from '../conversation/access.ts'
import { Conversation } from '../conversation/schema.ts'
import { notFound } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { conversationOf, factEvent, messageOf, subjectOf } from '../graphql/event.ts'
import { parseInput, prose, uuid } from '../graphql/input.ts'
import { pageCost } from '../graphql/page.ts'
import { parseId } from '../id.ts'
import type { MessageRow } from '../journal/tables.ts'
import { findLastMessage, findMessage, findOwnMessage, readHistory } from './access.ts'
import { type Sent, sendMessage } from './actions.ts'

export const Message = builder.objectRef<MessageRow>('Message')
builder.node(Message, {
  description: 'What somebody wrote. Its id sorts: of two messages the later one has the greater id.',
  id: { resolve: ({ id }) => String(id) },
  loadMany: (ids, context) => Promise.all(ids.map((id) => findOwnMessage(context, Number(id)))),
  fields: (t) => ({
    conversation: t.field({
      type: Conversation,
      description: 'Where it was written.',
      resolve: async ({ conversationId }, _args, context) => {
        const conversation = await findConversation(context, conversationId)
        if (!conversation) throw notFound('Conversation')
        return conversation
      },
    }),
    seq: t.exposeInt('seq', { description: 'Its number in the conversation: 1, 2, 3, … without a gap.' }),
    sender: t.field({
      type: User,
      nullable: true,
      description: 'Who wrote it; null when the account is gone.',
      resolve: ({ senderId }, _args, context) => findUser(context, senderId),
    }),
    text: t.exposeString('text', { description: 'The text as it was sent, to the character.' }),
    clientMessageId: t.exposeID('clientMessageId', {
      nullable: true,
      description: 'The key that the sender chose: by it a client knows its own optimistic copy again.',
    }),
    createdAt: t.field({
      type: 'DateTime',
      description: 'When it was committed. Never before an older message of any conversation.',
      resolve: ({ createdAt }) => new Date(createdAt),
    }),
  }),
})

builder.objectFields(Conversation, (t) => ({
  messages: t.connection(
    {
      type: Message,
      description:
        'Its messages in the order of `seq`: the newest page is `last: 50`. Where newcomers see what is sent after they joined, it begins there. Empty for somebody who is not in it.',
      complexity: pageCost,
      resolve: ({ id }, args, context) => readHistory(context, id, args),
    },
    { name: 'MessageConnection', description: 'Messages, by page.' },
    { name: 'MessageEdge', description: 'A message in a page.' },
  ),
  lastMessage: t.field({
    type: Message,
    nullable: true,
    description: 'The newest message; null where you see none, and for somebody who is not in the conversation.',
    resolve: ({ id }, _args, context) => findLastMessage(context, id),
  }),
}))

const SendMessageInput = builder.inputType('SendMessageInput', {
  description: 'A message to send.',
  fields: (t) => ({
    conversationId: t.id({ description: 'Where to.' }),
    clientMessageId: t.id({
      description:
        'A UUID that you choose, one for each message: make it when the message is written, keep it for every repeat. Unique for each sender for ever; version 7 is stored best.',
    }),
    text: t.string({
      description: 'At least one character that is not white space; at most 10,000 where the server is not set otherwise.',
    }),
  }),
})

const SendMessagePayload = builder.objectRef<Sent>('SendMessagePayload').implement({
  description: 'The answer to `sendMessage`: the message is committed.',
  fields: (t) => ({
    message: t.field({
      type: Message,
      description: 'The message; for a repeat, the first one.',
      resolve: ({ message }) => message,
    }),
    cursor: t.field({
      type: 'Cursor',
      description:
        'The place of the fact that tells it. Do not resume from it unless `events` has brought you everything before it.',
      resolve: ({ place }, _args, { app }) => app.journal.cursor(place),
    }),
  }),
})

const conversationAndKey = { conversationId: z.string(), clientMessageId: uuid }

builder.mutationField('sendMessage', (t) =>
  t.field({
    type: SendMessagePayload,
    description:
      'Sends a message. A repeat with the same `clientMessageId` and content gives the first message and changes nothing, so when an answer is lost, send again. Errors: BAD_INPUT, NOT_FOUND, IDEMPOTENCY_CONFLICT, UNAVAILABLE.',
    args: { input: t.arg({ type: SendMessageInput, description: 'The message.' }) },
    resolve: (_root, { input }, context) => {
      const form = z.object({ ...conversationAndKey, text: prose(context.app.config.limits.messageTextMax) })
      const { conversationId, clientMessageId, text } = parseInput(form, input)
      const send = { conversationId: parseId('Conversation', conversationId, 'input.conversationId'), clientMessageId, text }
      return sendMessage(requireViewer(context), send, context.app)
    },
  }),
)

const MessageSent = factEvent(
  'MessageSent',
  'A message was sent in one of your conversations; perhaps by you, on another device.',
)
builder.objectFields(MessageSent, (t) => ({
  message: t.field({
    type: Message,
    description: 'The message, as it is now.',
    resolve: async (event, _args, context) => messageOf(event) ?? (await requireMessage(context, subjectOf(event))),
  }),
  conversation: t.field({
    type: Conversation,
    description: 'Where it was written.',
    resolve: async (event, _args, context) => {
      const conversation = await findConversation(context, conversationOf(event))
      if (!conversation) throw notFound('Conversation')
      return conversation
    },
  }),
}))

async function requireMessage(context: Context, messageId: number): Promise<MessageRow> {
  const message = await findMessage(context, messageId)
  if (!message) throw notFound('Message')
  return message
}
