// A node dies between the arrival of a send and its delivery, exactly at one step, for each step once. The client does not know
// the outcome and sends again, with the same clientMessageId, to another node; devices resume there. In the end there is one
// message, with one id, delivered once to each device.

import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import type pg from 'pg'
import { beforeAll, expect, inject, test } from 'vitest'
import { at, endings, logIn, Parley, type ServerAddress, sharedEnvironment, until } from '../process/parley.ts'
import type { Device } from '../support/device.ts'
import { AddMembers, SendMessage } from '../support/documents.ts'
import type { EventLog } from '../support/event-log.ts'
import { closeAtEnd, connect, type Environment } from '../support/node.ts'
import { killedAt } from '../support/programs.ts'
import { factsTopic } from '../support/topic.ts'

let environment: Environment
let lasting: ServerAddress
let sql: pg.Client
/** The messages between the nodes over Redis. */
const published: string[] = []

beforeAll(async () => {
  environment = await sharedEnvironment()
  sql = await connect(environment.DATABASE_URL ?? '')
  lasting = await new Parley(environment, closeAtEnd).ready()
  const listener = new Redis(inject('redisUrl'))
  closeAtEnd(async () => listener.disconnect())
  listener.on('message', (_topic, message) => published.push(message))
  await listener.subscribe(await factsTopic(sql))
})

type KillScenario = {
  readonly alice: Device
  readonly bob: Device
  readonly conversationId: string
  /** The streams of both on the node that is about to die, and Bob's on the other. */
  readonly dying: readonly EventLog[]
  readonly living: EventLog
  readonly doomed: Parley
}

/** Alice and Bob talk over a node that dies when it reaches this step for the next time. */
async function openScene(step: string): Promise<KillScenario> {
  const doomed = new Parley({ ...environment, ...killedAt(step) })
  const server = await doomed.ready()
  const [alice, bob] = [await logIn(server, 'alice'), await logIn(server, 'bob')]
  const dying = [await alice.events().live(), await bob.events().live()]
  bob.node = at(lasting)
  const living = await bob.events().live()
  const conversationId = await alice.group(`killed at ${step}`, bob)
  await alice.send(conversationId, 'before')
  for (const log of [...dying, living]) await log.text('before')
  doomed.kill('SIGUSR2')
  await until('the node to be armed', () => doomed.stdout.includes('armed'))
  return { alice, bob, conversationId, dying, living, doomed }
}

const stored = async (clientMessageId: string) => {
  const text = `select m.id, count(f.position)::int as facts from message m left join fact f on f.subject_id = m.id and f.kind = 1
    where m.client_message_id = $1 group by m.id`
  return (await sql.query<{ id: string; facts: number }>(text, [clientMessageId])).rows
}

/**
 * After the death of the node, Alice sends again to another one and all streams resume there: each device has everything once.
 */
async function expectOnce(scene: KillScenario, clientMessageId: string): Promise<void> {
  const { alice, bob, conversationId, dying, living, doomed } = scene
  expect(await doomed.ended()).toEqual(endings.killed)
  alice.node = at(lasting)
  const again = await alice.send(conversationId, 'the one', clientMessageId)
  const once = await alice.send(conversationId, 'the one', clientMessageId)
  expect(once.message.id).toBe(again.message.id)
  await alice.send(conversationId, 'after')
  const [aliceBefore, bobBefore] = dying
  for (const [device, before] of [
    [alice, aliceBefore],
    [bob, bobBefore],
  ] as const) {
    if (!before) throw new Error('there are two')
    await before.ending()
    const after = await device.events({ after: before.cursor }).live()
    await after.text('after')
    expect(after.seen[0]).toMatchObject({ mode: 'RESUMED' })
    expect([...before.texts, ...after.texts]).toEqual(['before', 'the one', 'after'])
    const told = [...before.seen, ...after.seen].flatMap((e) => (e.__typename === 'MessageSent' ? [e.message.id] : []))
    expect(told[1]).toBe(again.message.id)
  }
  await living.text('after')
  expect(living.texts).toEqual(['before', 'the one', 'after'])
  expect(await stored(clientMessageId)).toEqual([{ id: expect.anything(), facts: 1 }])
}

/**
 * For each step of the appending node: the number of rows after its death, and that nothing was published before it was
 * committed. Whether the bytes of a publish leave the process if it dies right after is not promised: the other nodes look at
 * the last fact themselves (A12).
 */
const stepsOfTheSender = [
  ['parley:append.calling', 'before the CALL', 0, false],
  ['parley:append.committed', 'after the commit, before the publish', 1, false],
  ['parley:append.announced', 'after the publish, before the answer', 1, null],
  ['parley:append.answered', 'with the answer made, before it is written', 1, null],
  ['http.server.response.finish', 'when the answer is written', 1, null],
] as const

test.each(stepsOfTheSender)('D1 D2 D3 a node killed at %s (%s) loses and doubles nothing', async (step, _when, rows, isHeard) => {
  const scene = await openScene(step)
  const clientMessageId = randomUUID()
  const input = { conversationId: scene.conversationId, clientMessageId, text: 'the one' }
  const answer = await scene.alice.run(SendMessage, { input }).catch(() => null)
  await scene.doomed.ended()
  expect(await stored(clientMessageId)).toHaveLength(rows)
  const wasPublished = () => published.some((message) => message.includes(clientMessageId))
  if (isHeard !== null) expect(wasPublished()).toBe(isHeard)
  await expectOnce(scene, clientMessageId)
  const [row] = await stored(clientMessageId)
  if (answer) expect(answer.sendMessage.message.id).toBe(`msg_${Number(row?.id).toString(36).padStart(13, '0')}`)
})

/** For each step of a node that only follows: another node delivers what the dead one had received and not delivered. */
const stepsOfAFollower = [
  ['parley:follow.taking', 'before the follower takes the batch'],
  ['parley:follow.remembered', 'before the streams are told'],
  ['parley:stream.showing', 'before the first device is shown it'],
] as const

test.each(stepsOfAFollower)('D1 D2 D3 a follower killed at %s (%s) loses and doubles nothing', async (step) => {
  const scene = await openScene(step)
  const clientMessageId = randomUUID()
  scene.alice.node = at(lasting)
  const answer = await scene.alice.send(scene.conversationId, 'the one', clientMessageId)
  expect(await scene.doomed.ended()).toEqual(endings.killed)
  for (const log of scene.dying) expect(log.texts).toEqual(['before'])
  await expectOnce(scene, clientMessageId)
  expect((await scene.alice.send(scene.conversationId, 'the one', clientMessageId)).message.id).toBe(answer.message.id)
})

test('D3 a rare write whose node is killed after its COMMIT is delivered once to everyone', async () => {
  const { alice, conversationId, dying, living, doomed } = await openScene('parley:write.committed')
  const carol = await logIn(lasting, 'carol')
  const carols = await carol.events().live()
  const input = { conversationId, userIds: [carol.userId] }
  await expect(alice.run(AddMembers, { input })).rejects.toThrow()
  expect(await doomed.ended()).toEqual(endings.killed)
  alice.node = at(lasting)
  await alice.run(AddMembers, { input })
  await alice.send(conversationId, 'welcome')
  const after = await alice.events({ after: dying[0]?.cursor ?? null }).live()
  for (const log of [after, living, carols]) {
    await log.text('welcome')
    const joins = log.seen.filter((e) => e.__typename === 'MemberJoined' && e.user.username === 'carol')
    expect(joins).toHaveLength(1)
  }
  expect(carols.seen.map((event) => event.__typename).slice(2)).toEqual(['ConversationAdded', 'MemberJoined', 'MessageSent'])
})
