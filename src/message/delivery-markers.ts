// Tells members how far messages have been delivered: once a device has acknowledged its place, the conversations in which that is news
// hear of it. A node gathers the markers of a conversation for a second and appends them together, as one fact (B6). The markers are
// stored nowhere else: they follow from the acknowledgements.

import type { ConversationId, Position, UserId } from '../id.ts'
import type { Procedure } from '../journal/append.ts'
import { Coalescer } from '../journal/coalescer.ts'
import type { Journal } from '../journal/journal.ts'
import type { Log } from '../log/log.ts'
import { type Reader, statement } from '../store/reader.ts'
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
    readonly deliveryMarkers: DeliveryMarkers
  }
}

const coalesceMs = 1_000
/** How many conversations one acknowledgement is told in, the most recently active first. */
const toldMax = 50

/** A user whose devices have reached a new place: they had everything up to `from`, and now have everything up to `to`. */
export type Advance = { readonly userId: UserId; readonly from: Position; readonly to: Position }

/** The delivery markers that a node tells. */
export type DeliveryMarkers = {
  /**
   * Tells the conversations in which messages of others were delivered, within about a second. Never fails: what cannot be told now is
   * told with the next messages, and can be read at any time.
   */
  advance(advances: readonly Advance[]): void
  close(): Promise<void>
}

const delivered = statement<MarkerInput>(
  'delivered_messages',
  `select p.user_id as "userId", c.conversation_id as "conversationId", message_delivered_seq(c.conversation_id, p.high) as seq
     from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as p(user_id, low, high)
    cross join lateral (
      select a.conversation_id from current_audience a
        join conversation_head h on h.conversation_id = a.conversation_id and h.last_position > p.low
       where a.user_id = p.user_id order by h.last_position desc limit ${toldMax}) c
    where exists (
      select 1 from fact f
       where f.conversation_id = c.conversation_id and f.position > p.low and f.position <= p.high
         and f.kind = ${messageKinds.MessageSent.number} and f.actor_id <> p.user_id)`,
)

const deliverProcedure: Procedure<ConversationMarkers, null, MarkerBatchRow> = {
  name: 'journal_deliver_batch',
  text: 'call journal_deliver_batch($1, $2, $3, null, null, null, null, null)',
  bytesOf: ({ markers }) => markers.length * markerBytes,
  values(inputs) {
    const rows = flatten(inputs)
    return [rows.map((r) => r.conversationId), rows.map((r) => r.userId), rows.map((r) => r.seq)]
  },
  read(row, inputs) {
    const facts = markersMoved(messageKinds.DeliveryMarkersMoved, row, flatten(inputs))
    const batch = facts.length === 0 ? null : { previousTag: row.previous_tag, facts, rows: [] }
    return { outcomes: inputs.map(() => null), batch }
  },
}

/** Opens the delivery markers of a node: it appends at most one fact a second for each conversation. */
export function openDeliveryMarkers(journal: Journal, reader: Reader, log: Log): DeliveryMarkers {
  const running = new Set<Promise<unknown>>()
  const coalescer = new Coalescer(coalesceMs, async (conversationId: ConversationId, inputs: readonly MarkerInput[]) => {
    const markers = furthestOf(inputs)
    // The conversation is the key in the lanes, as senders are. It is negative, because user ids use the same numbers.
    await journal.append(deliverProcedure, -conversationId, { conversationId, markers })
    return inputs.map(() => null)
  })
  const track = (work: Promise<unknown>) => {
    const settled = work
      .catch((error: unknown) => log.debug({ err: error }, 'a delivery could not be told'))
      .finally(() => running.delete(settled))
    running.add(settled)
  }
  async function tell(advances: readonly Advance[]): Promise<void> {
    const values = [advances.map((a) => a.userId), advances.map((a) => a.from), advances.map((a) => a.to)]
    for (const input of await reader.rows(delivered, values)) track(coalescer.add(input.conversationId, input.userId, input))
  }
  return {
    advance: (advances) => advances.length > 0 && track(tell(advances)),
    async close() {
      await coalescer.close()
      while (running.size > 0) await Promise.all(running)
    },
  }
}
