// Sends messages: of users, after what the operator, the product and the conversation have to say; and of the product itself.

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
import { requireMayPost } from './posting-rules.ts'
import { type MessageRow, readMessages } from './row.ts'
import { type SendInput, type SendOutcome, sendProcedure } from './send.ts'
import { slowSendProcedure } from './slow-send.ts'

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
 * @throws ParleyError NOT_FOUND if the viewer is not a member, FORBIDDEN if the conversation is closed or takes announcements only,
 *   RATE_LIMITED in slow mode, IDEMPOTENCY_CONFLICT, UPLOAD_INCOMPLETE, ATTACHMENT_USED, FILE_REFUSED, MESSAGE_REFUSED,
 *   ENCRYPTION_REQUIRED, REKEY_REQUIRED, EPOCH_STALE, UNAVAILABLE
 */
export async function sendMessage(by: Viewer, send: Send, app: App): Promise<SentMessage> {
  const { attachmentIds } = send
  const rule = app.postingRules.of(send.conversationId)
  const isPlain = attachmentIds.length === 0 && app.beforeSend === null && app.wordRules === null && rule === null
  const prepare = isPlain ? null : () => prepareSend(by, send, rule, app)
  let isFlagged = false
  const outcome = await app.sendOrder.run(by.userId, prepare, (prepared) => {
    isFlagged = prepared?.isFlagged ?? false
    const input = inputOf(by, send, prepared)
    const slowMs = prepared?.slowMs ?? 0
    return slowMs === 0
      ? app.journal.append(sendProcedure, by.userId, input)
      : app.journal.append(slowSendProcedure, by.userId, { ...input, slowMs })
  })
  switch (outcome.status) {
    case 'SENT':
      if (attachmentIds.length > 0) await noteUsed(attachmentIds, app)
      if (isFlagged) await app.wordRules?.report(outcome.message.id, by.userId, app)
      return outcome
    case 'REPEATED':
      // The first attempt may have failed between the append and the report.
      if (isFlagged) await app.wordRules?.report(outcome.messageId, by.userId, app)
      return findFirst(outcome.messageId, app)
    case 'CONFLICT':
      throw usedBefore()
    case 'TOO_SOON':
      throw new ParleyError('RATE_LIMITED', 'This group is in slow mode: you have just sent a message.', {
        retryAfterMs: outcome.retryAfterMs,
      })
    case 'NOT_MEMBER':
      throw await refusalOf(by.userId, send, app)
    default:
      throw refusalOfSend(outcome, send.sealed !== null)
  }
}

/** The error of a send that was refused for what is in it. */
function refusalOfSend(
  outcome: Exclude<SendOutcome, { readonly status: 'SENT' | 'REPEATED' | 'CONFLICT' | 'NOT_MEMBER' }>,
  isSealed: boolean,
): ParleyError {
  switch (outcome.status) {
    case 'NOTHING_TO_REPLY_TO':
      return new ParleyError('NOT_FOUND', 'The message that you reply to is not in this conversation.', {
        argument: 'input.replyToId',
      })
    case 'ATTACHMENTS_REFUSED':
      return outcome.refusal ?? notFound('Attachment')
    case 'ATTACHMENT_USED':
      return new ParleyError('ATTACHMENT_USED', 'An attachment is already in another message: upload the file again.', {
        argument: 'input.attachmentIds',
      })
    case 'MENTIONS_STRANGER':
      return new ParleyError('NOT_FOUND', 'A user that you mention is not in this conversation.', {
        argument: 'input.mentionedUserIds',
      })
    case 'OTHER_ENCRYPTION':
      return isSealed
        ? encryptionRequired('This conversation is not encrypted: send a text.', 'input.ciphertext')
        : encryptionRequired('This conversation is encrypted: send a ciphertext.', 'input.text')
    case 'NEEDS_REKEY':
      return new ParleyError('REKEY_REQUIRED', 'Somebody has left, or a device is gone: commit a new epoch first.')
    case 'STALE_EPOCH':
      return new ParleyError('EPOCH_STALE', 'The message was encrypted in an epoch that is over: encrypt it again.', {
        argument: 'input.epoch',
      })
  }
}

/** The refusal of what an encrypted, or a plain conversation does not take. */
export const encryptionRequired = (message: string, argument: string) =>
  new ParleyError('ENCRYPTION_REQUIRED', message, { argument })

/** What is read before a send, if it has attachments, there is a hook, or the conversation has a rule. */
type PreparedSend = Pick<SendInput, 'attachments' | 'changed'> & {
  /** How long after the sender's last message it must come, in milliseconds; 0: at any time. */
  readonly slowMs: number
  /** Whether moderators have to hear of it. */
  readonly isFlagged: boolean
}

type AwaitedRule = ReturnType<App['postingRules']['of']>

async function prepareSend(by: Viewer, send: Send, awaited: AwaitedRule, app: App): Promise<PreparedSend> {
  const { attachmentIds } = send
  const rule = await awaited
  const slowMs = rule ? await requireMayPost(by, send, rule, app) : 0
  const argument = (index: number) => `input.attachmentIds.${index}`
  const isEncrypted = send.sealed !== null
  const use = { purpose: 'MESSAGE', isEncrypted } as const
  const attachments = attachmentIds.length === 0 ? null : await useAttachments(by, attachmentIds, use, argument, app)
  // Nobody here could read a ciphertext.
  if (isEncrypted) return { attachments, changed: null, slowMs, isFlagged: false }
  const hooked = app.beforeSend ? await askHook(by, send, app.beforeSend, app) : null
  if (!app.wordRules) return { attachments, changed: hooked, slowMs, isFlagged: false }
  const { isRefused, isFlagged, text } = app.wordRules.judge((hooked ?? send).text)
  if (isRefused && (await isNew(by, send, app))) throw wordRefused()
  const { data } = hooked ?? send
  return { attachments, changed: text === send.text && !hooked ? null : { text, data }, slowMs, isFlagged }
}

/** The refusal of a text by the word rules. */
export const wordRefused = () => new ParleyError('MESSAGE_REFUSED', 'The message has a word that is not allowed here.')

/** Whether a message is no repeat, and its sender may send it. */
async function isNew(by: Viewer, { conversationId, clientMessageId }: Send, { store }: App): Promise<boolean> {
  return (await store.reader.rows(mayAsk, [conversationId, by.userId, clientMessageId])).length > 0
}

const mayAsk = statement<{ one: number }>(
  'hook_may_ask',
  `select 1 as one where exists (select 1 from current_audience where conversation_id = $1 and user_id = $2)
     and not exists (select 1 from message where client_message_id = $3::uuid and sender_id = $2)`,
)

/** Asks the hook about a message, unless it is a repeat or would be refused anyway: the append then says so. */
async function askHook(by: Viewer, send: Send, hook: BeforeSend, app: App): Promise<MessageContent | null> {
  return (await isNew(by, send, app)) ? hook.ask({ ...send, kind: 'SEND', senderId: by.userId, messageId: null }) : null
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
    sealed: send.sealed,
  }
}

/** A system message. The schema has checked its form. */
export type SystemMessage = Pick<SendInput, 'conversationId' | 'clientMessageId' | 'text' | 'data'>

/**
 * Sends a message of the backend of the product, without a sender. It is committed and repeated as those of users are, with one key for
 * all system messages.
 * @throws ParleyError NOT_FOUND if nobody is in the conversation, ENCRYPTION_REQUIRED, IDEMPOTENCY_CONFLICT, UNAVAILABLE
 */
export async function sendSystemMessage(message: SystemMessage, app: App): Promise<SentMessage> {
  const input = {
    ...message,
    senderId: systemId,
    replyToId: null,
    mentionedUserIds: [],
    attachments: null,
    changed: null,
    sealed: null,
  }
  const outcome = await app.journal.append(sendProcedure, systemId, input)
  if (outcome.status === 'SENT') return outcome
  if (outcome.status === 'REPEATED') return findFirst(outcome.messageId, app)
  if (outcome.status === 'OTHER_ENCRYPTION') throw refusalOfSend(outcome, false)
  throw outcome.status === 'CONFLICT' ? usedBefore() : notFound('Conversation')
}

/** A message that was sent before. @throws ParleyError NOT_FOUND */
export async function findFirst(messageId: MessageId, app: App): Promise<SentMessage> {
  const [[message], { tag }] = await Promise.all([
    readMessages(app.store.reader, [messageId]),
    readTagAt(app.store.reader, messageId),
  ])
  if (!message) throw notFound('Message')
  return { message, place: { position: message.id, tag: tag ?? 0 } }
}
