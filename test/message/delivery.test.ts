// Delivery: what a device acknowledges, the others see as delivered, and hear of it when it is news.

import { beforeAll, expect, test } from 'vitest'
import { BlockUser } from '../account/documents.ts'
import { type Device, request, signUpAll } from '../support/device.ts'
import { Acknowledge, RemoveMember } from '../support/documents.ts'
import type { EventLog } from '../support/event-log.ts'
import { type Node, openPair } from '../support/node.ts'
import { Delivered, DeliveredTo } from './documents.ts'

let here: Node
let there: Node
let [alice, bob, carol, stranger]: Device[] = []
const of = (device: Device | undefined): Device => {
  if (!device) throw new Error('not signed up')
  return device
}

beforeAll(async () => {
  ;[here, there] = await openPair()
  ;[alice, bob, carol, stranger] = await signUpAll(here, 'Alice', 'Bob', 'Carol', 'Stranger')
})

const acknowledge = (device: Device, cursor: string) => device.run(Acknowledge, { input: { cursor } })

/** The users that a message was delivered to, as a device sees it. */
async function deliveredTo(device: Device, id: string): Promise<string[] | null> {
  const { node } = await device.run(DeliveredTo, { id })
  return node?.__typename === 'Message' ? node.deliveredTo.map(({ username }) => username) : null
}
/** By username, the seq of the last message that was delivered. */
async function seqs(device: Device, id: string): Promise<Record<string, number>> {
  const { conversation } = await device.run(Delivered, { id })
  return Object.fromEntries(conversation?.members.nodes.map((m) => [m.user.username, m.deliveredSeq]) ?? [])
}
const markersIn = (log: EventLog) =>
  log.seen.flatMap((event) =>
    event.__typename === 'DeliveryMarkersMoved' ? event.markers.map(({ user, seq }) => `${user.username} ${seq}`) : [],
  )

test('what a device acknowledged is delivered, on both nodes, to all members alike', async () => {
  const group = await of(alice).group('Delivered', of(bob), of(carol))
  const onCarol = await (await of(carol).another(there)).events({ conversationId: group }).live()
  const one = await of(alice).send(group, 'one')
  const two = await of(alice).send(group, 'two')
  expect(await deliveredTo(of(alice), one.message.id)).toEqual([])
  await acknowledge(of(bob), one.cursor)
  for (const device of [alice, bob, carol]) {
    expect(await deliveredTo(of(device), one.message.id)).toEqual(['bob'])
    expect(await deliveredTo(of(device), two.message.id)).toEqual([])
    expect(await seqs(of(device), group)).toEqual({ alice: 0, bob: 1, carol: 0 })
  }
  expect(await deliveredTo(of(stranger), one.message.id)).toBeNull()
  await onCarol.until('the first', () => markersIn(onCarol).length === 1)
  await acknowledge(await of(bob).another(there), two.cursor)
  expect(await deliveredTo(of(alice), two.message.id)).toEqual(['bob'])
  await onCarol.until('the second', () => markersIn(onCarol).length === 2)
  expect(markersIn(onCarol)).toEqual(['bob 1', 'bob 2'])
})

test('it is told only if messages of others are news to the whole user', async () => {
  const group = await of(alice).group('News', of(bob))
  const log = await of(alice).events({ conversationId: group }).live()
  const one = await of(alice).send(group, 'one')
  await acknowledge(of(alice), one.cursor) // the sender
  await acknowledge(of(bob), one.cursor)
  await acknowledge(await of(bob).another(there), one.cursor) // a second device
  await acknowledge(of(bob), one.cursor) // a repeat
  await log.until('the delivery', () => markersIn(log).length > 0)
  const told = log.seen.find(({ __typename }) => __typename === 'DeliveryMarkersMoved')
  await acknowledge(of(bob), told?.cursor ?? '') // the news of it is no news
  const two = await of(alice).send(group, 'two')
  await acknowledge(of(bob), two.cursor)
  await log.until('the next', () => markersIn(log).length > 1)
  expect(markersIn(log)).toEqual(['bob 1', 'bob 2'])
})

test('who left or was removed, and who joined later, is not among the receivers', async () => {
  const group = await of(alice).group('Gone', of(bob), of(carol))
  const one = await of(alice).send(group, 'one')
  for (const device of [bob, carol]) await acknowledge(of(device), one.cursor)
  expect(await deliveredTo(of(alice), one.message.id)).toEqual(['bob', 'carol'])
  await of(alice).run(RemoveMember, { input: { conversationId: group, userId: of(carol).userId } })
  expect(await deliveredTo(of(alice), one.message.id)).toEqual(['bob'])
  expect(await seqs(of(carol), group)).toEqual({})
})

test('a closed conversation neither tells nor says anything', async () => {
  const direct = await of(bob).direct(of(stranger))
  const one = await of(bob).send(direct, 'one')
  await of(bob).run(BlockUser, { input: { userId: of(stranger).userId } })
  await acknowledge(of(stranger), one.cursor)
  expect(await deliveredTo(of(bob), one.message.id)).toEqual([])
  expect(await seqs(of(bob), direct)).toEqual({ bob: 0, stranger: 0 })
})

test('of one acknowledgement after a long absence the fifty newest conversations are told; all can be read', async () => {
  const [host, late] = (await signUpAll(here, 'Host', 'Late')) as [Device, Device]
  const groups: string[] = []
  for (let n = 0; n < 55; n += 1) groups.push(await host.group(`Away ${n}`, late))
  const log = await host.events().live()
  const sent = []
  for (const group of groups) sent.push(await host.send(group, 'while you were away'))
  await acknowledge(late, sent.at(-1)?.cursor ?? '')
  const told = () => log.seen.flatMap((e) => (e.__typename === 'DeliveryMarkersMoved' ? [e.conversation.id] : []))
  await log.until('fifty', () => told().length === 50)
  expect(told().sort()).toEqual(groups.slice(5).sort())
  for (const { message } of sent) expect(await deliveredTo(host, message.id)).toEqual(['late'])
  await host.send(groups[0] ?? '', 'more')
  const last = await host.send(groups[0] ?? '', 'and more')
  await acknowledge(late, last.cursor)
  await log.until('the first group', () => told().length === 51)
})

test('a place in the middle of the history delivers what is before it', async () => {
  const group = await of(alice).group('Between', of(bob))
  const sent = []
  for (let n = 1; n <= 20; n += 1) sent.push(await of(alice).send(group, `${n}`))
  for (const upto of [1, 7, 8, 19, 20]) {
    await acknowledge(of(bob), sent[upto - 1]?.cursor ?? '')
    expect(await seqs(of(alice), group)).toMatchObject({ bob: upto })
  }
})

test('nobody else acknowledges for you', async () => {
  const { cursor } = await of(alice).send(await of(alice).group('Own', of(bob)), 'one')
  const { errors } = await request(here.url, Acknowledge, { input: { cursor } })
  expect(errors[0]?.extensions.code).toBe('UNAUTHENTICATED')
})
