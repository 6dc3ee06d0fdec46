// Private settings of members: muted until, archived. Nobody else sees or receives them.

import { parse } from 'graphql'
import { beforeAll, describe, expect, test } from 'vitest'
import { parseId } from '../../src/id.ts'
import { type Device, request, signUpAll } from '../support/device.ts'
import { AddMembers, RemoveMember } from '../support/documents.ts'
import { connect, type Node, openNode, openPair } from '../support/node.ts'
import { type Cast, castGroup, codesOf, signUpCast } from './cast.ts'
import {
  ArchiveConversation,
  ConversationsBy,
  MarkUnread,
  MemberById,
  MembershipEvents,
  MuteConversation,
  OwnSettings,
  PinConversation,
  PinnedConversations,
  PlainConversations,
} from './documents.ts'
import { follow } from './follow.ts'

let node: Node
let cast: Cast

beforeAll(async () => {
  node = await openNode()
  cast = await signUpCast(node)
})

const until = '2999-12-31T23:59:59.999Z'
test('only the member sees each of them', async () => {
  const id = await castGroup(cast)
  await cast.member.run(MuteConversation, { input: { conversationId: id, until } })
  await cast.member.run(ArchiveConversation, { input: { conversationId: id, archived: true } })
  const own = (await cast.member.run(OwnSettings, { id })).conversation
  const set = { mutedUntil: until, archivedAt: expect.any(String) }
  const unset = { mutedUntil: null, archivedAt: null }
  expect(own?.viewerMembership).toMatchObject(set)
  expect(own?.members.nodes?.find((one) => one?.user.username === 'member')).toMatchObject(set)
  const memberId = own?.viewerMembership?.id ?? ''
  expect((await cast.member.run(MemberById, { id: memberId })).node).toMatchObject(set)
  expect((await cast.owner.run(MemberById, { id: memberId })).node).toEqual({ user: { username: 'member' }, ...unset })
  for (const outsider of [cast.removed, cast.stranger]) {
    expect((await outsider.run(MemberById, { id: memberId })).node).toBeNull()
  }
  const seen = (await cast.owner.run(OwnSettings, { id })).conversation?.members.nodes ?? []
  expect(seen).toHaveLength(3)
  for (const one of seen) expect(one).toMatchObject(unset)
})

test("D5 each change is announced to the member's own devices only; without a change nothing is", async () => {
  const conversationId = await castGroup(cast)
  const device = await cast.member.another()
  const [onDevice, onOwner] = [await follow(device, MembershipEvents, {}), await follow(cast.owner, MembershipEvents, {})]
  const mute = async (at: string | null) =>
    (await cast.member.run(MuteConversation, { input: { conversationId, until: at } })).muteConversation
  const archive = async (archived: boolean) =>
    (await cast.member.run(ArchiveConversation, { input: { conversationId, archived } })).archiveConversation
  expect((await mute(until)).cursor).not.toBeNull()
  expect((await mute(until)).cursor).toBeNull()
  expect((await archive(true)).cursor).not.toBeNull()
  expect((await archive(true)).cursor).toBeNull()
  expect((await mute(null)).conversation.viewerMembership).toMatchObject({ mutedUntil: null, archivedAt: expect.any(String) })
  expect((await archive(false)).conversation.viewerMembership).toEqual({ mutedUntil: null, archivedAt: null })
  await cast.owner.group('the next thing that happens', cast.member)
  for (const log of [onDevice, onOwner]) await log.first('ConversationAdded')
  const told = onDevice.all('MembershipUpdated')
  expect(told.map(({ conversation }) => conversation.id)).toEqual(Array(4).fill(conversationId))
  expect(told.at(-1)?.member).toEqual({ user: { username: 'member' }, mutedUntil: null, archivedAt: null })
  expect(onOwner.all('MembershipUpdated')).toEqual([])
})

test.each([
  ['a time in the past', '2001-01-01T00:00:00.000Z'],
  ['a time beyond the calendar', '+010000-01-01T00:00:00.000Z'],
])('muting until %s is refused', async (_what, at) => {
  const conversationId = await castGroup(cast)
  const refusal = await cast.member.refused(MuteConversation, { input: { conversationId, until: at } })
  expect(refusal.extensions).toMatchObject({ code: 'BAD_INPUT', argument: 'input.until' })
})

test('conversations omits archived ones unless they are requested; a new message does not unarchive', async () => {
  const [ann, ben] = (await signUpAll(node, 'Ann', 'Ben')) as [Device, Device]
  const groups: string[] = []
  for (const title of ['one', 'two', 'three', 'four']) groups.push(await ann.group(title, ben))
  for (const index of [0, 2]) {
    await ann.run(ArchiveConversation, { input: { conversationId: groups[index] ?? '', archived: true } })
  }
  await ben.send(groups[0] ?? '', 'are you there?')
  const titles = (nodes: readonly ({ title?: string | null } | null)[] | null | undefined) => nodes?.map((one) => one?.title)
  const read = async (device: Device, archived: boolean | null) =>
    titles((await device.run(ConversationsBy, { archived })).conversations.nodes)
  expect(titles((await ann.run(PlainConversations, {})).conversations.nodes)).toEqual(['four', 'two'])
  expect(await read(ann, false)).toEqual(['four', 'two'])
  expect(await read(ann, true)).toEqual(['one', 'three'])
  expect(await read(ann, null)).toEqual(['one', 'four', 'three', 'two'])
  expect(await read(ben, false)).toEqual(['one', 'four', 'three', 'two'])
  const page = (await ann.run(ConversationsBy, { archived: true, first: 1 })).conversations
  expect(page).toMatchObject({ nodes: [{ title: 'one' }], pageInfo: { hasNextPage: true } })
  const next = (await ann.run(ConversationsBy, { archived: true, first: 1, after: page.pageInfo.endCursor })).conversations
  expect(next).toMatchObject({ nodes: [{ title: 'three' }], pageInfo: { hasNextPage: false } })
})

test('coming back to a group resets both', async () => {
  const conversationId = await castGroup(cast)
  await cast.member.run(ArchiveConversation, { input: { conversationId, archived: true } })
  await cast.owner.run(RemoveMember, { input: { conversationId, userId: cast.member.userId } })
  await cast.owner.run(AddMembers, { input: { conversationId, userIds: [cast.member.userId] } })
  const { conversation } = await cast.member.run(OwnSettings, { id: conversationId })
  expect(conversation?.viewerMembership).toMatchObject({ mutedUntil: null, archivedAt: null })
})

test('muting against a removal, on two nodes, ends in one of the two orders', async () => {
  const [here, there] = await openPair()
  const [ann, ben] = (await signUpAll(here, 'Ann', 'Ben')) as [Device, Device]
  for (let round = 0; round < 6; round += 1) {
    const conversationId = await ann.group('Out', ben)
    const [muted, removed] = codesOf(
      await Promise.all([
        request(there.url, MuteConversation, { input: { conversationId, until } }, ben.accessToken),
        request(here.url, RemoveMember, { input: { conversationId, userId: ben.userId } }, ann.accessToken),
      ]),
    )
    expect(removed).toBe('done')
    expect(['done', 'NOT_FOUND']).toContain(muted)
    expect((await ben.run(OwnSettings, { id: conversationId })).conversation).toBeNull()
  }
})

describe('a DateTime', () => {
  const input = (conversationId: string, at: unknown) => ({ input: { conversationId, until: at as string } })

  test.each([
    ['2040-01-01T00:00:00Z', '2040-01-01T00:00:00.000Z'],
    ['2040-01-01t09:30:00.5z', '2040-01-01T09:30:00.500Z'],
    ['2040-02-29T23:59:59.9999999+00:00', '2040-02-29T23:59:59.999Z'],
    ['2040-01-01T00:00:00-05:30', '2040-01-01T05:30:00.000Z'],
    ['2040-01-01T00:00:00+23:59', '2039-12-31T00:01:00.000Z'],
    ['2040-06-30T23:59:60Z', '2040-07-01T00:00:00.000Z'],
    ['2041-01-01T08:59:60.25+09:00', '2041-01-01T00:00:00.000Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
  ])('%s is %s, as a variable and as a literal', async (text, shown) => {
    const conversationId = await castGroup(cast)
    const { muteConversation } = await cast.member.run(MuteConversation, input(conversationId, text))
    expect(muteConversation.conversation.viewerMembership?.mutedUntil).toBe(shown)
    const literal = `mutation { muteConversation(input: { conversationId: "${conversationId}", until: "${text}" }) { cursor } }`
    expect(await cast.member.run(parse(literal) as typeof MuteConversation, {} as never)).toEqual({
      muteConversation: { cursor: null },
    })
  })

  test('of any other form is refused, as a variable and as a literal, and the error names the argument', async () => {
    const conversationId = await castGroup(cast)
    const day = (date: string) => `${date}T00:00:00Z`
    const wrong = [
      ...[
        '2040-01-01T00:00:00',
        '2040-01-01',
        '2040-01-01T00:00Z',
        '2040-01-01 00:00:00Z',
        '20400101T000000Z',
        '2040-W01-1T00:00:00Z',
      ],
      ...['2050-02-30', '2041-02-29', '2040-04-31', '2040-00-01', '2040-13-01', '2040-01-00', '0000-01-01', '10000-01-01'].map(
        day,
      ),
      ...[
        'T24:00:00Z',
        'T00:60:00Z',
        'T00:00:61Z',
        'T00:00:60Z',
        'T23:59:60Z',
        'T00:00:00+24:00',
        'T00:00:00+00:60',
        'T00:00:00+0000',
        'T00:00:00.Z',
        'T00:00:00,5Z',
        'T00:00:00+5',
      ].map((rest) => `2040-01-02${rest}`),
      ...[
        '-271821-04-20T00:00:00Z',
        '+010000-01-01T00:00:00.000Z',
        '9999-12-31T23:59:59-00:01',
        '9999-12-31T23:59:60Z',
        '0001-01-01T00:00:00+00:01',
      ],
      ...[
        '',
        '1',
        'x 5',
        '(comment) 2026',
        'May 2050',
        'now',
        'infinity',
        ' 2040-01-01T00:00:00Z',
        '2040-01-01T00:00:00Z\n',
        '٢٠٤٠-01-01T00:00:00Z',
        `2040-01-01T00:00:00.${'1'.repeat(60)}Z`,
      ],
      ...[5, 2e12, true, ['2040-01-01T00:00:00Z', 'x'], {}],
    ]
    for (const value of wrong) {
      const { extensions } = await cast.member.refused(MuteConversation, input(conversationId, value))
      expect({ value, ...extensions }).toMatchObject({ value, code: 'BAD_INPUT', argument: 'input.until' })
      const printed = JSON.stringify(value)
      const literal = `mutation { muteConversation(input: { conversationId: "${conversationId}", until: ${printed} }) { cursor } }`
      const refusal = await cast.member.refused(parse(literal) as typeof MuteConversation, {} as never)
      expect({ value, ...refusal.extensions }).toMatchObject({ value, code: 'BAD_INPUT' })
    }
  })

  test('stored beyond the year 9999 is printed as its end', async () => {
    const conversationId = await castGroup(cast)
    const client = await connect(node.databaseUrl)
    for (const at of ['20000-01-01T00:00:00Z', 'infinity']) {
      const text = 'update member set muted_until = $1::timestamptz where conversation_id = $2'
      await client.query(text, [at, parseId('Conversation', conversationId, 'id')])
      const { conversation } = await cast.member.run(OwnSettings, { id: conversationId })
      expect(conversation?.viewerMembership?.mutedUntil).toBe('9999-12-31T23:59:59.999Z')
    }
  })
})

test('numbers, ids, cursors and other values in the wrong form are BAD_INPUT, as variables and as literals', async () => {
  const conversationId = await castGroup(cast)
  const field = `conversation(id: "${conversationId}")`
  const connection = (args: string) => `{ ${field} { members(${args}) { pageInfo { endCursor } } } }`
  const wrong = [
    ...['0', '-1', '101', '2147483647', '2147483648', '-2147483649', '1e400', '1.5', '"5"', 'true', '5, last: 5'].map((first) =>
      connection(`first: ${first}`),
    ),
    ...['"x"', '""', '5', '"MTI="', '" MTI"', '"OTk5OTk5OTk5OTk5OTk5OQ"', '"LTE"'].map((after) => connection(`after: ${after}`)),
    ...[
      '5',
      '"x"',
      '"cnv_"',
      `"${conversationId.toUpperCase()}"`,
      `"${conversationId} "`,
      '"cnv_zzzzzzzzzzzzz"',
      '"usr_0000000000001"',
    ].map((id) => `mutation { leaveConversation(input: { conversationId: ${id} }) { cursor } }`),
    ...['0', '-1', '10001', '2147483648', '1.5', '"1"'].map(
      (uses) => `mutation { createInvite(input: { conversationId: "${conversationId}", maxUses: ${uses} }) { cursor } }`,
    ),
    `mutation { archiveConversation(input: { conversationId: "${conversationId}", archived: 1 }) { cursor } }`,
    `mutation { archiveConversation(input: { conversationId: "${conversationId}" }) { cursor } }`,
    `mutation { setMessagePolicy(input: { messagePolicy: NOBODY }) { cursor } }`,
    `mutation { setMessagePolicy(input: { messagePolicy: "CONTACTS" }) { cursor } }`,
    `mutation { acknowledge(input: { cursor: 5 }) { cursor } }`,
  ]
  for (const query of wrong) {
    const refusal = await cast.member.refused(parse(query) as typeof OwnSettings, {} as never)
    expect({ query, ...refusal.extensions }).toMatchObject({ query, code: 'BAD_INPUT' })
  }
  const sized = parse(
    `query Q($first: Int, $after: String, $id: ID!) { conversation(id: $id) { members(first: $first, after: $after) { pageInfo { endCursor } } } }`,
  )
  for (const [argument, value] of [
    ['first', 2_147_483_648],
    ['first', 1.5],
    ['first', 'x'],
    ['first', 0],
    ['first', -1],
    ['first', Number.MAX_VALUE],
    ['after', 5],
    ['after', 'x'],
    ['id', 1.5],
    ['id', {}],
  ] as const) {
    const refusal = await cast.member.refused(sized as typeof OwnSettings, { id: conversationId, [argument]: value })
    expect({ value, ...refusal.extensions }).toMatchObject({ value, code: 'BAD_INPUT', argument })
  }
})

test('D5 pins and marks as unread are private, are announced to the own devices, and pinned conversations can be listed', async () => {
  const { member, owner } = cast
  const [first, second] = [await castGroup(cast), await castGroup(cast)]
  const pin = async (conversationId: string, pinned: boolean) =>
    (await member.run(PinConversation, { input: { conversationId, pinned } })).pinConversation
  const mark = async (conversationId: string, unread: boolean) =>
    (await member.run(MarkUnread, { input: { conversationId, unread } })).markUnread
  const [onDevice, onOwner] = [
    await follow(await member.another(), MembershipEvents, {}),
    await follow(owner, MembershipEvents, {}),
  ]
  expect((await pin(first, true)).conversation.viewerMembership?.pinnedAt).toEqual(expect.any(String))
  expect((await pin(first, true)).cursor).toBeNull()
  const marked = await mark(second, true)
  expect(marked.conversation).toMatchObject({ unreadCount: 0, viewerMembership: { markedUnreadAt: expect.any(String) } })
  expect((await mark(second, true)).cursor).toBeNull()
  const listed = async (pinned: boolean | null) =>
    (await member.run(PinnedConversations, { pinned })).conversations.nodes?.map((each) => each?.id) ?? []
  expect(await listed(true)).toEqual([first])
  expect(await listed(false)).not.toContain(first)
  expect(await listed(null)).toEqual(expect.arrayContaining([first, second]))
  expect((await owner.run(PinnedConversations, { pinned: true })).conversations.nodes).toEqual([])
  expect((await mark(second, false)).conversation.viewerMembership?.markedUnreadAt).toBeNull()
  expect((await pin(first, false)).cursor).not.toBeNull()
  await owner.group('the next thing that happens', member)
  for (const log of [onDevice, onOwner]) await log.first('ConversationAdded')
  expect(onDevice.all('MembershipUpdated').map(({ conversation }) => conversation.id)).toEqual([first, second, second, first])
  expect(onOwner.all('MembershipUpdated')).toEqual([])
  for (const outsider of [cast.removed, cast.stranger]) {
    const pinning = await outsider.refused(PinConversation, { input: { conversationId: first, pinned: true } })
    const marking = await outsider.refused(MarkUnread, { input: { conversationId: first, unread: true } })
    expect([pinning, marking].map(({ extensions }) => extensions.code)).toEqual(['NOT_FOUND', 'NOT_FOUND'])
  }
})

test('a user can pin at most 50 conversations', async () => {
  const [ann] = (await signUpAll(node, 'Pinner')) as [Device]
  const groups: string[] = []
  for (let i = 0; i < 51; i += 1) groups.push(await ann.group(`Group ${i}`))
  const sql = await connect(node.databaseUrl)
  await sql.query('update member set pinned_at = now() where user_id = $1 and conversation_id < $2', [
    parseId('User', ann.userId, ''),
    parseId('Conversation', groups[50] ?? '', ''),
  ])
  const input = (conversationId: string, pinned: boolean) => ({ input: { conversationId, pinned } })
  expect((await ann.refused(PinConversation, input(groups[50] ?? '', true))).extensions.code).toBe('LIMIT_EXCEEDED')
  await ann.run(PinConversation, input(groups[0] ?? '', false))
  await ann.run(PinConversation, input(groups[50] ?? '', true))
})
