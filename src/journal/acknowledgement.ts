// What devices say to have stored. It changes nothing of what they are brought, so it is no fact; and it is said often, so a
// node gathers it: one statement a second at most, with a row for each session that has moved.

import type { PrismaClient } from '../store/store.ts'
import { Gatherer } from './gatherer.ts'

const gatherMs = 1_000

/** A session has everything up to a position. */
export type Acknowledgement = { readonly sessionId: number; readonly position: number }

/** Gathers acknowledgements, under one key. They are stored when they resolve; a stale one, and one of an ended session, changes nothing. */
export function gatherAcknowledgements(prisma: PrismaClient): Gatherer<Acknowledgement, null> {
  return new Gatherer(gatherMs, async (_key, inputs: readonly Acknowledgement[]) => {
    const furthest = new Map<number, number>()
    for (const { sessionId, position } of inputs) {
      furthest.set(sessionId, Math.max(position, furthest.get(sessionId) ?? 0))
    }
    const [ids, positions] = [[...furthest.keys()], [...furthest.values()]]
    // In the order of the ids: other nodes may write the same rows at the same moment.
    await prisma.$executeRaw`
      insert into acknowledgement(session_id, position, occurred_at)
        select s.id, u.position, coalesce((select f.occurred_at from fact f where f.position = u.position), now())
          from unnest(${ids}::bigint[], ${positions}::bigint[]) u(id, position)
          join session s on s.id = u.id and s.revoked_at is null
         order by s.id
      on conflict (session_id) do update set position = excluded.position, occurred_at = excluded.occurred_at
       where acknowledgement.position < excluded.position`
    return inputs.map(() => null)
  })
}
