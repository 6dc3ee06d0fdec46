// The client library follows: through lost sockets, killed nodes, RESET, silence, and apps that fail or are slow.

import { beforeAll, expect, test } from 'vitest'
import WebSocket from 'ws'
import { followsAll } from '../../client/src/acknowledger.ts'
import { Events, LogOut, Snapshot } from '../support/documents.ts'
import { type Node, openNode } from '../support/node.ts'
import { openProxy } from '../support/proxy.ts'
import { pair, sessionOf, TestApp, withoutGateway } from './app.ts'

let node: Node
beforeAll(async () => {
  node = await openNode({ PARLEY_TICK_INTERVAL_MS: '200' })
})

test('D3 D4 begins with a snapshot, goes live, and delivers events', async () => {
  const { alice, bob, id } = await pair(node)
  const app = await new TestApp({ url: node.url, session: sessionOf(bob) }).follow().live()
  await alice.send(id, 'hello')
  await app.text('hello')
  expect(app.resets).toEqual([null])
  expect(app.statuses).toEqual(['CONNECTING', 'CATCHING_UP', 'LIVE'])
  expect(app.seen[0]).toMatchObject({ __typename: 'SyncStarted', mode: 'RESUMED' })
})

test('D3 resumes from its cursor when its socket is cut: misses nothing, repeats nothing', async () => {
  const { alice, bob, id } = await pair(node)
  const proxy = await openProxy(node.url)
  const app = await new TestApp({ url: `${proxy.url}`, session: sessionOf(bob) }).follow().live()
  const expected: string[] = []
  for (let i = 0; i < 5; i += 1) {
    for (let k = 0; k < 20; k += 1) {
      if (k === 10) proxy.cut()
      expected.push(`message ${i}.${k}`)
      await alice.send(id, `message ${i}.${k}`)
    }
    proxy.restore()
    await app.text(`message ${i}.19`)
  }
  expect(app.texts).toEqual(expected)
  expect(app.statuses).toContain('WAITING')
  await app.live()
})

test('D3 reads a snapshot after RESET and continues from there', async () => {
  const { alice, bob, id } = await pair(node)
  const other = await openNode()
  const stranger = await pair(other)
  const app = new TestApp({ url: node.url, session: sessionOf(bob) })
  app.cursor = (await stranger.alice.send(stranger.id, 'elsewhere')).cursor
  await app.follow().live()
  expect(app.resets).toEqual(['OTHER_EPOCH'])
  await alice.send(id, 'hello')
  await app.text('hello')
  expect(app.seen.filter((event) => event.__typename === 'SyncStarted')).toMatchObject([{ mode: 'RESUMED' }])
})

/** A socket on which every stream begins with RESET. */
class Resetting extends WebSocket {
  constructor(url: string, protocols: string) {
    super(url, protocols)
    let give: (event: { data: string }) => void = () => undefined
    this.addEventListener('message', ({ data }) => give({ data: String(data).replace('"mode":"RESUMED"', '"mode":"RESET"') }))
    Object.defineProperty(this, 'onmessage', {
      set: (listener) => {
        give = listener ?? (() => undefined)
      },
    })
  }
}

test('reads snapshots with growing pauses on repeated RESETs', async () => {
  const { bob } = await pair(node)
  const app = new TestApp({
    url: node.url,
    session: sessionOf(bob),
    webSocketImpl: Resetting,
    limits: { firstMs: 500, maxMs: 60_000 },
  })
  app.follow()
  await app.until('a second snapshot', () => app.resets.length > 1)
  const begun = Date.now()
  await app.until('1.5 s to have gone', () => Date.now() - begun > 1_500)
  expect(app.resets.length).toBeLessThan(15)
})

test('D8 treats a silent stream as dead and resumes', async () => {
  const { alice, bob, id } = await pair(node)
  const proxy = await openProxy(node.url)
  const app = await new TestApp({
    url: proxy.url,
    session: sessionOf(bob),
    limits: { silenceMs: 1_000, connectMs: 500, requestMs: 500 },
  })
    .follow()
    .live()
  proxy.freeze()
  await alice.send(id, 'into the silence')
  await app.until('the silence to be noticed', () => app.statuses.includes('WAITING'))
  expect(app.texts).toEqual([])
  proxy.restore()
  await app.text('into the silence')
  await app.live()
  expect(app.texts).toEqual(['into the silence'])
})

test('D3 delivers an event again that the app failed to process, and holds back later ones', async () => {
  const { alice, bob, id } = await pair(node)
  let failures = 2
  const app = await new TestApp({ url: node.url, session: sessionOf(bob) })
    .follow((event) => {
      if (event.__typename !== 'MessageSent' || event.message.text !== 'second' || failures === 0) return
      failures -= 1
      throw new Error('the disk is full')
    })
    .live()
  for (const text of ['first', 'second', 'third']) await alice.send(id, text)
  await app.text('third')
  expect(app.texts).toEqual(['first', 'second', 'third'])
  expect(app.troubles).toEqual(['APP_FAILED the disk is full', 'APP_FAILED the disk is full'])
})

/** A socket on which events with the text `poison` arrive as errors while `isIll` says so. */
function illSocket(isIll: () => boolean) {
  const errors = [{ message: 'A fault', extensions: { code: 'INTERNAL', retryable: false } }]
  return class extends WebSocket {
    constructor(url: string, protocols: string) {
      super(url, protocols)
      let give: (event: { data: string }) => void = () => undefined
      this.addEventListener('message', ({ data }) => {
        const text = String(data)
        const message = JSON.parse(text) as { id: string; type: string }
        const isPoison = text.includes('"text":"poison"') && isIll()
        give({ data: isPoison ? JSON.stringify({ ...message, payload: { data: null, errors } }) : text })
      })
      Object.defineProperty(this, 'onmessage', {
        set: (listener) => {
          give = listener ?? (() => undefined)
        },
      })
    }
  }
}

test('D3 requests an event with errors again, and moves past it by a snapshot if the errors persist', async () => {
  const { alice, bob, id } = await pair(node)
  const app = await new TestApp({ url: node.url, session: sessionOf(bob), webSocketImpl: illSocket(() => true) }).follow().live()
  for (const text of ['before', 'poison', 'after']) await alice.send(id, text)
  await app.until('a snapshot', () => app.resets.length === 2)
  expect(app.resets).toEqual([null, 'INTERNAL'])
  expect(app.troubles).toEqual(Array(3).fill('INTERNAL A fault'))
  await app.live()
  await alice.send(id, 'well again')
  await app.text('well again')
  expect(app.texts).toEqual(['before', 'well again'])

  let times = 0
  const once = () => ++times === 1
  const passing = await new TestApp({ url: node.url, session: sessionOf(bob), webSocketImpl: illSocket(once) }).follow().live()
  for (const text of ['before', 'poison', 'after']) await alice.send(id, text)
  await passing.text('after')
  expect(passing.troubles).toEqual(['INTERNAL A fault'])
  expect(passing.texts).toEqual(['before', 'poison', 'after'])
  expect(passing.resets).toEqual([null])
})

test('ends on what cannot be repaired: an invalid document, an ended session', async () => {
  const { bob } = await pair(node)
  const app = new TestApp({ url: node.url, session: sessionOf(bob) })
  const wrong = app.client.follow('subscription { events { cursor nothing } }', {
    after: null,
    onEvent: () => undefined,
    snapshot: async () => (await bob.run(Snapshot, {})).syncCursor,
  })
  expect(await wrong.ended).toMatchObject({ code: 'OPERATION_REFUSED', isRetryable: false })
  expect(app.client.state).toMatchObject({ status: 'REFUSED', failure: { code: 'OPERATION_REFUSED' } })
  await app.follow().live()
  await bob.run(LogOut, {})
  expect(await app.following?.ended).toMatchObject({ code: 'SESSION_REVOKED' })
  expect(app.client.state).toEqual({ status: 'SIGNED_OUT', code: 'SESSION_REVOKED' })
  expect(await app.follow().following?.ended).toMatchObject({ code: 'SESSION_REVOKED' })
})

test('ends if the server refuses the document for good, in whichever way, and the state says so', async () => {
  const { alice, bob, id } = await pair(node)
  const app = new TestApp({ url: node.url, session: sessionOf(bob) })
  const members = 'members(first: 100) { nodes { user { id } } }'
  const messages = `messages(last: 100) { nodes { id conversation { ${members} } } }`
  const broad = `subscription ($after: Cursor) { events(after: $after) { cursor ... on SyncStarted { mode }
    ... on MessageSent { conversation { ${messages} } } } }`
  const wrong =
    'subscription ($after: Cursor) { events(after: $after, conversationId: "nothing") { cursor ... on SyncStarted { mode } } }'
  for (const document of [broad, wrong]) {
    let snapshots = 0
    const following = app.client.follow(document, {
      after: null,
      onEvent: () => undefined,
      snapshot: async () => {
        snapshots += 1
        return (await app.client.request(Snapshot, {})).syncCursor
      },
    })
    await app.until('it to go on, or to end', () => following.isLive || app.client.state.status === 'REFUSED')
    await alice.send(id, 'one more')
    const failure = await following.ended
    expect(['OPERATION_REFUSED', 'BAD_INPUT']).toContain(failure?.code)
    expect(app.client.state).toEqual({ status: 'REFUSED', failure })
    expect(snapshots).toBe(1)
  }
  // Nor does it retry a refused snapshot for ever.
  const ended = app.client.follow('subscription { events { cursor } }', {
    after: null,
    onEvent: () => undefined,
    snapshot: () =>
      app.client.request<{ nothing: string }, Record<string, never>>('{ nothing }', {}).then(({ nothing }) => nothing),
  }).ended
  expect(await ended).toMatchObject({ code: 'OPERATION_REFUSED' })
})

test('has the state WAITING, with a time and a cause, while the server is away at the start', async () => {
  const { bob } = await pair(node)
  const proxy = await openProxy(node.url)
  proxy.cut()
  const app = new TestApp({ url: proxy.url, session: sessionOf(bob) }).follow()
  await app.until('WAITING', () => app.client.state.status === 'WAITING')
  expect(app.statuses.slice(0, 2)).toEqual(['CONNECTING', 'WAITING'])
  expect(app.client.state).toMatchObject({ until: expect.any(Date), failure: { code: 'NO_ANSWER' } })
  proxy.restore()
  await app.live()
  app.following?.stop()
  await app.until('OFF', () => app.client.state.status === 'OFF')
})

test("reports what the app's own code throws as such, with the error, wherever it is called", async () => {
  const { bob } = await pair(node)
  const thrown = new RangeError('a bug of the app')
  let hasFailed = false
  const once = (): never | undefined => {
    if (hasFailed) return undefined
    hasFailed = true
    throw thrown
  }
  const failures: unknown[] = []
  const app = new TestApp({ url: node.url, session: sessionOf(bob) })
  const options = { after: null, onTrouble: (failure: unknown) => void failures.push(failure) }
  app.client.follow(Events, {
    ...options,
    onEvent: () => undefined,
    snapshot: async () => once() ?? (await bob.run(Snapshot, {})).syncCursor,
  })
  await app.live()
  expect(failures).toMatchObject([{ code: 'APP_FAILED', message: 'a bug of the app', isRetryable: true, cause: thrown }])
  const source = new TestApp({
    url: node.url,
    session: () => {
      throw thrown
    },
  })
  await expect(source.client.request('{ syncCursor }', {})).rejects.toMatchObject({ code: 'APP_FAILED', cause: thrown })
  source.follow()
  await source.until('WAITING', () => source.client.state.status === 'WAITING')
  expect(source.client.state).toMatchObject({ failure: { code: 'APP_FAILED', cause: thrown } })
})

test('leaves nothing after close(): no socket at the node, no timer, no request', async () => {
  const { alice, bob, id } = await pair(node)
  const proxy = await openProxy(node.url)
  const app = await new TestApp({
    url: proxy.url,
    session: sessionOf(bob),
    fetch: (url, init) =>
      withoutGateway(url, {
        ...init,
        keepalive: false,
        headers: { ...Object.fromEntries(new Headers(init?.headers)), connection: 'close' },
      }),
  })
    .follow()
    .live()
  await app.client.close()
  await app.until('the proxy to be empty', () => proxy.count() === 0)
  await alice.send(id, 'to nobody')
  expect(app.texts).toEqual([])
  expect(app.client.state).toEqual({ status: 'CLOSED' })
  expect(await app.following?.ended).toBeNull()
  await expect(app.client.request('{ syncCursor }', {})).rejects.toMatchObject({ code: 'NO_ANSWER' })
  expect(proxy.count()).toBe(0)
})

test('acknowledges what the app has processed, so that the sender sees it delivered', async () => {
  const { alice, bob, id } = await pair(node)
  const log = await alice.events().live()
  const told = () =>
    log.seen.flatMap((event) => (event.__typename === 'DeliveryMarkersMoved' ? event.markers.map(({ seq }) => seq) : []))
  await alice.send(id, 'before')
  let isStored = true
  const app = new TestApp({ url: node.url, session: sessionOf(bob) }).follow(async ({ __typename }) => {
    if (__typename === 'MessageSent' && !isStored) throw new Error('the disk is full')
  })
  await log.until('what was there already', () => told().at(-1) === 1)
  await app.live()
  for (const text of ['one', 'two']) await alice.send(id, text)
  await log.until('the messages', () => told().at(-1) === 3)
  isStored = false
  await alice.send(id, 'not stored')
  await app.until('a failure', () => app.troubles.length > 1)
  expect(told().at(-1)).toBe(3)
  isStored = true
  await log.until('the last', () => told().at(-1) === 4)
})

test.each([
  ['subscription { events { cursor } }', {}, true],
  ['subscription E($after: Cursor) { events(after: $after) { cursor } }', { after: 'x' }, true],
  ['subscription E($id: ID) { events(conversationId: $id) { cursor } }', { id: null }, true],
  ['subscription E($id: ID) { events(after: null, conversationId: $id) { cursor } }', { id: 'cnv_1' }, false],
  ['subscription { events(conversationId: "cnv_1") { cursor } }', {}, false],
  ['subscription { events(conversationId: null) { cursor } }', {}, true],
])('acknowledges only if it follows all conversations: %s %o', (query, variables, expected) => {
  expect(followsAll(query, variables)).toBe(expected)
})
