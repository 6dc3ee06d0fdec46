// Typing: a signal between nodes. Nothing is stored; it lapses, and it is cleared by sending, leaving and disconnecting.

import { print } from 'graphql'
import type { Client } from 'graphql-ws'
import { beforeAll, expect, test } from 'vitest'
import { BlockUser, UnblockUser } from '../account/documents.ts'
import { TestClock } from '../support/clock.ts'
import { type Device, request, signUpAll } from '../support/device.ts'
import { LeaveConversation, RemoveMember, SetTyping, Typing } from '../support/documents.ts'
import { type Node, openPair } from '../support/node.ts'
import { watchTyping as watch } from '../support/typing.ts'

const clock = new TestClock()
let here: Node
let there: Node
let alice: Device
let bob: Device
let carol: Device
beforeAll(async () => {
  ;[here, there] = await openPair({}, clock)
  ;[alice, bob, carol] = (await signUpAll(here, 'Alice', 'Bob', 'Carol')) as [Device, Device, Device]
})

const type = (device: Device, conversationId: string, typing = true) =>
  device.run(SetTyping, { input: { conversationId, typing } })

/** Sets over a WebSocket of a device whether its user types. */
async function typeOver(client: Client, conversationId: string, typing = true): Promise<void> {
  const input = { conversationId, typing }
  for await (const { errors } of client.iterate({ query: print(SetTyping), variables: { input } })) if (errors) throw errors[0]
}
/** A WebSocket that stays open: a client closes one without an operation. */
function openSocket(device: Device, conversationId: string): Client {
  const client = device.socket()
  const sink = { next: () => undefined, error: () => undefined, complete: () => undefined }
  client.subscribe({ query: print(Typing), variables: { conversationId } }, sink)
  return client
}
/** Another device with the same session, on any node: a second tab of a browser. */
const tab = (device: Device, node: Node): Device => Object.assign(Object.create(device), { node }) as Device
/** Whether a user stays shown as typing for longer than nodes take to ask each other about a session. */
async function goesOn(watcher: ReturnType<typeof watch>, who: string): Promise<void> {
  const from = watcher.states.length
  await clock.turn(1_000)
  expect([who, ...watcher.states.slice(from)]).toEqual([who])
}

test('is seen by the others on every node, and not by the user', async () => {
  const group = await alice.group('Typing', bob, carol)
  const [mine, theirs] = [watch(alice, group), watch(await bob.another(there), group)]
  await Promise.all([mine.shows(''), theirs.shows('')])
  expect((await type(alice, group)).setTyping.lapsesAt).not.toBeNull()
  await theirs.shows('alice')
  await type(carol, group)
  await theirs.shows('alice,carol')
  await mine.shows('carol')
  expect((await type(alice, group, false)).setTyping.lapsesAt).toBeNull()
  await theirs.shows('carol')
})

test('ends with a message, when the user leaves, and when the connection is lost', async () => {
  const group = await alice.group('Cleared', bob, carol)
  const onThere = watch(await alice.another(there), group)
  await onThere.shows('')
  await type(bob, group)
  await onThere.shows('bob')
  await bob.send(group, 'done')
  await onThere.shows('')
  await type(bob, group)
  await onThere.shows('bob')
  await bob.run(LeaveConversation, { input: { conversationId: group } })
  await onThere.shows('')
  const stream = await carol.events().live()
  await type(carol, group)
  await onThere.shows('carol')
  stream.cut()
  await clock.until('the loss to be noticed', () => onThere.states.at(-1) === '', 1_000)
})

test('D6 ends in both directions when one user blocks the other', async () => {
  const direct = await alice.direct(carol)
  const watchers = [watch(alice, direct), watch(carol, direct)]
  for (const watcher of watchers) await watcher.shows('')
  await alice.run(BlockUser, { input: { userId: carol.userId } })
  for (const watcher of watchers) await watcher.until('the end', watcher.isOver)
  for (const device of [alice, carol]) {
    const { extensions } = await device.refused(SetTyping, { input: { conversationId: direct, typing: true } })
    expect(extensions.code).toBe('FORBIDDEN')
  }
  await alice.run(UnblockUser, { input: { userId: carol.userId } })
  await type(carol, direct)
})

test('lapses after 6 seconds', async () => {
  const group = await alice.group('Lapses', bob)
  const watcher = watch(bob, group)
  await watcher.shows('')
  await type(alice, group)
  await watcher.shows('alice')
  await clock.turn(5_750)
  expect(watcher.states.at(-1)).toBe('alice')
  await clock.turn(750)
  await watcher.shows('')
})

test('D6 is for members: a removed one no longer sees it; a stranger and an anonymous caller never do', async () => {
  const group = await alice.group('Members', bob)
  const removed = watch(bob, group)
  await removed.shows('')
  await alice.run(RemoveMember, { input: { conversationId: group, userId: bob.userId } })
  await removed.until('the end', removed.isOver)
  const input = { conversationId: group, typing: true }
  for (const device of [bob, carol]) expect((await device.refused(SetTyping, { input })).extensions.code).toBe('NOT_FOUND')
  expect((await request(here.url, SetTyping, { input })).errors[0]?.extensions.code).toBe('UNAUTHENTICATED')
  const stranger = watch(carol, group)
  await stranger.until('the refusal', () => stranger.errors.length > 0)
  expect(stranger.errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }])
})

test('ends with its own connection, not with other devices or other sockets of the session on any node', async () => {
  const group = await alice.group('Devices', bob, carol)
  const laptop = await bob.another(there)
  const watcher = watch(alice, group)
  await watcher.shows('')
  const sockets = [bob, tab(bob, there), laptop, bob].map((device) => openSocket(device, group))
  for (const socket of sockets.slice(0, 3)) await typeOver(socket, group)
  await typeOver(sockets[3] as Client, group, false) // a socket that did not start it cannot end it
  await watcher.shows('bob')
  sockets[2]?.terminate()
  sockets[0]?.terminate()
  await goesOn(watcher, 'bob')
  sockets[1]?.terminate()
  await watcher.shows('')
})

test('over HTTP ends with the last socket of the session, wherever that is, or by the session', async () => {
  const group = await alice.group('Over HTTP', bob, carol)
  const watcher = watch(alice, group)
  await watcher.shows('')
  const sockets = [bob, tab(bob, there), carol, await bob.another()].map((device) => openSocket(device, group))
  for (const socket of sockets) await typeOver(socket, group, false)
  await type(bob, group)
  await watcher.shows('bob')
  sockets[0]?.terminate()
  sockets[3]?.terminate()
  await goesOn(watcher, 'bob')
  await type(tab(bob, there), group, false)
  await watcher.shows('', 2_000)
  await typeOver(sockets[2] as Client, group)
  await watcher.shows('carol')
  await type(tab(carol, there), group, false)
  await watcher.shows('', 2_000)
})

test('leaves nothing behind of users who type over HTTP alone', async () => {
  const group = await alice.group('HTTP alone', bob, carol)
  for (const device of [alice, bob, carol]) await type(device, group)
  expect(here.app.typing.remembered()).toBeGreaterThanOrEqual(3)
  await clock.turn(6_500)
  expect(here.app.typing.remembered()).toBe(0)
})
