// What one does with messages.

import type { App } from '../app.ts'
import { notFound, ParleyError } from '../errors.ts'
import type { Place } from '../journal/fact.ts'
import { type MessageRow, readMessages, readTagAt } from '../journal/tables.ts'
import type { Viewer } from '../viewer.ts'

/** A message to send. The door has checked its form. */
export type Send = { readonly conversationId: number; readonly clientMessageId: string; readonly text: string }

/** A message that was sent, now or at the first try, and the place of the fact that tells it. */
export type Sent = { readonly message: MessageRow; readonly place: Place }

/**
 * Sends a message. When this returns it is committed (D1). A repeat with the same clientMessageId and content returns the
 * first message and changes nothing (D2).
 * @throws ParleyError NOT_FOUND where the viewer is not in the conversation, IDEMPOTENCY_CONFLICT, UNAVAILABLE
 */
export async function sendMessage(by: Viewer, send: Send, app: App): Promise<Sent> {
  const outcome = await app.journal.send({ ...send, senderId: by.userId })
  switch (outcome.status) {
    case 'SENT':
      return outcome
    case 'REPEATED':
      return findFirst(outcome.messageId, app)
    case 'CONFLICT':
      throw new ParleyError('IDEMPOTENCY_CONFLICT', 'This clientMessageId was used with other content', {
        argument: 'input.clientMessageId',
      })
    case 'NOT_MEMBER':
      throw notFound('Conversation')
  }
}

async function findFirst(messageId: number, app: App): Promise<Sent> {
  const [[message], { tag }] = await Promise.all([
    readMessages(app.store.reader, [messageId]),
    readTagAt(app.store.reader, messageId),
  ])
  if (!message) throw notFound('Message')
  return { message, place: { position: message.id, tag: tag ?? 0 } }
}
