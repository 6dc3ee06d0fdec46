// Moves read markers: the parameters and the result of the SQL procedure journal_mark_batch. A node collects the markers of a
// conversation for a second and writes them together, as one fact (B6).

import type { ConversationId } from '../id.ts'
import type { Procedure } from '../journal/append.ts'
import { Coalescer } from '../journal/coalescer.ts'
import type { Place } from '../journal/fact.ts'
import type { Journal } from '../journal/journal.ts'
import { messageKinds } from './events.ts'
import {
  type ConversationMarkers,
  flatten,
  furthestOf,
  type MarkerBatchRow,
  type MarkerInput,
  markerBytes,
  markersMoved,
} from './markers.ts'

declare module '../parts.ts' {
  interface App {
    readonly readMarkers: ReadMarkers
  }
}

const coalesceMs = 1_000
/** The marker's current seq; null if the user is not a member. `place` is that of the move; null if the marker did not move. */
export type ReadOutcome = { readonly seq: number; readonly place: Place | null } | { readonly seq: null; readonly place: null }

type MarkBatchRow = MarkerBatchRow & { seqs: (number | null)[]; statuses: number[] }

/** The procedure for read markers, with an outcome for each marker of each input. */
const markProcedure: Procedure<ConversationMarkers, readonly ReadOutcome[], MarkBatchRow> = {
  name: 'journal_mark_batch',
  text: 'call journal_mark_batch($1, $2, $3, null, null, null, null, null, null)',
  bytesOf: ({ markers }) => markers.length * markerBytes,
  values(inputs) {
    const rows = flatten(inputs)
    return [rows.map((r) => r.conversationId), rows.map((r) => r.userId), rows.map((r) => r.seq)]
  },
  read(row, inputs) {
    const moved = flatten(inputs).map((input, i) => ({ ...input, seq: row.seqs[i] ?? input.seq }))
    const each = moved.map((_marker, i): ReadOutcome => {
      const [position, seq] = [row.positions[i], row.seqs[i]]
      if (seq == null) return { seq: null, place: null }
      return { seq, place: position == null ? null : { position, tag: row.batch_tag } }
    })
    const facts = markersMoved(messageKinds.ReadMarkersMoved, row, moved)
    let from = 0
    const outcomes = inputs.map(({ markers }) => {
      from += markers.length
      return each.slice(from - markers.length, from)
    })
    return { outcomes, batch: facts.length === 0 ? null : { previousTag: row.previous_tag, facts, rows: [] } }
  },
}

/** The read markers that a node moves. */
export type ReadMarkers = {
  /**
   * Moves a read marker within about a second, together with others of its conversation. The outcome is committed.
   * @throws ParleyError RATE_LIMITED, UNAVAILABLE
   */
  move(input: MarkerInput): Promise<ReadOutcome>
  close(): Promise<void>
}

/** Opens the read markers of a node: it appends at most one fact a second for each conversation. */
export function openReadMarkers(journal: Journal): ReadMarkers {
  const coalescer = new Coalescer(coalesceMs, async (conversationId: ConversationId, inputs: readonly MarkerInput[]) => {
    const markers = furthestOf(inputs)
    // The conversation is the key in the lanes, as senders are. It is negative, because user ids use the same numbers.
    const outcomes = await journal.append(markProcedure, -conversationId, { conversationId, markers })
    const byUser = new Map(markers.map(({ userId }, i) => [userId, outcomes[i]]))
    return inputs.map(({ userId }) => byUser.get(userId) ?? { seq: null, place: null })
  })
  return {
    move: (input) => coalescer.add(input.conversationId, input.userId, input),
    close: () => coalescer.close(),
  }
}
