// The hot writes that change a message: what the SQL procedure journal_change_batch takes, and what it answers.

import type { Procedure } from './append.ts'
import { type Fact, factKinds, type Place } from './fact.ts'
import type { MessageRow } from './tables.ts'

/** Different emoji on one message, and pinned messages of one conversation, at most: by the SQL function journal_change. */
export const changeLimits = { emojiOnMessage: 20, pins: 50 } as const

/** A change that somebody wants made to a message. The door has checked its form. */
export type ChangeInput = { readonly messageId: number; readonly actorId: number } & (
  | { readonly change: 'edit'; readonly text: string; readonly expectedVersion: number | null }
  /** `isEntitled`: the caller found that the actor's role allows it here. Who wrote a message deletes it without. */
  | { readonly change: 'delete' | 'pin' | 'unpin'; readonly isEntitled: boolean }
  | { readonly change: 'react' | 'unreact'; readonly emoji: string }
)

/** What became of it. `UNCHANGED`: it was so already. */
export type ChangeOutcome =
  | { readonly status: 'DONE'; readonly place: Place }
  | { readonly status: Exclude<(typeof statuses)[number], 'DONE'> }

type Row = {
  positions: (number | null)[]
  conversations: (number | null)[]
  statuses: number[]
  at: Date
  batch_tag: number
  previous_tag: number
  /** The rows of the messages that were changed, as the batch left them; without those of long texts. */
  changed: MessageRow[]
}

const statuses = [
  'DONE',
  'UNCHANGED',
  'CONFLICT',
  'NOT_FOUND',
  'DELETED',
  'NOT_ENTITLED',
  'TOO_MANY_EMOJI',
  'TOO_MANY_PINS',
] as const
const kinds = {
  edit: factKinds.MessageEdited,
  delete: factKinds.MessageDeleted,
  react: factKinds.ReactionsChanged,
  unreact: factKinds.ReactionsChanged,
  pin: factKinds.PinsChanged,
  unpin: factKinds.PinsChanged,
} as const

/** What an input adds to a batch, in bytes, roughly. */
export function changeBytes(input: ChangeInput): number {
  return 100 + (input.change === 'edit' ? Buffer.byteLength(input.text) : 0)
}

/** The batch procedure for changes of messages. */
export const changeProcedure: Procedure<ChangeInput, ChangeOutcome, Row> = {
  name: 'journal_change_batch',
  text: 'call journal_change_batch($1, $2, $3, $4, $5, $6, null, null, null, null, null, null, null)',
  values: (inputs) => [
    inputs.map((i) => i.change),
    inputs.map((i) => i.messageId),
    inputs.map((i) => i.actorId),
    inputs.map((i) => ('text' in i ? i.text : 'emoji' in i ? i.emoji : null)),
    inputs.map((i) => (i.change === 'edit' ? i.expectedVersion : null)),
    inputs.map((i) => 'isEntitled' in i && i.isEntitled),
  ],
  read(row, inputs) {
    const facts: Fact[] = []
    const outcomes = inputs.map(({ change, actorId, messageId }, i): ChangeOutcome => {
      const status = statuses[row.statuses[i] ?? 3] ?? 'NOT_FOUND'
      const position = row.positions[i]
      if (status !== 'DONE' || position == null) return { status: status === 'DONE' ? 'NOT_FOUND' : status }
      const place = { position, tag: row.batch_tag }
      facts.push({
        ...place,
        occurredAt: row.at.getTime(),
        kind: kinds[change],
        conversationId: row.conversations[i] ?? null,
        userId: null,
        actorId,
        subjectId: messageId,
        audienceChange: 0,
        payload: null,
      })
      return { status, place }
    })
    const batch = { previousTag: row.previous_tag, facts, messages: row.changed }
    return { outcomes, batch: facts.length === 0 ? null : batch }
  },
}
