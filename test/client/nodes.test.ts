// The client library and the nodes: it asks the gateway for one, survives its end, and reports whether the user is active.

import { beforeAll, expect, test } from 'vitest'
import WebSocket from 'ws'
import { type Node, openNode, openPair } from '../support/node.ts'
import { openProxy } from '../support/proxy.ts'
import { pair, sessionOf, TestApp } from './app.ts'

let node: Node
beforeAll(async () => {
  node = await openNode()
})

const toSocket = (url: string) => url.replace(/^http/, 'ws')
const gatewayOf = (url: string, ...fallbacks: string[]) => ({
  node: { url: toSocket(url) },
  fallbacks: fallbacks.map((each) => ({ url: toSocket(each) })),
})

test('D3 D9 continues on another node when its own is gone', async () => {
  const [one, two] = await openPair()
  const { alice, bob, id } = await pair(two)
  const proxy = await openProxy(one.url)
  let isThere = true
  const app = new TestApp({
    url: proxy.url,
    session: sessionOf(bob),
    fetch: async (url, init) => {
      const asked = (JSON.parse(String(init?.body)) as { query: string }).query
      if (asked.includes('gateway'))
        return Response.json({ data: { gateway: gatewayOf(isThere ? proxy.url : two.url, two.url) } })
      return fetch(isThere ? url : two.url, init)
    },
  })
  await app.follow().live()
  expect(proxy.count()).toBeGreaterThan(0)
  await alice.send(id, 'before')
  await app.text('before')
  isThere = false
  proxy.cut()
  await alice.send(id, 'while it was away')
  await app.text('while it was away')
  expect(app.texts).toEqual(['before', 'while it was away'])
  expect(app.resets).toEqual([null])
})

test('D3 D9 continues on another node after 1012, even if the gateway still names the first', async () => {
  const [one, two] = await openPair()
  const { alice, bob, id } = await pair(two)
  const opened: string[] = []
  const app = new TestApp({
    url: two.url,
    session: sessionOf(bob),
    webSocketImpl: class extends WebSocket {
      constructor(url: string, protocols: string) {
        super(url, protocols)
        opened.push(url)
      }
    },
    fetch: async (url, init) =>
      String(init?.body).includes('gateway')
        ? Response.json({ data: { gateway: gatewayOf(one.url, two.url) } })
        : fetch(url, init),
  })
  await app.follow().live()
  await one.close()
  await alice.send(id, 'hello')
  await app.text('hello')
  expect(opened).toEqual([one.socketUrl, two.socketUrl])
  expect(app.resets).toEqual([null])
})

test('D9 tries the fallbacks if the node that the gateway names does not answer', async () => {
  const { alice, bob, id } = await pair(node)
  const dead = 'http://127.0.0.1:9/graphql'
  const app = new TestApp({
    url: node.url,
    session: sessionOf(bob),
    fetch: async (url, init) =>
      String(init?.body).includes('gateway') ? Response.json({ data: { gateway: gatewayOf(dead, node.url) } }) : fetch(url, init),
  })
  await app.follow().live()
  await alice.send(id, 'hello')
  await app.text('hello')
  expect(app.statuses.slice(0, 3)).toEqual(['CONNECTING', 'WAITING', 'CONNECTING'])
})

test('P1 reports whether the user is active: with each socket, at every change, and at most once a minute meanwhile', async () => {
  const { bob } = await pair(node)
  const said: unknown[] = []
  const app = new TestApp({
    url: node.url,
    session: sessionOf(bob),
    webSocketImpl: class extends WebSocket {
      override send(data: string) {
        const { type, payload } = JSON.parse(data) as {
          type: string
          payload?: { query?: string; idle?: unknown; variables?: unknown }
        }
        if (type === 'connection_init') said.push(payload?.idle)
        if (payload?.query?.includes('heartbeat')) said.push(payload.variables)
        super.send(data)
      }
    },
  })
  app.client.setIdle(true)
  await app.follow().live()
  for (const isIdle of [true, false, false, false, true, true, false]) app.client.setIdle(isIdle)
  await app.until('all to be said', () => said.length >= 4)
  expect(said).toEqual([true, ...[false, true, false].map((idle) => ({ input: { idle } }))])
  expect(app.client.state.status).toBe('LIVE')
})
