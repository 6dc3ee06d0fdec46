// Message actions: send, edit, delete, and the other changes.

import { refusalOf } from '../conversation/refusal.ts'
import { notFound, ParleyError } from '../errors.ts'
import type { MessageId } from '../id.ts'
import type { Place } from '../journal/fact.ts'
import { readTagAt } from '../journal/tables.ts'
import type { App } from '../parts.ts'
import type { Viewer } from '../viewer.ts'
import { type ChangeInput, changeLimits, changeProcedure } from './change.ts'
import { type MessageRow, readMessages } from './row.ts'
import { type SendInput, sendProcedure } from './send.ts'

/** A message to send. The schema has checked its form. */
export type Send = Omit<SendInput, 'senderId'>

/** A message that was sent, now or at the first try, and the place of its fact. */
export type SentMessage = { readonly message: MessageRow; readonly place: Place }

/**
 * Sends a message. When this returns it is committed (D1). A repeat with the same clientMessageId and content returns the
 * first message and changes nothing (D2).
 * @throws ParleyError NOT_FOUND if the viewer is not a member, FORBIDDEN if the conversation is closed, IDEMPOTENCY_CONFLICT,
 *   UNAVAILABLE
 */
export async function sendMessage(by: Viewer, send: Send, app: App): Promise<SentMessage> {
  const outcome = await app.journal.append(sendProcedure, by.userId, { ...send, senderId: by.userId })
  switch (outcome.status) {
    case 'SENT':
      return outcome
    case 'REPEATED':
      return findFirst(outcome.messageId, app)
    case 'CONFLICT':
      throw new ParleyError('IDEMPOTENCY_CONFLICT', 'This clientMessageId was already used with different content.', {
        argument: 'input.clientMessageId',
      })
    case 'NOT_MEMBER':
      throw await refusalOf(by.userId, send, app)
    case 'NOTHING_TO_REPLY_TO':
      throw new ParleyError('NOT_FOUND', 'The message that you reply to is not in this conversation.', {
        argument: 'input.replyToId',
      })
    case 'MENTIONS_STRANGER':
      throw new ParleyError('NOT_FOUND', 'A user that you mention is not in this conversation.', {
        argument: 'input.mentionedUserIds',
      })
  }
}

/** A message after a change. `place` is null if the change had no effect. */
export type Changed = { readonly messageId: MessageId; readonly place: Place | null }

/**
 * Replaces the text of one of the viewer's messages; the previous text is kept as a version.
 * @param expectedVersion the version that the viewer saw; null to replace any version
 * @throws ParleyError NOT_FOUND, FORBIDDEN, MESSAGE_DELETED, VERSION_CONFLICT, UNAVAILABLE
 */
export function editMessage(
  by: Viewer,
  messageId: MessageId,
  text: string,
  expectedVersion: number | null,
  app: App,
): Promise<Changed> {
  return change({ change: 'edit', messageId, actorId: by.userId, text, expectedVersion }, app)
}

/**
 * Deletes a message for everyone: removes its text, versions, reactions and mentions, and leaves a tombstone.
 * @param isEntitled whether the viewer may delete other people's messages in this conversation
 * @throws ParleyError NOT_FOUND, FORBIDDEN, UNAVAILABLE
 */
export function deleteMessage(by: Viewer, messageId: MessageId, isEntitled: boolean, app: App): Promise<Changed> {
  return change({ change: 'delete', messageId, actorId: by.userId, isEntitled }, app)
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
