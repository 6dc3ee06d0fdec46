// A stopping node: not ready at once, serving for a while, then gone, with nothing lost and nothing doubled.

import { randomUUID } from 'node:crypto'
import { print } from 'graphql'
import { beforeAll, expect, test } from 'vitest'
import type { Device } from '../support/device.ts'
import { History, SendMessage, Viewer } from '../support/documents.ts'
import { openNginx } from '../support/nginx.ts'
import { closeAtEnd, connect, type Environment } from '../support/node.ts'
import { at, endings, logIn, Parley, type ServerAddress, sharedEnvironment, until } from './parley.ts'

const drainMs = 3_000
let environment: Environment
let lasting: ServerAddress

async function start(more: Environment = {}): Promise<{ process: Parley; server: ServerAddress }> {
  const process = new Parley({ ...environment, ...more }, closeAtEnd)
  return { process, server: await process.ready() }
}

beforeAll(async () => {
  environment = await sharedEnvironment()
  lasting = (await start()).server
})

const readiness = ({ url }: ServerAddress) =>
  fetch(new URL('/health/ready', url)).then(
    ({ status }) => status,
    () => 0,
  )

/** All texts of a conversation, in order. */
async function history(device: Device, id: string): Promise<string[]> {
  const texts: string[] = []
  for (let before: string | null = null; ; ) {
    const { conversation }: Awaited<ReturnType<typeof page>> = await page(device, id, before)
    const { edges, pageInfo } = conversation?.messages ?? { edges: [], pageInfo: null }
    texts.unshift(...edges.map(({ node }) => node.text))
    if (!pageInfo?.hasPreviousPage) return texts
    before = pageInfo.startCursor ?? null
  }
}
const page = (device: Device, id: string, before: string | null) => device.run(History, { id, last: 100, before })

test('D9 a draining node is not ready and still serves, closes sockets one after another, and loses and doubles nothing', async () => {
  const { process: leaving, server } = await start({ PARLEY_DRAIN_MS: String(drainMs) })
  const alice = await logIn(server, 'alice')
  const bob = await logIn(server, 'bob')
  const id = await alice.group('Rolling', bob)
  const streams = await Promise.all(Array.from({ length: 10 }, () => bob.events().live()))
  const endedAt: number[] = []
  const ends = streams.map((stream) => stream.ending().then(() => endedAt.push(performance.now())))

  // Senders as a balancer would route them: to the stopping node while it is ready, then to the other; failures are retried.
  const acknowledged: string[] = []
  let isReady = true
  let isOver = false
  const send = async (name: string) => {
    for (let n = 0; !isOver; n += 1) {
      const [text, clientMessageId] = [`${name} ${n}`, randomUUID()]
      for (let isSent = false; !isSent; ) {
        const device = isReady ? alice : Object.assign(Object.create(alice) as Device, { node: at(lasting) })
        isSent = await device.send(id, text, clientMessageId).then(
          () => true,
          () => false,
        )
      }
      acknowledged.push(text)
    }
  }
  const senders = ['a', 'b', 'c'].map(send)
  await until('some traffic', () => acknowledged.length > 20)

  const toldAt = performance.now()
  leaving.kill('SIGTERM')
  await until('the red readiness', async () => (await readiness(server)) === 503)
  expect((await alice.run(Viewer, {})).viewer.id).toBe(alice.userId)
  expect(streams.every(({ ended }) => ended === null)).toBe(true)
  isReady = false
  await Promise.all(ends)
  expect(await leaving.ended()).toEqual(endings.ok)
  const goneAt = performance.now()
  expect(goneAt - toldAt).toBeLessThan(drainMs + 7_000)
  expect(leaving.complaints).toEqual([])
  isOver = true
  await Promise.all(senders)

  expect(new Set(streams.map(({ ended }) => ended?.code))).toEqual(new Set([1012]))
  expect(Math.min(...endedAt) - toldAt).toBeGreaterThan(drainMs / 2 - 100)
  expect(Math.max(...endedAt) - Math.min(...endedAt)).toBeGreaterThan(drainMs / 4)

  alice.node = at(lasting)
  bob.node = at(lasting)
  const told = await history(alice, id)
  expect(told.toSorted()).toEqual(acknowledged.toSorted())
  for (const stream of [streams[0], streams[9]]) {
    if (!stream) continue
    const resumed = await bob.events({ after: stream.cursor }).live()
    expect([...stream.texts, ...resumed.texts]).toEqual(told)
  }
})

test('D9 answers what is under way when a node is told to stop, over HTTP and on a socket, before it exits', async () => {
  const { process: leaving, server } = await start()
  const alice = await logIn(server, 'alice')
  const bob = await logIn(server, 'bob')
  const id = await alice.group('Under way', bob)
  const stream = await bob.events().live()
  const sql = await connect(environment.DATABASE_URL ?? '')
  await sql.query('set idle_in_transaction_session_timeout = 0')
  await sql.query('begin; select pg_advisory_xact_lock(7021, 1)') // nothing is appended while this is held
  const client = alice.socket()
  const overSocket = Array.from({ length: 10 }, async (_, i) => {
    const input = { conversationId: id, clientMessageId: randomUUID(), text: `socket ${i}` }
    const { value } = await client.iterate({ query: print(SendMessage), variables: { input } }).next()
    return value?.errors
  })
  const overHttp = Array.from({ length: 10 }, (_, i) => alice.send(id, `http ${i}`))
  const waiting = async () => {
    const { rows } = await sql.query("select count(*)::int as n from pg_locks where locktype = 'advisory' and not granted")
    return rows[0].n as number
  }
  await until('the sends to wait for the lock', async () => (await waiting()) > 0)
  // Earlier sends have been accepted once these are answered.
  await client.iterate({ query: print(Viewer) }).next()
  await Promise.all(overHttp.map(() => alice.run(Viewer, {})))
  leaving.kill('SIGTERM')
  await until('the closed port', async () => (await readiness(server)) === 0)
  await sql.query('rollback')
  expect(await Promise.all(overSocket)).toEqual(overSocket.map(() => undefined))
  expect(await Promise.all(overHttp)).toHaveLength(10)
  expect((await stream.ending()).code).toBe(1012)
  expect(await leaving.ended()).toEqual(endings.ok)
  expect(leaving.complaints).toEqual([])
  alice.node = at(lasting)
  expect(await history(alice, id)).toHaveLength(20)
})

test('D9 behind the shipped nginx no client is refused while a node drains, and streams continue elsewhere at once', async () => {
  const { process: leaving, server } = await start({ PARLEY_DRAIN_MS: String(drainMs) })
  const proxy = await openNginx(server, lasting)
  const [alice, bob] = [await logIn(proxy, 'alice'), await logIn(proxy, 'bob')]
  const id = await alice.group('Behind nginx', bob)
  const ends: number[] = []
  let begun = 0
  let isOver = false

  /** An impatient client: it reconnects the moment it is told to. */
  const follow = async () => {
    const texts: string[] = []
    for (let after: string | null = null; !isOver; ) {
      const stream = bob.events({ after })
      await stream.until('a beginning', ({ seen, ended }) => seen.length > 0 || ended !== null)
      if (stream.seen.length === 0) throw new Error(`refused: ${JSON.stringify(stream.ended)}`)
      if (after === null) await stream.live().then(() => (begun += 1))
      await stream.until('its end', ({ ended, texts }) => ended !== null || texts.includes('the last'))
      ends.push(stream.ended?.code ?? 0)
      texts.push(...stream.texts)
      after = stream.cursor
      if (texts.includes('the last')) return texts
    }
    return texts
  }
  const devices = Array.from({ length: 12 }, follow)
  await until('all devices to be live', () => begun === devices.length)
  const sent: string[] = []
  const talk = (async () => {
    while (leaving.ending === null) {
      const text = `message ${sent.length}`
      await alice.send(id, text) // none is refused
      sent.push(text)
    }
  })()
  await until('some traffic', () => sent.length > 10)
  leaving.kill('SIGTERM')
  expect(await leaving.ended()).toEqual(endings.ok)
  await talk
  await alice.send(id, 'the last')
  const all = await Promise.all(devices)
  isOver = true
  expect(all).toEqual(all.map(() => [...sent, 'the last']))
  // The devices on the stopping node were told once; none came back to it.
  const told = ends.filter((code) => code === 1012).length
  expect(told).toBeGreaterThan(0)
  expect(ends).toHaveLength(devices.length + told)
  expect(told).toBeLessThanOrEqual(devices.length)
})

test('a second signal ends the node at once, unless it is the echo of the first', async () => {
  const { process: leaving, server } = await start({ PARLEY_DRAIN_MS: '60000' })
  leaving.kill('SIGINT')
  leaving.kill('SIGINT')
  await until('the red readiness', async () => (await readiness(server)) === 503)
  const redAt = performance.now()
  await until('the echo to be over', () => performance.now() - redAt > 1_100)
  expect(leaving.ending).toBeNull()
  leaving.kill('SIGINT')
  expect(await leaving.ended()).toEqual({ code: null, signal: 'SIGINT' })
})
