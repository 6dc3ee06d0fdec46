// Whom devices hear that connect: read for many of them at once, since after a node has gone they all come at once.

import type { Store } from '../store/store.ts'
import { Gatherer } from './gatherer.ts'
import { type AudienceRow, readAudience } from './tables.ts'

const usersAtOnce = 500
/** Who comes alone does not wait; who comes right behind somebody waits for so long. */
const gatherMs = 20

/** Gathers look-ups, by user, under one key: while one statement is under way the next users gather behind it. */
export function gatherAudiences(store: Store): Gatherer<number, readonly AudienceRow[]> {
  return new Gatherer(gatherMs, async (_key, userIds: readonly number[]) => {
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
