// The schema of forwarding.

import { z } from 'zod'
import { ParleyError } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import { requireViewer } from '../graphql/context.ts'
import { parseInput, uuid } from '../graphql/input.ts'
import { parseId } from '../id.ts'
import { asHeard, findOwnMessage } from './access.ts'
import { forwardMax, forwardMessages } from './forward-actions.ts'
import { Message } from './schema.ts'
import type { SentMessage } from './send-actions.ts'

const ForwardMessagesInput = builder.inputType('ForwardMessagesInput', {
  description: 'Input for `forwardMessages`.',
  fields: (t) => ({
    messageIds: t.idList({
      description: `The IDs of 1 to ${forwardMax.messages} messages that you see, in the order in which to send them.`,
    }),
    conversationIds: t.idList({ description: `The IDs of 1 to ${forwardMax.conversations} of your conversations.` }),
    clientMessageId: t.string({
      description:
        'A UUID that you choose for this forwarding, and send again with each retry. The copies have keys that are made of it.',
    }),
  }),
})
const idsUpTo = (most: number) =>
  z.array(z.string()).min(1, 'must contain at least one ID').max(most, `must have at most ${most} IDs`)
const form = z.object({
  messageIds: idsUpTo(forwardMax.messages),
  conversationIds: idsUpTo(forwardMax.conversations),
  clientMessageId: uuid,
})
const ForwardMessagesPayload = builder.objectRef<{ readonly sent: readonly SentMessage[] }>('ForwardMessagesPayload').implement({
  description: 'The result of `forwardMessages`.',
  fields: (t) => ({
    messages: t.field({
      type: [Message],
      description: 'The copies, conversation by conversation, those of each in the order of the messages.',
      resolve: ({ sent }, _args, context) => Promise.all(sent.map(({ message }) => asHeard(context, message, message.id))),
    }),
  }),
})

builder.mutationField('forwardMessages', (t) =>
  t.field({
    type: ForwardMessagesPayload,
    complexity: ({ input }) => ({ field: 500, multiplier: Math.max(1, input.messageIds.length * input.conversationIds.length) }),
    description: `Sends copies of messages into conversations: their text, custom data and files, without mentions and without what they reply to. A file is not uploaded again. At most ${forwardMax.copies} copies, and it counts as five messages. If one copy fails, those before it are sent: repeat with the same \`clientMessageId\`, and no copy is sent twice. Errors: BAD_INPUT, NOT_FOUND, MESSAGE_DELETED, LIMIT_EXCEEDED, and those of \`sendMessage\` with the \`argument\` of the conversation.`,
    args: { input: t.arg({ type: ForwardMessagesInput, description: 'The messages, and where to send them.' }) },
    resolve: async (_root, { input }, context) => {
      const viewer = requireViewer(context)
      const { messageIds, conversationIds, clientMessageId } = parseInput(form, input)
      const targets = conversationIds.map((id, i) => parseId('Conversation', id, `input.conversationIds.${i}`))
      const ids = messageIds.map((id, i) => parseId('Message', id, `input.messageIds.${i}`))
      const messages = await Promise.all(
        [...new Set(ids)].map(async (id) => {
          const argument = `input.messageIds.${ids.indexOf(id)}`
          const message = await findOwnMessage(context, id)
          if (!message) throw new ParleyError('NOT_FOUND', 'Message not found.', { argument })
          if (message.deletedAt !== null) throw new ParleyError('MESSAGE_DELETED', 'The message was deleted.', { argument })
          return message
        }),
      )
      const forward = { messages, conversationIds: [...new Set(targets)], clientMessageId }
      return { sent: await forwardMessages(viewer, forward, context.app) }
    },
  }),
)
