// What somebody tries who means harm, or whose network does: each of these once worked.

import { connect as connectTcp } from 'node:net'
import { beforeAll, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { type Device, request, signUpAll } from './support/device.ts'
import { LeaveConversation, LogOut, RemoveMember, SendMessage, Snapshot, Viewer } from './support/documents.ts'
import { closeAtEnd, connect, type Node, openNode } from './support/node.ts'

let node: Node
let alice: Device
let bob: Device
beforeAll(async () => {
  node = await openNode({ PARLEY_LOG_LEVEL: 'silent' })
  ;[alice, bob] = (await signUpAll(node, 'Alice', 'Bob')) as [Device, Device]
})

const port = (of: Node) => Number(new URL(of.url).port)

/** Waits until something holds; fails after 10 s. */
async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 10_000; Date.now() < deadline; ) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`waited in vain for ${what}`)
}

/** A bare socket that speaks the first words, and never answers a closing handshake by itself. */
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

/** Sends bytes as they are, and collects what comes back. */
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

describe('D7 nobody ends the process, or makes it grow', () => {
  test('an upgrade of a path that is no path is answered, and the server lives', async () => {
    for (const path of ['//', '/nowhere', 'http://', '*', '/graphql/..']) {
      const { heard } = raw(node, upgrade(path))
      await until('an answer', () => /^HTTP\/1.1 (4|5)/.test(heard()))
    }
    expect((await fetch(new URL('/health/live', node.url))).status).toBe(200)
  })

  test('a refused upgrade whose client holds on is cut, and keeps no server from closing', async () => {
    const other = await openNode({ PARLEY_LOG_LEVEL: 'silent' })
    const { socket } = raw(other, upgrade('/nowhere'))
    const ended = new Promise((resolve) => socket.once('end', resolve))
    await ended
    const started = performance.now()
    await other.close()
    expect(performance.now() - started).toBeLessThan(8_000)
  })

  test('a client that floods and does not read is not read any more, and costs little', async () => {
    const { socket } = await open(node)
    socket.pause()
    const ping = JSON.stringify({ type: 'ping', payload: { filler: 'x'.repeat(2_000) } })
    let sent = 0
    const before = process.memoryUsage().rss
    for (const deadline = Date.now() + 3_000; Date.now() < deadline && sent < 60_000; ) {
      for (let i = 0; i < 500; i += 1) socket.send(ping)
      sent += 500
      await new Promise((resolve) => setTimeout(resolve, 10))
      if (socket.bufferedAmount > 20_000_000) break
    }
    // The server has stopped to read: what is sent stays with the sender.
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

describe('D6 what was ended stays ended', () => {
  test('a socket that ignores its closing commits nothing after the session was ended', async () => {
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
    // What was sent within the moment that a revocation may take is allowed; nothing after it.
    expect(committed).toBeLessThan(10)
    expect(await count()).toBe(committed)
  })

  test('a socket without a token takes one session with its operations, not two', async () => {
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

  test('A5 somebody who was removed does not learn from old events what became of the others', async () => {
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

describe('an outage tells the truth', () => {
  test('D4 a snapshot that fails says UNAVAILABLE, to be tried again', async () => {
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

  test('D4 nothing is read on the connection of a snapshot that is over', async () => {
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

  test('a journal that was trimmed past a node does not make it spin', async () => {
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
