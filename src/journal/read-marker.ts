// The hot write of read markers: what the SQL procedure journal_read_batch takes, and what it answers.

import type { Procedure } from './append.ts'
import { type Fact, factKinds, type Place } from './fact.ts'

/** How far somebody says to have read a conversation. */
export type ReadInput = { readonly conversationId: number; readonly userId: number; readonly seq: number }

/** Where the marker stands now. `place` is that of the move; null where it stood there or further already. */
export type ReadOutcome = { readonly seq: number; readonly place: Place | null } | { readonly seq: null; readonly place: null }

type Row = {
  positions: (number | null)[]
  seqs: (number | null)[]
  statuses: number[]
  at: Date
  batch_tag: number
  previous_tag: number
}

/** The payload of a ReadMarkersMoved fact: the marker of its subject. */
export type ReadPayload = { readonly seq: number }

/** The batch procedure for read markers. An outcome without a seq: the reader is not a member. */
export const readProcedure: Procedure<ReadInput, ReadOutcome, Row> = {
  name: 'journal_read_batch',
  text: 'call journal_read_batch($1, $2, $3, null, null, null, null, null, null)',
  values: (inputs) => [inputs.map((i) => i.conversationId), inputs.map((i) => i.userId), inputs.map((i) => i.seq)],
  read(row, inputs) {
    const facts: Fact[] = []
    const outcomes = inputs.map(({ conversationId, userId }, i): ReadOutcome => {
      const [position, seq] = [row.positions[i], row.seqs[i]]
      if (seq == null) return { seq: null, place: null }
      if (position == null) return { seq, place: null }
      const place = { position, tag: row.batch_tag }
      facts.push({
        ...place,
        occurredAt: row.at.getTime(),
        kind: factKinds.ReadMarkersMoved,
        conversationId,
        userId: null,
        actorId: userId,
        subjectId: userId,
        audienceChange: 0,
        payload: { seq } satisfies ReadPayload,
      })
      return { seq, place }
    })
    return { outcomes, batch: facts.length === 0 ? null : { previousTag: row.previous_tag, facts, messages: [] } }
  },
}
