// What one does with messages, in the schema, and what is heard of it.

import { z } from 'zod'
import { Conversation, requireConversation } from '../conversation/schema.ts'
import { notFound } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { conversationOf, factEvent, messageOf, subjectOf } from '../graphql/event.ts'
import { parseInput, perLimit, prose, uuid } from '../graphql/input.ts'
import { parseId } from '../id.ts'
import type { FactKind } from '../journal/fact.ts'
import type { MessageRow } from '../journal/tables.ts'
import { findMessage, may } from './access.ts'
import { type Changed, deleteMessage, editMessage, type Sent, sendMessage } from './actions.ts'
import { Message } from './schema.ts'

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
    replyToId: t.id({ required: false, description: 'A message of the same conversation that it answers.' }),
    mentionedUserIds: t.idList({
      required: false,
      description: 'Members of the conversation whom it mentions, at most 100; repeats are passed over.',
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

/** How many members one message may mention. */
export const mentionsMax = 100
const sendForm = perLimit((textMax) =>
  z.object({
    text: prose(textMax),
    conversationId: z.string(),
    clientMessageId: uuid,
    replyToId: z.string().nullish(),
    mentionedUserIds: z.array(z.string()).max(mentionsMax, `must have at most ${mentionsMax} ids`).nullish(),
  }),
)

builder.mutationField('sendMessage', (t) =>
  t.field({
    type: SendMessagePayload,
    description:
      'Sends a message. A repeat with the same `clientMessageId` and content gives the first message and changes nothing, so when an answer is lost, send again. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN, IDEMPOTENCY_CONFLICT, UNAVAILABLE.',
    args: { input: t.arg({ type: SendMessageInput, description: 'The message.' }) },
    resolve: (_root, { input }, context) => {
      const { conversationId, clientMessageId, text, replyToId, mentionedUserIds } = parseInput(
        sendForm(context.app.config.limits.messageTextMax),
        input,
      )
      const mentioned = (mentionedUserIds ?? []).map((id) => parseId('User', id, 'input.mentionedUserIds'))
      const send = {
        conversationId: parseId('Conversation', conversationId, 'input.conversationId'),
        clientMessageId,
        text,
        replyToId: replyToId == null ? null : parseId('Message', replyToId, 'input.replyToId'),
        mentionedUserIds: [...new Set(mentioned)],
      }
      return sendMessage(requireViewer(context), send, context.app)
    },
  }),
)

const editForm = perLimit((textMax) => z.object({ text: prose(textMax) }))
const EditMessageInput = builder.inputType('EditMessageInput', {
  description: 'A new text for a message.',
  fields: (t) => ({
    messageId: t.id({ description: 'The message, which you wrote.' }),
    text: t.string({ description: 'The new text; the limits of `sendMessage`.' }),
    expectedVersion: t.int({
      required: false,
      description:
        'The `version` that you saw: where another one is there, the edit is refused with VERSION_CONFLICT. Without it the edit replaces whatever is there.',
    }),
  }),
})
const DeleteMessageInput = builder.inputType('DeleteMessageInput', {
  description: 'A message to delete for everyone.',
  fields: (t) => ({ messageId: t.id({ description: 'The message: your own, or in a group that you look after anybody’s.' }) }),
})

/** Declares the payload of a mutation that changes a message. */
export function changePayload(name: string, mutation: string) {
  return builder.objectRef<Changed>(name).implement({
    description: `The answer to \`${mutation}\`.`,
    fields: (t) => ({
      message: t.field({
        type: Message,
        description: 'The message as it is now.',
        resolve: ({ messageId }, _args, context) => requireMessage(context, messageId),
      }),
      cursor: t.field({
        type: 'Cursor',
        nullable: true,
        description: 'The place of the fact that tells it; null where it was so already.',
        resolve: ({ place }, _args, { app }) => place && app.journal.cursor(place),
      }),
    }),
  })
}

const EditMessagePayload = changePayload('EditMessagePayload', 'editMessage')
const DeleteMessagePayload = changePayload('DeleteMessagePayload', 'deleteMessage')

builder.mutationFields((t) => ({
  editMessage: t.field({
    type: EditMessagePayload,
    description:
      'Replaces the text of a message of your own; the former text stays under `versions`. The same text again changes nothing. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN, MESSAGE_DELETED, VERSION_CONFLICT, UNAVAILABLE.',
    args: { input: t.arg({ type: EditMessageInput, description: 'Which, and what.' }) },
    resolve: (_root, { input }, context) => {
      const { text } = parseInput(editForm(context.app.config.limits.messageTextMax), input)
      const messageId = parseId('Message', input.messageId, 'input.messageId')
      return editMessage(requireViewer(context), messageId, text, input.expectedVersion ?? null, context.app)
    },
  }),
  deleteMessage: t.field({
    type: DeleteMessagePayload,
    description:
      'Deletes a message for everyone: its text, versions and reactions are gone, also from what is replayed; its place stays. Deleting it again changes nothing. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN, UNAVAILABLE.',
    args: { input: t.arg({ type: DeleteMessageInput, description: 'Which one.' }) },
    resolve: async (_root, { input }, context) => {
      const viewer = requireViewer(context)
      const messageId = parseId('Message', input.messageId, 'input.messageId')
      return deleteMessage(viewer, messageId, await may(context, 'DELETE_OTHERS_MESSAGES', messageId), context.app)
    },
  }),
}))

/** Declares an event that tells something of a message: the message as it is now, and where it stands. */
export function messageEvent(kind: FactKind, description: string): void {
  builder.objectFields(factEvent(kind, description), (t) => ({
    message: t.field({
      shared: true,
      type: Message,
      description: 'The message, as it is now.',
      resolve: (event, _args, context) => messageOf(event) ?? requireMessage(context, subjectOf(event)),
    }),
    conversation: t.field({
      shared: true,
      type: Conversation,
      description: 'Where it stands.',
      resolve: (event, _args, context) => requireConversation(context, conversationOf(event)),
    }),
  }))
}

messageEvent('MessageSent', 'A message was sent in one of your conversations; perhaps by you, on another device.')
messageEvent('MessageEdited', 'The text of a message was replaced.')
messageEvent('MessageDeleted', 'A message was deleted for everyone: throw away what you keep of it.')

/** A message that something names already. */
export async function requireMessage(context: Context, messageId: number): Promise<MessageRow> {
  const message = await findMessage(context, messageId)
  if (!message) throw notFound('Message')
  return message
}
