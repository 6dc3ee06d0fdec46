// Reading: markers that only move forward, and counts that always equal what SQL would count.

import { randomInt, randomUUID } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import { DeleteMessage, MarkRead, Whole } from './law/documents.ts'
import { type Device, request, signUpAll } from './support/device.ts'
import { AddMembers, RemoveMember, SendMessage } from './support/documents.ts'
import type { EventLog } from './support/event-log.ts'
import { connect, type Node, openPair } from './support/node.ts'

let here: Node
let there: Node
let alice: Device
let bob: Device
let carol: Device

beforeAll(async () => {
  ;[here, there] = await openPair()
  ;[alice, bob, carol] = (await signUpAll(here, 'Alice', 'Bob', 'Carol')) as [Device, Device, Device]
})

async function counts(device: Device, conversationId: string) {
  const { conversations } = await device.run(Whole, { people: [] })
  const found = conversations.nodes?.find((conversation) => conversation?.id === conversationId)
  return { unread: found?.unreadCount, mentions: found?.mentionCount }
}

const read = async (device: Device, conversationId: string, seq: number) =>
  (await device.run(MarkRead, { input: { conversationId, seq } })).markRead

test('a marker moves forward only: a stale one is a success without effect', async () => {
  const group = await alice.group('Forward', bob)
  for (let i = 0; i < 5; i += 1) await alice.send(group, `${i}`)
  expect(await counts(bob, group)).toEqual({ unread: 5, mentions: 0 })
  expect(await read(bob, group, 3)).toMatchObject({ seq: 3, conversation: { unreadCount: 2 } })
  expect(await read(bob, group, 1)).toMatchObject({ seq: 3, cursor: null, conversation: { unreadCount: 2 } })
  expect(await read(bob, group, 1_000)).toMatchObject({ seq: 5, conversation: { unreadCount: 0 } })
  expect(await counts(alice, group)).toEqual({ unread: 0, mentions: 0 })
})

test('a move is heard by everybody, on all devices', async () => {
  const group = await alice.group('Heard', bob)
  await alice.send(group, 'hello')
  const logs = await Promise.all(
    [alice, bob, await bob.another(there)].map((device) => device.events({ conversationId: group }).live()),
  )
  await read(bob, group, 1)
  for (const log of logs) await log.until('the move', ({ seen }) => seen.some((event) => event.__typename === 'ReadMarkersMoved'))
})

/** The markers of each ReadMarkersMoved that has come. */
const movesIn = (log: EventLog) =>
  log.seen.flatMap((event) =>
    event.__typename === 'ReadMarkersMoved'
      ? [Object.fromEntries(event.markers.map(({ user, seq }) => [user.username, seq]))]
      : [],
  )

test('B6 what moves within a second in one conversation is one fact, and each answer is committed', async () => {
  const group = await alice.group('Gathered', bob, carol)
  const other = await alice.group('Another', bob)
  for (const id of [group, group, group, other]) await alice.send(id, 'hello')
  const log = await carol.events({ conversationId: group }).live()
  expect((await read(bob, group, 1)).cursor).toBeTruthy()
  const began = performance.now()
  const gathered = [read(bob, group, 2), read(carol, group, 3), read(alice, group, 3), read(bob, group, 3), read(bob, group, 1)]
  await read(bob, other, 1)
  expect(performance.now() - began, 'another conversation does not wait').toBeLessThan(900)
  const answers = await Promise.all(gathered)
  expect(answers.map(({ seq }) => seq)).toEqual([3, 3, 3, 3, 3])
  expect(new Set(answers.map(({ cursor }) => cursor)).size).toBe(1)
  for (const device of [alice, bob, carol]) expect(await counts(device, group)).toEqual({ unread: 0, mentions: 0 })
  await log.until('the second fact', () => movesIn(log).length === 2)
  expect(movesIn(log)).toEqual([{ bob: 1 }, { alice: 3, bob: 3, carol: 3 }])
  const [first, second] = log.seen.filter(({ __typename }) => __typename === 'ReadMarkersMoved')
  expect(Date.parse(second?.occurredAt ?? '') - Date.parse(first?.occurredAt ?? '')).toBeGreaterThan(900)
  expect(second?.cursor).toBe(answers[0]?.cursor)
  const replayed = await (await carol.another(there)).events({ after: first?.cursor ?? null, conversationId: group }).live()
  expect(movesIn(replayed)).toEqual([{ alice: 3, bob: 3, carol: 3 }])
})

test('B6 a fact that a node of the version before appends is heard, with its one marker', async () => {
  const group = await alice.group('Older', bob)
  await alice.send(group, 'hello')
  const log = await alice.events({ conversationId: group }).live()
  const sql = await connect(here.databaseUrl)
  const [conversation, reader] = [group, bob.userId].map((id) => Number.parseInt(id.slice(4), 36))
  const call = 'call journal_read_batch(array[$1::bigint], array[$2::bigint], array[1], null, null, null, null, null, null)'
  await sql.query(call, [conversation, reader])
  await log.until('the move', () => movesIn(log).length === 1)
  expect(movesIn(log)).toEqual([{ bob: 1 }])
  expect(log.errors).toEqual([])
})

test('somebody who joins has nothing unread, and then what comes', async () => {
  const group = await alice.group('Joining')
  await alice.send(group, 'history')
  await alice.run(AddMembers, { input: { conversationId: group, userIds: [bob.userId] } })
  expect(await counts(bob, group)).toEqual({ unread: 0, mentions: 0 })
  await alice.send(group, 'news')
  expect(await counts(bob, group)).toEqual({ unread: 1, mentions: 0 })
})

test('is for members: not for a removed one, a stranger or nobody; not with a bad seq', async () => {
  const group = await alice.group('Members', bob)
  await alice.run(RemoveMember, { input: { conversationId: group, userId: bob.userId } })
  const input = { conversationId: group, seq: 1 }
  for (const device of [bob, carol]) expect((await device.refused(MarkRead, { input })).extensions.code).toBe('NOT_FOUND')
  expect((await request(here.url, MarkRead, { input })).errors[0]?.extensions.code).toBe('UNAUTHENTICATED')
  expect((await alice.refused(MarkRead, { input: { ...input, seq: -1 } })).extensions).toMatchObject({
    code: 'BAD_INPUT',
    argument: 'input.seq',
  })
})

test('counts equal what SQL counts, whatever happens in whatever order on several devices', async () => {
  const group = await alice.group('Random', bob, carol)
  const people = [alice, bob, carol]
  const devices = [...people, await alice.another(there), await bob.another(there), await carol.another(there)]
  const sql = await connect(here.databaseUrl)
  const messages: { id: string; sender: string }[] = []
  const act = async () => {
    const device = devices[randomInt(devices.length)] ?? alice
    const what = randomInt(10)
    if (what < 5 || messages.length === 0) {
      const mentionedUserIds = people.filter(() => randomInt(3) === 0).map(({ userId }) => userId)
      const input = { conversationId: group, clientMessageId: randomUUID(), text: 'hello', mentionedUserIds }
      messages.push({ id: (await device.run(SendMessage, { input })).sendMessage.message.id, sender: device.userId })
    } else if (what < 9) {
      await read(device, group, randomInt(messages.length + 2))
    } else {
      const mine = messages.filter(({ sender }) => sender === device.userId)
      const message = mine[randomInt(mine.length || 1)]
      if (message) await device.run(DeleteMessage, { input: { messageId: message.id } })
    }
  }
  for (let round = 0; round < 12; round += 1) {
    await Promise.all(Array.from({ length: 10 }, act))
    for (const device of people) {
      const userId = Number.parseInt(device.userId.slice(4), 36)
      const { rows } = await sql.query(
        `with mine as (select conversation_id, seq from read_marker where user_id = $1)
         select count(*) filter (where m.sender_id <> $1)::int as unread, count(*) filter (where $1 = any(m.mentioned_user_ids))::int as mentions
           from message m left join (select conversation_id as cid, mine.seq as read_seq from mine) r on r.cid = m.conversation_id
          where m.deleted_at is null and m.seq > coalesce(r.read_seq, 0) and m.conversation_id = $2`,
        [userId, Number.parseInt(group.slice(4), 36)],
      )
      expect(await counts(device, group)).toEqual(rows[0])
    }
  }
})
