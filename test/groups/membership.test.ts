// What members keep for themselves: muted until, archived. Nobody else sees it or hears of it.

import { beforeAll, expect, test } from 'vitest'
import { type Device, request, signUpAll } from '../support/device.ts'
import { AddMembers, RemoveMember } from '../support/documents.ts'
import { type Node, openNode, openPair } from '../support/node.ts'
import { type Cast, castGroup, codesOf, signUpCast } from './cast.ts'
import {
  ArchiveConversation,
  ConversationsBy,
  MemberById,
  MembershipEvents,
  MuteConversation,
  OwnSettings,
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
test('each is seen by the member alone', async () => {
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

test("D5 each change is told to the member's own devices and to nobody else; no change is told to nobody", async () => {
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
  ['a moment that is past', '2001-01-01T00:00:00.000Z'],
  ['a moment beyond the calendar', '+010000-01-01T00:00:00.000Z'],
])('muting until %s is refused', async (_what, at) => {
  const conversationId = await castGroup(cast)
  const refusal = await cast.member.refused(MuteConversation, { input: { conversationId, until: at } })
  expect(refusal.extensions).toMatchObject({ code: 'BAD_INPUT', argument: 'input.until' })
})

test('conversations leaves the archived ones out, unless they are asked for; a new message takes none out of it', async () => {
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

test('who comes back to a group begins anew, neither muted nor archived', async () => {
  const conversationId = await castGroup(cast)
  await cast.member.run(ArchiveConversation, { input: { conversationId, archived: true } })
  await cast.owner.run(RemoveMember, { input: { conversationId, userId: cast.member.userId } })
  await cast.owner.run(AddMembers, { input: { conversationId, userIds: [cast.member.userId] } })
  const { conversation } = await cast.member.run(OwnSettings, { id: conversationId })
  expect(conversation?.viewerMembership).toMatchObject({ mutedUntil: null, archivedAt: null })
})

test('muting against being removed, on two nodes, ends in one of the two orders', async () => {
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
