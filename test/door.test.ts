// The door: what comes in malformed, oversized or from elsewhere is answered clearly, harms nobody, and loses nothing.

import { getIntrospectionQuery } from 'graphql'
import { beforeAll, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { type Device, signUpAll } from './support/device.ts'
import { closeAtEnd, type Node, openNode } from './support/node.ts'

let node: Node
let alice: Device
beforeAll(async () => {
  node = await openNode({
    PARLEY_ALLOWED_ORIGINS: 'https://chat.example.com,https://two.example.com',
    PARLEY_SOCKET_SUBSCRIPTIONS_MAX: '5',
  })
  ;[alice] = (await signUpAll(node, 'Alice')) as [Device]
})

type Frame = { type: string; id?: string; payload?: unknown }

/** A bare WebSocket, for what no client library would send. */
async function open(headers: Record<string, string> = {}) {
  const socket = new WebSocket(node.socketUrl, 'graphql-transport-ws', { headers })
  const frames: Frame[] = []
  let wake: () => void = () => undefined
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on('close', (code, reason) => resolve({ code, reason: String(reason) }))
  })
  socket.on('message', (data) => {
    frames.push(JSON.parse(String(data)))
    wake()
  })
  socket.on('error', () => undefined)
  closeAtEnd(async () => socket.terminate())
  await new Promise((resolve, reject) => socket.once('open', resolve).once('unexpected-response', (_r, answer) => reject(answer)))
  const until = async (holds: (frame: Frame) => boolean): Promise<Frame> => {
    for (const deadline = Date.now() + 5_000; Date.now() < deadline; ) {
      const found = frames.find(holds)
      if (found) return found
      await new Promise<void>((resolve) => {
        wake = resolve
        setTimeout(resolve, 100)
      })
    }
    throw new Error(`waited in vain; came: ${JSON.stringify(frames)}`)
  }
  const send = (frame: unknown) => socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame))
  const init = async (payload: unknown = { accessToken: alice.accessToken }) => {
    send({ type: 'connection_init', payload })
    await until((frame) => frame.type === 'connection_ack')
  }
  return { socket, frames, closed, until, send, init }
}

const subscribe = (id: string, query: string) => ({ id, type: 'subscribe', payload: { query } })
const codeIn = (frame: Frame) => {
  const errors = Array.isArray(frame.payload) ? frame.payload : (frame.payload as { errors?: unknown[] })?.errors
  return (errors?.[0] as { extensions?: { code?: string } } | undefined)?.extensions?.code
}

describe('a WebSocket', () => {
  test.each([
    ['no JSON', 'hello', 4400],
    ['JSON that is no message', '{"type":"shout"}', 4400],
    ['a subscribe without a query', '{"id":"1","type":"subscribe","payload":{}}', 4400],
    ['a second connection_init', '{"type":"connection_init"}', 4429],
    ['a frame beyond 64 KiB', JSON.stringify(subscribe('1', `{${'viewer '.repeat(12_000)}}`)), 1009],
  ])('that sends %s is closed with a code that says so', async (_what, frame, code) => {
    const { init, send, closed } = await open()
    await init()
    send(frame)
    expect(await closed).toMatchObject({ code })
  })

  test('that subscribes before it has connected is closed with 4401', async () => {
    const { send, closed } = await open()
    send(subscribe('1', '{ viewer { id } }'))
    expect(await closed).toMatchObject({ code: 4401 })
  })

  test.each([
    ['of another form', { accessToken: 7 }],
    ['in a header of another form', { Authorization: 'Basic abc' }],
    ['that was forged', { accessToken: 'a.b.c' }],
  ])('with a token %s is closed with 4601', async (_what, payload) => {
    const { send, closed } = await open()
    send({ type: 'connection_init', payload })
    expect(await closed).toMatchObject({ code: 4601 })
  })

  test('with its token as GraphiQL sends it, as a header, is let in', async () => {
    const { init, send, until } = await open()
    await init({ Authorization: `Bearer ${alice.accessToken}` })
    send(subscribe('1', '{ viewer { username } }'))
    expect((await until((frame) => frame.type === 'next')).payload).toEqual({ data: { viewer: { username: 'alice' } } })
  })

  test('stays open after documents that do not parse or fit, and after errors of a field', async () => {
    const { init, send, until, socket } = await open()
    await init()
    send(subscribe('a', '{ viewer { '))
    expect(codeIn(await until((frame) => frame.id === 'a'))).toBe('OPERATION_REFUSED')
    send(subscribe('b', '{ nothing }'))
    expect(codeIn(await until((frame) => frame.id === 'b'))).toBe('OPERATION_REFUSED')
    send(subscribe('c', '{ conversation(id: "x") { id } }'))
    expect(codeIn(await until((frame) => frame.id === 'c'))).toBe('BAD_INPUT')
    send(subscribe('d', 'subscription { events(after: "rubbish") { cursor } }'))
    expect(codeIn(await until((frame) => frame.id === 'd'))).toBe('BAD_INPUT')
    send({ id: 'e', type: 'subscribe', payload: { query: 'query Q($id: ID!) { conversation(id: $id) { id } }', variables: {} } })
    expect(codeIn(await until((frame) => frame.id === 'e'))).toBe('BAD_INPUT')
    send({
      id: 'f',
      type: 'subscribe',
      payload: { query: 'query A { viewer { id } } query B { viewer { id } }', operationName: 'C' },
    })
    await until((frame) => frame.id === 'f' && frame.type === 'error')
    send(subscribe('g', '{ viewer { username } }'))
    await until((frame) => frame.id === 'g' && frame.type === 'next')
    expect(socket.readyState).toBe(socket.OPEN)
  })

  test('that uses an operation id again while it is in use is closed with 4409, and leaks no stream', async () => {
    const before = node.app.journal.streamCount()
    const { init, send, closed } = await open()
    await init()
    for (let i = 0; i < 200; i += 1) {
      send(subscribe('same', 'subscription { events { cursor } }'))
      send({ id: 'same', type: 'complete' })
    }
    expect(await closed).toMatchObject({ code: 4409 })
    const deadline = Date.now() + 5_000
    while (node.app.journal.streamCount() > before && Date.now() < deadline) await new Promise(setImmediate)
    expect(node.app.journal.streamCount()).toBe(before)
  })

  test('has a limit of operations at once, and of the length of their ids', async () => {
    const { init, send, until } = await open()
    await init()
    for (let i = 0; i < 6; i += 1) send(subscribe(`${i}`, 'subscription { events { cursor } }'))
    expect(codeIn(await until((frame) => frame.type === 'error'))).toBe('LIMIT_EXCEEDED')
    send({ id: '0', type: 'complete' })
    send(subscribe('x'.repeat(65), '{ viewer { id } }'))
    expect(codeIn(await until((frame) => frame.type === 'error' && frame.id?.length === 65))).toBe('OPERATION_REFUSED')
  })

  test('from the page of another origin is refused unless that is listed', async () => {
    for (const origin of ['https://evil.example.com', 'null']) {
      await expect(open({ origin })).rejects.toMatchObject({ statusCode: 403 })
    }
    const own = `http://${new URL(node.url).host}`
    for (const origin of ['https://chat.example.com', own]) await (await open({ origin })).init()
  })
})

describe('HTTP', () => {
  const post = (body: string, headers: Record<string, string> = {}) =>
    fetch(node.url, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } })
  const codeOf = async (response: Response) =>
    ((await response.json()) as { errors: { extensions: { code: string } }[] }).errors[0]?.extensions.code

  test('takes JSON alone: forms, which pages of others may send unasked, are refused', async () => {
    const query = 'mutation { logOut { sessionId } }'
    for (const type of ['application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'text/plain']) {
      expect((await post(`query=${encodeURIComponent(query)}`, { 'content-type': type })).status).toBe(415)
    }
    const get = await fetch(`${node.url}?query=${encodeURIComponent(query)}`, {
      headers: { authorization: `Bearer ${alice.accessToken}` },
    })
    expect(get.status).toBe(405)
  })

  test('refuses what is no operation, is too large or too deep, and goes on', async () => {
    for (const body of ['rubbish', '{}', '[]', '{"query":7}', '', '{"query":"{ nothing }"}'])
      expect(await codeOf(await post(body))).toBe('OPERATION_REFUSED')
    expect(await codeOf(await post(JSON.stringify({ query: '{ viewer {' })))).toBe('OPERATION_REFUSED')
    const deep = `{ ${'viewer { '.repeat(5_000)} id ${'}'.repeat(5_000)} }`
    expect(await codeOf(await post(JSON.stringify({ query: deep })))).toBe('OPERATION_REFUSED')
    expect((await post(JSON.stringify({ query: `{ viewer { id } } #${'x'.repeat(300_000)}` }))).status).toBe(413)
    const costly =
      'query Q($n: Int) { conversations(first: $n) { nodes { messages(first: $n) { nodes { conversation { members(first: $n) { nodes { id } } } } } } } }'
    const headers = { authorization: `Bearer ${alice.accessToken}` }
    expect(await codeOf(await post(JSON.stringify({ query: costly, variables: { n: 100 } }), headers))).toBe('OPERATION_REFUSED')
    const wide = 'query Q($n: Int) { conversations(first: $n) { nodes { id } } }'
    expect(await codeOf(await post(JSON.stringify({ query: wide, variables: { n: 1_000_000 } }), headers))).toBe('BAD_INPUT')
    expect((await post(JSON.stringify({ query: getIntrospectionQuery() }))).status).toBe(200)
  })

  test('answers listed origins alone with CORS headers', async () => {
    const allowed = async (origin: string) =>
      (await post('{"query":"{ __typename }"}', { origin })).headers.get('access-control-allow-origin')
    expect(await allowed('https://chat.example.com')).toBe('https://chat.example.com')
    expect(await allowed('https://two.example.com')).toBe('https://two.example.com')
    for (const origin of ['https://evil.example.com', 'null', 'https://chat.example.com.evil.example.com']) {
      expect(await allowed(origin)).toBeNull()
    }
  })

  test('gives each answer the id of its request, and hides what nobody expected', async () => {
    const response = await post('{"query":"{ __typename }"}')
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
  })

  test('tells a load balancer that it lives and is ready', async () => {
    for (const path of ['live', 'ready']) {
      expect((await fetch(new URL(`/health/${path}`, node.url))).status).toBe(200)
    }
    expect((await fetch(new URL('/nowhere', node.url))).status).toBe(404)
  })
})
