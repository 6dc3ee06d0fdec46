// WebSockets: malformed, oversized and foreign messages get clear answers, harm nobody, and lose nothing.

import type { IncomingMessage } from 'node:http'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import WebSocket from 'ws'
import { type Device, signUpAll } from '../support/device.ts'
import { closeAtEnd, type Node, openNode } from '../support/node.ts'

let node: Node
let alice: Device
beforeAll(async () => {
  node = await openNode({
    PARLEY_ALLOWED_ORIGINS: 'https://chat.example.com,https://two.example.com',
    PARLEY_SOCKET_SUBSCRIPTIONS_MAX: '5',
  })
  ;[alice] = (await signUpAll(node, 'Alice')) as [Device]
})

type Bare = Awaited<ReturnType<typeof open>>
type Frame = { type: string; id?: string; payload?: unknown }

/** A bare WebSocket, for messages that no client library sends. */
async function open(headers: Record<string, string> = {}, protocols: string[] = ['graphql-transport-ws'], at = node) {
  const socket = new WebSocket(at.socketUrl, protocols, { headers })
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
    throw new Error(`timed out; came: ${JSON.stringify(frames)}`)
  }
  const send = (frame: unknown) =>
    socket.send(typeof frame === 'string' || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame))
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
    ['a frame beyond 256 KiB', JSON.stringify(subscribe('1', `{${'viewer '.repeat(40_000)}}`)), 1009],
    ['a ping whose payload is a list', '{"type":"ping","payload":[1]}', 4400],
    ['a pong whose payload is a text', '{"type":"pong","payload":"x"}', 4400],
    ['a subscribe without an id', '{"type":"subscribe","payload":{"query":"{ viewer { id } }"}}', 4400],
    ['a subscribe whose id is a number', '{"id":1,"type":"subscribe","payload":{"query":"{ viewer { id } }"}}', 4400],
    ['several operations at once', '[{"id":"1","type":"subscribe","payload":{"query":"{ viewer { id } }"}}]', 4400],
    ['a batch as a payload', '{"id":"1","type":"subscribe","payload":[{"query":"{ viewer { id } }"}]}', 4400],
    ['a complete without an id', '{"type":"complete"}', 4400],
    ['a next, which only servers send', '{"id":"1","type":"next","payload":{}}', 4400],
    ['an error, which only servers send', '{"id":"1","type":"error","payload":[{"message":"x"}]}', 4400],
    ['a connection_ack, which only servers send', '{"type":"connection_ack"}', 4400],
    ['null', 'null', 4400],
    ['a binary message', Buffer.from('{"type":"ping"}'), 4400],
  ])('that sends %s is closed with the matching code', async (_what, frame, code) => {
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
    ['in another form', { accessToken: 7 }, /accessToken must be the token alone/],
    ['with "Bearer" before it', { accessToken: 'Bearer a.b.c' }, /without "Bearer"/],
    ['in a header in another form', { Authorization: 'Basic abc' }, /must be "Bearer <token>"/],
    ['in a header without "Bearer"', { authorization: 'a.b.c' }, /must be "Bearer <token>"/],
    ['that is forged', { accessToken: 'a.b.c' }, /./],
    ['as `token`', { token: 'a.b.c' }, /accessToken: "<token>"/],
    ['as `authToken`', { authToken: 'Bearer a.b.c' }, /accessToken: "<token>"/],
    ['as `headers`', { headers: { Authorization: 'Bearer a.b.c' } }, /accessToken: "<token>"/],
  ])('with a token %s is closed with 4601 and a reason', async (_what, payload, reason) => {
    const { send, closed } = await open()
    send({ type: 'connection_init', payload })
    expect(await closed).toEqual({ code: 4601, reason: expect.stringMatching(reason) })
  })

  test('that is closed for a very long id still gets its code', async () => {
    const { init, send, closed } = await open()
    await init()
    const id = '\u4e2d'.repeat(64)
    for (let i = 0; i < 2; i += 1) send(subscribe(id, 'subscription { events { cursor } }'))
    expect(await closed).toEqual({ code: 4409, reason: expect.stringMatching(/^Subscriber for \u4e2d+$/) })
  })

  test('carries a text of 10,000 emoji, each as two escapes', async () => {
    const conversationId = await alice.group('Emoji')
    const { init, send, until } = await open()
    await init()
    const query = 'mutation S($input: SendMessageInput!) { sendMessage(input: $input) { message { text } } }'
    const input = { conversationId, clientMessageId: crypto.randomUUID(), text: '@' }
    const frame = JSON.stringify({ id: 'e', type: 'subscribe', payload: { query, variables: { input } } })
    send(frame.replace('@', '\\ud83e\\udd9c'.repeat(10_000)))
    const { payload } = await until(({ id }) => id === 'e')
    expect(payload).toMatchObject({ data: { sendMessage: { message: { text: '🦜'.repeat(10_000) } } } })
  })

  test('gets errors that say what is missing, without an HTTP status', async () => {
    const { init, send, until } = await open()
    await init()
    send({ id: 'p', type: 'subscribe', payload: { query: '', extensions: { persistedQuery: { version: 1, sha256Hash: 'x' } } } })
    expect((await until(({ id }) => id === 'p')).payload).toMatchObject([{ message: 'PersistedQueryNotSupported' }])
    for (const [id, query] of Object.entries({ a: '{', b: '{ nothing }', c: '{ conversation(id: "x") { id } }' })) {
      send(subscribe(id, query))
      expect(JSON.stringify((await until((frame) => frame.id === id)).payload)).not.toContain('"http"')
    }
  })

  test.each([
    ['for the older protocol graphql-ws', '/graphql', {}, ['graphql-ws'], 400, /graphql-transport-ws/],
    ['elsewhere', '/socket', {}, ['graphql-transport-ws'], 404, /\/graphql/],
    ['from an origin that is not listed', '/graphql', { origin: 'https://evil.example.com' }, [], 403, /PARLEY_ALLOWED_ORIGINS/],
  ])('%s is refused with a text', async (_what, path, headers, protocols, statusCode, text) => {
    const at = { ...node, socketUrl: node.socketUrl.replace('/graphql', path) }
    const refusal = (await open(headers, protocols, at).catch((answer: unknown) => answer)) as IncomingMessage
    expect(refusal.statusCode).toBe(statusCode)
    expect(String(await refusal.setEncoding('utf8').toArray())).toMatch(text)
  })

  test('D7 counts towards the limits of its address, with and without a session, and for the gateway', async () => {
    const other = await openNode({
      PARLEY_SOCKETS_WITHOUT_SESSION_PER_ADDRESS_MAX: '3',
      PARLEY_SOCKETS_PER_ADDRESS_MAX: '2',
      PARLEY_TRUSTED_PROXIES: '127.0.0.1, 10.0.0.0/8',
    })
    const [ann] = (await signUpAll(other, 'Ann')) as [Device]
    const from = (address: string) => open({ 'x-forwarded-for': `6.6.6.6, ${address}, 10.1.2.3` }, undefined, other)
    const first = [await from('1.2.3.4'), await from('1.2.3.4'), await from('1.2.3.4')]
    await expect(from('1.2.3.4')).rejects.toMatchObject({ statusCode: 429, headers: { 'retry-after': '2' } })
    const elsewhere = [
      await from('1.2.3.5'),
      await from('2001:db8::1'),
      await from('2001:db8:0:0:1::'),
      await from('2001:db8::2'),
    ]
    await expect(from('[2001:0db8::3]:80')).rejects.toMatchObject({ statusCode: 429 })
    const connections = async () => (await other.app.nodes.nodes())[0]?.connections
    await vi.waitFor(async () => expect(await connections()).toBe(first.length + elsewhere.length), { timeout: 3_000 })
    // A socket that authenticates makes room for another one, up to the limit of those with a session.
    const [a, b, c] = first as [Bare, Bare, Bare]
    await a.init({ accessToken: ann.accessToken })
    await (await from('1.2.3.4')).init({ accessToken: ann.accessToken })
    b.send({ type: 'connection_init', payload: { accessToken: ann.accessToken } })
    expect(await b.closed).toMatchObject({ code: 1013 })
    await c.init({})
    a.socket.close()
    await a.closed
    await vi.waitFor(async () => (await from('1.2.3.4')).init({ accessToken: ann.accessToken }), { timeout: 3_000 })
    // An event stream over HTTP counts like a socket, whether it comes before or after.
    const listen = (address: string) =>
      fetch(other.url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'text/event-stream',
          authorization: `Bearer ${ann.accessToken}`,
          'x-forwarded-for': address,
        },
        body: JSON.stringify({ query: 'subscription { events { cursor } }' }),
      })
    /** Opens a stream; returns a function that ends it, or the refusal. */
    const streamFrom = async (address: string) => {
      const answer = await listen(address)
      const reader = answer.body?.getReader()
      let text = ''
      while (!/CaughtUp|cursor|errors/.test(text)) text += Buffer.from((await reader?.read())?.value ?? []).toString()
      if (!text.includes('errors')) return { end: () => reader?.cancel() }
      expect(answer.headers.get('retry-after')).toBe('2')
      expect(text).toMatch(/"code":"RATE_LIMITED","retryable":true,"retryAfterMs":2000/)
      return 'refused'
    }
    expect(await streamFrom('1.2.3.4')).toBe('refused')
    const stream = await streamFrom('1.2.3.9')
    expect(await streamFrom('1.2.3.9')).not.toBe('refused')
    expect(await streamFrom('1.2.3.9')).toBe('refused')
    const late = await from('1.2.3.9')
    late.send({ type: 'connection_init', payload: { accessToken: ann.accessToken } })
    expect(await late.closed).toMatchObject({ code: 1013 })
    if (stream !== 'refused') await stream.end()
    await vi.waitFor(async () => expect(await streamFrom('1.2.3.9')).not.toBe('refused'), { timeout: 3_000 })
  })

  test('is accepted with its token as GraphiQL sends it, as a header', async () => {
    const { init, send, until } = await open()
    await init({ Authorization: `Bearer ${alice.accessToken}` })
    send(subscribe('1', '{ viewer { username } }'))
    expect((await until((frame) => frame.type === 'next')).payload).toMatchObject({ data: { viewer: { username: 'alice' } } })
  })

  test('stays open after documents that are malformed or invalid, and after errors of a field', async () => {
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

  test('that reuses an operation id still in use is closed with 4409, and leaks no stream', async () => {
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

  test('has a limit of concurrent operations, and of the length of their ids', async () => {
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

// The head of a frame has one of three forms, by the length of the message (RFC 6455, 5.2). Ids of every length move the length of
// the same event over each border between them.
test.each([126, 65_536])('an event arrives whole if its frame has less than %i bytes, as many, or more', async (border) => {
  const names = Array.from({ length: 7 }, (_, n) => `text${n}`)
  const frameOf = (id: string, text: string) => {
    const message = { __typename: 'MessageSent', message: Object.fromEntries(names.map((name) => [name, text])) }
    const events = border === 126 ? { __typename: 'MessageSent' } : message
    return JSON.stringify({ id, type: 'next', payload: { data: { events } } })
  }
  const selection = border === 126 ? '' : `... on MessageSent { message { ${names.map((name) => `${name}: text`).join(' ')} } }`
  const text = 'x'.repeat(border === 126 ? 1 : Math.floor((border - 32 - frameOf('', '').length) / names.length))

  const [first, second] = (await signUpAll(node, `Sender${border}`, `Reader${border}`)) as [Device, Device]
  const conversationId = await first.direct(second)
  const { cursor } = await first.send(conversationId, 'before')
  await first.send(conversationId, text)
  const bare = await open()
  const arrived: string[] = []
  bare.socket.on('message', (data) => arrived.push(String(data)))
  await bare.init({ accessToken: second.accessToken })
  const query = `subscription { events(after: "${cursor}") { __typename ${selection} } }`
  const sent = Array.from({ length: 64 }, (_, n) => frameOf('x'.repeat(n + 1), text))
  expect(sent.map(({ length }) => length)).toEqual(expect.arrayContaining([border - 1, border, border + 1]))
  for (const frame of sent) {
    const { id } = JSON.parse(frame) as { id: string }
    bare.send(subscribe(id, query))
    await bare.until((came) => came.id === id && JSON.stringify(came).includes('MessageSent'))
    bare.send({ id, type: 'complete' })
  }
  expect(arrived.filter((frame) => frame.includes('MessageSent'))).toEqual(sent)
})
