// Acknowledgements: devices report what they have stored. They don't affect what a device receives, so they are not facts. They
// are frequent, so a node coalesces them: at most one statement per second, with a row for each session that has moved forward. That
// messages have been delivered by it is told by delivery-markers.ts.

import { ParleyError } from '../errors.ts'
import { type Position, positionOf, type SessionId, userIdOf } from '../id.ts'
import { Coalescer } from '../journal/coalescer.ts'
import type { Cursor } from '../journal/cursor.ts'
import type { Journal } from '../journal/journal.ts'
import type { Advance, DeliveryMarkers } from '../message/delivery-markers.ts'
import type { PrismaClient } from '../store/store.ts'

declare module '../parts.ts' {
  interface App {
    readonly acknowledgements: Acknowledgements
  }
}

const coalesceMs = 1_000

/** The acknowledgements that a node stores. */
export type Acknowledgements = {
  /**
   * Stores that a session has everything up to a cursor, within about a second. Changes nothing if the cursor is stale or the
   * session has ended.
   * @throws ParleyError CURSOR_REFUSED if a stream from this cursor would be a RESET; RATE_LIMITED, UNAVAILABLE
   */
  add(sessionId: SessionId, cursor: Cursor): Promise<void>
  close(): Promise<void>
}

type Acknowledgement = { readonly sessionId: SessionId; readonly position: Position }

/** Opens the acknowledgements of a node. */
export function openAcknowledgements(journal: Journal, prisma: PrismaClient, deliveryMarkers: DeliveryMarkers): Acknowledgements {
  const coalescer = new Coalescer(coalesceMs, async (_key, inputs: readonly Acknowledgement[]) => {
    deliveryMarkers.advance(await store(prisma, inputs))
    return inputs.map(() => null)
  })
  return {
    async add(sessionId, cursor) {
      const reason = await journal.findResetReason(cursor)
      if (reason) {
        const message = `The server cannot continue from this cursor: ${reason}`
        throw new ParleyError('CURSOR_REFUSED', message, { argument: 'input.cursor' })
      }
      await coalescer.add(0, sessionId, { sessionId, position: cursor.position })
    },
    close: () => coalescer.close(),
  }
}

/** Stores places. @returns the users of whose devices one has reached a place that none had reached before */
async function store(prisma: PrismaClient, inputs: readonly Acknowledgement[]): Promise<Advance[]> {
  const furthest = new Map<SessionId, number>()
  for (const { sessionId, position } of inputs) {
    furthest.set(sessionId, Math.max(position, furthest.get(sessionId) ?? 0))
  }
  const [ids, positions] = [[...furthest.keys()], [...furthest.values()]]
  // In the order of the IDs, to avoid deadlocks: other nodes may write the same rows at the same moment.
  const rows = await prisma.$queryRaw<{ userId: bigint; low: bigint; high: bigint }[]>`
    with stored as (
      insert into acknowledgement(session_id, position, occurred_at)
        select s.id, u.position, coalesce((select f.occurred_at from fact f where f.position = u.position), now())
          from unnest(${ids}::bigint[], ${positions}::bigint[]) u(id, position)
          join session s on s.id = u.id and s.revoked_at is null
         order by s.id
      on conflict (session_id) do update set position = excluded.position, occurred_at = excluded.occurred_at
       where acknowledgement.position < excluded.position
      returning session_id, position),
    moved as (select s.user_id, max(t.position) as high from stored t join session s on s.id = t.session_id group by s.user_id)
    select m.user_id as "userId", b.low, m.high from moved m
     cross join lateral (
       select coalesce(max(a.position), 0) as low from session s join acknowledgement a on a.session_id = s.id
        where s.user_id = m.user_id) b
     where m.high > b.low`
  return rows.map(({ userId, low, high }) => ({ userId: userIdOf(userId), from: positionOf(low), to: positionOf(high) }))
}
