// Loads the audience intervals of connecting users in batches: after a node dies, all of its users reconnect at once.

import type { Store } from '../store/store.ts'
import { Coalescer } from './coalescer.ts'
import { type AudienceRow, readAudience } from './tables.ts'

const usersAtOnce = 500
/** Who comes alone does not wait; who comes right behind somebody waits for so long. */
const coalesceMs = 20

/** Coalesces look-ups, by user, under one key: while one statement is under way the next users wait for the one after it. */
export function coalesceAudiences(store: Store): Coalescer<number, readonly AudienceRow[]> {
  return new Coalescer(coalesceMs, async (_key, userIds: readonly number[]) => {
    const found = new Map<number, AudienceRow[]>(userIds.map((userId) => [userId, []]))
    const distinct = [...found.keys()]
    for (let from = 0; from < distinct.length; from += usersAtOnce) {
      for (const row of await readAudience(store.reader, distinct.slice(from, from + usersAtOnce)))
        found.get(row.userId)?.push(row)
    }
    await store.flush() // they are kept for as long as a stream is open, and say what may be heard
    return userIds.map((userId) => found.get(userId) ?? [])
  })
}
