// Behind the nginx that ships with Parley: what a node refuses does not make it count as gone.

import { expect, test } from 'vitest'
import WebSocket from 'ws'
import { signUpAll } from '../support/device.ts'
import { Viewer } from '../support/documents.ts'
import { openNginx } from '../support/nginx.ts'
import { openPair } from '../support/node.ts'

/** Opens a WebSocket. @returns the status of its refusal; null if it opened */
const open = (url: string) =>
  new Promise<number | null>((resolve) => {
    const socket = new WebSocket(url, 'graphql-transport-ws')
    socket.once('open', () => {
      resolve(null)
      socket.terminate()
    })
    socket.once('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0))
    socket.once('error', () => resolve(0))
  })

test('a storm of handshakes takes no node out of the proxy', async () => {
  const nodes = await openPair({ PARLEY_HANDSHAKES_PER_S_MAX: '2', PARLEY_TRUSTED_PROXIES: '127.0.0.1' })
  const proxy = await openNginx(...nodes)
  const [alice] = await signUpAll(nodes[0], 'Alice')
  const storm = await Promise.all(Array.from({ length: 40 }, () => open(proxy.socketUrl)))
  expect(storm.filter((status) => status === 429).length).toBeGreaterThan(20)
  expect(storm.filter((status) => status !== 429 && status !== null)).toEqual([])
  if (!alice) throw new Error('nobody signed up')
  alice.node = { ...nodes[0], url: proxy.url }
  for (let i = 0; i < 10; i += 1) expect((await alice.run(Viewer, {})).viewer.id).toBe(alice.userId)
})
