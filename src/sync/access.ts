// How far a device is behind the journal.

import type { Context } from '../graphql/context.ts'
import { viewerLoader } from '../graphql/loader.ts'
import type { Position, UserId } from '../id.ts'
import type { FactKinds } from '../journal/kind.ts'
import { isNotHidden } from '../journal/tables.ts'
import { messageKinds } from '../message/events.ts'
import { statement } from '../store/reader.ts'

/** The most facts that are counted for a device that is behind. */
export const behindMax = 1_000
const factsAfter = (kinds: FactKinds) =>
  statement<{ userId: UserId; position: Position; count: number }>(
    'facts_after_for_users',
    `select p.user_id as "userId", p.position, (select count(*) from (
       (select 1 from audience a cross join lateral (
          select 1 from fact f
           where f.conversation_id = a.conversation_id and f.position > greatest(p.position, a.from_position - 1)
             and (a.to_position is null or f.position <= a.to_position)
             and f.kind <> ${messageKinds.DeliveryMarkersMoved.number} and ${isNotHidden(kinds)}
           limit ${behindMax}) f
         where a.user_id = p.user_id)
       union all
       (select 1 from fact f where f.user_id = p.user_id and f.position > p.position)
       limit ${behindMax}) seen) as count
     from unnest($1::bigint[], $2::bigint[]) as p(user_id, position)`,
  )

/** Counts the facts that a user may see after a position, without deliveries, which acknowledging itself causes, for keys of the form `user:position`; at most `behindMax`. */
export const countFactsAfter = viewerLoader(async ({ reader, app }: Context, pairs: readonly `${UserId}:${Position}`[]) => {
  const [userIds, positions] = [0, 1].map((part) => pairs.map((pair) => Number(pair.split(':')[part])))
  const rows = await reader.rows(factsAfter(app.journal.kinds), [userIds, positions])
  return new Map(rows.map(({ userId, position, count }) => [`${userId}:${position}` as const, count]))
})
