// Notifications are a durable reader of the journal: whatever fails between a commit and its push loses none, and doubles none
// but those that a service accepted at that very moment.

import { afterAll, expect, test } from 'vitest'
import { at, endings, logIn, Parley, until as untilOf } from '../process/parley.ts'
import { Address, Cluster } from '../support/cluster.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { closeAtEnd, connect, createDatabase, openNode, openPair } from '../support/node.ts'
import { killedAt } from '../support/programs.ts'
import { openProxy } from '../support/proxy.ts'
import { until } from '../support/until.ts'
import { PushService, type Subscription } from './push-service.ts'
import { decisionsOf, pushing } from './support.ts'

const leftAlone: unknown[] = []
process.on('unhandledRejection', (error) => leftAlone.push(error))
afterAll(() => expect(leftAlone).toEqual([]))

const quiet = { ...pushing, PARLEY_LOG_LEVEL: 'silent' }
const ids = ({ pushes }: Subscription) => pushes.map(({ payload }) => payload.id)
const texts = ({ pushes }: Subscription) => pushes.map(({ payload }) => payload.body ?? payload.kind)
const outcomes = async (databaseUrl: string) => {
  const sql = await connect(databaseUrl)
  return (await sql.query<{ outcome: string }>('select outcome from push_delivery order by id')).rows.map(
    ({ outcome }) => outcome,
  )
}

/** A lone node is killed at a step between the commit of a message to Bob and its push. */
async function killed(step: string, service: PushService) {
  const databaseUrl = await createDatabase()
  const environment = { ...pushing, PORT: '0', DATABASE_URL: databaseUrl, PARLEY_DATA_DIR: '/dev/null/none', PARLEY_SEED: 'true' }
  const secret = { PARLEY_TOKEN_SECRET: 'the token secret of all of the processes' }
  const doomed = new Parley({ ...environment, ...secret, ...killedAt(`parley:push.${step}`) }, closeAtEnd)
  const server = await doomed.ready()
  const [alice, bob] = [await logIn(server, 'alice'), await logIn(server, 'bob')]
  const subscription = await service.subscribe(Object.assign(bob, { node: at(server) }))
  const conversationId = await alice.direct(bob)
  doomed.kill('SIGUSR2')
  await untilOf('the node to be armed', () => doomed.stdout.includes('armed'))
  await alice.send(conversationId, 'the one').catch(() => undefined) // it may die before it answers
  expect(await doomed.ended()).toEqual(endings.killed)
  return { step, databaseUrl, subscription, before: subscription.pushes.length }
}

test('N11 a node killed at any step between a commit and its push loses nothing, and doubles only what was accepted just then', async () => {
  const service = await PushService.open()
  const scenes: Awaited<ReturnType<typeof killed>>[] = []
  for (const step of ['reading', 'read', 'decided', 'sending', 'sent', 'recorded']) scenes.push(await killed(step, service))
  for (const { databaseUrl } of scenes) await openNode({ ...quiet, DATABASE_URL: databaseUrl })
  const expected = { reading: [0, 1], read: [0, 1], decided: [0, 1], sending: [0, 1], sent: [1, 2], recorded: [1, 1] }
  for (const { step, databaseUrl, subscription, before } of scenes) {
    const [atDeath, inTheEnd] = expected[step as keyof typeof expected]
    expect([step, before]).toEqual([step, atDeath])
    await subscription.came(inTheEnd ?? 0, 60_000)
    await until(`${step} to be written down`, async () => (await outcomes(databaseUrl)).join() === 'SENT')
    const sql = await connect(databaseUrl)
    await until('no job to be left', async () => (await sql.query('select 1 from graphile_worker.jobs')).rowCount === 0, 60_000)
    expect([step, texts(subscription)]).toEqual([step, Array.from({ length: inTheEnd ?? 0 }, () => 'the one')])
    expect(new Set(ids(subscription)).size).toBe(1)
  }
  expect(service.faults).toEqual([])
}, 150_000)

test('N11 two nodes share the work, and each notification comes once, also if one of them dies', {
  timeout: 120_000,
}, async () => {
  const [here, there] = await openPair(pushing)
  const service = await PushService.open()
  const people = await signUpAll(there, ...Array.from({ length: 6 }, (_, i) => `Person${i}`))
  const [alice, ...others] = people as [Device, ...Device[]]
  const subscriptions: Subscription[] = []
  for (const device of others) subscriptions.push(await service.subscribe(device))
  const conversationId = await alice.group('Shared', ...others)
  const send = (from: number, to: number) =>
    Promise.all(Array.from({ length: to - from }, (_, i) => alice.send(conversationId, `message ${from + i}`)))
  await send(0, 20)
  const closing = here.close()
  await send(20, 40)
  await closing
  await send(40, 50)
  for (const subscription of subscriptions) await subscription.came(50)
  const sql = await connect(there.databaseUrl)
  // If a node could not record that a job was done, others take it over after 20 s.
  const isDone = async () => (await sql.query('select 1 from graphile_worker.jobs')).rowCount === 0
  await until('no job to be left', isDone, 60_000)
  for (const subscription of subscriptions) {
    expect(new Set(texts(subscription)).size).toBe(50)
    expect(ids(subscription)).toHaveLength(50)
  }
  expect(service.faults).toEqual([])
})

test('N11 an unreachable Postgres loses nothing, and doubles nothing that a service accepted meanwhile', async () => {
  const proxy = await openProxy(await createDatabase())
  const node = await openNode({ ...quiet, DATABASE_URL: proxy.url })
  const service = await PushService.open()
  const [alice, bob] = (await signUpAll(node, 'Alice', 'Bob')) as [Device, Device]
  const his = await service.subscribe(bob)
  const conversationId = await alice.direct(bob)
  for (const [what, round] of [
    ['cut', 1],
    ['freeze', 2],
  ] as const) {
    his.behaviour = { status: 201, delayMs: 1_500 }
    await alice.send(conversationId, `taken while it is away: ${what}`)
    await until('the request', () => his.attempts.length === round * 2 - 1)
    proxy[what]()
    await his.came(round * 2 - 1)
    await until('another second to pass', () => Date.now() - (his.pushes.at(-1)?.at ?? 0) > 3_000)
    proxy.restore()
    his.behaviour = { status: 201 }
    await until('sends to work', () =>
      alice.send(conversationId, `after ${what}`, `00000000-0000-4000-8000-00000000000${round}`).then(
        () => true,
        () => false,
      ),
    )
    await his.came(round * 2, 20_000)
    await until('all to be written down', async () => (await decisionsOf(bob)).every(({ outcome }) => outcome === 'SENT'), 15_000)
  }
  expect(texts(his)).toEqual(['taken while it is away: cut', 'after cut', 'taken while it is away: freeze', 'after freeze'])
}, 60_000)

test('N11 after a power loss Postgres still delivers everything that was answered', async () => {
  const cluster = await Cluster.create()
  const address = await Address.open(cluster)
  const node = await openNode({ ...quiet, DATABASE_URL: address.url, PARLEY_PUSH_DELAY_MS: '1000' })
  const service = await PushService.open()
  const [alice, bob] = (await signUpAll(node, 'Alice', 'Bob')) as [Device, Device]
  const his = await service.subscribe(bob)
  const conversationId = await alice.direct(bob)
  const answered: string[] = []
  for (let i = 0; i < 20; i += 1) {
    await alice.send(conversationId, `message ${i}`)
    answered.push(`message ${i}`)
  }
  await cluster.kill()
  await cluster.start()
  address.lead(cluster)
  await until('all that was answered', () => answered.every((text) => texts(his).includes(text)), 30_000)
  const once = new Set(ids(his))
  expect(new Set(texts(his)).size).toBe(once.size)
}, 60_000)

test('N11 a reader that followed another journal continues from the current one, and pushes nothing again', async () => {
  const node = await openNode(pushing)
  const service = await PushService.open()
  const [alice, bob] = (await signUpAll(node, 'Alice', 'Bob')) as [Device, Device]
  const his = await service.subscribe(bob)
  const conversationId = await alice.direct(bob)
  await alice.send(conversationId, 'one')
  await his.came(1)
  await node.close()
  const sql = await connect(node.databaseUrl)
  await sql.query('update push_progress set position = position - 1, tag = 12345')
  const again = await openNode({ ...quiet, DATABASE_URL: node.databaseUrl })
  alice.node = again
  const head = async () =>
    (await sql.query('select p.tag = f.tag as is from push_progress p join fact f using (position)')).rows[0]?.is
  await until('the reader to be at the head', head)
  await alice.send(conversationId, 'two')
  await his.came(2)
  expect(texts(his)).toEqual(['one', 'two'])
})
