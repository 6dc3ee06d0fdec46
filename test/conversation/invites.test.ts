// Invites: who makes them, who may use them, and that no use is counted twice or lost under concurrency.

import { beforeAll, describe, expect, test } from 'vitest'
import { encodeId } from '../../src/id.ts'
import { type Device, request, signUpAll } from '../support/device.ts'
import { AddMembers, LeaveConversation, RemoveMember } from '../support/documents.ts'
import { connect, type Node, openNode, openPair } from '../support/node.ts'
import { type Cast, castGroup, codesOf, groupsWithoutOneOwner, rolesIn, signUpCast } from './cast.ts'
import {
  CreateGroupWith,
  CreateInvite,
  InviteById,
  InviteEvents,
  Invites,
  JoinWithInvite,
  PreviewInvite,
  RevokeInvite,
  SetMemberRole,
  WhatOneSees,
} from './documents.ts'
import { follow } from './follow.ts'

let node: Node
let cast: Cast

beforeAll(async () => {
  node = await openNode({ PARLEY_GROUP_MEMBERS_MAX: '6' })
  cast = await signUpCast(node)
})

type Terms = { expiresAt?: string; maxUses?: number }
const invite = async (by: Device, conversationId: string, terms: Terms = {}) =>
  (await by.run(CreateInvite, { input: { conversationId, ...terms } })).createInvite.invite
const join = (token: string) => ({ input: { token } })
const leave = (conversationId: string) => ({ input: { conversationId } })
const usesOf = async (device: Device, id: string) => ((await device.run(InviteById, { id })).node as { uses: number }).uses
const openOnes = async (device: Device, id: string) =>
  (await device.run(Invites, { id })).conversation?.invites.nodes?.map((one) => one?.id)

/** Lets an invite expire now, without waiting for it. */
async function expire(on: Node, token: string): Promise<void> {
  const client = await connect(on.databaseUrl)
  await client.query("update invite set expires_at = now() - interval '1 second' where token = $1", [token])
}

describe('making and revoking invites', () => {
  test('is limited to owners and admins, and so is seeing them', async () => {
    const id = await castGroup(cast)
    const one = await invite(cast.admin, id, { maxUses: 3, expiresAt: '2999-01-01T00:00:00.000Z' })
    expect(one).toMatchObject({
      token: expect.stringMatching(/^[\w-]{32}$/),
      expiresAt: '2999-01-01T00:00:00.000Z',
      maxUses: 3,
      uses: 0,
      revokedAt: null,
      createdBy: { username: 'deputy' },
      conversation: { id },
    })
    for (const device of [cast.owner, cast.admin]) {
      expect(await openOnes(device, id)).toEqual([one.id])
      expect((await device.run(InviteById, { id: one.id })).node).toMatchObject({ token: one.token })
    }
    expect(await openOnes(cast.member, id)).toEqual([])
    for (const device of [cast.member, cast.removed, cast.stranger]) {
      expect((await device.run(InviteById, { id: one.id })).node).toBeNull()
    }
    await cast.owner.run(SetMemberRole, { input: { conversationId: id, userId: cast.admin.userId, role: 'MEMBER' } })
    expect(await openOnes(cast.admin, id)).toEqual([])
  })

  test('the list has the open ones, by page', async () => {
    const id = await castGroup(cast)
    const all = [await invite(cast.owner, id), await invite(cast.owner, id), await invite(cast.owner, id)]
    await cast.owner.run(RevokeInvite, { input: { inviteId: all[1]?.id ?? '' } })
    const { conversation } = await cast.owner.run(Invites, { id, first: 1 })
    expect(conversation?.invites).toMatchObject({ nodes: [{ id: all[0]?.id }], pageInfo: { hasNextPage: true } })
    expect((await cast.owner.run(Invites, { id, last: 1 })).conversation?.invites.nodes).toMatchObject([{ id: all[2]?.id }])
    await expire(node, all[0]?.token ?? '')
    expect(await openOnes(cast.owner, id)).toEqual([all[2]?.id])
  })

  test.each([
    ['a time in the past', { expiresAt: '2001-01-01T00:00:00.000Z' }, 'input.expiresAt'],
    ['no use', { maxUses: 0 }, 'input.maxUses'],
    ['too many uses', { maxUses: 10_001 }, 'input.maxUses'],
  ])('with %s is refused', async (_what, terms, argument) => {
    const conversationId = await castGroup(cast)
    const refusal = await cast.owner.refused(CreateInvite, { input: { conversationId, ...terms } })
    expect(refusal.extensions).toMatchObject({ code: 'BAD_INPUT', argument })
    expect(await openOnes(cast.owner, conversationId)).toEqual([])
  })

  test('to a foreign group is answered like one that does not exist', async () => {
    const { id } = await invite(cast.owner, await castGroup(cast))
    const unknown = encodeId('Invite', 987_654_321)
    for (const device of [cast.stranger, cast.removed]) {
      const refusals = await Promise.all([id, unknown].map((inviteId) => device.refused(RevokeInvite, { input: { inviteId } })))
      expect(refusals[0]).toEqual({ ...refusals[1] })
      expect(refusals[0]).toMatchObject({ message: 'Invite not found.', extensions: { code: 'NOT_FOUND' } })
    }
  })

  test('a direct conversation has none', async () => {
    const conversationId = await cast.owner.direct(cast.member)
    const refusal = await cast.owner.refused(CreateInvite, { input: { conversationId } })
    expect(refusal.extensions).toMatchObject({ code: 'BAD_INPUT', argument: 'input.conversationId' })
  })

  test('D7 a group has at most 100 open ones', async () => {
    const conversationId = await castGroup(cast)
    for (let i = 0; i < 100; i += 1) await invite(cast.owner, conversationId)
    expect((await cast.owner.refused(CreateInvite, { input: { conversationId } })).extensions.code).toBe('LIMIT_EXCEEDED')
    const [first = ''] = (await openOnes(cast.owner, conversationId)) ?? []
    await cast.owner.run(RevokeInvite, { input: { inviteId: first ?? '' } })
    await invite(cast.owner, conversationId)
  })

  test('D5 each change is announced to those who manage them, and to nobody else', async () => {
    const conversationId = await castGroup(cast)
    const [onAdmin, onMember] = [await follow(cast.admin, InviteEvents, {}), await follow(cast.member, InviteEvents, {})]
    const { id, token } = await invite(cast.owner, conversationId)
    await cast.stranger.run(JoinWithInvite, join(token))
    await cast.owner.run(RevokeInvite, { input: { inviteId: id } })
    expect((await cast.owner.run(RevokeInvite, { input: { inviteId: id } })).revokeInvite.cursor).toBeNull()
    await cast.owner.group('the next thing that happens', cast.admin, cast.member)
    for (const log of [onAdmin, onMember]) await log.first('ConversationAdded')
    expect(onAdmin.all('InvitesChanged').map(({ conversation }) => conversation.id)).toEqual(Array(3).fill(conversationId))
    expect(onMember.all('InvitesChanged')).toEqual([])
    expect(onMember.all('MemberJoined')[0]).toMatchObject({ user: { username: 'stranger' }, member: { role: 'MEMBER' } })
  })
})

describe('joining with an invite', () => {
  test('admits everyone who has the token, once', async () => {
    const conversationId = await castGroup(cast)
    const { id, token } = await invite(cast.owner, conversationId)
    for (const device of [cast.stranger, cast.removed, cast.member, cast.admin, cast.owner])
      await device.run(JoinWithInvite, join(token))
    expect(await usesOf(cast.owner, id)).toBe(2)
    expect(await rolesIn(cast.stranger, conversationId)).toEqual({
      owner: 'OWNER',
      deputy: 'ADMIN',
      member: 'MEMBER',
      removed: 'MEMBER',
      stranger: 'MEMBER',
    })
  })

  test('announces the conversation to the new member first, then the new member to everyone', async () => {
    const conversationId = await castGroup(cast)
    const { token } = await invite(cast.owner, conversationId)
    const heard = await follow(cast.stranger, InviteEvents, {})
    const { joinWithInvite } = await cast.stranger.run(JoinWithInvite, join(token))
    expect(joinWithInvite.conversation).toMatchObject({
      title: 'Everybody',
      memberCount: 4,
      viewerMembership: { role: 'MEMBER' },
    })
    await heard.first('MemberJoined')
    expect(heard.names().slice(-2)).toEqual(['ConversationAdded', 'MemberJoined'])
  })

  test('D6 shows the history that the group shows at that moment', async () => {
    const { createGroup } = await cast.owner.run(CreateGroupWith, {
      input: { title: 'Hidden', historyVisibility: 'SINCE_JOINING', memberIds: [] },
    })
    const { id } = createGroup.conversation
    await cast.owner.send(id, 'before')
    await cast.stranger.run(JoinWithInvite, join((await invite(cast.owner, id)).token))
    await cast.owner.send(id, 'after')
    const { conversation } = await cast.stranger.run(WhatOneSees, { id, last: 10 })
    expect(conversation?.messages.edges.map((edge) => edge?.node.text)).toEqual(['after'])
  })

  test('an unknown, revoked, expired or used-up invite is the same NOT_FOUND, and has no preview', async () => {
    const conversationId = await castGroup(cast)
    const [revoked, expired, usedUp] = [
      await invite(cast.owner, conversationId),
      await invite(cast.owner, conversationId),
      await invite(cast.owner, conversationId, { maxUses: 1 }),
    ]
    await cast.owner.run(RevokeInvite, { input: { inviteId: revoked.id } })
    await expire(node, expired.token)
    await cast.removed.run(JoinWithInvite, join(usedUp.token))
    const refusals: unknown[] = []
    for (const token of [revoked.token, expired.token, usedUp.token, 'x'.repeat(32), 'rubbish', '', '\0']) {
      refusals.push(await cast.stranger.refused(JoinWithInvite, join(token)))
      expect((await cast.stranger.run(PreviewInvite, { token })).invite).toBeNull()
    }
    expect(new Set(refusals.map((refusal) => JSON.stringify(refusal))).size).toBe(1)
    expect(refusals[0]).toMatchObject({ extensions: { code: 'NOT_FOUND' } })
    expect((await cast.removed.run(JoinWithInvite, join(usedUp.token))).joinWithInvite.cursor).toBeNull()
  })

  test('a preview shows title and size to everybody with the token, and the group itself to a member', async () => {
    const id = await castGroup(cast, 'Come in')
    const { token } = await invite(cast.owner, id)
    const preview = { title: 'Come in', description: null, memberCount: 3 }
    expect((await cast.stranger.run(PreviewInvite, { token })).invite).toEqual({ ...preview, conversation: null })
    expect((await cast.member.run(PreviewInvite, { token })).invite).toEqual({ ...preview, conversation: { id } })
    const anonymous = await request(node.url, PreviewInvite, { token })
    expect(anonymous).toEqual({ data: { invite: { ...preview, conversation: null } }, errors: [] })
    expect(codesOf([await request(node.url, PreviewInvite, { token }, 'rubbish')])).toEqual(['UNAUTHENTICATED'])
  })

  test('a full group admits nobody, and the attempt uses nothing up', async () => {
    const id = await castGroup(cast)
    const others = (await signUpAll(node, 'Fill1', 'Fill2', 'Fill3')) as [Device, Device, Device]
    await cast.owner.run(AddMembers, { input: { conversationId: id, userIds: others.map(({ userId }) => userId) } })
    const one = await invite(cast.owner, id, { maxUses: 1 })
    expect((await cast.stranger.refused(JoinWithInvite, join(one.token))).extensions.code).toBe('LIMIT_EXCEEDED')
    expect(await usesOf(cast.owner, one.id)).toBe(0)
    await cast.owner.run(RemoveMember, { input: { conversationId: id, userId: others[0].userId } })
    await cast.stranger.run(JoinWithInvite, join(one.token))
    expect(await usesOf(cast.owner, one.id)).toBe(1)
  })

  test('a group without members admits nobody: it would have no owner', async () => {
    const id = await cast.owner.group('Empty')
    const { token } = await invite(cast.owner, id)
    await cast.owner.run(LeaveConversation, leave(id))
    expect((await cast.stranger.refused(JoinWithInvite, join(token))).extensions.code).toBe('NOT_FOUND')
    expect((await cast.stranger.run(PreviewInvite, { token })).invite).toBeNull()
    expect((await cast.owner.refused(JoinWithInvite, join(token))).extensions.code).toBe('NOT_FOUND')
  })
})

describe('at the same moment, on two nodes', () => {
  let here: Node
  let there: Node
  let ann: Device
  let others: Device[]

  beforeAll(async () => {
    ;[here, there] = await openPair({ PARLEY_GROUP_MEMBERS_MAX: '6' })
    const people = await signUpAll(here, 'Ann', ...Array.from({ length: 8 }, (_, i) => `Ben${i}`))
    ann = people[0] as Device
    others = people.slice(1)
  })

  const everyoneJoins = (token: string) =>
    Promise.all(others.map((who, i) => request((i % 2 ? here : there).url, JoinWithInvite, join(token), who.accessToken)))

  test('an invite admits as many as it has uses; the last use admits one', async () => {
    for (const maxUses of [1, 1, 1, 3]) {
      const id = await ann.group('Last ones')
      const one = await invite(ann, id, { maxUses })
      const codes = codesOf(await everyoneJoins(one.token))
      expect(codes.filter((code) => code === 'done')).toHaveLength(maxUses)
      expect(new Set(codes)).toEqual(new Set(['done', 'NOT_FOUND']))
      expect(await usesOf(ann, one.id)).toBe(maxUses)
      expect(Object.keys(await rolesIn(ann, id))).toHaveLength(1 + maxUses)
    }
  })

  test('one user who joins many times uses it once', async () => {
    const [ben] = others as [Device]
    const one = await invite(ann, await ann.group('Impatient'), { maxUses: 5 })
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) => request((i % 2 ? here : there).url, JoinWithInvite, join(one.token), ben.accessToken)),
    )
    expect(new Set(codesOf(answers))).toEqual(new Set(['done']))
    expect(await usesOf(ann, one.id)).toBe(1)
  })

  test('joining and adding together never exceed the limit of the group', async () => {
    for (let round = 0; round < 3; round += 1) {
      const id = await ann.group('Six at most')
      const one = await invite(ann, id)
      const elsewhere = await ann.another(there)
      const added = others
        .slice(0, 4)
        .map((who) =>
          request(there.url, AddMembers, { input: { conversationId: id, userIds: [who.userId] } }, elsewhere.accessToken),
        )
      const joined = others.slice(4).map((who) => request(here.url, JoinWithInvite, join(one.token), who.accessToken))
      const codes = codesOf([...(await Promise.all(added)), ...(await Promise.all(joined))])
      expect(codes.filter((code) => code === 'done')).toHaveLength(5)
      expect(new Set(codes)).toEqual(new Set(['done', 'LIMIT_EXCEEDED']))
      expect(Object.keys(await rolesIn(ann, id))).toHaveLength(6)
      expect(await usesOf(ann, one.id)).toBe(codes.slice(4).filter((code) => code === 'done').length)
    }
  })

  test('revoking against joining: nobody joins after the revocation', async () => {
    const elsewhere = await ann.another(there)
    for (let round = 0; round < 5; round += 1) {
      const id = await ann.group('Closing')
      const one = await invite(ann, id, { maxUses: 5 })
      const [codes] = await Promise.all([
        everyoneJoins(one.token).then(codesOf),
        elsewhere.run(RevokeInvite, { input: { inviteId: one.id } }),
      ])
      const inside = codes.filter((code) => code === 'done').length
      expect(await usesOf(ann, one.id)).toBe(inside)
      expect(Object.keys(await rolesIn(ann, id))).toHaveLength(1 + inside)
    }
  })

  test('joining while the last member leaves: the group has an owner or no members', async () => {
    const elsewhere = await ann.another(there)
    const [ben] = others as [Device]
    for (let round = 0; round < 6; round += 1) {
      const id = await ann.group('The last one out')
      const { token } = await invite(ann, id)
      const [joined, left] = codesOf(
        await Promise.all([
          request(here.url, JoinWithInvite, join(token), ben.accessToken),
          request(there.url, LeaveConversation, leave(id), elsewhere.accessToken),
        ]),
      )
      expect(left).toBe('done')
      if (joined === 'done') expect(await rolesIn(ben, id)).toEqual({ ben0: 'OWNER' })
      else expect(joined).toBe('NOT_FOUND')
    }
    expect(await groupsWithoutOneOwner(here)).toEqual([])
  })
})
