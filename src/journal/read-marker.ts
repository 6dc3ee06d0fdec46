// The hot write of read markers: what the SQL procedure journal_mark_batch takes, and what it answers. The markers of one
// conversation are gathered for a second and told by one fact (B6).

import type { Lanes, Procedure } from './append.ts'
import { type Fact, factKinds, type Place } from './fact.ts'
import { Gatherer } from './gatherer.ts'

const gatherMs = 1_000
/** What a marker adds to a batch. It is small but costs time under the lock: some 250 of them fill a batch. */
const markerBytes = 1_000

/** How far somebody says to have read a conversation. */
export type ReadInput = { readonly conversationId: number; readonly userId: number; readonly seq: number }

/** Where the marker stands now. `place` is that of the move; null where it stood there or further already. */
export type ReadOutcome = { readonly seq: number; readonly place: Place | null } | { readonly seq: null; readonly place: null }

/** Markers that move together: of one conversation, each reader once. */
type MarkInput = { readonly conversationId: number; readonly markers: readonly Marker[] }
/** How far somebody has read. */
export type Marker = { readonly userId: number; readonly seq: number }

type Row = {
  positions: (number | null)[]
  seqs: (number | null)[]
  statuses: number[]
  at: Date
  batch_tag: number
  previous_tag: number
}

/**
 * The payload of a ReadMarkersMoved fact. `seq` is that of the fact's subject, who is the first of the markers; facts from
 * before markers were gathered have no more than that.
 */
export type ReadPayload = { readonly seq: number; readonly markers?: readonly Marker[] | undefined }

/** The batch procedure for read markers: the outcome of each marker of each input. One without a seq: the reader is no member. */
export const readProcedure: Procedure<MarkInput, readonly ReadOutcome[], Row> = {
  name: 'journal_mark_batch',
  text: 'call journal_mark_batch($1, $2, $3, null, null, null, null, null, null)',
  values(inputs) {
    const rows = flat(inputs)
    return [rows.map((r) => r.conversationId), rows.map((r) => r.userId), rows.map((r) => r.seq)]
  },
  read(row, inputs) {
    const moved = new Map<number, { conversationId: number; markers: Marker[] }>()
    const each = flat(inputs).map(({ conversationId, userId }, i): ReadOutcome => {
      const [position, seq] = [row.positions[i], row.seqs[i]]
      if (seq == null) return { seq: null, place: null }
      if (position == null) return { seq, place: null }
      const told = moved.get(position) ?? { conversationId, markers: [] }
      moved.set(position, { ...told, markers: [...told.markers, { userId, seq }] })
      return { seq, place: { position, tag: row.batch_tag } }
    })
    const facts = [...moved].sort(([a], [b]) => a - b).map(([position, told]) => movedFact(position, told, row))
    let from = 0
    const outcomes = inputs.map(({ markers }) => {
      from += markers.length
      return each.slice(from - markers.length, from)
    })
    return { outcomes, batch: facts.length === 0 ? null : { previousTag: row.previous_tag, facts, messages: [] } }
  },
}

function flat(inputs: readonly MarkInput[]): ReadInput[] {
  return inputs.flatMap(({ conversationId, markers }) => markers.map((marker) => ({ conversationId, ...marker })))
}

type Told = { readonly conversationId: number; readonly markers: readonly Marker[] }

function movedFact(position: number, { conversationId, markers }: Told, row: Row): Fact {
  const [first] = markers
  if (!first) throw new Error('a fact of no read marker')
  return {
    position,
    tag: row.batch_tag,
    occurredAt: row.at.getTime(),
    kind: factKinds.ReadMarkersMoved,
    conversationId,
    userId: null,
    actorId: first.userId,
    subjectId: first.userId,
    audienceChange: 0,
    payload: { seq: first.seq, markers } satisfies ReadPayload,
  }
}

/**
 * Gathers read markers by conversation, and appends them by these lanes: at most one fact a second for each conversation.
 * An outcome is committed; a marker that comes within a second of another one of its conversation waits for that second.
 */
export function gatherMarkers(lanes: Lanes): Gatherer<ReadInput, ReadOutcome> {
  return new Gatherer(gatherMs, async (conversationId, inputs: readonly ReadInput[]) => {
    const furthest = new Map<number, number>()
    for (const { userId, seq } of inputs) furthest.set(userId, Math.max(seq, furthest.get(userId) ?? 0))
    const markers = [...furthest].map(([userId, seq]) => ({ userId, seq }))
    const outcomes = await lanes.append(readProcedure, conversationId, markers.length * markerBytes, { conversationId, markers })
    const byUser = new Map(markers.map(({ userId }, i) => [userId, outcomes[i]]))
    return inputs.map(({ userId }) => byUser.get(userId) ?? { seq: null, place: null })
  })
}
