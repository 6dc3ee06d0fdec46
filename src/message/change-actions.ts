// Changes messages: edits, deletions, reactions and pins.

import { refusalOf } from '../conversation/refusal.ts'
import { ParleyError } from '../errors.ts'
import { type MessageId, systemId } from '../id.ts'
import type { Place } from '../journal/fact.ts'
import type { App } from '../parts.ts'
import type { Viewer } from '../viewer.ts'
import type { BeforeSend } from './before-send.ts'
import { type ChangeInput, changeLimits, changeProcedure } from './change.ts'
import { readMessages } from './row.ts'
import { encryptionRequired, wordRefused } from './send-actions.ts'

/** The new text of a message, and its custom data as JSON text: null removes that, undefined leaves it. */
export type EditedContent = { readonly text: string; readonly data: string | null | undefined }

/** A message after a change. `place` is null if the change had no effect. */
export type Changed = { readonly messageId: MessageId; readonly place: Place | null }

/**
 * Replaces the text of one of the viewer's messages; the previous text is kept as a version.
 * @param expectedVersion the version that the viewer saw; null to replace any version
 * @throws ParleyError NOT_FOUND, FORBIDDEN, MESSAGE_DELETED, VERSION_CONFLICT, MESSAGE_REFUSED, ENCRYPTION_REQUIRED, UNAVAILABLE
 */
export async function editMessage(
  by: Viewer,
  messageId: MessageId,
  { text, data }: EditedContent,
  expectedVersion: number | null,
  app: App,
): Promise<Changed> {
  const edit = { change: 'edit', messageId, actorId: by.userId, expectedVersion } as const
  const asked = app.beforeSend ? await askAboutEdit(by, messageId, { text, data }, app.beforeSend, app) : { text, data }
  if (!app.wordRules) return change({ ...edit, ...asked }, app)
  const judged = app.wordRules.judge(asked.text)
  if (judged.isRefused) throw wordRefused()
  const changed = await change({ ...edit, ...asked, text: judged.text }, app)
  if (judged.isFlagged) await app.wordRules.report(messageId, by.userId, app)
  return changed
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
  if (message?.senderId !== by.userId || message.deletedAt !== null || message.epoch != null) return edit
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
    case 'ENCRYPTED':
      throw encryptionRequired('This conversation is encrypted: send what you change as a message.', 'input.messageId')
    case 'TOO_MANY_EMOJI':
      throw new ParleyError('LIMIT_EXCEEDED', `A message can have at most ${changeLimits.emojiOnMessage} different emoji.`, {
        argument: 'input.emoji',
      })
  }
}
