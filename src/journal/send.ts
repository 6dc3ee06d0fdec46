// The hot write of messages: what the SQL procedure journal_send_batch takes, and what it answers.

import { createHash } from 'node:crypto'
import type { Procedure } from './append.ts'
import { type Fact, factKinds, type Place } from './fact.ts'
import type { MessageRow } from './tables.ts'

/** A message that somebody wants sent. The door has checked its form. */
export type SendInput = {
  readonly conversationId: number
  readonly senderId: number
  /** A UUID, in lower case. */
  readonly clientMessageId: string
  readonly text: string
  /** A message of the same conversation that this one answers. */
  readonly replyToId: number | null
  /** Members of the conversation whom the text mentions; no repeats. */
  readonly mentionedUserIds: readonly number[]
}

/** What became of it. */
export type SendOutcome =
  | { readonly status: 'SENT'; readonly message: MessageRow; readonly place: Place }
  /** The key is known with the same content: the id of the message as it was first sent. */
  | { readonly status: 'REPEATED'; readonly messageId: number }
  | { readonly status: 'CONFLICT' }
  | { readonly status: 'NOT_MEMBER' }
  /** What it replies to is not in this conversation, or was deleted. */
  | { readonly status: 'NOTHING_TO_REPLY_TO' }
  /** Somebody whom it mentions is not a member. */
  | { readonly status: 'MENTIONS_STRANGER' }

type Row = {
  positions: (number | null)[]
  seqs: (number | null)[]
  statuses: number[]
  at: Date
  batch_tag: number
  previous_tag: number
}

/** SHA-256 over the canonical form of a send: what "the same content" means for a repeated clientMessageId (D2). */
export function requestHash({ conversationId, text, replyToId, mentionedUserIds }: SendInput): Buffer {
  const mentions = [...mentionedUserIds].sort((a, b) => a - b)
  const canonical = JSON.stringify([conversationId, text, replyToId, mentions])
  return createHash('sha256').update(canonical).digest()
}

/** What an input adds to a batch, in bytes, roughly. */
export function sendBytes(input: SendInput): number {
  return 100 + Buffer.byteLength(input.text)
}

const refusals = { 2: 'CONFLICT', 3: 'NOT_MEMBER', 4: 'NOTHING_TO_REPLY_TO', 5: 'MENTIONS_STRANGER' } as const satisfies Record<
  number,
  SendOutcome['status']
>

/** The batch procedure for sends. */
export const sendProcedure: Procedure<SendInput, SendOutcome, Row> = {
  name: 'journal_send_batch',
  text: 'call journal_send_batch($1, $2, $3, $4, $5, $6, $7, null, null, null, null, null, null)',
  values: (inputs) => [
    inputs.map((i) => i.conversationId),
    inputs.map((i) => i.senderId),
    inputs.map((i) => i.clientMessageId),
    inputs.map(requestHash),
    inputs.map((i) => i.text),
    inputs.map((i) => i.replyToId),
    inputs.map((i) => `{${i.mentionedUserIds.join(',')}}`),
  ],
  read(row, inputs) {
    const facts: Fact[] = []
    const messages: MessageRow[] = []
    const outcomes = inputs.map((input, i): SendOutcome => {
      const [id, seq, status] = [row.positions[i], row.seqs[i], row.statuses[i] ?? 3]
      if (id == null || seq == null) return { status: refusals[status as keyof typeof refusals] ?? 'NOT_MEMBER' }
      if (status === 1) return { status: 'REPEATED', messageId: id }
      const message: MessageRow = {
        id,
        seq,
        ...input,
        createdAt: row.at.getTime(),
        version: 1,
        editedAt: null,
        deletedAt: null,
        isNew: true,
      }
      const place = { position: id, tag: row.batch_tag }
      facts.push(sentFact(message, place))
      messages.push(message)
      return { status: 'SENT', message, place }
    })
    return { outcomes, batch: facts.length === 0 ? null : { previousTag: row.previous_tag, facts, messages } }
  },
}

function sentFact(message: MessageRow, place: Place): Fact {
  return {
    ...place,
    occurredAt: message.createdAt,
    kind: factKinds.MessageSent,
    conversationId: message.conversationId,
    userId: null,
    actorId: message.senderId,
    subjectId: message.id,
    audienceChange: 0,
    payload: null,
  }
}
