// Sends messages: the parameters and the result of the SQL procedure journal_send_batch.

import { createHash } from 'node:crypto'
import type { ConversationId, MessageId, UserId } from '../id.ts'
import type { Procedure } from '../journal/append.ts'
import type { Fact, Place } from '../journal/fact.ts'
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
}

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

type SendBatchRow = {
  /** By input: the position of the fact, or of the first one for a repeat. */
  positions: (MessageId | null)[]
  seqs: (number | null)[]
  statuses: number[]
  at: Date
  batch_tag: number
  previous_tag: number
}

/** SHA-256 of the canonical form of a send. It defines "the same content" for a repeated clientMessageId (D2). */
export function requestHash({ conversationId, text, replyToId, mentionedUserIds }: SendInput): Buffer {
  const mentions = [...mentionedUserIds].sort((a, b) => a - b)
  const canonical = JSON.stringify([conversationId, text, replyToId, mentions])
  return createHash('sha256').update(canonical).digest()
}

const refusals = { 2: 'CONFLICT', 3: 'NOT_MEMBER', 4: 'NOTHING_TO_REPLY_TO', 5: 'MENTIONS_STRANGER' } as const satisfies Record<
  number,
  SendOutcome['status']
>

/** The procedure for sends. The key is the sender. */
export const sendProcedure: Procedure<SendInput, SendOutcome, SendBatchRow> = {
  name: 'journal_send_batch',
  text: 'call journal_send_batch($1, $2, $3, $4, $5, $6, $7, $8, null, null, null, null, null, null)',
  bytesOf: ({ text }) => 100 + Buffer.byteLength(text),
  values: (inputs) => [
    inputs.map((i) => i.conversationId),
    inputs.map((i) => i.senderId),
    inputs.map((i) => i.clientMessageId),
    inputs.map(requestHash),
    inputs.map((i) => i.text),
    inputs.map((i) => i.replyToId),
    inputs.map((i) => `{${i.mentionedUserIds.join(',')}}`),
    inputs.map(({ clientMessageId }) => (clientMessageId === clientMessageId.toLowerCase() ? null : clientMessageId)),
  ],
  read(row, inputs) {
    const facts: Fact[] = []
    const messages: MessageRow[] = []
    const outcomes = inputs.map((input, i): SendOutcome => {
      const [id, seq, status] = [row.positions[i], row.seqs[i], row.statuses[i] ?? 3]
      if (id == null || seq == null) return { status: refusals[status as keyof typeof refusals] ?? 'NOT_MEMBER' }
      if (status === 1) return { status: 'REPEATED', messageId: id }
      const message = newMessage(input, id, seq, row.at.getTime())
      const place = { position: id, tag: row.batch_tag }
      facts.push(sentFact(message, place))
      messages.push(message)
      return { status: 'SENT', message, place }
    })
    return { outcomes, batch: facts.length === 0 ? null : { previousTag: row.previous_tag, facts, rows: messages } }
  },
}

/** The row of a new message. Like the fact, it is on the hottest path: spreading objects costs V8 old memory each time. */
function newMessage(input: SendInput, id: MessageId, seq: number, createdAt: number): MessageRow {
  return {
    id,
    conversationId: input.conversationId,
    seq,
    senderId: input.senderId,
    clientMessageId: input.clientMessageId,
    text: input.text,
    createdAt,
    version: 1,
    editedAt: null,
    deletedAt: null,
    replyToId: input.replyToId,
    mentionedUserIds: input.mentionedUserIds,
    isNew: true,
  }
}

function sentFact(message: MessageRow, place: Place): Fact {
  return {
    position: place.position,
    tag: place.tag,
    occurredAt: message.createdAt,
    kind: messageKinds.MessageSent.number,
    conversationId: message.conversationId,
    userId: null,
    actorId: message.senderId,
    subjectId: message.id,
    audienceChange: 0,
    payload: null,
  }
}
