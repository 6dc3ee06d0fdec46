// Forwards messages: sends copies of them into other conversations, one after another. The key of each copy is made of the key of
// the request, the conversation and the message, so that a repeat goes on where the first attempt ended.

import { createHash } from 'node:crypto'
import { copyAttachments } from '../attachment/copy-actions.ts'
import { ParleyError } from '../errors.ts'
import { type ConversationId, encodeId, type MessageId } from '../id.ts'
import type { App } from '../parts.ts'
import { statement } from '../store/reader.ts'
import type { Viewer } from '../viewer.ts'
import type { MessageRow } from './row.ts'
import { findFirst, type SentMessage, sendMessage } from './send-actions.ts'

/** The most conversations, messages and copies of one request. */
export const forwardMax = { conversations: 20, messages: 20, copies: 100 } as const

/** What to forward, as the viewer sees it. */
export type Forward = {
  readonly messages: readonly MessageRow[]
  readonly conversationIds: readonly ConversationId[]
  /** The key of the request: a UUID. */
  readonly clientMessageId: string
}

const sentBefore = statement<{ id: MessageId }>(
  'message_by_key',
  'select id from message where client_message_id = $1::uuid and sender_id = $2',
)

/**
 * Sends the copies, conversation by conversation, the messages of each in order. A copy that was sent before is not sent again, whatever
 * has become of its original. If one fails, those before it are sent.
 * @throws ParleyError LIMIT_EXCEEDED; as `sendMessage`, with the argument of the conversation; MESSAGE_DELETED if all files of a message are gone;
 *   ENCRYPTION_REQUIRED for an encrypted message
 */
export async function forwardMessages(
  by: Viewer,
  { messages, conversationIds, clientMessageId }: Forward,
  app: App,
): Promise<SentMessage[]> {
  if (messages.length * conversationIds.length > forwardMax.copies) {
    const argument = 'input.messageIds'
    throw new ParleyError('LIMIT_EXCEEDED', `At most ${forwardMax.copies} copies can be sent at once.`, { argument })
  }
  const sent: SentMessage[] = []
  for (const [i, conversationId] of conversationIds.entries()) {
    for (const message of messages) {
      const name = `${encodeId('Conversation', conversationId)} ${encodeId('Message', message.id)}`
      const key = uuidOf(clientMessageId, name)
      const argument = `input.conversationIds.${i}`
      sent.push((await findSent(by, key, app)) ?? (await copyTo(by, conversationId, message, key, argument, app)))
    }
  }
  return sent
}

async function findSent(by: Viewer, key: string, app: App): Promise<SentMessage | null> {
  const [known] = await app.store.reader.rows(sentBefore, [key, by.userId])
  return known ? findFirst(known.id, app) : null
}

async function copyTo(
  by: Viewer,
  conversationId: ConversationId,
  { text, data = null, attachmentIds: originals, epoch }: MessageRow,
  clientMessageId: string,
  argument: string,
  app: App,
): Promise<SentMessage> {
  if (epoch != null) {
    throw new ParleyError('ENCRYPTION_REQUIRED', 'An encrypted message can only be forwarded by an app that can read it.')
  }
  const attachmentIds = originals?.length ? await copyAttachments(by.userId, originals, app) : []
  if (text === '' && attachmentIds.length === 0) throw new ParleyError('MESSAGE_DELETED', 'The files of the message are gone.')
  const copy = { conversationId, clientMessageId, text, data, attachmentIds, replyToId: null, mentionedUserIds: [], sealed: null }
  try {
    return await sendMessage(by, copy, app)
  } catch (error) {
    if (!(error instanceof ParleyError)) throw error
    // The same request, at the same time, has been faster.
    const first = error.code === 'IDEMPOTENCY_CONFLICT' ? await findSent(by, clientMessageId, app) : null
    if (first) return first
    const { code, message, retryAfterMs } = error
    throw new ParleyError(code, message, { argument, cause: error, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) })
  }
}

/** The UUID of a name in a namespace, which is a UUID too (RFC 9562, version 5). */
function uuidOf(namespace: string, name: string): string {
  const bytes = createHash('sha1')
    .update(Buffer.from(namespace.replaceAll('-', ''), 'hex'))
    .update(name)
    .digest()
    .subarray(0, 16)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
