// What an attacker, or a broken network, tries: each of these once worked.

import { connect as connectTcp } from 'node:net'
import { beforeAll, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { type Device, request, signUpAll } from '../support/device.ts'
import { LeaveConversation, LogOut, RemoveMember, SendMessage, Snapshot, Viewer } from '../support/documents.ts'
import { closeAtEnd, connect, type Node, openNode } from '../support/node.ts'

let node: Node
let alice: Device
let bob: Device
beforeAll(async () => {
  node = await openNode({ PARLEY_LOG_LEVEL: 'silent' })
  ;[alice, bob] = (await signUpAll(node, 'Alice', 'Bob')) as [Device, Device]
})

const port = (of: Node) => Number(new URL(of.url).port)

/** Waits until a condition holds; fails after 10 s. */
async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 10_000; Date.now() < deadline; ) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`timed out waiting for ${what}`)
}

/** A bare socket after the handshake, which never answers a closing handshake by itself. */
async function open(of: Node, accessToken?: string) {
  const socket = new WebSocket(of.socketUrl, 'graphql-transport-ws')
  closeAtEnd(async () => socket.terminate())
  const frames: { type: string; id?: string; payload?: { errors?: { extensions: { code: string } }[] } }[] = []
  socket.on('message', (data) => frames.push(JSON.parse(String(data))))
  socket.on('error', () => undefined)
  await new Promise((resolve) => socket.once('open', resolve))
  socket.send(JSON.stringify({ type: 'connection_init', payload: accessToken ? { accessToken } : {} }))
  await until('the acknowledgement', () => frames.some(({ type }) => type === 'connection_ack'))
  return { socket, frames }
}

/** Sends raw bytes and collects the answer. */
function raw(of: Node, text: string) {
  const socket = connectTcp({ port: port(of), host: '127.0.0.1', allowHalfOpen: true })
  let heard = ''
  socket.on('data', (chunk) => {
    heard += String(chunk)
  })
  socket.on('error', () => undefined)
  closeAtEnd(async () => socket.destroy())
  socket.write(text)
  return { socket, heard: () => heard }
}

const upgrade = (path: string) =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`

test('C1 D7 a user follows events with at most 32 different documents, on all sockets together, and disturbs nobody', async () => {
  const [first, second] = [await open(node, alice.accessToken), await open(node, alice.accessToken)]
  let nextId = 0
  const ask = async ({ socket, frames }: Awaited<ReturnType<typeof open>>, alias: string) => {
    nextId += 1
    const id = String(nextId)
    socket.send(JSON.stringify({ id, type: 'subscribe', payload: { query: `subscription { events { ${alias}: cursor } }` } }))
    const isFirst = (frame: { id?: string }) => frame.id === id
    await until(`an answer to ${alias}`, () => frames.some(isFirst))
    return { id, codes: frames.find(isFirst)?.payload?.errors?.map(({ extensions }) => extensions.code) }
  }
  const asked = []
  for (let i = 0; i < 32; i += 1) asked.push(await ask(i % 2 === 0 ? first : second, `a${i}`))
  expect(asked.filter(({ codes }) => codes)).toEqual([])
  expect((await ask(second, 'b')).codes).toEqual(['LIMIT_EXCEEDED'])
  expect((await ask(first, 'a1')).codes, 'a question that is asked already').toBeUndefined()
  expect((await ask(await open(node, bob.accessToken), 'b')).codes, 'another person').toBeUndefined()
  first.socket.send(JSON.stringify({ id: asked[0]?.id, type: 'complete' }))
  await until('a place that is given back', async () => (await ask(first, 'c')).codes === undefined)
  second.socket.terminate()
  await until('the places of a socket that went', async () => (await ask(first, 'd')).codes === undefined)
})

describe('D7 nobody ends the process or makes it grow', () => {
  test('answers an upgrade of a path that is no path, and survives', async () => {
    for (const path of ['//', '/nowhere', 'http://', '*', '/graphql/..']) {
      const { heard } = raw(node, upgrade(path))
      await until('an answer', () => /^HTTP\/1.1 (4|5)/.test(heard()))
    }
    expect((await fetch(new URL('/health/live', node.url))).status).toBe(200)
  })

  test('cuts a refused upgrade whose client holds on, so that a server can close', async () => {
    const other = await openNode({ PARLEY_LOG_LEVEL: 'silent' })
    const { socket } = raw(other, upgrade('/nowhere'))
    const ended = new Promise((resolve) => socket.once('end', resolve))
    await ended
    const started = performance.now()
    await other.close()
    expect(performance.now() - started).toBeLessThan(8_000)
  })

  test('stops reading from a client that floods and does not read', async () => {
    const { socket } = await open(node)
    socket.pause()
    const ping = JSON.stringify({ type: 'ping', payload: { filler: 'x'.repeat(2_000) } })
    let sent = 0
    const before = process.memoryUsage().rss
    while (sent < 60_000) {
      for (let i = 0; i < 500; i += 1) socket.send(ping)
      sent += 500
      await new Promise((resolve) => setTimeout(resolve, 10))
      if (socket.bufferedAmount > 20_000_000) break
    }
    // The server has stopped reading: further bytes stay with the sender.
    expect(socket.bufferedAmount).toBeGreaterThan(10_000_000)
    expect(process.memoryUsage().rss - before).toBeLessThan(400_000_000)
    socket.terminate()
  })

  test('introspection cannot be multiplied by aliases', async () => {
    const fields = Array.from({ length: 20 }, (_, i) => `a${i}: fields { name type { fields { name } } }`).join(' ')
    for (const query of [
      `{ __schema { types { ${fields} } } }`,
      '{ a: __schema { types { name } } b: __schema { types { name } } }',
    ]) {
      const response = await fetch(node.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query }),
      })
      const { errors } = (await response.json()) as { errors: { extensions: { code: string } }[] }
      expect(errors[0]?.extensions.code).toBe('OPERATION_REFUSED')
    }
  })
})

describe('D6 an ended session stays ended', () => {
  test('a socket that ignores its close frame commits nothing after its session was ended', async () => {
    const device = await bob.another()
    const conversationId = await alice.direct(bob)
    const { socket } = await open(node, device.accessToken)
    // A client that never answers the close frame.
    Object.assign(socket, { close: () => undefined })
    const send = (text: string) => {
      const query = 'mutation S($input: SendMessageInput!) { sendMessage(input: $input) { message { id } } }'
      const variables = { input: { conversationId, clientMessageId: crypto.randomUUID(), text } }
      socket.send(JSON.stringify({ id: crypto.randomUUID(), type: 'subscribe', payload: { query, variables } }), () => undefined)
    }
    const sql = await connect(node.databaseUrl)
    const count = async () =>
      (await sql.query("select count(*)::int as n from message where text like 'zombie%'")).rows[0].n as number
    send('zombie before')
    await until('the first message', async () => (await count()) === 1)
    await device.run(LogOut, {})
    await until('the refusal elsewhere', async () =>
      device.refused(Viewer, {}).then(
        () => true,
        () => false,
      ),
    )
    await until('the cut', () => {
      send('zombie after')
      return socket.readyState !== socket.OPEN
    })
    const committed = await count()
    await alice.send(conversationId, 'the end')
    // Messages within the second that a revocation may take are allowed; none after it.
    expect(committed).toBeLessThan(10)
    expect(await count()).toBe(committed)
  })

  test('a socket without a token accepts operations of one session, not two', async () => {
    const { socket, frames } = await open(node)
    for (const [id, { accessToken }] of [
      ['a', alice],
      ['b', bob],
    ] as const) {
      const extensions = { headers: { Authorization: `Bearer ${accessToken}` } }
      socket.send(JSON.stringify({ id, type: 'subscribe', payload: { query: 'subscription { events { cursor } }', extensions } }))
    }
    await until('both answers', () => ['a', 'b'].every((id) => frames.some((frame) => frame.id === id)))
    const refused = frames.filter((frame) => frame.type === 'error')
    expect(refused).toHaveLength(1)
    expect(JSON.stringify(refused[0])).toContain('OPERATION_REFUSED')
  })

  test('A5 a removed member does not learn from old events what others have become', async () => {
    const [carol] = (await signUpAll(node, 'Carol')) as [Device]
    const { syncCursor } = await bob.run(Snapshot, {})
    const group = await alice.group('Heirs', bob, carol)
    await alice.run(RemoveMember, { input: { conversationId: group, userId: bob.userId } })
    await alice.run(LeaveConversation, { input: { conversationId: group } })
    const replayed = await bob.events({ after: syncCursor }).live()
    const joins = replayed.seen.filter((event) => event.__typename === 'MemberJoined')
    expect(joins.length).toBeGreaterThanOrEqual(2)
    expect(joins.map(({ member }) => member)).toEqual(joins.map(() => null))
  })
})

describe('an outage is reported truthfully', () => {
  test('D4 a failed snapshot is UNAVAILABLE, and can be retried', async () => {
    const other = await openNode({ PARLEY_LOG_LEVEL: 'silent' })
    const [ann] = (await signUpAll(other, 'Ann')) as [Device]
    const sql = await connect(other.databaseUrl)
    await sql.query('set idle_in_transaction_session_timeout = 0')
    await sql.query('begin; lock table conversation in access exclusive mode')
    const { extensions } = await ann.refused(Snapshot, {})
    expect(extensions).toMatchObject({ code: 'UNAVAILABLE', retryable: true })
    await sql.query('rollback')
    expect((await ann.run(Snapshot, {})).syncCursor).toBeDefined()
  })

  test('D4 nothing is read on the connection of a finished snapshot', async () => {
    const query =
      '{ syncCursor a: conversations(first: 0) { nodes { id } } b: conversations { nodes { id members { nodes { user { id } } } } } }'
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${alice.accessToken}` }
    const answers = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const response = await fetch(node.url, { method: 'POST', headers, body: JSON.stringify({ query }) })
        return (await response.json()) as { errors: { extensions: { code: string } }[] }
      }),
    )
    expect(new Set(answers.map(({ errors }) => errors[0]?.extensions.code))).toEqual(new Set(['BAD_INPUT']))
    for (let i = 0; i < 10; i += 1) expect((await alice.run(Snapshot, {})).syncCursor).toBeDefined()
  })

  test('a journal trimmed past a node does not make the node spin', async () => {
    const other = await openNode({ PARLEY_LOG_LEVEL: 'silent' })
    const [ann, ben] = (await signUpAll(other, 'Ann', 'Ben')) as [Device, Device]
    const id = await ann.direct(ben)
    const sql = await connect(other.databaseUrl)
    await sql.query('begin; delete from fact; update journal set floor = 500; commit')
    await until('the new head', () => other.app.journal.head().position === 500)
    const stream = await ben.events().live()
    const { data } = await request(
      other.url,
      SendMessage,
      { input: { conversationId: id, clientMessageId: crypto.randomUUID(), text: 'on we go' } },
      ann.accessToken,
    )
    expect(data?.sendMessage.message.text).toBe('on we go')
    await stream.text('on we go')
  })
})
