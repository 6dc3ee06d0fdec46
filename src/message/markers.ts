// Markers say how far a member has got in a conversation: has read, or has received. Those of one conversation that move together are one
// fact (B6).

import type { ConversationId, Position, UserId } from '../id.ts'
import type { Fact } from '../journal/fact.ts'
import type { FactKind } from '../journal/kind.ts'
import type { Marker, MarkersPayload } from './events.ts'

/** The size that a marker counts in a batch. It is small but costs time under the lock: about 250 markers fill a batch. */
export const markerBytes = 1_000

/** How far a user has got in a conversation. */
export type MarkerInput = { readonly conversationId: ConversationId; readonly userId: UserId; readonly seq: number }

/** Markers of one conversation that move together, at most one for each user. */
export type ConversationMarkers = { readonly conversationId: ConversationId; readonly markers: readonly Marker[] }

/** What a procedure for markers returns: the position of each marker's fact, or null if it did not move. */
export type MarkerBatchRow = {
  readonly positions: (Position | null)[]
  readonly at: Date
  readonly batch_tag: number
  readonly previous_tag: number
}

/** The furthest marker of each user. */
export function furthestOf(inputs: readonly MarkerInput[]): readonly Marker[] {
  const furthest = new Map<UserId, number>()
  for (const { userId, seq } of inputs) furthest.set(userId, Math.max(seq, furthest.get(userId) ?? 0))
  return [...furthest].map(([userId, seq]) => ({ userId, seq }))
}

/** The markers of several conversations, in the order of a procedure's arrays. */
export function flatten(inputs: readonly ConversationMarkers[]): MarkerInput[] {
  return inputs.flatMap(({ conversationId, markers }) => markers.map((marker) => ({ conversationId, ...marker })))
}

/** The facts of the markers that moved, in order of position. `moved` has a marker for each position of the row. */
export function markersMoved(kind: FactKind<MarkersPayload>, row: MarkerBatchRow, moved: readonly MarkerInput[]): Fact[] {
  const byPosition = new Map<Position, { conversationId: ConversationId; markers: Marker[] }>()
  for (const [i, { conversationId, userId, seq }] of moved.entries()) {
    const position = row.positions[i]
    if (position == null) continue
    const known = byPosition.get(position)
    if (known) known.markers.push({ userId, seq })
    else byPosition.set(position, { conversationId, markers: [{ userId, seq }] })
  }
  return [...byPosition]
    .sort(([a], [b]) => a - b)
    .map(([position, { conversationId, markers }]) => {
      const [first] = markers
      if (!first) throw new Error('a fact of no marker')
      return {
        position,
        tag: row.batch_tag,
        occurredAt: row.at.getTime(),
        kind: kind.number,
        conversationId,
        userId: null,
        actorId: first.userId,
        subjectId: first.userId,
        audienceChange: 0,
        payload: { markers } satisfies MarkersPayload,
      }
    })
}
