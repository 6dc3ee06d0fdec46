// The client library follows: through lost sockets, killed nodes, RESET, silence, and apps that fail or are slow.

import { beforeAll, expect, test } from 'vitest'
import WebSocket from 'ws'
import { LogOut, Snapshot } from '../support/documents.ts'
import { type Node, openNode } from '../support/node.ts'
import { openWire } from '../support/wire.ts'
import { App, pair, sessionOf, withoutGateway } from './app.ts'

let node: Node
beforeAll(async () => {
  node = await openNode({ PARLEY_TICK_INTERVAL_MS: '200' })
})

test('D3 D4 it begins with a snapshot, is live, and brings what happens', async () => {
  const { alice, bob, id } = await pair(node)
  const app = await new App({ url: node.url, session: sessionOf(bob) }).follow().live()
  await alice.send(id, 'hello')
  await app.text('hello')
  expect(app.resets).toEqual([null])
  expect(app.statuses).toEqual(['CONNECTING', 'CATCHING_UP', 'LIVE'])
  expect(app.seen[0]).toMatchObject({ __typename: 'SyncStarted', mode: 'RESUMED' })
})

test('D3 it resumes where it was when its socket is cut: nothing missed, nothing twice', async () => {
  const { alice, bob, id } = await pair(node)
  const wire = await openWire(node.url)
  const app = await new App({ url: `${wire.url}`, session: sessionOf(bob) }).follow().live()
  const expected: string[] = []
  for (let i = 0; i < 5; i += 1) {
    for (let k = 0; k < 20; k += 1) {
      if (k === 10) wire.cut()
      expected.push(`message ${i}.${k}`)
      await alice.send(id, `message ${i}.${k}`)
    }
    wire.mend()
    await app.text(`message ${i}.19`)
  }
  expect(app.texts).toEqual(expected)
  expect(app.statuses).toContain('WAITING')
  await app.live()
})

test('D3 told RESET, it reads a snapshot and goes on from there', async () => {
  const { alice, bob, id } = await pair(node)
  const other = await openNode()
  const stranger = await pair(other)
  const app = new App({ url: node.url, session: sessionOf(bob) })
  app.cursor = (await stranger.alice.send(stranger.id, 'elsewhere')).cursor
  await app.follow().live()
  expect(app.resets).toEqual(['OTHER_EPOCH'])
  await alice.send(id, 'hello')
  await app.text('hello')
  expect(app.seen.filter((event) => event.__typename === 'SyncStarted')).toMatchObject([{ mode: 'RESUMED' }])
})

/** A socket over which every stream begins with RESET. */
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

test('told RESET again and again, it reads snapshots with pauses between them that grow', async () => {
  const { bob } = await pair(node)
  const app = new App({
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

test('D8 a stream that says nothing is dead: it is left, and resumed', async () => {
  const { alice, bob, id } = await pair(node)
  const wire = await openWire(node.url)
  const app = await new App({
    url: wire.url,
    session: sessionOf(bob),
    limits: { silenceMs: 1_000, connectMs: 500, requestMs: 500 },
  })
    .follow()
    .live()
  wire.freeze()
  await alice.send(id, 'into the silence')
  await app.until('the silence to be noticed', () => app.statuses.includes('WAITING'))
  expect(app.texts).toEqual([])
  wire.mend()
  await app.text('into the silence')
  await app.live()
  expect(app.texts).toEqual(['into the silence'])
})

test('D3 an event that the app could not deal with comes again, and those after it wait', async () => {
  const { alice, bob, id } = await pair(node)
  let failures = 2
  const app = await new App({ url: node.url, session: sessionOf(bob) })
    .follow((event) => {
      if (event.__typename !== 'MessageSent' || event.message.text !== 'second' || failures === 0) return
      failures -= 1
      throw new Error('the disk is full')
    })
    .live()
  for (const text of ['first', 'second', 'third']) await alice.send(id, text)
  await app.text('third')
  expect(app.texts).toEqual(['first', 'second', 'third'])
  expect(app.troubles).toEqual(['NO_ANSWER the disk is full', 'NO_ANSWER the disk is full'])
})

/** A socket over which events whose text is `poison` come as an error, for as long as `isIll` says so. */
function illSocket(isIll: () => boolean) {
  const errors = [{ message: 'A fault', extensions: { code: 'INTERNAL', retryable: false } }]
  return class extends WebSocket {
    constructor(url: string, protocols: string) {
      super(url, protocols)
      let give: (event: { data: string }) => void = () => undefined
      this.addEventListener('message', ({ data }) => {
        const text = String(data)
        const message = JSON.parse(text) as { id: string; type: string }
        const isPoison = isIll() && text.includes('"text":"poison"')
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

test('D3 an event that comes as an error was not brought: it is asked for again, and passed over by a snapshot if it stays so', async () => {
  const { alice, bob, id } = await pair(node)
  const app = await new App({ url: node.url, session: sessionOf(bob), webSocketImpl: illSocket(() => true) }).follow().live()
  for (const text of ['before', 'poison', 'after']) await alice.send(id, text)
  await app.until('a snapshot', () => app.resets.length === 2)
  expect(app.resets).toEqual([null, 'INTERNAL'])
  expect(app.troubles).toEqual(Array(3).fill('INTERNAL A fault'))
  await app.live()
  await alice.send(id, 'well again')
  await app.text('well again')
  expect(app.texts).toEqual(['before', 'well again'])

  let isIll = true
  const passing = await new App({ url: node.url, session: sessionOf(bob), webSocketImpl: illSocket(() => isIll) }).follow().live()
  for (const text of ['before', 'poison', 'after']) await alice.send(id, text)
  await passing.until('the fault', () => passing.troubles.length > 0)
  isIll = false
  await passing.text('after')
  expect(passing.texts).toEqual(['before', 'poison', 'after'])
  expect(passing.resets).toEqual([null])
})

test('D7 an app that is slow is brought everything once, and holds no more than a bounded number of events', async () => {
  const { alice, bob, id } = await pair(node)
  let open: () => void = () => undefined
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  const app = await new App({ url: node.url, session: sessionOf(bob) }).follow().live()
  app.following?.stop()
  const slow = new App({ url: node.url, session: sessionOf(bob) })
  slow.cursor = app.cursor
  slow.follow(() => gate)
  for (let i = 0; i < 2_200; i += 100) await Promise.all(Array.from({ length: 100 }, (_, k) => alice.send(id, `${i + k}`)))
  await slow.until('the stream to be left', () => slow.client.state.status === 'OFF')
  open()
  await slow.until('all of it', () => slow.texts.length >= 2_200)
  await slow.live()
  expect(new Set(slow.texts).size).toBe(2_200)
  expect(slow.texts).toHaveLength(2_200)
})

test('what cannot be mended ends it: a document that is not valid, a session that is ended', async () => {
  const { bob } = await pair(node)
  const app = new App({ url: node.url, session: sessionOf(bob) })
  const wrong = app.client.follow('subscription { events { cursor nothing } }', {
    after: null,
    onEvent: () => undefined,
    snapshot: async () => (await bob.run(Snapshot, {})).syncCursor,
  })
  expect(await wrong.ended).toMatchObject({ code: 'OPERATION_REFUSED', isRetryable: false })
  await app.follow().live()
  await bob.run(LogOut, {})
  expect(await app.following?.ended).toMatchObject({ code: 'SESSION_REVOKED' })
  expect(app.client.state).toEqual({ status: 'SIGNED_OUT', code: 'SESSION_REVOKED' })
  expect(await app.follow().following?.ended).toMatchObject({ code: 'SESSION_REVOKED' })
})

test('after close() nothing is left: no socket at the node, no timer, no request', async () => {
  const { alice, bob, id } = await pair(node)
  const wire = await openWire(node.url)
  const app = await new App({
    url: wire.url,
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
  await app.until('the wire to be empty', () => wire.count() === 0)
  await alice.send(id, 'to nobody')
  expect(app.texts).toEqual([])
  expect(app.client.state).toEqual({ status: 'CLOSED' })
  expect(await app.following?.ended).toBeNull()
  await expect(app.client.request('{ syncCursor }', {})).rejects.toMatchObject({ code: 'NO_ANSWER' })
  expect(wire.count()).toBe(0)
})
