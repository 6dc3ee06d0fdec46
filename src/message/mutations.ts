// The mutations and events of messages.

import { z } from 'zod'
import { Conversation, requireConversation } from '../conversation/schema.ts'
import { badInput, notFound, ParleyError } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { customData, customDataRule } from '../graphql/custom-data.ts'
import { conversationOf, factEvent, subjectOf } from '../graphql/event.ts'
import { bytesUpTo, note, parseInput, perLimit, prose, uuid } from '../graphql/input.ts'
import { isVisible } from '../graphql/line.ts'
import { mapMaybePromise } from '../graphql/loader.ts'
import { cursorField } from '../graphql/payload.ts'
import { type AttachmentId, type MessageId, messageIdOf, parseId } from '../id.ts'
import type { FactKind } from '../journal/kind.ts'
import { asHeard, findMessage, may } from './access.ts'
import { type Changed, deleteMessage, editMessage } from './change-actions.ts'
import { messageKinds } from './events.ts'
import { type MessageRow, messageOf } from './row.ts'
import { Message } from './schema.ts'
import type { Sealed } from './send.ts'
import { type SentMessage, sendMessage } from './send-actions.ts'

const SendMessageInput = builder.inputType('SendMessageInput', {
  description: 'Input for `sendMessage`.',
  fields: (t) => ({
    conversationId: t.id({ description: 'The ID of the conversation.' }),
    clientMessageId: t.id({
      description:
        'A UUID that identifies the message: generate it when the user writes the message, send it with every retry, and never use it for another message. Any version works; version 7 is stored most efficiently.',
    }),
    text: t.string({
      defaultValue: '',
      description:
        'The text, kept exactly as sent. At least one visible character, unless the message has attachments or a ciphertext; at most 10,000 characters unless the server is configured otherwise (`limits.messageTextMax`).',
    }),
    attachmentIds: t.idList({
      required: false,
      description:
        'The IDs of attachments that you have uploaded, in the order in which to show them; at most 10 unless the server is configured otherwise (`limits.attachmentsPerMessageMax`). Each can be in one message only. Duplicates are ignored.',
    }),
    replyToId: t.id({
      required: false,
      description: 'The ID of the message that this one replies to, in the same conversation.',
    }),
    mentionedUserIds: t.idList({
      required: false,
      description: 'The IDs of the members that the message mentions, at most 100. Duplicates are ignored.',
    }),
    ciphertext: t.field({
      type: 'Base64',
      required: false,
      description: `In an encrypted conversation, what the device encrypted in place of a text: an MLS PrivateMessage of at most ${ciphertextMax} bytes. A retry may bring another one: the first one stays.`,
    }),
    epoch: t.int({
      required: false,
      description:
        'The epoch in which `ciphertext` was encrypted: the newest one of the conversation, or the one before. Required with `ciphertext`.',
    }),
    data: t.field({
      type: 'JSON',
      required: false,
      description: `Custom data of your app: ${customDataRule}. It is part of the content that a retry must repeat.`,
    }),
  }),
})

const SendMessagePayload = builder.objectRef<SentMessage>('SendMessagePayload').implement({
  description: 'The result of `sendMessage`: the message is committed.',
  fields: (t) => ({
    message: t.field({
      type: Message,
      description: 'The message. For a retry, the message that the first attempt sent.',
      // A message that was just sent is unchanged. A repeat may come from a user who has left since.
      resolve: ({ message }, _args, context) => asHeard(context, message, message.id),
    }),
    cursor: t.field({
      type: 'Cursor',
      description:
        'The cursor of the MessageSent event. Do not resume from it unless `events` has delivered everything before it.',
      resolve: ({ place }, _args, { app }) => app.journal.cursor(place),
    }),
  }),
})

/** The longest ciphertext of a message, in bytes. */
export const ciphertextMax = 65_536
/** The most members that one message may mention. */
export const mentionsMax = 100
const sendForm = perLimit((textMax) => sendFormWith(prose(textMax)))
const captionedForm = perLimit((textMax) => sendFormWith(note(textMax)))
function sendFormWith(text: z.ZodType<string>) {
  return z.object({
    text,
    conversationId: z.string(),
    clientMessageId: uuid,
    replyToId: z.string().nullish(),
    mentionedUserIds: z.array(z.string()).max(mentionsMax, `must have at most ${mentionsMax} IDs`).nullish(),
    attachmentIds: z.array(z.string()).nullish(),
    data: customData,
    ciphertext: bytesUpTo(ciphertextMax).nullish(),
    epoch: z.int().min(0, 'must not be negative').nullish(),
  })
}

builder.mutationField('sendMessage', (t) =>
  t.field({
    type: SendMessagePayload,
    description:
      'Sends a message. A retry with the same `clientMessageId` and content returns the first message and changes nothing, so if you get no answer, send again. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN, IDEMPOTENCY_CONFLICT, LIMIT_EXCEEDED, UPLOAD_INCOMPLETE, ATTACHMENT_USED, FILE_REFUSED, MESSAGE_REFUSED, RATE_LIMITED, UNAVAILABLE; in an encrypted conversation also ENCRYPTION_REQUIRED for anything in the clear, REKEY_REQUIRED, EPOCH_STALE.',
    args: { input: t.arg({ type: SendMessageInput, description: 'The message to send.' }) },
    resolve: (_root, { input }, context) => {
      const { limits } = context.app.config
      const form = input.attachmentIds?.length || input.ciphertext ? captionedForm : sendForm
      const { conversationId, clientMessageId, text, replyToId, mentionedUserIds, attachmentIds, data, ciphertext, epoch } =
        parseInput(form(limits.messageTextMax), input)
      const mentioned = (mentionedUserIds ?? []).map((id) => parseId('User', id, 'input.mentionedUserIds'))
      const send = {
        conversationId: parseId('Conversation', conversationId, 'input.conversationId'),
        clientMessageId,
        text,
        replyToId: replyToId == null ? null : parseId('Message', replyToId, 'input.replyToId'),
        mentionedUserIds: [...new Set(mentioned)],
        attachmentIds: parseAttachmentIds(attachmentIds ?? [], limits.attachmentsPerMessageMax),
        data: data ?? null,
        sealed: ciphertext == null ? null : sealedOf(ciphertext, epoch, text, data),
      }
      return sendMessage(requireViewer(context), send, context.app)
    },
  }),
)

/** @throws ParleyError BAD_INPUT without an epoch, ENCRYPTION_REQUIRED if there is anything in the clear beside the ciphertext */
function sealedOf(ciphertext: Buffer, epoch: number | null | undefined, text: string, data: string | null | undefined): Sealed {
  if (epoch == null) throw badInput('input.epoch', 'is required with a ciphertext')
  const inTheClear = text !== '' ? 'text' : data != null ? 'data' : null
  if (inTheClear === null) return { ciphertext, epoch }
  const message = 'An encrypted message has nothing in the clear: put this into the ciphertext.'
  throw new ParleyError('ENCRYPTION_REQUIRED', message, { argument: `input.${inTheClear}` })
}

function parseAttachmentIds(given: readonly string[], most: number): readonly AttachmentId[] {
  if (given.length === 0) return none
  const ids = [...new Set(given.map((id, i) => parseId('Attachment', id, `input.attachmentIds.${i}`)))]
  if (ids.length <= most) return ids
  throw new ParleyError('LIMIT_EXCEEDED', `A message can have at most ${most} attachments.`, { argument: 'input.attachmentIds' })
}

const none: readonly AttachmentId[] = []

const editForm = perLimit((textMax) => z.object({ text: prose(textMax), data: customData }))
const captionEditForm = perLimit((textMax) => z.object({ text: note(textMax), data: customData }))
const EditMessageInput = builder.inputType('EditMessageInput', {
  description: 'Input for `editMessage`.',
  fields: (t) => ({
    messageId: t.id({ description: 'The ID of the message. You must be its sender.' }),
    text: t.string({ description: 'The new text, with the same limits as in `sendMessage`. The attachments stay.' }),
    data: t.field({
      type: 'JSON',
      required: false,
      description: `New custom data: ${customDataRule}. Null removes it; if you omit it, it stays.`,
    }),
    expectedVersion: t.int({
      required: false,
      description:
        'The `version` that you edited. If the message has another version by now, the edit fails with VERSION_CONFLICT. Without it, the edit replaces any version.',
    }),
  }),
})
const DeleteMessageInput = builder.inputType('DeleteMessageInput', {
  description: 'Input for `deleteMessage`.',
  fields: (t) => ({
    messageId: t.id({
      description: 'The ID of the message: your own, or any message in a group where `viewerCanDeleteOthersMessages` is true.',
    }),
  }),
})

/** Declares the payload of a mutation that changes a message. */
export function changePayload(name: string, mutation: string) {
  return builder.objectRef<Changed>(name).implement({
    description: `The result of \`${mutation}\`.`,
    fields: (t) => ({
      message: t.field({
        type: Message,
        description: 'The message in its current state.',
        resolve: async ({ messageId, place }, _args, context) =>
          asHeard(context, await requireMessage(context, messageId), place?.position ?? messageId),
      }),
      cursor: cursorField(t),
    }),
  })
}

const EditMessagePayload = changePayload('EditMessagePayload', 'editMessage')
const DeleteMessagePayload = changePayload('DeleteMessagePayload', 'deleteMessage')

builder.mutationFields((t) => ({
  editMessage: t.field({
    type: EditMessagePayload,
    description:
      'Replaces the text of one of your messages, and its custom data; the previous text stays available in `versions`. Replacing both with the same changes nothing. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN, MESSAGE_DELETED, VERSION_CONFLICT, MESSAGE_REFUSED, ENCRYPTION_REQUIRED in an encrypted conversation, RATE_LIMITED, UNAVAILABLE.',
    args: { input: t.arg({ type: EditMessageInput, description: 'The message, and its new text.' }) },
    resolve: async (_root, { input }, context) => {
      const messageId = parseId('Message', input.messageId, 'input.messageId')
      const hasAttachments = !isVisible(input.text) && (await findMessage(context, messageId))?.attachmentIds?.length
      const form = hasAttachments ? captionEditForm : editForm
      const { text, data } = parseInput(form(context.app.config.limits.messageTextMax), input)
      return editMessage(requireViewer(context), messageId, { text, data }, input.expectedVersion ?? null, context.app)
    },
  }),
  deleteMessage: t.field({
    type: DeleteMessagePayload,
    description:
      'Deletes a message for everyone. Its text, versions and reactions are gone, from replayed events too; the message keeps its place and `seq`. Deleting it again changes nothing. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN, RATE_LIMITED, UNAVAILABLE.',
    args: { input: t.arg({ type: DeleteMessageInput, description: 'The message to delete.' }) },
    resolve: async (_root, { input }, context) => {
      const viewer = requireViewer(context)
      const messageId = parseId('Message', input.messageId, 'input.messageId')
      return deleteMessage(viewer, messageId, await may(context, 'DELETE_OTHERS_MESSAGES', messageId), context.app)
    },
  }),
}))

/** Declares an event about a message: the message in its current state, and its conversation. */
export function messageEvent(kind: FactKind<unknown>, description: string): void {
  builder.objectFields(factEvent(kind, description), (t) => ({
    message: t.field({
      shared: true,
      type: Message,
      description:
        'The message in its current state. If it was edited or deleted after you left the conversation, its text and mentions are empty, `version` is 1, and `editedAt` and `deletedAt` are null, as if nobody had changed it.',
      resolve: (event, _args, context) =>
        mapMaybePromise(messageOf(event.item.row) ?? requireMessage(context, messageIdOf(subjectOf(event))), (message) =>
          asHeard(context, message, event.item.fact.position),
        ),
    }),
    conversation: t.field({
      shared: true,
      type: Conversation,
      description: 'The conversation of the message.',
      resolve: (event, _args, context) => requireConversation(context, conversationOf(event)),
    }),
  }))
}

messageEvent(messageKinds.MessageSent, 'A message was sent in one of your conversations, by you or by somebody else.')
messageEvent(messageKinds.MessageEdited, 'The text of a message was edited.')
messageEvent(messageKinds.MessageDeleted, 'A message was deleted for everyone: discard your copy of its content.')

/** Finds a message without a permission check: something that the viewer sees must already name it. */
export async function requireMessage(context: Context, messageId: MessageId): Promise<MessageRow> {
  const message = await findMessage(context, messageId)
  if (!message) throw notFound('Message')
  return message
}
