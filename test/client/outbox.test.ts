// The client library sends: in order, once, over lost answers, dead nodes and restarts; and returns refused messages to the
// app.

import { setTimeout as delay } from 'node:timers/promises'
import { beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { backOffMs, memoryOutbox, type OutboxStorage } from '../../client/src/client.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { AddMembers, Events, Snapshot } from '../support/documents.ts'
import { type Node, openNode } from '../support/node.ts'
import { openProxy } from '../support/proxy.ts'
import { until } from '../support/until.ts'
import { TestApp } from './app.ts'

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

/** The texts of a conversation, in order. */
async function stored(device: Device): Promise<string[]> {
  const { conversations } = await device.run(Snapshot, {})
  return (conversations.nodes ?? []).flatMap((each) => (each?.messages.nodes ?? []).map((message) => message?.text ?? ''))
}

const texts = (count: number) => Array.from({ length: count }, (_, i) => `text ${i}`)
const isSend = (init: RequestInit | undefined) => String(init?.body).includes('sendMessage')

test('D2 stores every message once, in order, with its key, although answers get lost', async () => {
  const { alice, bob, id } = await pair()
  let asked = 0
  const keys = new Map<string, Set<string>>()
  const app = new TestApp({
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

test('D2 D9 keeps messages while the node is away, in order, and sends them when it is back', async () => {
  const { alice, bob, id } = await pair()
  const proxy = await openProxy(node.url)
  proxy.cut()
  const app = new TestApp({ url: proxy.url, session: sessionOf(alice) })
  for (const text of texts(5)) await app.client.send({ conversationId: id, text })
  expect(app.client.outbox.messages.map(({ input }) => input.text)).toEqual(texts(5))
  proxy.restore()
  await app.until('all to be sent', () => app.client.outbox.messages.length === 0)
  expect(await stored(bob)).toEqual(texts(5))
})

test('D2 sends once what a closed app left in its storage', async () => {
  const { alice, bob, id } = await pair()
  const storage = memoryOutbox()
  const first = new TestApp({
    url: node.url,
    session: sessionOf(alice),
    outbox: storage,
    // Carried out, but the answer is lost.
    fetch: async (url, init) => {
      await fetch(url, init)
      throw new TypeError('the answer was lost')
    },
  })
  for (const text of texts(3)) await first.client.send({ conversationId: id, text })
  await first.until('an attempt', () => first.client.outbox.messages[0]?.status === 'QUEUED')
  await first.client.close()
  expect(await storage.load()).toHaveLength(3)
  const next = new TestApp({ url: node.url, session: sessionOf(alice), outbox: storage })
  await until('all to be sent', async () => (await storage.load()).length === 0)
  expect(next.client.outbox.messages).toEqual([])
  expect(await stored(bob)).toEqual(texts(3))
})

test('D2 two clients on one storage lose and double nothing', async () => {
  const { alice, bob, id } = await pair()
  const storage = memoryOutbox()
  const slow: typeof fetch = async (url, init) => {
    if (isSend(init)) await delay(Math.random() * 10)
    return fetch(url, init)
  }
  const apps = [1, 2].map(() => new TestApp({ url: node.url, session: sessionOf(alice), outbox: shared(storage), fetch: slow }))
  await Promise.all(
    apps.flatMap((app, i) => texts(10).map((text) => app.client.send({ conversationId: id, text: `${i} ${text}` }))),
  )
  for (const app of apps) await app.until('all to be sent', () => app.client.outbox.messages.length === 0)
  const there = await stored(bob)
  expect(there).toHaveLength(20)
  expect([...there].sort()).toEqual([0, 1].flatMap((i) => texts(10).map((text) => `${i} ${text}`)).sort())
})

/** A storage that another client also closes. */
const shared = (storage: OutboxStorage): OutboxStorage => ({ ...storage, close: async () => undefined })

test('D2 does not take a message added while the storage is read for one sent by another tab', async () => {
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
  const app = new TestApp({ url: node.url, session: sessionOf(alice), outbox: slow })
  const { clientMessageId } = await app.client.send({ conversationId: id, text: 'meanwhile' })
  const settled = app.client.outbox.settled(clientMessageId)
  read()
  expect(await settled).toMatchObject({ status: 'SENT', sent: { seq: 1 } })
  expect(await stored(bob)).toEqual(['meanwhile'])
})

test('returns a refused message with its code; it can be discarded, or sent again with its key', async () => {
  const { alice, bob, id } = await pair()
  const [stranger] = (await signUpAll(node, `stranger-${round}`)) as [Device]
  const app = new TestApp({ url: node.url, session: sessionOf(stranger) })
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

test('D2 an event that arrives before the answer settles the message: it is never shown twice', async () => {
  const { alice, id } = await pair()
  let isHeld = true
  const app = new TestApp({
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

test('D2 a sent message never blinks: it is always shown once, from the outbox or from events', async () => {
  const { alice, id } = await pair()
  const app = new TestApp({ url: node.url, session: sessionOf(alice) })
  const shown: number[] = []
  const look = () => {
    const keys = app.client.outbox.messages.map(({ input }) => input.text)
    shown.push([...app.texts, ...keys].filter((text) => text === 'mine').length)
  }
  app.client.outbox.onChange(look)
  // A slow store: the answer arrives long before the event is shown.
  await app.follow((event) => (event.__typename === 'MessageSent' ? delay(50) : undefined)).live()
  const { clientMessageId } = await app.client.send({ conversationId: id, text: 'mine' })
  const settled = await app.client.outbox.settled(clientMessageId)
  expect(settled.status).toBe('SENT')
  for (; !app.texts.includes('mine'); await delay(1)) look()
  await app.until('it to leave', () => app.client.outbox.messages.length === 0)
  look()
  expect(new Set(shown)).toEqual(new Set([1]))
  expect(await app.client.outbox.settled(clientMessageId)).toMatchObject({ status: 'SENT' })
})

test('D2 with a synchronous store each notification shows a message once, also if events have no key', async () => {
  const { alice, id } = await pair()
  const app = new TestApp({ url: node.url, session: sessionOf(alice) })
  const shown: number[] = []
  const cache: string[] = []
  const look = () => {
    const keys = app.client.outbox.messages.map(({ input }) => input.text)
    if (keys.length + cache.length > 0) shown.push([...cache, ...keys].filter((text) => text === 'mine').length)
  }
  app.client.outbox.onChange(look)
  app.client.follow(Events, {
    after: null,
    snapshot: async () => (await app.client.request(Snapshot, {})).syncCursor,
    onEvent(event) {
      if (event.__typename !== 'MessageSent') return
      cache.push(event.message.text)
      look()
    },
  })
  await app.live()
  await app.sent(id, 'mine')
  await app.until('it to leave', () => cache.length === 1 && app.client.outbox.messages.length === 0)
  look()
  expect(new Set(shown)).toEqual(new Set([1]))

  const other = new TestApp({ url: node.url, session: sessionOf(alice) })
  const brought: string[] = []
  other.client.follow<{ __typename: string; cursor: string }, Record<string, never>>(
    'subscription ($after: Cursor) { events(after: $after) { cursor ... on SyncStarted { mode } } }',
    {
      after: null,
      snapshot: async () => (await other.client.request(Snapshot, {})).syncCursor,
      onEvent: ({ __typename }) => void brought.push(__typename),
    },
  )
  await other.live()
  await other.sent(id, 'without a key')
  await other.until('the event', () => brought.includes('MessageSent'))
  await other.until('it to leave', () => other.client.outbox.messages.length === 0)
})

test('outbox.messages is the same array until it changes', async () => {
  const { alice, id } = await pair()
  const proxy = await openProxy(node.url)
  proxy.cut()
  const app = new TestApp({ url: proxy.url, session: sessionOf(alice) })
  expect(app.client.outbox.messages).toBe(app.client.outbox.messages)
  const seen = new Set<unknown>()
  let changes = 0
  app.client.outbox.onChange(() => {
    changes += 1
    seen.add(app.client.outbox.messages)
  })
  await app.client.send({ conversationId: id, text: 'mine' })
  await app.until('an attempt', () => changes >= 2)
  expect(seen.size).toBe(changes)
  expect(app.client.outbox.messages).toBe(app.client.outbox.messages)
})

test('a message that another tab discarded is DISCARDED here; one that it sent is SENT', async () => {
  const { alice, id } = await pair()
  const storage = memoryOutbox()
  const proxy = await openProxy(node.url)
  proxy.cut()
  let open: () => void = () => undefined
  let gate: Promise<void> | null = null
  let isWaiting = false
  const slow: OutboxStorage = {
    ...shared(storage),
    async load() {
      isWaiting = gate !== null
      await gate
      return storage.load()
    },
  }
  const one = new TestApp({ url: proxy.url, session: sessionOf(alice), outbox: shared(storage) })
  const two = new TestApp({ url: proxy.url, session: sessionOf(alice), outbox: slow })
  const keys: string[] = []
  for (const text of ['to go', 'to stay']) keys.push((await one.client.send({ conversationId: id, text })).clientMessageId)
  await two.client.send({ conversationId: id, text: 'of the other' })
  await two.until('all three', () => two.client.outbox.messages.length === 3)
  const settled = keys.map((key) => two.client.outbox.settled(key))
  gate = new Promise((resolve) => {
    open = resolve
  })
  await two.until('the other to be about to look', () => isWaiting)
  await one.client.outbox.discard(keys[0] as string)
  open()
  proxy.restore()
  expect((await Promise.all(settled)).map(({ status }) => status)).toEqual(['DISCARDED', 'SENT'])
  for (const app of [one, two]) await app.until('the end', () => app.client.outbox.messages.length === 0)
  expect((await stored(alice)).sort()).toEqual(['of the other', 'to stay'])
  const next = new TestApp({ url: node.url, session: sessionOf(alice), outbox: shared(storage) })
  await next.client.request('{ syncCursor }', {})
  expect(next.client.outbox.messages).toEqual([])
})

test('does not send a message that another tab discards while earlier ones are sent', async () => {
  const { alice, id } = await pair()
  const storage = memoryOutbox()
  const other = new TestApp({ url: 'http://127.0.0.1:9/graphql', session: sessionOf(alice), outbox: shared(storage) })
  const keys: string[] = []
  for (const text of texts(3)) keys.push((await other.client.send({ conversationId: id, text })).clientMessageId)
  const tried: string[] = []
  const app = new TestApp({
    url: node.url,
    session: sessionOf(alice),
    outbox: shared(storage),
    fetch: async (url, init) => {
      if (isSend(init)) tried.push(...texts(3).filter((text) => String(init?.body).includes(text)))
      if (isSend(init) && tried.length === 1) await other.client.outbox.discard(keys[1] as string)
      return fetch(url, init)
    },
  })
  await app.until('all to be settled', () => tried.length >= 2 && app.client.outbox.messages.length === 0)
  expect(tried).toEqual(['text 0', 'text 2'])
  expect(await stored(alice)).toEqual(['text 0', 'text 2'])
  await expect(app.client.outbox.settled(keys[1] as string)).resolves.toMatchObject({ status: 'DISCARDED' })
})

test('reports a failing storage as a failure of the app, and sends its messages when it works again', async () => {
  const { alice, bob, id } = await pair()
  const storage = memoryOutbox()
  const fault = new Error('the disk is full')
  let isBroken = true
  const failing = async () => {
    throw fault
  }
  const broken = new Proxy(shared(storage), {
    get: (target, name: keyof OutboxStorage) => (isBroken && name !== 'name' && name !== 'close' ? failing : target[name]),
  })
  const complaints = vi.spyOn(console, 'error').mockImplementation(() => undefined)
  onTestFinished(() => complaints.mockRestore())
  const app = new TestApp({ url: node.url, session: sessionOf(alice), outbox: broken, limits: { firstMs: 10, maxMs: 20 } })
  const told = { name: 'ParleyFailure', code: 'APP_FAILED', message: 'the disk is full', cause: fault }
  await expect(app.client.send({ conversationId: id, text: 'lost' })).rejects.toMatchObject(told)
  await app.until('the complaint', () => complaints.mock.calls.length > 0)
  expect(complaints.mock.calls).toEqual([[fault]])
  isBroken = false
  await app.client.send({ conversationId: id, text: 'kept' })
  await app.until('it to be sent', () => app.client.outbox.messages.length === 0)
  expect(await stored(bob)).toEqual(['kept'])
})

test('settled() ends with the client: it returns the message as it waits', async () => {
  const { alice, id } = await pair()
  const proxy = await openProxy(node.url)
  proxy.cut()
  const app = new TestApp({ url: proxy.url, session: sessionOf(alice) })
  const { clientMessageId } = await app.client.send({ conversationId: id, text: 'later' })
  const settled = app.client.outbox.settled(clientMessageId)
  await app.client.close()
  expect(['QUEUED', 'SENDING']).toContain((await settled).status)
  expect(['QUEUED', 'SENDING']).toContain((await app.client.outbox.settled(clientMessageId)).status)
  await expect(app.client.outbox.settled('of nobody')).rejects.toThrow(RangeError)
})

test('draws pauses over their whole range, which doubles up to a bound', () => {
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

test('obeys RATE_LIMITED: the next attempt is not before retryAfterMs', async () => {
  const { alice, id } = await pair()
  const at: number[] = []
  const app = new TestApp({
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
