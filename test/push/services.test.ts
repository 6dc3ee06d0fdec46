// What push services answer, and what follows: forgotten, refused, tried again and when; and that one that is slow keeps no other
// waiting. Against our own service, and an independent one.

import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { type AddressInfo, createServer } from 'node:net'
import { beforeAll, beforeEach, expect, test } from 'vitest'
import { parseId } from '../../src/id.ts'
import { findFreePort } from '../../src/local/postgres.ts'
import { retryMs } from '../../src/push/deliveries.ts'
import { parseRetryAfter } from '../../src/push/post.ts'
import { Services } from '../../src/push/services.ts'
import { MarkRead } from '../law/documents.ts'
import { connectDevice } from '../presence/watch.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { closeAtEnd, connect, type Node, openNode } from '../support/node.ts'
import { until } from '../support/until.ts'
import { PushDevices, RegisterPushSubscription } from './documents.ts'
import { type Behaviour, PushService } from './push-service.ts'
import { decided, decisionsOf, pushing, vapid } from './support.ts'

let node: Node
let service: PushService
let alice: Device
let bob: Device
let carol: Device
let round = 0

beforeAll(async () => {
  node = await openNode({ ...pushing, PARLEY_LOG_LEVEL: 'silent' })
})
beforeEach(async () => {
  round += 1
  service = await PushService.open()
  ;[alice, bob, carol] = (await signUpAll(node, `Alice${round}`, `Bob${round}`, `Carol${round}`)) as [Device, Device, Device]
})

const pushOf = async (device: Device) => (await device.run(PushDevices, {})).sessions.find(({ isCurrent }) => isCurrent)?.push
const say = async (text: string) => (await alice.send(await alice.direct(bob), text)).message.id

test.each([404, 410])('N10 a subscription of which its service says %d is forgotten, and its device is told', async (status) => {
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
})

test.each([400, 403, 413, 302])('N10 what its service refuses with %d is not sent again', async (status) => {
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
])('N10 after %s it is sent again, not before its time', async (_what, behaviour, leastMs) => {
  const his = await service.subscribe(bob)
  his.next.push(behaviour)
  const messageId = await say('again')
  await until('the first attempt', () => his.attempts.length === 1)
  await until('to be failing', async () => (await pushOf(bob))?.failingSince != null)
  await decided(bob, messageId, 'QUEUED')
  const later = await say('meanwhile')
  await decided(bob, messageId, 'SENT')
  await decided(bob, later, 'SENT')
  const [first = 0, second = 0] = his.attempts
  expect(second - first).toBeGreaterThan(leastMs)
  expect(his.shown.toSorted()).toEqual([`Alice${round}|again`, `Alice${round}|meanwhile`])
  expect((await pushOf(bob))?.failingSince).toBeNull()
})

test('N2 N8 what is read while it waits to be sent again is not sent any more', async () => {
  const his = await service.subscribe(bob)
  his.next.push({ status: 503 })
  const messageId = await say('read meanwhile')
  await until('the first attempt', () => his.attempts.length === 1)
  await bob.run(MarkRead, { input: { conversationId: await bob.direct(alice), seq: 1 } })
  await decided(bob, messageId, 'SKIPPED READ')
  expect([his.attempts.length, his.pushes.length]).toEqual([1, 0])
})

test('N8 what is read while it is being sent is cleared', async () => {
  const his = await service.subscribe(bob)
  his.next.push({ status: 201, delayMs: 2_500 })
  await say('read meanwhile')
  await until('the request', () => his.attempts.length === 1)
  await bob.run(MarkRead, { input: { conversationId: await bob.direct(alice), seq: 1 } })
  await his.came(2)
  expect(his.shown).toEqual([`Alice${round}|read meanwhile`, 'clear'])
})

test('N10 a service that never answers is given up after 10 s and tried again; meanwhile others are as quick as ever', async () => {
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
  // The one that was not answered is tried again, and newer ones of the conversation have come since: it is not shown over them.
  await his.came(29, 25_000)
  const outcomes = async () => (await decisionsOf(bob)).map(({ outcome, reason }) => `${outcome} ${reason}`).sort()
  await expect.poll(outcomes, { timeout: 25_000 }).toEqual([...Array<string>(29).fill('SENT null'), 'SKIPPED SUPERSEDED'].sort())
  expect(new Set(his.shown).size).toBe(29)
})

test('N10 a service that changes the protocol, or hangs up, gives no answer: it is tried again, and hangs no worker', async () => {
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
  await until('another try', () => asked >= 2, 25_000)
  const hers = await service.subscribe(carol)
  await alice.send(await alice.direct(carol), 'meanwhile')
  await hers.came(1)
})

test('N2 a device that was lost a moment ago looks as if it were there: its person is notified when it does not any more', async () => {
  const his = await service.subscribe(bob)
  const connected = await connectDevice(await bob.another(node, 'Phone in a tunnel'))
  await until('bob to be there', async () => {
    const number = parseId('User', bob.userId, '')
    return (await node.app.presence.devices([number])).get(number)?.[0]?.state === 'ONLINE'
  })
  connected.cut()
  const messageId = await say('are you there?')
  await his.came(1, 15_000)
  await decided(bob, messageId, 'SENT')
})

test('N9 a name that means a private address by now is not connected to', async () => {
  let connections = 0
  const listener = createServer((socket) => {
    connections += 1
    socket.destroy()
  })
  await new Promise<void>((resolve) => listener.listen(0, 'localhost', resolve))
  closeAtEnd(async () => listener.close())
  const confined = await openNode(vapid)
  const [dan, eve] = (await signUpAll(confined, 'Dan', 'Eve')) as [Device, Device]
  await eve.run(RegisterPushSubscription, { input: { ...service.subscription().input, endpoint: 'https://8.8.8.8/x' } })
  const sql = await connect(confined.databaseUrl)
  const { port } = listener.address() as AddressInfo
  await sql.query('update push_registration set endpoint = $1', [`https://localhost:${port}/x`])
  const { message } = await dan.send(await dan.direct(eve), 'hello')
  await decided(eve, message.id, 'FAILED REFUSED')
  const { rows } = await sql.query('select error from push_failure')
  expect(rows).toEqual([{ error: 'the host is at a private address' }])
  expect(connections).toBe(0)
})

test('N1 an independent push service takes, verifies and decrypts what is sent', async () => {
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

test('N10 waits grow twice as long with each failure, at random, up to a quarter of an hour, and are never less than what is asked', () => {
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

test('N10 services that are unknown, slow or failing get few of the workers, and one that works well gets most', () => {
  const services = new Services()
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
  // Unknown ones together never get more than half: those that work keep the rest.
  const entered = ['a', 'b', 'c', 'd'].flatMap((name) => [services.enter(name), services.enter(name)])
  expect(entered.filter(Boolean)).toHaveLength(4)
  expect(open('good')).toBe(6)
  for (let i = 0; i < 5; i += 1) services.learn('good', fail, 20)
  expect(open('good')).toBe(0)
  expect(services.busy()).toContain('good')
  services.learn('good', { type: 'SENT' }, 20)
  expect(open('good')).toBe(6)
})
