// Read markers, which only move forward, and counts, which always equal what SQL would count.

import { randomUUID } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import type { UserId } from '../../src/id.ts'
import { parseId } from '../../src/id.ts'
import { readBadges } from '../../src/push/situation.ts'
import { BlockUser, UnblockUser } from '../account/documents.ts'
import { CreateInvite, JoinWithInvite, MuteConversation } from '../conversation/documents.ts'
import { appendSend } from '../journal/setup.ts'
import { DeleteMessage, EditMessage, MarkRead, Whole } from '../law/documents.ts'
import { readCounts, UnreadConversation, UnreadModel } from '../law/unread.ts'
import { SetConversationPushLevel } from '../push/documents.ts'
import { type Device, request, signUpAll } from '../support/device.ts'
import { AddMembers, CreateGroup, LeaveConversation, RemoveMember, SendMessage, Unread } from '../support/documents.ts'
import type { EventLog } from '../support/event-log.ts'
import { type Node, openPair } from '../support/node.ts'
import { withSeed } from '../support/random.ts'
import { ReadTimes, Totals } from './documents.ts'

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

test('a marker only moves forward: a stale one succeeds without effect', async () => {
  const group = await alice.group('Forward', bob)
  for (let i = 0; i < 5; i += 1) await alice.send(group, `${i}`)
  expect(await counts(bob, group)).toEqual({ unread: 5, mentions: 0 })
  expect(await read(bob, group, 3)).toMatchObject({ seq: 3, conversation: { unreadCount: 2 } })
  expect(await read(bob, group, 1)).toMatchObject({ seq: 3, cursor: null, conversation: { unreadCount: 2 } })
  expect(await read(bob, group, 1_000)).toMatchObject({ seq: 5, conversation: { unreadCount: 0 } })
  expect(await counts(alice, group)).toEqual({ unread: 0, mentions: 0 })
})

test('Member.readAt is when the marker last moved; each marker has an id of its own', async () => {
  const group = await alice.group('When', bob)
  await alice.send(group, 'hello')
  const times = async (device: Device) => {
    const { conversation } = await device.run(ReadTimes, { id: group })
    const ids = conversation?.readMarkers.map(({ id }) => id) ?? []
    expect(new Set(ids).size).toBe(ids.length)
    return conversation?.members.nodes.find(({ user }) => user.username === 'bob')?.readAt
  }
  expect(await times(alice)).toBeNull()
  const before = Date.now()
  await read(bob, group, 1)
  const at = await times(alice)
  expect(new Date(String(at)).getTime()).toBeGreaterThan(before - 2_000)
  await read(bob, group, 1)
  expect(await times(bob)).toBe(at)
})

test('unreadTotals adds up what is unread in all conversations that are not muted', async () => {
  const [dora, erik] = (await signUpAll(here, 'Dora', 'Erik')) as [Device, Device]
  const totals = async () => (await dora.run(Totals, {})).unreadTotals
  expect(await totals()).toEqual({ conversations: 0, messages: 0, mentions: 0 })
  const [one, two] = [await erik.group('One', dora), await erik.group('Two', dora)]
  for (const group of [one, one, two]) await erik.send(group, 'hello')
  await erik.run(SendMessage, {
    input: { conversationId: two, clientMessageId: randomUUID(), text: 'you', mentionedUserIds: [dora.userId] },
  })
  await dora.send(one, 'my own does not count')
  expect(await totals()).toEqual({ conversations: 2, messages: 4, mentions: 1 })
  await read(dora, one, 1)
  expect(await totals()).toEqual({ conversations: 2, messages: 3, mentions: 1 })
  await dora.run(MuteConversation, { input: { conversationId: two, until: '2999-01-01T00:00:00Z' } })
  expect(await totals()).toEqual({ conversations: 1, messages: 1, mentions: 0 })
  await read(dora, one, 3)
  await dora.run(MuteConversation, { input: { conversationId: two, until: null } })
  expect(await totals()).toEqual({ conversations: 1, messages: 2, mentions: 1 })
  await dora.run(BlockUser, { input: { userId: erik.userId } })
  expect(await totals()).toEqual({ conversations: 0, messages: 0, mentions: 0 })
})

test('a move is announced to every member, on all devices', async () => {
  const group = await alice.group('Heard', bob)
  await alice.send(group, 'hello')
  const logs = await Promise.all(
    [alice, bob, await bob.another(there)].map((device) => device.events({ conversationId: group }).live()),
  )
  await read(bob, group, 1)
  for (const log of logs) await log.until('the move', ({ seen }) => seen.some((event) => event.__typename === 'ReadMarkersMoved'))
})

/** The markers of each received ReadMarkersMoved. */
const movesIn = (log: EventLog) =>
  log.seen.flatMap((event) =>
    event.__typename === 'ReadMarkersMoved'
      ? [Object.fromEntries(event.markers.map(({ user, seq }) => [user.username, seq]))]
      : [],
  )

test('D7 a user who floods with markers is refused alone, with RATE_LIMITED', async () => {
  const group = await alice.group('Flooded', bob)
  await alice.send(group, 'hello')
  const [conversationId, flooder, other] = [
    parseId('Conversation', group, ''),
    parseId('User', alice.userId, ''),
    parseId('User', bob.userId, ''),
  ]
  const marks = Array.from({ length: 600 }, () => here.app.readMarkers.move({ conversationId, userId: flooder, seq: 1 }))
  const mark = here.app.readMarkers.move({ conversationId, userId: other, seq: 1 })
  const refused = (await Promise.allSettled(marks)).flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
  expect(refused).toHaveLength(100)
  for (const reason of refused) expect(reason).toMatchObject({ code: 'RATE_LIMITED', isRetryable: true })
  expect(await mark).toMatchObject({ seq: 1 })
})

test('B6 moves within a second in one conversation make one fact, and each answer is committed', async () => {
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

test('a new member has nothing unread, and then the messages after the join', async () => {
  const group = await alice.group('Joining')
  await alice.send(group, 'history')
  await alice.run(AddMembers, { input: { conversationId: group, userIds: [bob.userId] } })
  expect(await counts(bob, group)).toEqual({ unread: 0, mentions: 0 })
  await alice.send(group, 'news')
  expect(await counts(bob, group)).toEqual({ unread: 1, mentions: 0 })
})

test('is for members: not for a removed one, a stranger or an anonymous caller; not with an invalid seq', async () => {
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

test('counts and badges follow one rule, under any order of events on several devices', { timeout: 90_000 }, () =>
  withSeed(async (random) => {
    const names = ['Una', 'Vic', 'Wyn', 'Xia'].map((name) => `${name}${random.whole(0, 999_999)}`)
    const people = await signUpAll(here, ...names)
    const others = await Promise.all(people.map((person) => person.another(there)))
    const [una, vic, wyn, xia] = people as [Device, Device, Device, Device]
    const model = new UnreadModel()
    const ids = people.map(({ userId }) => userId)
    for (const historyVisibility of ['ALL', 'SINCE_JOINING'] as const) {
      const input = { title: historyVisibility, historyVisibility, memberIds: ids }
      const { createGroup } = await una.run(CreateGroup, { input })
      model.places.push(new UnreadConversation(createGroup.conversation.id, historyVisibility, ...ids))
    }
    for (const [one, other] of [
      [una, vic],
      [wyn, xia],
    ] as const) {
      model.places.push(new UnreadConversation(await one.direct(other), 'DIRECT', one.userId, other.userId))
    }
    const one = <T>(things: readonly T[]) => things[random.whole(0, things.length - 1)]
    const deviceOf = (userId: string) => one([people, others])?.[ids.indexOf(userId)] ?? una

    const acts: Record<string, (place: UnreadConversation, userId: string) => Promise<unknown> | undefined> = {
      async send(place, userId) {
        const mentions = [...place.members.keys()].filter(() => random.chance(0.3))
        const input = { conversationId: place.id, clientMessageId: random.uuid(), text: 'hello', mentionedUserIds: mentions }
        const { message } = (await deviceOf(userId).run(SendMessage, { input })).sendMessage
        place.said.push({ id: message.id, seq: message.seq, by: userId, mentions, isDeleted: false })
      },
      edit(place, userId) {
        const message = one(place.ownOf(userId))
        return message && deviceOf(userId).run(EditMessage, { input: { messageId: message.id, text: random.uuid() } })
      },
      async delete(place, userId) {
        const message = one(place.ownOf(userId))
        if (message) await deviceOf(userId).run(DeleteMessage, { input: { messageId: message.id } })
        if (message) message.isDeleted = true
      },
      async level(place, userId) {
        const level = one(['ALL', 'MENTIONS', 'NONE', null] as const) ?? null
        await deviceOf(userId).run(SetConversationPushLevel, { input: { conversationId: place.id, level } })
        Object.assign(place.members.get(userId) ?? {}, { level })
      },
      async mute(place, userId) {
        const isMuted = random.chance(0.5)
        const until = isMuted ? '2999-01-01T00:00:00Z' : null
        await deviceOf(userId).run(MuteConversation, { input: { conversationId: place.id, until } })
        Object.assign(place.members.get(userId) ?? {}, { isMuted })
      },
      async leave(place, userId) {
        if (place.isDirect || userId === una.userId) return
        const input = { conversationId: place.id, userId }
        if (random.chance(0.5)) await una.run(RemoveMember, { input })
        else await deviceOf(userId).run(LeaveConversation, { input: { conversationId: place.id } })
        place.leave(userId)
      },
    }
    const comeBack = async (place: UnreadConversation) => {
      const userId = one(ids.filter((id) => !place.isDirect && !place.members.has(id)))
      if (userId === undefined) return
      const { createInvite } = await una.run(CreateInvite, { input: { conversationId: place.id } })
      await deviceOf(userId).run(JoinWithInvite, { input: { token: createInvite.invite.token } })
      place.join(userId)
    }
    const block = async (blocker: string, blocked: string) => {
      if (blocker === blocked) return
      const isBlocked = model.blocks.has(`${blocker} ${blocked}`)
      const input = { userId: blocked }
      await (isBlocked ? deviceOf(blocker).run(UnblockUser, { input }) : deviceOf(blocker).run(BlockUser, { input }))
      if (isBlocked) model.blocks.delete(`${blocker} ${blocked}`)
      else model.blocks.add(`${blocker} ${blocked}`)
    }
    const drawn = ['send', 'send', 'send', 'send', 'edit', 'delete', 'level', 'mute', 'leave', 'come back', 'block'] as const

    for (let round = 0; round < 6; round += 1) {
      const done: string[] = []
      for (let i = 0; i < 15; i += 1) {
        const [what, place, userId] = [random.one(drawn), one(model.places) as UnreadConversation, one(ids) as string]
        done.push(what)
        if (what === 'come back') await comeBack(place)
        else if (what === 'block') await block(userId, one(ids) as string)
        else if (place.members.has(userId) && !model.isClosed(place)) await acts[what]?.(place, userId)
      }
      // Markers of one conversation are gathered, so concurrent ones take a second.
      const reads = model.places.flatMap((place) => {
        const userId = one([...place.members.keys()])
        return model.isClosed(place) || userId === undefined
          ? []
          : [{ place, userId, seq: random.whole(0, place.said.length + 2) }]
      })
      await Promise.all(reads.map(({ place, userId, seq }) => read(deviceOf(userId), place.id, seq)))
      for (const { place, userId, seq } of reads) place.read(userId, seq)
      for (const userId of ids) {
        expect(await readCounts(here, deviceOf(userId)), `round ${round}, ${names[ids.indexOf(userId)]}: ${done}`).toEqual(
          model.countsOf(userId),
        )
      }
    }
  }),
)

test("one's own messages and mentions, and those of a blocked user, are not unread", async () => {
  const [ann, ben, cai] = (await signUpAll(here, 'Ann', 'Ben', 'Cai')) as [Device, Device, Device]
  const group = await ann.group('One rule', ben, cai)
  const everybody = [ann, ben, cai].map(({ userId }) => userId)
  const say = (device: Device) =>
    device.run(SendMessage, {
      input: { conversationId: group, clientMessageId: randomUUID(), text: 'all of you', mentionedUserIds: everybody },
    })
  for (const device of [ann, ben, ben, cai, cai, cai]) await say(device)
  const unreadOf = async (device: Device) => {
    const { conversation } = await device.run(Unread, { id: group })
    return [conversation?.unreadCount, conversation?.mentionCount]
  }
  const badgeOf = async (device: Device) => {
    const userId = parseId('User', device.userId, '')
    return (await readBadges(here.app.store.reader, [userId], new Date())).get(userId) ?? 0
  }
  expect(await Promise.all([ann, ben, cai].map(unreadOf))).toEqual([
    [5, 5],
    [4, 4],
    [3, 3],
  ])
  await ann.run(BlockUser, { input: { userId: cai.userId } })
  expect(await Promise.all([ann, ben, cai].map(unreadOf))).toEqual([
    [2, 2],
    [4, 4],
    [3, 3],
  ])
  expect(await Promise.all([ann, ben, cai].map(badgeOf))).toEqual([2, 4, 3])
  await ann.run(UnblockUser, { input: { userId: cai.userId } })
  expect(await unreadOf(ann)).toEqual([5, 5])
})

test('unreadCount stops at 1,000 and says so', async () => {
  const group = await alice.group('Much', bob, carol)
  const conversationId = parseId('Conversation', group, '')
  const [reader, one, other] = [bob, alice, carol].map(({ userId }) => parseId('User', userId, '')) as [UserId, UserId, UserId]
  const sends = (count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, i) =>
        appendSend(here, {
          conversationId,
          senderId: i % 2 === 0 ? one : other,
          clientMessageId: randomUUID(),
          text: 'x',
          replyToId: null,
          mentionedUserIds: [reader],
          attachments: null,
          data: null,
          changed: null,
          sealed: null,
        }),
      ),
    )
  const unread = async () => (await bob.run(Unread, { id: group })).conversation
  await sends(1_000)
  expect(await unread()).toEqual({ unreadCount: 1_000, unreadCountIsExact: true, mentionCount: 1_000 })
  await sends(2)
  expect(await unread()).toEqual({ unreadCount: 1_000, unreadCountIsExact: false, mentionCount: 1_000 })
  expect((await carol.run(Unread, { id: group })).conversation).toMatchObject({ unreadCount: 501, unreadCountIsExact: true })
})
