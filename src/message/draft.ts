// Saves drafts: the parameters and the result of the SQL procedure journal_draft_batch.

import type { ConversationId, MessageId, Position, UserId } from '../id.ts'
import type { Procedure } from '../journal/append.ts'
import type { Fact, Place } from '../journal/fact.ts'
import { messageKinds } from './events.ts'

/** What a user has begun to write in a conversation. An empty text that replies to nothing is no draft. The schema has checked its form. */
export type DraftInput = {
  readonly conversationId: ConversationId
  readonly userId: UserId
  readonly text: string
  readonly replyToId: MessageId | null
}

/** The outcome of saving a draft. `UNCHANGED`: it was so already. */
export type DraftOutcome =
  | { readonly status: 'SAVED'; readonly place: Place }
  | { readonly status: 'UNCHANGED' | 'NOT_MEMBER' | 'NOTHING_TO_REPLY_TO' | 'ENCRYPTED' }

type DraftBatchRow = {
  positions: (Position | null)[]
  statuses: number[]
  at: Date
  batch_tag: number
  previous_tag: number
}

/** What the statuses of the procedure mean; any other means that the user is no member. */
const refusals: ReadonlyMap<number | undefined, 'UNCHANGED' | 'NOTHING_TO_REPLY_TO' | 'ENCRYPTED'> = new Map([
  [1, 'UNCHANGED'],
  [5, 'NOTHING_TO_REPLY_TO'],
  [8, 'ENCRYPTED'],
])

/** The procedure for drafts. The key is the user: drafts of one user are saved in the order in which they came. */
export const draftProcedure: Procedure<DraftInput, DraftOutcome, DraftBatchRow> = {
  name: 'journal_draft_batch',
  text: 'call journal_draft_batch($1, $2, $3, $4, null, null, null, null, null)',
  bytesOf: ({ text }) => 100 + Buffer.byteLength(text),
  values: (inputs) => [
    inputs.map((i) => i.conversationId),
    inputs.map((i) => i.userId),
    inputs.map((i) => i.text),
    inputs.map((i) => i.replyToId),
  ],
  read(row, inputs) {
    const facts: Fact[] = []
    const outcomes = inputs.map(({ conversationId, userId }, i): DraftOutcome => {
      const position = row.positions[i]
      if (position == null) return { status: refusals.get(row.statuses[i]) ?? 'NOT_MEMBER' }
      const place = { position, tag: row.batch_tag }
      facts.push({
        ...place,
        occurredAt: row.at.getTime(),
        kind: messageKinds.DraftChanged.number,
        conversationId: null,
        userId,
        actorId: userId,
        subjectId: conversationId,
        audienceChange: 0,
        payload: null,
      })
      return { status: 'SAVED', place }
    })
    return { outcomes, batch: facts.length === 0 ? null : { previousTag: row.previous_tag, facts, rows: [] } }
  },
}
