// The client library sends: in order, once, over lost answers, dead nodes and restarts; what is refused is given back.

import { setTimeout as delay } from 'node:timers/promises'
import { beforeAll, expect, test } from 'vitest'
import { backOffMs, memoryOutbox, type OutboxStorage } from '../../src/client/client.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { AddMembers, Snapshot } from '../support/documents.ts'
import { type Node, openNode } from '../support/node.ts'
import { until } from '../support/until.ts'
import { openWire } from '../support/wire.ts'
import { App } from './app.ts'

let node: Node
beforeAll(async () => {
  node = await openNode()
})

let round = 0
async function pair(): Promise<{ alice: Device; bob: Device; id: string }> {
  round += 1
  const [alice, bob] = (await signUpAll(node, `alice-${round}`, `bob-${round}`)) as [Device, Device]
  return { alice, bob, id: await alice.direct(bob) }
}
const sessionOf = (device: Device) => () => device.accessToken

/** What a conversation holds, in order. */
async function stored(device: Device): Promise<string[]> {
  const { conversations } = await device.run(Snapshot, {})
  return (conversations.nodes ?? []).flatMap((each) => (each?.messages.nodes ?? []).map((message) => message?.text ?? ''))
}

const texts = (count: number) => Array.from({ length: count }, (_, i) => `text ${i}`)
const isSend = (init: RequestInit | undefined) => String(init?.body).includes('sendMessage')

test('D2 answers that are lost cost nothing: every message is there once, in order, with the key that it was given', async () => {
  const { alice, bob, id } = await pair()
  let asked = 0
  const keys = new Map<string, Set<string>>()
  const app = new App({
    url: node.url,
    session: sessionOf(alice),
    fetch: async (url, init) => {
      const response = await fetch(url, init)
      if (!isSend(init)) return response
      const { input } = (JSON.parse(String(init?.body)) as { variables: { input: { text: string; clientMessageId: string } } })
        .variables
      keys.set(input.text, (keys.get(input.text) ?? new Set()).add(input.clientMessageId))
      asked += 1
      if (asked % 3 !== 0) throw new TypeError('the answer was lost')
      return response
    },
  })
  await Promise.all(texts(10).map((text) => app.client.send({ conversationId: id, text })))
  await app.until('all to be sent', () => app.client.outbox.messages.length === 0)
  expect(await stored(bob)).toEqual(texts(10))
  expect(asked).toBe(30)
  expect([...keys.values()].every((used) => used.size === 1)).toBe(true)
})

test('D2 D9 what is written while the node is away waits, in order, and is sent when it is back', async () => {
  const { alice, bob, id } = await pair()
  const wire = await openWire(node.url)
  wire.cut()
  const app = new App({ url: wire.url, session: sessionOf(alice) })
  for (const text of texts(5)) await app.client.send({ conversationId: id, text })
  expect(app.client.outbox.messages.map(({ input }) => input.text)).toEqual(texts(5))
  wire.mend()
  await app.until('all to be sent', () => app.client.outbox.messages.length === 0)
  expect(await stored(bob)).toEqual(texts(5))
})

test('D2 what an app that was ended left in its storage is sent by the next one, once', async () => {
  const { alice, bob, id } = await pair()
  const storage = memoryOutbox()
  const first = new App({
    url: node.url,
    session: sessionOf(alice),
    outbox: storage,
    // Carried out, but nobody hears of it.
    fetch: async (url, init) => {
      await fetch(url, init)
      throw new TypeError('the answer was lost')
    },
  })
  for (const text of texts(3)) await first.client.send({ conversationId: id, text })
  await first.until('an attempt', () => first.client.outbox.messages[0]?.status === 'QUEUED')
  await first.client.close()
  expect(await storage.load()).toHaveLength(3)
  const next = new App({ url: node.url, session: sessionOf(alice), outbox: storage })
  await until('all to be sent', async () => (await storage.load()).length === 0)
  expect(next.client.outbox.messages).toEqual([])
  expect(await stored(bob)).toEqual(texts(3))
})

test('D2 two clients on one storage lose nothing and double nothing', async () => {
  const { alice, bob, id } = await pair()
  const storage = memoryOutbox()
  const slow: typeof fetch = async (url, init) => {
    if (isSend(init)) await delay(Math.random() * 10)
    return fetch(url, init)
  }
  const apps = [1, 2].map(() => new App({ url: node.url, session: sessionOf(alice), outbox: shared(storage), fetch: slow }))
  await Promise.all(
    apps.flatMap((app, i) => texts(10).map((text) => app.client.send({ conversationId: id, text: `${i} ${text}` }))),
  )
  for (const app of apps) await app.until('all to be sent', () => app.client.outbox.messages.length === 0)
  const there = await stored(bob)
  expect(there).toHaveLength(20)
  expect([...there].sort()).toEqual([0, 1].flatMap((i) => texts(10).map((text) => `${i} ${text}`)).sort())
})

/** A storage that another client closes, too. */
const shared = (storage: OutboxStorage): OutboxStorage => ({ ...storage, close: async () => undefined })

test('D2 what is added while the storage is read is not taken for sent by another tab', async () => {
  const { alice, bob, id } = await pair()
  const storage = memoryOutbox()
  let read: () => void = () => undefined
  const isRead = new Promise<void>((resolve) => {
    read = resolve
  })
  const slow: OutboxStorage = {
    ...storage,
    async load() {
      const there = await storage.load()
      await isRead
      return there
    },
  }
  const app = new App({ url: node.url, session: sessionOf(alice), outbox: slow })
  const { clientMessageId } = await app.client.send({ conversationId: id, text: 'meanwhile' })
  const settled = app.client.outbox.settled(clientMessageId)
  read()
  expect(await settled).toMatchObject({ status: 'SENT', sent: { seq: 1 } })
  expect(await stored(bob)).toEqual(['meanwhile'])
})

test('a message that is refused is given back with the code; it can be discarded, or sent again with its key', async () => {
  const { alice, bob, id } = await pair()
  const [stranger] = (await signUpAll(node, `stranger-${round}`)) as [Device]
  const app = new App({ url: node.url, session: sessionOf(stranger) })
  const refused = await app.sent(id, 'let me in')
  expect(refused).toMatchObject({ status: 'FAILED', failure: { code: 'NOT_FOUND' } })
  expect(app.client.outbox.messages).toEqual([refused])
  await app.client.outbox.retry(refused.clientMessageId)
  expect(await app.client.outbox.settled(refused.clientMessageId)).toMatchObject({ status: 'FAILED' })
  await app.client.outbox.discard(refused.clientMessageId)
  expect(app.client.outbox.messages).toEqual([])

  const group = await alice.group('Open', bob)
  const late = await app.sent(group, 'am I in?')
  expect(late.status).toBe('FAILED')
  await alice.run(AddMembers, { input: { conversationId: group, userIds: [stranger.userId] } })
  await app.client.outbox.retry(late.clientMessageId)
  expect(await app.client.outbox.settled(late.clientMessageId)).toMatchObject({ status: 'SENT', sent: { seq: 1 } })
})

test('D2 an event that is faster than the answer settles the message: it is never there twice', async () => {
  const { alice, id } = await pair()
  let isHeld = true
  const app = new App({
    url: node.url,
    session: sessionOf(alice),
    fetch: async (url, init) => {
      const response = await fetch(url, init)
      while (isSend(init) && isHeld && !init?.signal?.aborted) await delay(5)
      return response
    },
  })
  const pending: string[][] = []
  await app
    .follow((event) => {
      if (event.__typename === 'MessageSent') pending.push(app.client.outbox.messages.map(({ input }) => input.text))
    })
    .live()
  const { clientMessageId } = await app.client.send({ conversationId: id, text: 'mine' })
  await app.text('mine')
  expect(pending).toEqual([[]])
  isHeld = false
  expect(() => app.client.outbox.messages.find((message) => message.clientMessageId === clientMessageId)).not.toThrow()
  expect(app.client.outbox.messages).toEqual([])
})

test('the pauses are drawn over their whole range, which doubles up to a bound', () => {
  const bounds = { firstMs: 500, maxMs: 30_000 }
  for (let attempt = 0; attempt < 12; attempt += 1) {
    const bound = Math.min(30_000, 500 * 2 ** attempt)
    const drawn = Array.from({ length: 2_000 }, () => backOffMs(attempt, bounds))
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...drawn)).toBeLessThan(bound)
    expect(Math.min(...drawn)).toBeLessThan(bound * 0.05)
    expect(Math.max(...drawn)).toBeGreaterThan(bound * 0.95)
  }
  expect(backOffMs(5_000, bounds, () => 1)).toBe(30_000)
})

test('RATE_LIMITED is obeyed: the next attempt is not before retryAfterMs', async () => {
  const { alice, id } = await pair()
  const at: number[] = []
  const app = new App({
    url: node.url,
    session: sessionOf(alice),
    fetch: async (url, init) => {
      if (!isSend(init)) return fetch(url, init)
      at.push(Date.now())
      if (at.length > 1) return fetch(url, init)
      const extensions = { code: 'RATE_LIMITED', retryable: true, retryAfterMs: 700 }
      return Response.json({ errors: [{ message: 'slowly', extensions }] })
    },
  })
  expect(await app.sent(id, 'patient')).toMatchObject({ status: 'SENT' })
  expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThanOrEqual(700)
})
