// Without Web Locks, a lease in IndexedDB keeps the tabs of a page apart. The database here implements only the calls that it
// needs.

import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { withLock } from '../../client/src/browser.ts'

type Asked = { result: unknown; onsuccess?: () => void }

/** An IndexedDB with one store: transactions run one after another, like writing ones in a browser. */
function database() {
  const rows = new Map<string, unknown>()
  let last = Promise.resolve()
  const store = {
    put: (value: unknown, key: string) => rows.set(key, value),
    delete: (key: string) => rows.delete(key),
  }
  const transaction = () => {
    const asked: [Asked, string][] = []
    const get = (key: string) => {
      const one: Asked = { result: undefined }
      asked.push([one, key])
      return one
    }
    const made: { oncomplete?: () => void; objectStore(): object } = { objectStore: () => ({ ...store, get }) }
    last = last.then(async () => {
      for (const [one, key] of asked) {
        one.result = rows.get(key)
        one.onsuccess?.()
      }
      await delay(1)
      made.oncomplete?.()
    })
    return made
  }
  const open = () => {
    const one: Asked = { result: { transaction, close: () => undefined } }
    queueMicrotask(() => one.onsuccess?.())
    return one
  }
  return { rows, open }
}

let rows: Map<string, unknown>
beforeEach(() => {
  const made = database()
  rows = made.rows
  vi.stubGlobal('navigator', {})
  vi.stubGlobal('indexedDB', { open: made.open })
})
afterEach(() => vi.unstubAllGlobals())

test('tabs without Web Locks take turns for one name, and leave no lease', async () => {
  let working = 0
  let most = 0
  const work = async (result: number) => {
    working += 1
    most = Math.max(most, working)
    await delay(5)
    working -= 1
    return result
  }
  const done = await Promise.all([1, 2, 3, 4].map((each) => withLock('name', 10_000, () => work(each))))
  expect(done).toEqual([1, 2, 3, 4])
  expect(most).toBe(1)
  expect(rows.size).toBe(0)
})

test('the lease of a dead tab lapses; the wait for a live one has a limit and can be aborted', async () => {
  rows.set('name', { owner: 'dead', untilMs: Date.now() + 300 })
  expect(await withLock('name', 10_000, async () => 'done')).toBe('done')
  rows.set('name', { owner: 'alive', untilMs: Date.now() + 15_000 })
  await expect(withLock('name', 200, async () => 'done')).rejects.toMatchObject({ name: 'AbortError' })
  const closing = new AbortController()
  const waiting = withLock('name', 60_000, async () => 'done', closing.signal)
  closing.abort()
  await expect(waiting).rejects.toMatchObject({ name: 'AbortError' })
  expect(rows.get('name')).toMatchObject({ owner: 'alive' })
})
