// The client library leaves nothing behind when it is closed in the middle of an operation, and an app that throws disturbs
// only itself.

import { createServer } from 'node:http'
import { createServer as listen } from 'node:net'
import { afterEach, beforeAll, expect, test, vi } from 'vitest'
import WebSocket from 'ws'
import { memoryOutbox } from '../../client/src/client.ts'
import { SetTyping, Typing } from '../support/documents.ts'
import { closeAtEnd, type Node, openNode } from '../support/node.ts'
import { pair, sessionOf, sharedStore, signUp, TestApp } from './app.ts'

let node: Node
beforeAll(async () => {
  node = await openNode({ PARLEY_ACCESS_TOKEN_TTL_S: '3', PARLEY_TICK_INTERVAL_MS: '200' })
})
afterEach(() => vi.unstubAllGlobals())

/** A WebSocket class that counts how many sockets were made and are open. */
function counted() {
  const sockets = { made: 0, open: 0 }
  class Counted extends WebSocket {
    constructor(url: string, protocols: string) {
      super(url, protocols)
      sockets.made += 1
      this.addEventListener('open', () => {
        sockets.open += 1
      })
      this.addEventListener('close', () => {
        sockets.open -= 1
      })
    }
  }
  return { sockets, Counted }
}

/** A promise that others wait for. */
function gate() {
  let open: () => void = () => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

test('a client that is closed while it renews its token opens no other socket', async () => {
  const store = sharedStore(await signUp(node.url, 'closing'))
  const { opened, open } = gate()
  let isSaving = false
  const slow = {
    load: store.load,
    async save(given: typeof store.current) {
      isSaving = true
      await opened
      store.save(given)
    },
  }
  const { sockets, Counted } = counted()
  const app = await new TestApp({ url: node.url, session: slow, webSocketImpl: Counted }).follow().live()
  await app.until('the renewal', () => isSaving)
  await app.client.close()
  await app.until('the socket to be closed', () => sockets.open === 0)
  open()
  await app.until('the token', () => store.saved > 0)
  for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate)
  expect(sockets.made).toBe(1)
})

test('close() gives up a socket that is not open yet, and leaves no connection', async () => {
  const { bob } = await pair(node)
  const known = await new TestApp({ url: node.url, session: sessionOf(bob) }).follow().live()
  let open = 0
  const mute = listen((socket) => {
    open += 1
    socket
      .on('error', () => undefined)
      .on('close', () => {
        open -= 1
      })
    socket.resume()
  })
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
  closeAtEnd(async () => void mute.close())
  const { port } = mute.address() as { port: number }
  const app = new TestApp({ url: `http://127.0.0.1:${port}`, session: sessionOf(bob), limits: { connectMs: 60_000 } })
  app.cursor = known.cursor
  app.follow()
  await app.until('the socket to be tried', () => open > 0)
  await app.client.close()
  await app.until('it to be given up', () => open === 0)
})

test('close() gives up an answer that does not end', async () => {
  const { bob } = await pair(node)
  let isBegun = false
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain' })
    response.write('{"data":')
    isBegun = true
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closeAtEnd(async () => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as { port: number }
  for (const type of ['text/plain', 'application/json']) {
    server.prependListener('request', (_request, response) => response.setHeader('content-type', type))
    isBegun = false
    const app = new TestApp({ url: `http://127.0.0.1:${port}`, session: sessionOf(bob), limits: { requestMs: 60_000 } })
    const asked = app.client.request('{ syncCursor }', {}).catch((failure: unknown) => failure)
    await app.until('the answer to begin', () => isBegun)
    await app.client.close()
    expect(await asked).toMatchObject({ code: 'NO_ANSWER' })
  }
}, 10_000)

test('close() does not wait for another tab that is sending', async () => {
  const { bob } = await pair(node)
  // The locks of a browser in which another tab holds the requested one.
  let asked = 0
  const request = (_name: string, { signal }: { signal: AbortSignal }) =>
    new Promise((_resolve, reject) => {
      asked += 1
      signal.addEventListener('abort', () => reject(signal.reason))
    })
  vi.stubGlobal('navigator', { locks: { request } })
  const app = new TestApp({ url: node.url, session: sessionOf(bob), outbox: { ...memoryOutbox(), name: 'shared' } })
  await app.until('the lock to be asked for', () => asked > 0)
  const begun = Date.now()
  await app.client.close()
  expect(Date.now() - begun).toBeLessThan(2_000)
}, 10_000)

test('an app whose listeners throw is told so, and loses neither its socket nor its events', async () => {
  const { alice, bob, id } = await pair(node)
  const heard: string[] = []
  vi.stubGlobal('reportError', (error: Error) => heard.push(error.message))
  const { sockets, Counted } = counted()
  const app = new TestApp({ url: node.url, session: sessionOf(bob), webSocketImpl: Counted })
  const fail = (what: string) => () => {
    throw new Error(what)
  }
  app.client.onState(fail('state'))
  app.client.outbox.onChange(fail('outbox'))
  const typing: number[] = []
  app.client.subscribe(
    Typing,
    { conversationId: id },
    {
      next: ({ typing: { users } }) => {
        typing.push(users.length)
        throw new Error('typing')
      },
    },
  )
  await app.follow().live()
  await app.until('typing to begin', () => typing.length > 0)
  await alice.run(SetTyping, { input: { conversationId: id, typing: true } })
  await app.until('typing', () => typing.at(-1) === 1)
  expect(await app.sent(id, 'from an app that throws')).toMatchObject({ status: 'SENT' })
  await app.text('from an app that throws')
  expect(sockets.made).toBe(1)
  expect(app.statuses).toEqual(['CONNECTING', 'CATCHING_UP', 'LIVE'])
  await app.client.close()
  expect([...new Set(heard)].sort()).toEqual(['outbox', 'state', 'typing'])
})
