// Moves read markers: the parameters and the result of the SQL procedure journal_mark_batch. A node collects the markers of a
// conversation for a second and writes them together, as one fact (B6).

import type { ConversationId, Position, UserId } from '../id.ts'
import type { Procedure } from '../journal/append.ts'
import { Coalescer } from '../journal/coalescer.ts'
import type { Fact, Place } from '../journal/fact.ts'
import type { Journal } from '../journal/journal.ts'
import { type Marker, messageKinds, type ReadPayload } from './events.ts'

declare module '../parts.ts' {
  interface App {
    readonly readMarkers: ReadMarkers
  }
}

const coalesceMs = 1_000
/** The size that a marker counts in a batch. It is small but costs time under the lock: about 250 markers fill a batch. */
const markerBytes = 1_000

/** How far a user has read a conversation. */
export type ReadInput = { readonly conversationId: ConversationId; readonly userId: UserId; readonly seq: number }

/** The marker's current seq; null if the user is not a member. `place` is that of the move; null if the marker did not move. */
export type ReadOutcome = { readonly seq: number; readonly place: Place | null } | { readonly seq: null; readonly place: null }

/** Markers of one conversation that move together, at most one for each user. */
type MarkInput = { readonly conversationId: ConversationId; readonly markers: readonly Marker[] }

type MarkBatchRow = {
  positions: (Position | null)[]
  seqs: (number | null)[]
  statuses: number[]
  at: Date
  batch_tag: number
  previous_tag: number
}

/** The procedure for read markers, with an outcome for each marker of each input. */
const markProcedure: Procedure<MarkInput, readonly ReadOutcome[], MarkBatchRow> = {
  name: 'journal_mark_batch',
  text: 'call journal_mark_batch($1, $2, $3, null, null, null, null, null, null)',
  bytesOf: ({ markers }) => markers.length * markerBytes,
  values(inputs) {
    const rows = flat(inputs)
    return [rows.map((r) => r.conversationId), rows.map((r) => r.userId), rows.map((r) => r.seq)]
  },
  read(row, inputs) {
    const moved = new Map<Position, { conversationId: ConversationId; markers: Marker[] }>()
    const each = flat(inputs).map(({ conversationId, userId }, i): ReadOutcome => {
      const [position, seq] = [row.positions[i], row.seqs[i]]
      if (seq == null) return { seq: null, place: null }
      if (position == null) return { seq, place: null }
      const move = moved.get(position) ?? { conversationId, markers: [] }
      moved.set(position, { ...move, markers: [...move.markers, { userId, seq }] })
      return { seq, place: { position, tag: row.batch_tag } }
    })
    const facts = [...moved].sort(([a], [b]) => a - b).map(([position, move]) => movedFact(position, move, row))
    let from = 0
    const outcomes = inputs.map(({ markers }) => {
      from += markers.length
      return each.slice(from - markers.length, from)
    })
    return { outcomes, batch: facts.length === 0 ? null : { previousTag: row.previous_tag, facts, rows: [] } }
  },
}

function flat(inputs: readonly MarkInput[]): ReadInput[] {
  return inputs.flatMap(({ conversationId, markers }) => markers.map((marker) => ({ conversationId, ...marker })))
}

type Move = { readonly conversationId: ConversationId; readonly markers: readonly Marker[] }

function movedFact(position: Position, { conversationId, markers }: Move, row: MarkBatchRow): Fact {
  const [first] = markers
  if (!first) throw new Error('a fact of no read marker')
  return {
    position,
    tag: row.batch_tag,
    occurredAt: row.at.getTime(),
    kind: messageKinds.ReadMarkersMoved.number,
    conversationId,
    userId: null,
    actorId: first.userId,
    subjectId: first.userId,
    audienceChange: 0,
    payload: { markers } satisfies ReadPayload,
  }
}

/** The read markers that a node moves. */
export type ReadMarkers = {
  /**
   * Moves a read marker within about a second, together with others of its conversation. The outcome is committed.
   * @throws ParleyError RATE_LIMITED, UNAVAILABLE
   */
  move(input: ReadInput): Promise<ReadOutcome>
  close(): Promise<void>
}

/** Opens the read markers of a node: it appends at most one fact a second for each conversation. */
export function openReadMarkers(journal: Journal): ReadMarkers {
  const coalescer = new Coalescer(coalesceMs, async (conversationId: ConversationId, inputs: readonly ReadInput[]) => {
    const furthest = new Map<UserId, number>()
    for (const { userId, seq } of inputs) furthest.set(userId, Math.max(seq, furthest.get(userId) ?? 0))
    const markers = [...furthest].map(([userId, seq]) => ({ userId, seq }))
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
