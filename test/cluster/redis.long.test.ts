// What two nodes exchange over Redis, and what happens if some of it is missing.

import { Redis } from 'ioredis'
import { expect, inject, test, vi } from 'vitest'
import { parseId } from '../../src/id.ts'
import { input, sendBatch } from '../journal/setup.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { closeAtEnd, connect, openPair } from '../support/node.ts'

async function openWorld() {
  const [here, there] = await openPair({ PARLEY_FOLLOW: 'full' })
  const [alice, bob] = (await signUpAll(here, 'Alice', 'Bob')) as [Device, Device]
  bob.node = there
  const id = await alice.direct(bob)
  const stream = await bob.events().live()
  const sql = await connect(here.databaseUrl)
  const topic = here.app.journal.topic('facts')
  const published: { text: string; at: number }[] = []
  const listener = new Redis(inject('redisUrl'))
  closeAtEnd(async () => listener.disconnect())
  listener.on('message', (_topic, text) => published.push({ text, at: performance.now() }))
  await listener.subscribe(topic)
  return { there, alice, bob, id, stream, sql, published }
}

test('B10 topics carry the epoch, and a long text does not travel: the node that shows it reads it', async () => {
  const { alice, id, stream, published } = await openWorld()
  const long = 'a long text '.repeat(600)
  await alice.send(id, 'a short text')
  await alice.send(id, long)
  await stream.text(long)
  expect(stream.texts).toEqual(['a short text', long])
  const batches = published.map(({ text }) => text)
  expect(batches.join()).toContain('a short text')
  expect(batches.join()).not.toContain('a long text')
  for (const batch of batches) expect(batch.length).toBeLessThan(1_000)
})

test('C2 a gap is read from Postgres after 20 ms, one look at a time', async () => {
  const { there, alice, id, stream, sql, published } = await openWorld()
  const [conversation, sender] = [parseId('Conversation', id, ''), parseId('User', alice.userId, '')]
  const looks: { at: number; underWay: number }[] = []
  let underWay = 0
  const { journalPool } = there.app.store
  const original = journalPool.query.bind(journalPool) as (query: { name?: string }) => Promise<unknown>
  const watched = async (query: { name?: string }) => {
    if (query.name !== 'journal_facts_after') return original(query)
    underWay += 1
    looks.push({ at: performance.now(), underWay })
    return original(query).finally(() => {
      underWay -= 1
    })
  }
  const spy = vi.spyOn(journalPool, 'query').mockImplementation(watched as never)
  for (let round = 0; round < 20; round += 1) {
    // Nothing announces the first one, so the second leaves a gap.
    await sendBatch(sql, [input(conversation, sender, `unheard ${round}`)])
    await alice.send(id, `heard ${round}`)
    await stream.text(`heard ${round}`)
  }
  spy.mockRestore()
  expect(stream.texts).toEqual(Array.from({ length: 20 }, (_, i) => [`unheard ${i}`, `heard ${i}`]).flat())
  expect(Math.max(...looks.map((look) => look.underWay))).toBe(1)
  // From the batch with the gap to the look: nearer to 20 ms than to the regular 250.
  const waits = published.map(({ at }) => (looks.find((look) => look.at > at)?.at ?? Number.POSITIVE_INFINITY) - at)
  const median = waits.toSorted((a, b) => a - b)[waits.length >> 1]
  expect(median).toBeGreaterThan(10)
  expect(median).toBeLessThan(100)
})
