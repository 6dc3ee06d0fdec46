// Readers that are slow, behind, or gone: their cost is bounded, and they lose nothing.

import { randomUUID } from 'node:crypto'
import { connect as connectTcp } from 'node:net'
import { print } from 'graphql'
import { describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { type Device, signUpAll } from '../support/device.ts'
import { Events } from '../support/documents.ts'
import type { EventLog } from '../support/event-log.ts'
import { closeAtEnd, connect, type Node, openNode } from '../support/node.ts'
import { until } from '../support/until.ts'

/** A node with two users in a direct conversation; one of them follows it. */
async function scene(environment: Record<string, string> = {}) {
  const node = await openNode({ PARLEY_LOG_LEVEL: 'silent', ...environment })
  const [ann, ben] = (await signUpAll(node, 'Ann', 'Ben')) as [Device, Device]
  const id = await ann.direct(ben)
  const first = await ben.events().live()
  const { cursor } = first
  first.stop()
  await until('the stream to be gone', () => node.app.journal.streamCount() === 0)
  return { node, ann, ben, id, cursor }
}

/** Sends many long texts (three bytes a character), each with its number in front. */
async function sendMany(device: Device, id: string, from: number, to: number, length = 9_500): Promise<void> {
  for (let next = from; next < to; next += 50) {
    const numbers = Array.from({ length: Math.min(50, to - next) }, (_, i) => next + i)
    await Promise.all(numbers.map((number) => device.send(id, `${number} ${'안'.repeat(length)}`, randomUUID())))
  }
}

/** Waits until a stream with megabytes to catch up is live. */
async function caughtUp(log: EventLog): Promise<EventLog> {
  await until('all that was missed', () => log.seen.some((event) => event.__typename === 'CaughtUp'), 40_000)
  return log
}

const numbersIn = (texts: readonly string[]) => texts.map((text) => Number.parseInt(text, 10))
const inOrder = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b)
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i)

/** A WebSocket that subscribes to events, and stops reading on command. */
async function openReader(node: Node, device: Device, after: string) {
  const socket = new WebSocket(node.socketUrl, 'graphql-transport-ws')
  closeAtEnd(async () => socket.terminate())
  const texts: string[] = []
  let cursor = after
  let closed: number | null = null
  socket.on('error', () => undefined)
  socket.on('close', (code) => {
    closed = code
  })
  socket.on('message', (data) => {
    const { type, payload } = JSON.parse(String(data))
    const event = payload?.data?.events
    if (type === 'connection_ack') {
      socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: print(Events), variables: { after } } }))
    }
    if (!event) return
    cursor = event.cursor
    if (event.message) texts.push(event.message.text)
  })
  await new Promise((resolve) => socket.once('open', resolve))
  socket.send(JSON.stringify({ type: 'connection_init', payload: { accessToken: device.accessToken } }))
  return { socket, texts, cursor: () => cursor, closed: () => closed }
}

/** Requests an event stream over HTTP by hand, and never reads it. */
function openDeafStream(node: Node, device: Device, after: string) {
  const body = JSON.stringify({ query: print(Events), variables: { after } })
  const { hostname, port } = new URL(node.url)
  const socket = connectTcp({ host: hostname, port: Number(port) })
  let isCut = false
  socket.on('error', () => undefined)
  socket.on('close', () => {
    isCut = true
  })
  closeAtEnd(async () => socket.destroy())
  socket.pause()
  socket.write(
    `POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAccept: text/event-stream\r\nAuthorization: Bearer ${device.accessToken}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
  return { isCut: () => isCut }
}

describe('D7 a reader that takes nothing', () => {
  test('on a WebSocket is closed past the limits, its stream is freed, and it resumes without a loss', async () => {
    const { node, ann, ben, id, cursor } = await scene({ PARLEY_STREAM_BACKLOG_FACTS_MAX: '50' })
    const slow = await openReader(node, ben, cursor)
    await until('the stream', () => node.app.journal.streamCount() === 1)
    slow.socket.pause()
    await sendMany(ann, id, 0, 600)
    await until('the end of the stream', () => node.app.journal.streamCount() === 0)
    slow.socket.resume()
    await until('the close', () => slow.closed() !== null)
    expect(slow.texts.length).toBeLessThan(600)
    const resumed = await caughtUp(ben.events({ after: slow.cursor() }))
    expect(inOrder(numbersIn([...slow.texts, ...resumed.texts]))).toEqual(upTo(600))
  }, 120_000)

  test('on an event stream over HTTP is noticed and cut, its stream is freed, and it resumes without a loss', async () => {
    const { node, ann, ben, id, cursor } = await scene({ PARLEY_STREAM_BACKLOG_FACTS_MAX: '50' })
    const deaf = openDeafStream(node, ben, cursor)
    await until('the stream', () => node.app.journal.streamCount() === 1)
    await sendMany(ann, id, 0, 600)
    await until('the end of the stream', () => node.app.journal.streamCount() === 0, 20_000)
    expect(deaf.isCut()).toBe(false) // it does not even read that
    const resumed = await caughtUp(ben.events({ after: cursor }))
    expect(inOrder(numbersIn(resumed.texts))).toEqual(upTo(600))
  }, 120_000)

  test('on any connection is cut after 20 s, also within the limits', async () => {
    const { node, ann, ben, id, cursor } = await scene({
      PARLEY_STREAM_BACKLOG_FACTS_MAX: '10000',
      PARLEY_STREAM_BACKLOG_BYTES_MAX: '1000000000',
    })
    await sendMany(ann, id, 0, 600)
    openDeafStream(node, ben, cursor)
    await until('the stream', () => node.app.journal.streamCount() === 1)
    await until('the end of the stream', () => node.app.journal.streamCount() === 0, 28_000)
  }, 120_000)
})

test('D7 a reader that is far behind but reads is not closed, however many events arrive meanwhile', async () => {
  const { node, ann, ben, id, cursor } = await scene({
    PARLEY_WINDOW_FACTS_MAX: '100',
    PARLEY_STREAM_BACKLOG_FACTS_MAX: '10',
    PARLEY_STREAM_BACKLOG_BYTES_MAX: '10000',
  })
  await sendMany(ann, id, 0, 600, 100)
  const reader = await openReader(node, ben, cursor)
  await sendMany(ann, id, 600, 1_200, 100)
  await until('all of it', () => reader.texts.length === 1_200, 20_000)
  expect(reader.closed()).toBeNull()
  expect(inOrder(numbersIn(reader.texts))).toEqual(upTo(1_200))
}, 120_000)

test('D8 a stream that waits for a replay from Postgres ticks, and then delivers everything', async () => {
  const { node, ann, ben, id, cursor } = await scene({ PARLEY_WINDOW_FACTS_MAX: '100', PARLEY_TICK_INTERVAL_MS: '200' })
  await sendMany(ann, id, 0, 300, 10)
  const live = await ben.events().live() // the node knows the user's audience from here on
  const sql = await connect(node.databaseUrl)
  await sql.query('set idle_in_transaction_session_timeout = 0')
  await sql.query('begin; lock table audience in access exclusive mode')
  const log = ben.events({ after: cursor })
  await log.until('three ticks', ({ seen }) => seen.filter((event) => event.__typename === 'Tick').length >= 3)
  expect(log.seen.filter((event) => event.__typename === 'Tick').map((tick) => tick.cursor)).toContain(cursor)
  await sql.query('rollback')
  await log.live()
  expect(inOrder(numbersIn(log.texts))).toEqual(upTo(300))
  expect(live.ended).toBeNull()
})

test('D7 an event stream whose client leaves while it is being opened is closed', async () => {
  const { node, ben, cursor } = await scene()
  const client = await connect(node.databaseUrl)
  await client.query('set idle_in_transaction_session_timeout = 0')
  await client.query('begin; lock table audience in access exclusive mode')
  const gone = new AbortController()
  const asked = fetch(node.url, {
    method: 'POST',
    signal: gone.signal,
    headers: { 'content-type': 'application/json', accept: 'text/event-stream', authorization: `Bearer ${ben.accessToken}` },
    body: JSON.stringify({ query: print(Events), variables: { after: cursor } }),
  }).catch(() => null)
  const waits = `select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%audience%' and pid <> pg_backend_pid()`
  await until('the stream to be on its way', async () => ((await client.query(waits)).rowCount ?? 0) > 0)
  gone.abort()
  await asked
  await client.query('commit')
  const later = await ben.events().live() // whatever was under way has arrived
  later.stop()
  await until('no stream to be left', () => node.app.journal.streamCount() === 0)
})
