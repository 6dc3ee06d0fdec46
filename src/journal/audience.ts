// Loads the audience intervals of connecting users in batches: after a node dies, all of its users reconnect at once.

import type { UserId } from '../id.ts'
import type { Store } from '../store/store.ts'
import { Coalescer } from './coalescer.ts'
import { type AudienceRow, readAudience } from './tables.ts'

const usersAtOnce = 500
/** How long users who connect right after another one wait. The first one does not wait. */
const coalesceMs = 20

/** Coalesces look-ups, by user, under one key: while one statement runs, more users gather for the next one. */
export function coalesceAudiences(store: Store): Coalescer<UserId, readonly AudienceRow[]> {
  return new Coalescer(coalesceMs, async (_key, userIds: readonly UserId[]) => {
    const found = new Map<UserId, AudienceRow[]>(userIds.map((userId) => [userId, []]))
    const distinct = [...found.keys()]
    for (let from = 0; from < distinct.length; from += usersAtOnce) {
      for (const row of await readAudience(store.reader, distinct.slice(from, from + usersAtOnce)))
        found.get(row.userId)?.push(row)
    }
    await store.flush() // open streams keep these rows, and decide from them which facts a user may see
    return userIds.map((userId) => found.get(userId) ?? [])
  })
}
