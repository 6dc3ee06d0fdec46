// Typing: a signal between nodes. Nothing is stored; it lapses, and it is cleared by sending, leaving and disconnecting.

import { beforeAll, expect, test } from 'vitest'
import { BlockUser, UnblockUser } from './people/documents.ts'
import { type Device, request, signUpAll } from './support/device.ts'
import { LeaveConversation, RemoveMember, SetTyping } from './support/documents.ts'
import { type Node, openPair } from './support/node.ts'
import { watchTyping as watch } from './support/typing.ts'

let here: Node
let there: Node
let alice: Device
let bob: Device
let carol: Device
beforeAll(async () => {
  ;[here, there] = await openPair()
  ;[alice, bob, carol] = (await signUpAll(here, 'Alice', 'Bob', 'Carol')) as [Device, Device, Device]
})

const type = (device: Device, conversationId: string, typing = true) =>
  device.run(SetTyping, { input: { conversationId, typing } })

test('is seen by the others on every node, and not by oneself', async () => {
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

test('is cleared by sending, by leaving, and when the connection is lost', async () => {
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
  await onThere.shows('', 3_000)
})

test('D6 ends in both directions when one blocks the other', async () => {
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

test('lapses after 6 seconds by itself', async () => {
  const group = await alice.group('Lapses', bob)
  const watcher = watch(bob, group)
  await watcher.shows('')
  const started = performance.now()
  await type(alice, group)
  await watcher.shows('alice')
  await watcher.shows('', 8_000)
  expect(performance.now() - started).toBeGreaterThan(5_500)
})

test('D6 is for members: a removed one stops to see it; a stranger and nobody never do', async () => {
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
