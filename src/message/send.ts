// Sends messages: the parameters and the result of the SQL procedure journal_send_batch_2.

import { createHash } from 'node:crypto'
import { fileKinds, type UsableAttachments } from '../attachment/row.ts'
import type { ParleyError } from '../errors.ts'
import { canonicalForm } from '../graphql/custom-data.ts'
import type { ConversationId, MessageId, UserId } from '../id.ts'
import type { Procedure } from '../journal/append.ts'
import type { Fact, Place } from '../journal/fact.ts'
import type { MessageContent } from './before-send.ts'
import { messageKinds } from './events.ts'
import type { MessageRow } from './row.ts'

/** A message to send. The schema has checked its form. */
export type SendInput = {
  readonly conversationId: ConversationId
  readonly senderId: UserId
  /** A UUID as the sender spelt it. Its value is the key: case makes no difference. */
  readonly clientMessageId: string
  readonly text: string
  /** The message of the same conversation that this one replies to. */
  readonly replyToId: MessageId | null
  /** The members of the conversation that the message mentions, without duplicates. */
  readonly mentionedUserIds: readonly UserId[]
  /** Null if it has none. */
  readonly attachments: UsableAttachments | null
  /** Custom data as JSON text; null if there is none. */
  readonly data: string | null
  /** What the hook made of text and data, to be stored instead; null if it did not change them. */
  readonly changed: MessageContent | null
  /** What stands in place of the text in an encrypted conversation, and the epoch in which it was encrypted; null in a plain one. */
  readonly sealed: Sealed | null
}

/** The ciphertext of a message. */
export type Sealed = { readonly ciphertext: Buffer; readonly epoch: number }

/** The outcome of a send. */
export type SendOutcome =
  | { readonly status: 'SENT'; readonly message: MessageRow; readonly place: Place }
  /** The key was already used with the same content: the id of the first message. */
  | { readonly status: 'REPEATED'; readonly messageId: MessageId }
  | { readonly status: 'CONFLICT' }
  | { readonly status: 'NOT_MEMBER' }
  /** The message that it replies to is not in this conversation. */
  | { readonly status: 'NOTHING_TO_REPLY_TO' }
  /** A user that it mentions is not a member. */
  | { readonly status: 'MENTIONS_STRANGER' }
  /** The sender may not send its attachments. */
  | { readonly status: 'ATTACHMENTS_REFUSED'; readonly refusal: ParleyError | null }
  /** An attachment of it is already in another message. */
  | { readonly status: 'ATTACHMENT_USED' }
  /** It is a text in an encrypted conversation, or a ciphertext in a plain one. */
  | { readonly status: 'OTHER_ENCRYPTION' }
  /** Somebody left the encrypted conversation, and no commit came since. */
  | { readonly status: 'NEEDS_REKEY' }
  /** It was encrypted in another epoch than the newest and the one before. */
  | { readonly status: 'STALE_EPOCH' }

/** What the procedures that store messages return. */
export type SendBatchRow = {
  /** By input: the position of the fact, or of the first one for a repeat. */
  positions: (MessageId | null)[]
  seqs: (number | null)[]
  statuses: number[]
  at: Date
  batch_tag: number
  previous_tag: number
}

/**
 * SHA-256 of the canonical form of a send. It defines "the same content" for a repeated clientMessageId (D2). The ciphertext is not part
 * of it: a repeat may be encrypted again, in a later epoch.
 */
export function requestHash({ conversationId, text, replyToId, mentionedUserIds, attachments, data, sealed }: SendInput): Buffer {
  const mentions = [...mentionedUserIds].sort((a, b) => a - b)
  if (sealed !== null) {
    const header = JSON.stringify(['MLS', conversationId, replyToId, mentions, attachments?.ids ?? []])
    return createHash('sha256').update(header).digest()
  }
  const plain = [conversationId, text, replyToId, mentions]
  const more = data === null ? [] : [canonicalForm(data)]
  const canonical = JSON.stringify(attachments === null && data === null ? plain : [...plain, attachments?.ids ?? [], ...more])
  return createHash('sha256').update(canonical).digest()
}

/** What is stored of a send. */
const contentOf = (input: SendInput): MessageContent => input.changed ?? input

const refusals = {
  2: 'CONFLICT',
  3: 'NOT_MEMBER',
  4: 'NOTHING_TO_REPLY_TO',
  5: 'MENTIONS_STRANGER',
  7: 'ATTACHMENT_USED',
  8: 'OTHER_ENCRYPTION',
  9: 'NEEDS_REKEY',
  10: 'STALE_EPOCH',
} as const satisfies Record<number, SendOutcome['status']>

/** The parameters about attachments: null if no input has any. */
function attachmentValues(inputs: readonly SendInput[]): unknown[] {
  if (inputs.every(({ attachments }) => attachments === null)) return [null, null, null]
  const kindsOf = ({ attachments }: SendInput) => attachments?.kinds.map((kind) => fileKinds.indexOf(kind) + 1) ?? []
  return [
    inputs.map(({ attachments }) => `{${attachments?.ids.join(',') ?? ''}}`),
    inputs.map((input) => `{${kindsOf(input).join(',')}}`),
    inputs.map(({ attachments }) => attachments?.refusal === null),
  ]
}

/** The parameters about ciphertexts: null if no input has one. */
function sealedValues(inputs: readonly SendInput[]): unknown[] {
  if (inputs.every(({ sealed }) => sealed === null)) return [null, null]
  return [inputs.map(({ sealed }) => sealed?.ciphertext ?? null), inputs.map(({ sealed }) => sealed?.epoch ?? null)]
}

/** The procedure for sends. The key is the sender. */
export const sendProcedure: Procedure<SendInput, SendOutcome, SendBatchRow> = {
  name: 'journal_send_batch_2',
  text: 'call journal_send_batch_2($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, null, null, null, null, null, null)',
  bytesOf: (input) =>
    100 +
    Buffer.byteLength(contentOf(input).text) +
    (contentOf(input).data?.length ?? 0) +
    (input.sealed?.ciphertext.length ?? 0),
  values: (inputs) => [
    inputs.map((i) => i.conversationId),
    inputs.map((i) => i.senderId),
    inputs.map((i) => i.clientMessageId),
    inputs.map(requestHash),
    inputs.map((i) => contentOf(i).text),
    inputs.map((i) => i.replyToId),
    inputs.map((i) => `{${i.mentionedUserIds.join(',')}}`),
    inputs.map(({ clientMessageId }) => (clientMessageId === clientMessageId.toLowerCase() ? null : clientMessageId)),
    ...attachmentValues(inputs),
    inputs.every((i) => contentOf(i).data === null) ? null : inputs.map((i) => contentOf(i).data),
    ...sealedValues(inputs),
  ],
  read(row, inputs) {
    const facts: Fact[] = []
    const messages: MessageRow[] = []
    const outcomes = inputs.map((input, i): SendOutcome => {
      const [id, seq, status] = [row.positions[i], row.seqs[i], row.statuses[i] ?? 3]
      if (status === 6) return { status: 'ATTACHMENTS_REFUSED', refusal: input.attachments?.refusal ?? null }
      if (id == null || seq == null) return { status: refusals[status as keyof typeof refusals] ?? 'NOT_MEMBER' }
      if (status === 1) return { status: 'REPEATED', messageId: id }
      const message = newMessage(input, id, seq, row.at.getTime())
      const place = { position: id, tag: row.batch_tag }
      facts.push(sentFact(message, place, message.createdAt))
      messages.push(message)
      return { status: 'SENT', message, place }
    })
    return { outcomes, batch: facts.length === 0 ? null : { previousTag: row.previous_tag, facts, rows: messages } }
  },
}

/** The row of a new message. Like the fact, it is on the hottest path: spreading objects costs V8 old memory each time. */
function newMessage(input: SendInput, id: MessageId, seq: number, createdAt: number): MessageRow {
  const { sealed } = input
  const message: MessageRow = {
    id,
    conversationId: input.conversationId,
    seq,
    senderId: input.senderId,
    clientMessageId: input.clientMessageId,
    text: contentOf(input).text,
    createdAt,
    version: 1,
    editedAt: null,
    deletedAt: null,
    replyToId: input.replyToId,
    mentionedUserIds: input.mentionedUserIds,
    attachmentIds: input.attachments?.ids ?? null,
    data: contentOf(input).data,
    isNew: true,
  }
  if (sealed === null) return message
  return { ...message, ciphertext: sealed.ciphertext.toString('base64'), epoch: sealed.epoch }
}

/** The fact of a new message. */
export function sentFact(message: MessageRow, place: Place, occurredAt: number): Fact {
  return {
    position: place.position,
    tag: place.tag,
    occurredAt,
    kind: messageKinds.MessageSent.number,
    conversationId: message.conversationId,
    userId: null,
    actorId: message.senderId,
    subjectId: message.id,
    audienceChange: 0,
    payload: null,
  }
}
