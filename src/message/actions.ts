// Message actions: send, edit, delete, and the other changes.

import { noteUsed, useAttachments } from '../attachment/actions.ts'
import { refusalOf } from '../conversation/refusal.ts'
import { notFound, ParleyError } from '../errors.ts'
import { type AttachmentId, type MessageId, systemId } from '../id.ts'
import type { Place } from '../journal/fact.ts'
import { readTagAt } from '../journal/tables.ts'
import type { App } from '../parts.ts'
import { statement } from '../store/reader.ts'
import type { Viewer } from '../viewer.ts'
import type { BeforeSend, MessageContent } from './before-send.ts'
import { type ChangeInput, changeLimits, changeProcedure } from './change.ts'
import { type MessageRow, readMessages } from './row.ts'
import { type SendInput, sendProcedure } from './send.ts'

/** A message to send. The schema has checked its form. */
export type Send = Omit<SendInput, 'senderId' | 'attachments' | 'changed'> & {
  /** Finished uploads of the sender, in their order, without duplicates. */
  readonly attachmentIds: readonly AttachmentId[]
}

/** A message that was sent, now or at the first try, and the place of its fact. */
export type SentMessage = { readonly message: MessageRow; readonly place: Place }

/**
 * Sends a message. When this returns it is committed (D1). A repeat with the same clientMessageId and content returns the
 * first message and changes nothing (D2).
 * @throws ParleyError NOT_FOUND if the viewer is not a member, FORBIDDEN if the conversation is closed, IDEMPOTENCY_CONFLICT,
 *   UPLOAD_INCOMPLETE, ATTACHMENT_USED, FILE_REFUSED, MESSAGE_REFUSED, UNAVAILABLE
 */
export async function sendMessage(by: Viewer, send: Send, app: App): Promise<SentMessage> {
  const { attachmentIds } = send
  const prepare = attachmentIds.length === 0 && app.beforeSend === null ? null : () => prepareSend(by, send, app)
  const outcome = await app.sendOrder.run(by.userId, prepare, (prepared) =>
    app.journal.append(sendProcedure, by.userId, inputOf(by, send, prepared)),
  )
  switch (outcome.status) {
    case 'SENT':
      if (attachmentIds.length > 0) await noteUsed(attachmentIds, app)
      return outcome
    case 'REPEATED':
      return findFirst(outcome.messageId, app)
    case 'CONFLICT':
      throw usedBefore()
    case 'NOT_MEMBER':
      throw await refusalOf(by.userId, send, app)
    case 'NOTHING_TO_REPLY_TO':
      throw new ParleyError('NOT_FOUND', 'The message that you reply to is not in this conversation.', {
        argument: 'input.replyToId',
      })
    case 'ATTACHMENTS_REFUSED':
      throw outcome.refusal ?? notFound('Attachment')
    case 'ATTACHMENT_USED':
      throw new ParleyError('ATTACHMENT_USED', 'An attachment is already in another message: upload the file again.', {
        argument: 'input.attachmentIds',
      })
    case 'MENTIONS_STRANGER':
      throw new ParleyError('NOT_FOUND', 'A user that you mention is not in this conversation.', {
        argument: 'input.mentionedUserIds',
      })
  }
}

/** What is read before a send, if it has attachments or there is a hook. */
type PreparedSend = Pick<SendInput, 'attachments' | 'changed'>

async function prepareSend(by: Viewer, send: Send, app: App): Promise<PreparedSend> {
  const { attachmentIds } = send
  const argument = (index: number) => `input.attachmentIds.${index}`
  const attachments = attachmentIds.length === 0 ? null : await useAttachments(by, attachmentIds, 'MESSAGE', argument, app)
  return { attachments, changed: app.beforeSend ? await askHook(by, send, app.beforeSend, app) : null }
}

const mayAsk = statement<{ one: number }>(
  'hook_may_ask',
  `select 1 as one where exists (select 1 from current_audience where conversation_id = $1 and user_id = $2)
     and not exists (select 1 from message where client_message_id = $3::uuid and sender_id = $2)`,
)

/** Asks the hook about a message, unless it is a repeat or would be refused anyway: the append then says so. */
async function askHook(by: Viewer, send: Send, hook: BeforeSend, { store }: App): Promise<MessageContent | null> {
  const { conversationId, clientMessageId } = send
  const asked = await store.reader.rows(mayAsk, [conversationId, by.userId, clientMessageId])
  return asked.length === 0 ? null : hook.ask({ ...send, kind: 'SEND', senderId: by.userId, messageId: null })
}

const usedBefore = () =>
  new ParleyError('IDEMPOTENCY_CONFLICT', 'This clientMessageId was already used with different content.', {
    argument: 'input.clientMessageId',
  })

/** On the path of every send: spreading objects costs V8 old memory each time. */
function inputOf(by: Viewer, send: Send, prepared: PreparedSend | null): SendInput {
  return {
    conversationId: send.conversationId,
    senderId: by.userId,
    clientMessageId: send.clientMessageId,
    text: send.text,
    replyToId: send.replyToId,
    mentionedUserIds: send.mentionedUserIds,
    attachments: prepared?.attachments ?? null,
    data: send.data,
    changed: prepared?.changed ?? null,
  }
}

/** A system message. The schema has checked its form. */
export type SystemMessage = Pick<SendInput, 'conversationId' | 'clientMessageId' | 'text' | 'data'>

/**
 * Sends a message of the backend of the product, without a sender. It is committed and repeated as those of users are, with one key for
 * all system messages.
 * @throws ParleyError NOT_FOUND if nobody is in the conversation, IDEMPOTENCY_CONFLICT, UNAVAILABLE
 */
export async function sendSystemMessage(message: SystemMessage, app: App): Promise<SentMessage> {
  const input = { ...message, senderId: systemId, replyToId: null, mentionedUserIds: [], attachments: null, changed: null }
  const outcome = await app.journal.append(sendProcedure, systemId, input)
  if (outcome.status === 'SENT') return outcome
  if (outcome.status === 'REPEATED') return findFirst(outcome.messageId, app)
  throw outcome.status === 'CONFLICT' ? usedBefore() : notFound('Conversation')
}

/** The new text of a message, and its custom data as JSON text: null removes that, undefined leaves it. */
export type EditedContent = { readonly text: string; readonly data: string | null | undefined }

/** A message after a change. `place` is null if the change had no effect. */
export type Changed = { readonly messageId: MessageId; readonly place: Place | null }

/**
 * Replaces the text of one of the viewer's messages; the previous text is kept as a version.
 * @param expectedVersion the version that the viewer saw; null to replace any version
 * @throws ParleyError NOT_FOUND, FORBIDDEN, MESSAGE_DELETED, VERSION_CONFLICT, MESSAGE_REFUSED, UNAVAILABLE
 */
export async function editMessage(
  by: Viewer,
  messageId: MessageId,
  { text, data }: EditedContent,
  expectedVersion: number | null,
  app: App,
): Promise<Changed> {
  const edit = { change: 'edit', messageId, actorId: by.userId, expectedVersion } as const
  if (!app.beforeSend) return change({ ...edit, text, data }, app)
  return change({ ...edit, ...(await askAboutEdit(by, messageId, { text, data }, app.beforeSend, app)) }, app)
}

/** Asks the hook about an edit, unless it would be refused anyway. */
async function askAboutEdit(
  by: Viewer,
  messageId: MessageId,
  edit: EditedContent,
  hook: BeforeSend,
  app: App,
): Promise<EditedContent> {
  const [message] = await readMessages(app.store.reader, [messageId])
  if (message?.senderId !== by.userId || message.deletedAt !== null) return edit
  const { data = message.data ?? null } = edit
  const { attachmentIds, ...about } = message
  return hook.ask({ ...about, kind: 'EDIT', messageId, text: edit.text, data, attachmentIds: attachmentIds ?? [] })
}

/**
 * Deletes a message for everyone: removes its text, versions, reactions and mentions, and leaves a tombstone.
 * @param isEntitled whether the viewer may delete other people's messages in this conversation
 * @throws ParleyError NOT_FOUND, FORBIDDEN, UNAVAILABLE
 */
export function deleteMessage(by: Viewer, messageId: MessageId, isEntitled: boolean, app: App): Promise<Changed> {
  return change({ change: 'delete', messageId, actorId: by.userId, isEntitled }, app)
}

/**
 * Deletes a message for everyone, on behalf of no member. The caller has the right to do it.
 * @throws ParleyError NOT_FOUND, UNAVAILABLE
 */
export function removeMessage(messageId: MessageId, app: App): Promise<Changed> {
  return change({ change: 'remove', messageId, actorId: systemId }, app)
}

function notEntitled(change: ChangeInput['change']): string {
  if (change === 'edit') return 'Only the author may edit a message.'
  if (change === 'delete') return 'Only the author or a group admin may delete a message.'
  return 'Your role in this conversation does not allow this.'
}

/** Makes a change in the next batch. Repeating a change succeeds without effect. */
export async function change(input: ChangeInput, app: App): Promise<Changed> {
  const outcome = await app.journal.append(changeProcedure, input.actorId, input)
  switch (outcome.status) {
    case 'DONE':
      return { messageId: input.messageId, place: outcome.place }
    case 'UNCHANGED':
      return { messageId: input.messageId, place: null }
    case 'CONFLICT':
      throw new ParleyError('VERSION_CONFLICT', 'The message has changed since the version that you expect.', {
        argument: 'input.expectedVersion',
      })
    case 'NOT_FOUND':
      throw await refusalOf(input.actorId, input, app)
    case 'DELETED':
      throw new ParleyError('MESSAGE_DELETED', 'The message was deleted.')
    case 'NOT_ENTITLED':
      throw new ParleyError('FORBIDDEN', notEntitled(input.change))
    case 'TOO_MANY_PINS':
      throw new ParleyError('LIMIT_EXCEEDED', `A conversation can have at most ${changeLimits.pins} pinned messages.`, {
        argument: 'input.messageId',
      })
    case 'TOO_MANY_EMOJI':
      throw new ParleyError('LIMIT_EXCEEDED', `A message can have at most ${changeLimits.emojiOnMessage} different emoji.`, {
        argument: 'input.emoji',
      })
  }
}

async function findFirst(messageId: MessageId, app: App): Promise<SentMessage> {
  const [[message], { tag }] = await Promise.all([
    readMessages(app.store.reader, [messageId]),
    readTagAt(app.store.reader, messageId),
  ])
  if (!message) throw notFound('Message')
  return { message, place: { position: message.id, tag: tag ?? 0 } }
}
