// Nodes that follow digests: devices on them get what they may see, once and in order, whether their node heard it at once, fetched it
// from the shelf, or read it from Postgres.

import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { beforeAll, describe, expect, inject, test } from 'vitest'
import { DeleteMessage, EditMessage } from '../law/documents.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { AddMembers, RemoveMember } from '../support/documents.ts'
import { closeAtEnd, createDatabase, type Environment, type Node, openNode } from '../support/node.ts'
import { until } from '../support/until.ts'

/** Nodes on one database, one for each of these ways to follow. */
async function openNodes(...follow: readonly string[]): Promise<Node[]> {
  const shared: Environment = { DATABASE_URL: await createDatabase(), REDIS_URL: inject('redisUrl') }
  const nodes: Node[] = []
  for (const mode of follow) nodes.push(await openNode({ ...shared, PARLEY_FOLLOW: mode }))
  return nodes
}

/** Empties the shelf: removes every parcel of a node's journal. */
async function emptyShelf(node: Node): Promise<number> {
  const redis = new Redis(inject('redisUrl'))
  try {
    const keys = await redis.keys(`${node.app.journal.topic('parcel')}:*`)
    if (keys.length > 0) await redis.del(keys)
    return keys.length
  } finally {
    redis.disconnect()
  }
}

const heads = (nodes: readonly Node[]) => nodes.map(({ app }) => app.journal.head().position)
const level = (nodes: readonly Node[]) => until('the nodes to be level', () => new Set(heads(nodes)).size === 1)

describe('digests', () => {
  let here: Node
  let there: Node
  let [alice, bob, carol] = [] as unknown as [Device, Device, Device]
  beforeAll(async () => {
    ;[here, there] = (await openNodes('digest', 'digest')) as [Node, Node]
    ;[alice, bob, carol] = (await signUpAll(here, 'Alice', 'Bob', 'Carol')) as [Device, Device, Device]
    bob.node = there
    carol.node = there
  })

  test('D3 a device hears what happens on another node, and nothing of conversations that it is not in', async () => {
    const [withBob, withCarol] = [await alice.direct(bob), await alice.direct(carol)]
    const stream = await bob.events().live()
    const sent = Array.from({ length: 60 }, (_, i) => alice.send(i % 3 === 0 ? withBob : withCarol, `${i}`))
    await Promise.all(sent)
    await alice.send(withBob, 'last')
    await stream.text('last')
    expect(stream.texts).toHaveLength(21)
    expect(stream.errors).toEqual([])
    expect(stream.ended).toBeNull()
    stream.stop()
    await until('nobody to hear', () => there.app.journal.streamCount() === 0)
  })

  test('D3 D4 a device that comes back gets what its new node did not hear, from the shelf or from Postgres', async () => {
    const id = await alice.direct(carol)
    for (const isEmptied of [false, true]) {
      const first = await carol.events().live()
      const { message } = await alice.send(id, 'kept')
      await first.text('kept')
      first.cut()
      await until('nobody to hear', () => there.app.journal.streamCount() === 0)
      const texts = Array.from({ length: 30 }, (_, i) => `away ${isEmptied} ${i}`)
      for (const text of texts) await alice.send(id, text)
      await alice.run(EditMessage, { input: { messageId: message.id, text: 'edited' } })
      await level([here, there])
      if (isEmptied) expect(await emptyShelf(there)).toBeGreaterThan(0)
      const again = await carol.events({ after: first.cursor }).live()
      expect(again.seen[0]).toMatchObject({ mode: 'RESUMED' })
      expect(again.texts).toEqual(texts)
      expect(again.seen.filter(({ __typename }) => __typename === 'MessageEdited')).toHaveLength(1)
      again.cut()
      await until('nobody to hear', () => there.app.journal.streamCount() === 0)
    }
  })

  test('D6 a message that was deleted while nobody here heard is not shown again from what the node remembers', async () => {
    const id = await alice.direct(bob)
    const first = await bob.events().live()
    const before = first.cursor
    const { message } = await alice.send(id, 'secret')
    await first.text('secret')
    first.cut()
    await until('nobody to hear', () => there.app.journal.streamCount() === 0)
    await alice.run(DeleteMessage, { input: { messageId: message.id } })
    await level([here, there])
    const again = await bob.events({ after: before }).live()
    expect(JSON.stringify(again.seen)).not.toContain('secret')
    expect(again.seen.map(({ __typename }) => __typename)).toContain('MessageDeleted')
    again.stop()
  })

  test('D6 who joins and leaves hears exactly the time between, on a node where nobody heard the group before', async () => {
    const group = await alice.group('Group', carol)
    const stream = await bob.events().live()
    await alice.send(group, 'before')
    await alice.run(AddMembers, { input: { conversationId: group, userIds: [bob.userId] } })
    for (let i = 0; i < 10; i += 1) await alice.send(group, `within ${i}`)
    await alice.run(RemoveMember, { input: { conversationId: group, userId: bob.userId } })
    await alice.send(group, 'after')
    const direct = await alice.direct(bob)
    const mark = randomUUID()
    await alice.send(direct, mark)
    await stream.text(mark)
    expect(stream.texts.filter((text) => /before|within|after/.test(text))).toEqual(
      Array.from({ length: 10 }, (_, i) => `within ${i}`),
    )
    stream.stop()
  })

  test('A12 with a shelf that loses everything, events come from Postgres', async () => {
    const id = await alice.direct(bob)
    const stream = await bob.events().live()
    const redis = new Redis(inject('redisUrl'))
    closeAtEnd(async () => redis.disconnect())
    const prefix = there.app.journal.topic('parcel')
    let isOver = false
    const emptying = (async () => {
      while (!isOver) {
        const keys = await redis.keys(`${prefix}:*`)
        if (keys.length > 0) await redis.del(keys)
      }
    })()
    const texts = Array.from({ length: 100 }, (_, i) => `lost ${i}`)
    for (const text of texts) await alice.send(id, text)
    await stream.text('lost 99')
    isOver = true
    await emptying
    expect(stream.texts.filter((text) => text.startsWith('lost'))).toEqual(texts)
    stream.stop()
  })
})

test('D3 the change from full to digest takes two rolling steps, in which all nodes hear each other at once', async () => {
  const nodes = await openNodes('full', 'both', 'both', 'digest')
  const [full, both, other, digest] = nodes as [Node, Node, Node, Node]
  const [alice, bob] = (await signUpAll(full, 'Alice', 'Bob')) as [Device, Device]
  const id = await alice.direct(bob)
  const read = { count: 0 }
  for (const [sender, receiver] of [
    [full, both],
    [both, full],
    [both, other],
    [both, digest],
    [digest, both],
    [digest, other],
  ] as const) {
    const stream = await (await bob.another(receiver)).events().live()
    const device = await alice.another(sender)
    await level(nodes)
    const text = randomUUID()
    const begun = performance.now()
    await device.send(id, text)
    await stream.text(text)
    if (performance.now() - begun > 150) read.count += 1
    stream.stop()
  }
  // The look at the head would take up to 250 ms each time.
  expect(read.count).toBeLessThan(3)
})
