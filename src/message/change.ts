// Changes messages (edits, deletions, reactions, pins, what a user hides): the parameters and the result of the SQL procedure journal_change_batch_2.

import type { ConversationId, MessageId, Position, UserId } from '../id.ts'
import type { Procedure } from '../journal/append.ts'
import type { Fact, Place } from '../journal/fact.ts'
import { messageKinds } from './events.ts'
import { type MessageRow, travellingTextMax } from './row.ts'

/** The most different emoji on a message, and the most pinned messages in a conversation. */
export const changeLimits = { emojiOnMessage: 20, pins: 50 } as const

/** A change to make to a message. The schema has checked its form. */
export type ChangeInput = { readonly messageId: MessageId; readonly actorId: UserId } & (
  | {
      readonly change: 'edit'
      readonly text: string
      /** Custom data as JSON text; null removes it, undefined leaves it. */
      readonly data: string | null | undefined
      readonly expectedVersion: number | null
    }
  /** `isEntitled`: the actor's role allows the change in this conversation. Authors need no entitlement to delete. */
  | { readonly change: 'delete' | 'pin' | 'unpin'; readonly isEntitled: boolean }
  | { readonly change: 'react' | 'unreact'; readonly emoji: string }
  /** For the actor alone. */
  | { readonly change: 'hide' | 'unhide' }
  /** A deletion by order of a moderator. The actor is `systemId`. */
  | { readonly change: 'remove' }
)

/** The outcome of a change. `UNCHANGED`: it had no effect. */
export type ChangeOutcome =
  | { readonly status: 'DONE'; readonly place: Place }
  | { readonly status: Exclude<(typeof statuses)[number], 'DONE'> }

type ChangeBatchRow = {
  positions: (Position | null)[]
  conversations: (ConversationId | null)[]
  statuses: number[]
  at: Date
  batch_tag: number
  previous_tag: number
  /** The rows of the changed messages after the batch, without those with long texts. */
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
  'ENCRYPTED',
] as const
const kinds = {
  edit: messageKinds.MessageEdited.number,
  delete: messageKinds.MessageDeleted.number,
  remove: messageKinds.MessageDeleted.number,
  react: messageKinds.ReactionsChanged.number,
  unreact: messageKinds.ReactionsChanged.number,
  pin: messageKinds.PinsChanged.number,
  unpin: messageKinds.PinsChanged.number,
  hide: messageKinds.MessageHidden.number,
  unhide: messageKinds.MessageUnhidden.number,
} as const

/** The procedure for message changes. The key is the actor. */
export const changeProcedure: Procedure<ChangeInput, ChangeOutcome, ChangeBatchRow> = {
  name: 'journal_change_batch_2',
  text: 'call journal_change_batch_2($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, null, null, null, null, null, null, null)',
  bytesOf: (input) => 100 + (input.change === 'edit' ? Buffer.byteLength(input.text) + (input.data?.length ?? 0) : 0),
  values: (inputs) => [
    inputs.map((i) => i.change),
    inputs.map((i) => i.messageId),
    inputs.map((i) => i.actorId),
    inputs.map((i) => ('text' in i ? i.text : 'emoji' in i ? i.emoji : null)),
    inputs.map((i) => (i.change === 'edit' ? i.expectedVersion : null)),
    inputs.map((i) => 'isEntitled' in i && i.isEntitled),
    inputs.map((i) => (i.change !== 'edit' || i.data === undefined ? null : (i.data ?? 'null'))),
    changeLimits.emojiOnMessage,
    changeLimits.pins,
    travellingTextMax,
  ],
  read(row, inputs) {
    const facts: Fact[] = []
    const outcomes = inputs.map(({ change, actorId, messageId }, i): ChangeOutcome => {
      const status = statuses[row.statuses[i] ?? 3] ?? 'NOT_FOUND'
      const position = row.positions[i]
      if (status !== 'DONE' || position == null) return { status: status === 'DONE' ? 'NOT_FOUND' : status }
      const place = { position, tag: row.batch_tag }
      const isOwn = change === 'hide' || change === 'unhide'
      facts.push({
        ...place,
        occurredAt: row.at.getTime(),
        kind: kinds[change],
        conversationId: isOwn ? null : (row.conversations[i] ?? null),
        userId: isOwn ? actorId : null,
        actorId,
        subjectId: messageId,
        audienceChange: 0,
        payload: null,
      })
      return { status, place }
    })
    const batch = { previousTag: row.previous_tag, facts, rows: row.changed }
    return { outcomes, batch: facts.length === 0 ? null : batch }
  },
}
