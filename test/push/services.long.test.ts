// The answers of push services and their consequences: forgotten, refused, retried and when; and a slow service delays no
// other. Against our own service, and an independent one.

import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { type AddressInfo, createServer } from 'node:net'
import type pg from 'pg'
import { beforeAll, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { parseId } from '../../src/id.ts'
import { findFreePort } from '../../src/local/postgres.ts'
import { retryMs } from '../../src/push/jobs/deliveries.ts'
import { parseRetryAfter } from '../../src/push/providers/post.ts'
import { Services } from '../../src/push/providers/services.ts'
import { MarkRead } from '../law/documents.ts'
import { connectDevice } from '../presence/watch.ts'
import { TestClock } from '../support/clock.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { closeAtEnd, connect, type Node, openNode } from '../support/node.ts'
import { until } from '../support/until.ts'
import { PushDevices, RegisterPushSubscription } from './documents.ts'
import { type Behaviour, PushService } from './push-service.ts'
import { decided, decisionsOf, hurried, pushing, vapid, waitingJobs } from './support.ts'

const clock = new TestClock()
let node: Node
let sql: pg.Client
let service: PushService
let alice: Device
let bob: Device
let carol: Device
let round = 0

beforeAll(async () => {
  node = await openNode({ ...pushing, PARLEY_LOG_LEVEL: 'silent' }, clock)
  sql = await connect(node.databaseUrl)
})
beforeEach(async () => {
  round += 1
  service = await PushService.open()
  ;[alice, bob, carol] = (await signUpAll(node, `Alice${round}`, `Bob${round}`, `Carol${round}`)) as [Device, Device, Device]
})

const pushOf = async (device: Device) => (await device.run(PushDevices, {})).sessions.find(({ isCurrent }) => isCurrent)?.push
const say = async (text: string) => (await alice.send(await alice.direct(bob), text)).message.id

test.each([404, 410])(
  'N10 a subscription that its service answers with %d is forgotten, and its device is told',
  async (status) => {
    const his = await service.subscribe(bob)
    his.behaviour = { status }
    bob.isIdle = true
    const events = await bob.events().live()
    await decided(bob, await say('one'), 'FAILED GONE')
    await expect.poll(() => pushOf(bob)).toBeNull()
    await events.until('to be told', ({ seen }) => seen.some(({ __typename }) => __typename === 'PushSubscriptionChanged'))
    const again = await service.subscribe(bob)
    await decided(bob, await say('two'), 'SENT')
    expect([his.attempts.length, again.shown]).toEqual([1, [`Alice${round}|two`]])
  },
)

test.each([400, 403, 413, 302])('N10 a refusal with %d is not retried', async (status) => {
  const his = await service.subscribe(bob)
  his.next.push({ status, headers: { location: '/elsewhere' } })
  await decided(bob, await say('one'), 'FAILED REFUSED')
  await decided(bob, await say('two'), 'SENT')
  expect([his.attempts.length, his.shown]).toEqual([2, [`Alice${round}|two`]])
  const sql = await connect(node.databaseUrl)
  expect((await sql.query('select 1 from push_failure')).rowCount).toBeGreaterThan(0)
})

test.each<[what: string, behaviour: Behaviour, leastMs: number]>([
  ['500', { status: 500 }, 2_400],
  ['503 and Retry-After', { status: 503, headers: { 'retry-after': '4' } }, 3_900],
  ['429 and Retry-After', { status: 429, headers: { 'retry-after': '4' } }, 3_900],
])('N10 after %s it is retried, not before its time', async (_what, behaviour, leastMs) => {
  const his = await service.subscribe(bob)
  his.next.push(behaviour)
  const messageId = await say('again')
  await until('the first attempt', () => his.attempts.length === 1)
  await until('to be failing', async () => (await pushOf(bob))?.failingSince != null)
  await decided(bob, messageId, 'QUEUED')
  const later = await say('meanwhile')
  const retries = async () => {
    const text = `select retry_at as at from push_delivery where outcome = 'QUEUED' and user_id = $1 and retry_at is not null`
    return (await sql.query<{ at: Date }>(text, [parseId('User', bob.userId, '')])).rows
  }
  await until('both to wait for their time', async () => (await retries()).length === 2)
  const [first = 0] = his.attempts
  for (const { at } of await retries()) expect(at.getTime() - first).toBeGreaterThan(leastMs)
  await hurried(sql, 'both to be sent', () => his.pushes.length === 2)
  for (const id of [messageId, later]) await decided(bob, id, 'SENT')
  expect(his.attempts).toHaveLength(3)
  expect(his.shown.toSorted()).toEqual([`Alice${round}|again`, `Alice${round}|meanwhile`])
  expect((await pushOf(bob))?.failingSince).toBeNull()
})

test('N2 N8 a message read while it waits for a retry is not sent any more', async () => {
  const his = await service.subscribe(bob)
  his.next.push({ status: 503 })
  const messageId = await say('read meanwhile')
  await until('the first attempt', () => his.attempts.length === 1)
  await bob.run(MarkRead, { input: { conversationId: await bob.direct(alice), seq: 1 } })
  await hurried(sql, 'a decision', async () => (await decisionsOf(bob))[0]?.outcome !== 'QUEUED')
  await decided(bob, messageId, 'SKIPPED READ')
  expect([his.attempts.length, his.pushes.length]).toEqual([1, 0])
})

test('N8 a message read while it is being sent is cleared', async () => {
  const his = await service.subscribe(bob)
  his.next.push({ status: 201, delayMs: 2_500 })
  await say('read meanwhile')
  await until('the request', () => his.attempts.length === 1)
  await bob.run(MarkRead, { input: { conversationId: await bob.direct(alice), seq: 1 } })
  await his.came(2)
  expect(his.shown).toEqual([`Alice${round}|read meanwhile`, 'clear'])
})

test('N10 gives up a service that never answers after 10 s and retries; meanwhile others are as fast as ever', async () => {
  const [hanging, slow, quick] = [await PushService.open(), await PushService.open(), service]
  const [his, hers] = [await hanging.subscribe(bob), await quick.subscribe(carol)]
  const onLaptop = await slow.subscribe(await carol.another())
  his.next.push(null)
  onLaptop.behaviour = { status: 201, delayMs: 3_000 }
  const group = await alice.group('Slow', bob, carol)
  const startedAt = Date.now()
  for (let i = 0; i < 30; i += 1) await alice.send(group, `message ${i}`)
  await hers.came(30, 8_000)
  expect(Date.now() - startedAt).toBeLessThan(8_000)
  expect(onLaptop.pushes.length).toBeLessThan(10)
  onLaptop.behaviour = { status: 201 }
  await onLaptop.came(30, 25_000)
  expect(new Set(onLaptop.shown).size).toBe(30)
  // The request without an answer is retried, and newer messages of the conversation have arrived since: it is not shown over
  // them.
  await his.came(29, 25_000)
  const outcomes = async () => (await decisionsOf(bob)).map(({ outcome, reason }) => `${outcome} ${reason}`).sort()
  await expect.poll(outcomes, { timeout: 25_000 }).toEqual([...Array<string>(29).fill('SENT null'), 'SKIPPED SUPERSEDED'].sort())
  expect(new Set(his.shown).size).toBe(29)
})

test('N10 a service that changes the protocol, or hangs up, is retried and blocks no worker', async () => {
  const answers = ['HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n', '']
  let asked = 0
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => {
      const answer = answers[asked % answers.length] ?? ''
      asked += 1
      if (answer) socket.write(answer)
      else socket.end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closeAtEnd(async () => void server.close())
  const { port } = server.address() as AddressInfo
  const { p256dh, auth } = service.subscription().input
  await bob.run(RegisterPushSubscription, { input: { endpoint: `http://127.0.0.1:${port}/push`, p256dh, auth } })
  await say('one')
  await hurried(sql, 'another try', () => asked >= 2)
  const hers = await service.subscribe(carol)
  await alice.send(await alice.direct(carol), 'meanwhile')
  await hers.came(1)
})

test('N2 a device lost a moment ago still looks present: its user is notified once it does not', async () => {
  const his = await service.subscribe(bob)
  const connected = await connectDevice(await bob.another(node, 'Phone in a tunnel'))
  await clock.until('bob to be there', async () => {
    const number = parseId('User', bob.userId, '')
    return (await node.app.presence.devices([number])).get(number)?.[0]?.state === 'ONLINE'
  })
  connected.cut()
  const messageId = await say('are you there?')
  await until('a later look', async () => (await waitingJobs(sql)).length > 0)
  expect(his.attempts).toEqual([])
  await clock.turn(node.app.config.presence.ttlMs)
  await hurried(sql, 'it to be shown', () => his.pushes.length === 1)
  await decided(bob, messageId, 'SENT')
})

test('N9 does not connect to a name that has a private address by now', async () => {
  const confined = await openNode({ ...vapid, PARLEY_PUSH_DELAY_MS: '0' })
  const [dan, eve] = (await signUpAll(confined, 'Dan', 'Eve')) as [Device, Device]
  await eve.run(RegisterPushSubscription, { input: { ...service.subscription().input, endpoint: 'https://8.8.8.8/x' } })
  const sql = await connect(confined.databaseUrl)
  await sql.query(`update push_registration set endpoint = 'https://localhost/x'`)
  const { message } = await dan.send(await dan.direct(eve), 'hello')
  const tried = async () => {
    const { rows } = await sql.query(
      'select outcome, attempts, error from push_delivery where message_id is not null order by id',
    )
    return rows as { outcome: string; attempts: number; error: string }[]
  }
  await until('an attempt', async () => (await tried())[0]?.attempts === 1)
  expect(await tried()).toMatchObject([{ outcome: 'QUEUED', error: 'the host is at a private address' }])
  // An unknown name looks the same to who registered it.
  await sql.query(`update push_registration set endpoint = 'https://nowhere.invalid/x'`)
  const { message: other } = await dan.send(await dan.direct(eve), 'hello again')
  await until('another attempt', async () => (await tried())[1]?.attempts === 1)
  for (const { id } of [message, other]) await decided(eve, id, 'QUEUED')
})

test('N1 an independent push service accepts, verifies and decrypts notifications', async () => {
  const port = await findFreePort()
  const program = createRequire(import.meta.url).resolve('web-push-testing/src/bin/server.js')
  const child = spawn(process.execPath, [program, String(port)], { stdio: 'ignore' })
  closeAtEnd(async () => {
    if (child.exitCode === null) child.kill('SIGKILL')
  })
  const ask = async (path: string, body: object) => {
    const response = await fetch(`http://localhost:${port}/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    return (await response.json().catch(() => null)) as { data?: { [key: string]: never } } | null
  }
  await until('it to run', () =>
    ask('status', {}).then(
      () => true,
      () => false,
    ),
  )
  const options = { userVisibleOnly: 'true', applicationServerKey: vapid.PARLEY_VAPID_PUBLIC_KEY }
  const subscribed = (await ask('subscribe', options))?.data as unknown as {
    endpoint: string
    keys: { p256dh: string; auth: string }
    clientHash: string
  }
  const { endpoint, keys, clientHash } = subscribed
  await bob.run(RegisterPushSubscription, { input: { endpoint, ...keys } })
  await decided(bob, await say('to somebody else'), 'SENT')
  const got = (await ask('get-notifications', { clientHash }))?.data as unknown as { messages: string[] }
  expect(got.messages.map((text) => JSON.parse(text))).toMatchObject([{ title: `Alice${round}`, body: 'to somebody else' }])
  await fetch(`http://localhost:${port}/expire-subscription/${clientHash}`, { method: 'POST' })
  await decided(bob, await say('expired'), 'FAILED GONE')
})

test('N10 pauses double with each failure, at random, up to a quarter of an hour, and are never shorter than requested', () => {
  for (let failures = 0; failures < 30; failures += 1) {
    const most = Math.min(900_000, 5_000 * 2 ** failures)
    const waits = Array.from({ length: 50 }, () => retryMs(failures, null))
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(most / 2)
    expect(Math.max(...waits)).toBeLessThanOrEqual(most)
    expect(new Set(waits).size).toBeGreaterThan(40)
  }
  expect(retryMs(0, 3_600_000)).toBeGreaterThanOrEqual(3_600_000)
  const now = Date.parse('2026-11-21T12:00:00Z')
  expect(parseRetryAfter('120', now)).toBe(120_000)
  expect(parseRetryAfter('Sat, 21 Nov 2026 12:01:00 GMT', now)).toBe(60_000)
  expect(parseRetryAfter('Sat, 21 Nov 2026 11:00:00 GMT', now)).toBe(0)
  expect(parseRetryAfter('99999999', now)).toBe(86_400_000)
  for (const nonsense of [undefined, '', 'soon', '-5x']) expect(parseRetryAfter(nonsense, now)).toBeNull()
})

test('N10 unknown, slow and failing services get few workers, and a fast one gets most', () => {
  const services = new Services(systemClock)
  const open = (service: string) => {
    let count = 0
    while (count < 20 && !services.busy().includes(service) && services.enter(service)) count += 1
    for (let i = 0; i < count; i += 1) services.leave(service)
    return count
  }
  const fail = { type: 'LATER', error: '', afterMs: null, isOfService: true } as const
  expect(open('new')).toBe(2)
  services.learn('good', { type: 'SENT' }, 20)
  expect(open('good')).toBe(6)
  for (let i = 0; i < 20; i += 1) services.learn('slow', { type: 'SENT' }, 5_000)
  expect(open('slow')).toBe(2)
  // Unknown services together get at most half: working ones keep the rest.
  const entered = ['a', 'b', 'c', 'd'].flatMap((name) => [services.enter(name), services.enter(name)])
  expect(entered.filter(Boolean)).toHaveLength(4)
  expect(open('good')).toBe(6)
  for (let i = 0; i < 5; i += 1) services.learn('good', fail, 20)
  expect(open('good')).toBe(0)
  expect(services.busy()).toContain('good')
  services.learn('good', { type: 'SENT' }, 20)
  expect(open('good')).toBe(6)
})
