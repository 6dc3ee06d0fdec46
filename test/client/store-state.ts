// What a store shows, and whether it is what a new one reads.

import { isDeepStrictEqual } from 'node:util'
import { expect } from 'vitest'
import type { ParleyStore } from '../../client/src/react.ts'

/** What a store shows, with the messages of all its conversations. */
export function shown(store: ParleyStore) {
  const conversations = store.list.map((id) => {
    const list = store.messages(id)
    return {
      ...store.conversation(id),
      messages: list.messages.slice(-20),
      read: Object.fromEntries([...store.readMarkers(id)].sort()),
    }
  })
  // Events have the names of types, answers do not.
  const plain = JSON.stringify({ viewer: store.viewer, totals: store.totals, conversations }, (key, value) =>
    key === '__typename' ? undefined : value,
  )
  return JSON.parse(plain)
}

/** Shows every conversation of a store. */
export const watchAll = (store: ParleyStore) => {
  for (const id of store.list) store.watch(id)
}

/** Compares a store with a new one, until they are equal. */
export async function expectFresh(store: ParleyStore, openFresh: () => Promise<ParleyStore>): Promise<void> {
  const fresh = await openFresh()
  const both = () => {
    watchAll(fresh)
    watchAll(store)
    return [shown(store), shown(fresh)] as const
  }
  for (const deadline = Date.now() + 8_000; Date.now() < deadline; ) {
    const [kept, read] = both()
    const isLoaded = [store, fresh].every((each) => each.list.every((id) => !each.messages(id).isLoading))
    if (isLoaded && isDeepStrictEqual(kept, read)) break
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const [kept, read] = both()
  expect(kept).toEqual(read)
  await fresh.client.close()
}
