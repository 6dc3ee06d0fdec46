// Bans: who may ban, and that nothing brings a banned user back but the end of the ban, or the backend.

import { beforeAll, expect, test } from 'vitest'
import { openBackend } from '../platform/backend.ts'
import { UpsertConversation } from '../platform/documents.ts'
import { type Device, request, signUpAll } from '../support/device.ts'
import { AddMembers, LeaveConversation } from '../support/documents.ts'
import { connect, type Node, openPair } from '../support/node.ts'
import { type Cast, castGroup, codesOf, rolesIn, signUpCast } from './cast.ts'
import { BanMember, Bans, CreateInvite, JoinWithInvite, SetMemberRole, UnbanMember } from './documents.ts'

let here: Node
let there: Node
let cast: Cast

beforeAll(async () => {
  ;[here, there] = await openPair()
  cast = await signUpCast(here)
})

const about = (conversationId: string, { userId }: Device) => ({ input: { conversationId, userId } })
const bansOf = async (by: Device, id: string) =>
  (await by.run(Bans, { id })).conversation?.bans.nodes?.map((ban) => ban?.user?.id) ?? null

test('D6 a banned member hears of it last, and comes back neither by an invite nor by a member', async () => {
  const { owner, admin, member } = cast
  const group = await castGroup(cast)
  const { invite } = (await owner.run(CreateInvite, { input: { conversationId: group } })).createInvite
  const log = await member.events().live()
  await admin.run(BanMember, about(group, member))
  expect(await log.first('MemberLeft')).toMatchObject({ user: { username: 'member' } })
  await owner.send(group, 'without you')
  expect(log.texts).toEqual([])
  const join = { input: { token: invite.token } }
  expect((await member.refused(JoinWithInvite, join)).extensions.code).toBe('FORBIDDEN')
  const add = { input: { conversationId: group, userIds: [cast.stranger.userId, member.userId] } }
  expect((await owner.refused(AddMembers, add)).extensions).toMatchObject({ code: 'FORBIDDEN', argument: 'input.userIds.1' })
  expect(Object.keys(await rolesIn(owner, group)).sort()).toEqual(['deputy', 'owner'])
  expect(await bansOf(admin, group)).toEqual([member.userId])

  expect((await owner.run(UnbanMember, about(group, member))).unbanMember.cursor).not.toBeNull()
  expect((await owner.run(UnbanMember, about(group, member))).unbanMember.cursor).toBeNull()
  await member.run(JoinWithInvite, join)
  expect(Object.keys(await rolesIn(member, group))).toContain('member')
  log.stop()
})

test('a refused join uses nothing up, and a race of a ban and a join ends outside', async () => {
  const { owner, member } = cast
  for (let round = 0; round < 5; round += 1) {
    const group = await owner.group('Race')
    const { invite } = (await owner.run(CreateInvite, { input: { conversationId: group, maxUses: 1 } })).createInvite
    const elsewhere = await member.another(there)
    await Promise.all([
      owner.run(BanMember, about(group, member)),
      request(there.url, JoinWithInvite, { input: { token: invite.token } }, elsewhere.accessToken),
    ])
    expect(Object.keys(await rolesIn(owner, group))).toEqual(['owner'])
    expect(await bansOf(owner, group)).toEqual([member.userId])
  }
})

test('D6 owners and admins may ban, also users who have left; nobody bans the owner or themselves', async () => {
  const { owner, admin, member, removed, stranger } = cast
  const group = await castGroup(cast)
  const attempt = (by: Device, whom: Device) => request(here.url, BanMember, about(group, whom), by.accessToken)
  expect(
    codesOf(
      await Promise.all([
        ...[member, removed, stranger].map((by) => attempt(by, admin)),
        attempt(admin, owner),
        attempt(admin, admin),
        attempt(admin, { userId: 'usr_00000000zzzzz' } as Device),
      ]),
    ),
  ).toEqual(['FORBIDDEN', 'NOT_FOUND', 'NOT_FOUND', 'FORBIDDEN', 'BAD_INPUT', 'NOT_FOUND'])
  await member.run(LeaveConversation, { input: { conversationId: group } })
  await admin.run(BanMember, about(group, member))
  await admin.run(BanMember, about(group, removed))
  expect((await admin.run(BanMember, about(group, removed))).banMember.cursor).toBeNull()
  expect((await bansOf(owner, group))?.toSorted()).toEqual([member.userId, removed.userId].toSorted())
  await owner.run(SetMemberRole, { input: { conversationId: group, userId: admin.userId, role: 'MEMBER' } })
  expect(await bansOf(admin, group)).toEqual([])
  expect(await bansOf(stranger, group)).toBeNull()
})

test('a group has at most 1,000 bans', async () => {
  const { owner, member } = cast
  const group = await owner.group('Strict')
  const sql = await connect(here.databaseUrl)
  const id = '(select max(id) from conversation)'
  await sql.query(
    `insert into ban(conversation_id, user_id, banned_by) select ${id}, 1000000 + n, 1 from generate_series(1, 1000) n`,
  )
  expect((await owner.refused(BanMember, about(group, member))).extensions.code).toBe('LIMIT_EXCEEDED')
})

test('the backend decides who is in its groups, and its list ends a ban', async () => {
  const backend = await openBackend(here, 'SEND', 'USERS')
  const [ann, ben] = (await signUpAll(here, 'Ann', 'Ben')) as [Device, Device]
  const ids = [ann.userId, ben.userId]
  const upsert = () => backend.run(UpsertConversation, { input: { externalId: 'banned', title: 'Course', memberIds: ids } })
  const { conversation } = (await upsert()).upsertConversation
  await ann.run(BanMember, about(conversation.id, ben))
  await upsert()
  expect(await bansOf(ann, conversation.id)).toEqual([])
  expect(Object.keys(await rolesIn(ben, conversation.id)).sort()).toEqual(['ann', 'ben'])
})
