// How many connections one user has, and how many sockets a node opens in a second (D7).

import { expect, test } from 'vitest'
import WebSocket from 'ws'
import { TestClock } from '../support/clock.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { closeAtEnd, type Node, openNode } from '../support/node.ts'
import { until } from '../support/until.ts'

/** Opens a WebSocket. @returns the status of the refusal, and when to try again; null if it opened */
async function openSocket({ socketUrl }: Node): Promise<{ status: number; retryAfter: string } | null> {
  const socket = new WebSocket(socketUrl, 'graphql-transport-ws')
  closeAtEnd(async () => socket.terminate())
  socket.on('error', () => undefined)
  return new Promise((resolve) => {
    socket.once('open', () => resolve(null))
    socket.once('unexpected-response', (_request, { statusCode, headers }) =>
      resolve({ status: statusCode ?? 0, retryAfter: String(headers['retry-after']) }),
    )
  })
}

/** Connects a device. @returns the code with which the node closed the socket; null once it is acknowledged */
async function connect(device: Device): Promise<{ code: number | null; close(): void }> {
  const socket = new WebSocket(device.node.socketUrl, 'graphql-transport-ws')
  closeAtEnd(async () => socket.terminate())
  socket.on('open', () => socket.send(JSON.stringify({ type: 'connection_init', payload: { accessToken: device.accessToken } })))
  const code = await new Promise<number | null>((resolve) => {
    socket.once('close', resolve)
    socket.once('message', () => setImmediate(resolve, null))
  })
  return { code: socket.readyState === socket.OPEN ? null : code, close: () => socket.close() }
}

test('D7 a user has only so many WebSockets on a node; others are not disturbed, and one that closes makes room', async () => {
  const node = await openNode({ PARLEY_SOCKETS_PER_USER_MAX: '2' })
  const [ann, ben] = (await signUpAll(node, 'Ann', 'Ben')) as [Device, Device]
  const first = await connect(ann)
  const second = await connect(await ann.another())
  expect([first.code, second.code]).toEqual([null, null])
  const late = new WebSocket(node.socketUrl, 'graphql-transport-ws')
  closeAtEnd(async () => late.terminate())
  late.on('open', () => late.send(JSON.stringify({ type: 'connection_init', payload: { accessToken: ann.accessToken } })))
  expect(await new Promise((resolve) => late.once('close', resolve))).toBe(1013)
  const stream = await ben.events().live()
  first.close()
  await until('room', async () => {
    const log = ann.events()
    await log.until('an end or a beginning', ({ seen, ended }) => seen.length > 0 || ended !== null)
    return log.ended === null
  })
  expect(stream.ended).toBeNull()
})

test('D7 a user has only so many event streams on a node, and is told when to try again', async () => {
  const node = await openNode({ PARLEY_EVENT_STREAMS_PER_USER_MAX: '1' })
  const [ann, ben] = (await signUpAll(node, 'Ann', 'Ben')) as [Device, Device]
  const listen = async ({ accessToken }: Device) => {
    const gone = new AbortController()
    closeAtEnd(async () => gone.abort())
    const answer = await fetch(node.url, {
      method: 'POST',
      signal: gone.signal,
      headers: { 'content-type': 'application/json', accept: 'text/event-stream', authorization: `Bearer ${accessToken}` },
      body: JSON.stringify({ query: 'subscription { events { cursor } }' }),
    })
    const reader = answer.body?.getReader()
    let text = ''
    while (!/"cursor"|"errors"/.test(text)) text += Buffer.from((await reader?.read())?.value ?? []).toString()
    return { text, retryAfter: answer.headers.get('retry-after'), gone }
  }
  const first = await listen(ann)
  expect(first.text).toContain('cursor')
  const second = await listen(ann)
  expect(second.text).toContain('"code":"RATE_LIMITED","retryable":true,"retryAfterMs":2000')
  expect(second.retryAfter).toBe('2')
  expect((await listen(ben)).text).toContain('cursor')
  first.gone.abort()
  await until('room', async () => !(await listen(ann)).text.includes('errors'))
})

test('D7 a node opens only so many sockets in a second: the others are told to come back, and get in then', async () => {
  const clock = new TestClock()
  const node = await openNode({ PARLEY_HANDSHAKES_PER_S_MAX: '3' }, clock)
  const results = await Promise.all(Array.from({ length: 5 }, () => openSocket(node)))
  expect(results.filter((refusal) => refusal === null)).toHaveLength(3)
  expect(results.filter((refusal) => refusal !== null)).toEqual(Array(2).fill({ status: 429, retryAfter: '2' }))
  await clock.turn(1_000)
  expect(await Promise.all([openSocket(node), openSocket(node)])).toEqual([null, null])
})
