// Stores messages of another system: the parameters and the result of the SQL procedure journal_import_batch.

import { createHash } from 'node:crypto'
import { canonicalForm } from '../graphql/custom-data.ts'
import type { ConversationId, MessageId, UserId } from '../id.ts'
import type { Procedure } from '../journal/append.ts'
import type { Fact } from '../journal/fact.ts'
import type { MessageRow } from './row.ts'
import { type SendBatchRow, sentFact } from './send.ts'

/** A message to import. */
export type ImportInput = {
  readonly conversationId: ConversationId
  readonly senderId: UserId
  /** The key, made of the foreign id: `importKey`. */
  readonly clientMessageId: string
  readonly text: string
  /** The key of the message that this one replies to. */
  readonly replyToKey: string | null
  /** Without duplicates. */
  readonly mentionedUserIds: readonly UserId[]
  /** Custom data as JSON text; null if there is none. */
  readonly data: string | null
  /** When it was written, in milliseconds since 1970. */
  readonly createdAt: number
  /** The conversation is being imported. That nobody is in it yet is checked again when the message is stored. */
  readonly isOpen: boolean
}

/** The outcome for one message. */
export type ImportOutcome = 'STORED' | 'REPEATED' | 'CONFLICT' | 'IMPORT_OVER' | 'NOTHING_TO_REPLY_TO' | 'OUT_OF_ORDER'

const outcomes: readonly ImportOutcome[] = [
  'STORED',
  'REPEATED',
  'CONFLICT',
  'IMPORT_OVER',
  'NOTHING_TO_REPLY_TO',
  'OUT_OF_ORDER',
]

/** `replies` has the ids of the messages replied to. */
type ImportBatchRow = SendBatchRow & { replies: (MessageId | null)[] }

const namespace = Buffer.from('7a1b6f3e5f0c4b8f9d3e0c2a4e6f8b1d', 'hex')

/** The key of an imported message: a UUID of version 5 (RFC 9562) over its foreign id, within its conversation. */
export function importKey(conversationId: ConversationId, externalId: string): string {
  const hash = createHash('sha1').update(namespace).update(`${conversationId}\n${externalId}`).digest().subarray(0, 16)
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x50
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80
  return hash.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

/** SHA-256 of what was imported: the same message again is a repeat, another one with its id a conflict. */
function hashOf({ conversationId, text, replyToKey, mentionedUserIds, data, createdAt }: ImportInput): Buffer {
  const mentions = [...mentionedUserIds].sort((a, b) => a - b)
  const content = [conversationId, text, replyToKey, mentions, data === null ? null : canonicalForm(data), createdAt]
  return createHash('sha256').update(JSON.stringify(content)).digest()
}

/** The procedure for imports. The key is the conversation. */
export const importProcedure: Procedure<ImportInput, ImportOutcome, ImportBatchRow> = {
  name: 'journal_import_batch',
  text: 'call journal_import_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, null, null, null, null, null, null, null)',
  bytesOf: ({ text, data }) => 100 + Buffer.byteLength(text) + (data?.length ?? 0),
  values: (inputs) => [
    inputs.map((i) => i.conversationId),
    inputs.map((i) => i.senderId),
    inputs.map((i) => i.clientMessageId),
    inputs.map(hashOf),
    inputs.map((i) => i.text),
    inputs.map((i) => i.replyToKey),
    inputs.map((i) => `{${i.mentionedUserIds.join(',')}}`),
    inputs.map((i) => i.data),
    inputs.map((i) => new Date(i.createdAt)),
    inputs.map((i) => i.isOpen),
  ],
  read(row, inputs) {
    const facts: Fact[] = []
    const messages: MessageRow[] = []
    for (const [i, input] of inputs.entries()) {
      const [id, seq] = [row.positions[i], row.seqs[i]]
      if (row.statuses[i] !== 0 || id == null || seq == null) continue
      const message = rowOf(input, id, seq, row.replies[i] ?? null)
      messages.push(message)
      facts.push(sentFact(message, { position: id, tag: row.batch_tag }, row.at.getTime()))
    }
    return {
      outcomes: inputs.map((_, i) => outcomes[row.statuses[i] ?? 3] ?? 'IMPORT_OVER'),
      batch: facts.length === 0 ? null : { previousTag: row.previous_tag, facts, rows: messages },
    }
  },
}

function rowOf(input: ImportInput, id: MessageId, seq: number, replyToId: MessageId | null): MessageRow {
  return {
    id,
    conversationId: input.conversationId,
    seq,
    senderId: input.senderId,
    clientMessageId: input.clientMessageId,
    text: input.text,
    createdAt: input.createdAt,
    version: 1,
    editedAt: null,
    deletedAt: null,
    replyToId,
    mentionedUserIds: input.mentionedUserIds,
    data: input.data,
    isNew: true,
  }
}
