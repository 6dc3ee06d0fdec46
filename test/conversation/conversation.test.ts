// Conversations: their members, who may change them, and concurrent changes.

import { beforeAll, describe, expect, test } from 'vitest'
import { type Device, request, signUp, signUpAll } from '../support/device.ts'
import {
  AddMembers,
  CreateGroup,
  LeaveConversation,
  OneConversation,
  RemoveMember,
  SendMessage,
  StartDirectConversation,
} from '../support/documents.ts'
import { type Node, openNode, openPair } from '../support/node.ts'

let node: Node
let alice: Device
let bob: Device
let carol: Device
let stranger: Device

beforeAll(async () => {
  node = await openNode({ PARLEY_GROUP_MEMBERS_MAX: '8' })
  const people = await signUpAll(node, 'Alice', 'Bob', 'Carol', 'Stranger')
  ;[alice, bob, carol, stranger] = people as [Device, Device, Device, Device]
})

const unknownUser = 'usr_00000000zzzzz'
const unknownConversation = 'cnv_00000000zzzzz'

async function members(device: Device, id: string): Promise<Record<string, string>> {
  const { conversation } = await device.run(OneConversation, { id })
  return Object.fromEntries(conversation?.members.nodes?.map((m) => [m?.user.username, m?.role]) ?? [])
}

describe('a direct conversation', () => {
  test('is the same one, whichever of the two users starts it', async () => {
    const id = await alice.direct(bob)
    expect(await bob.direct(alice)).toBe(id)
    const { conversation } = await bob.run(OneConversation, { id })
    expect(conversation).toMatchObject({ kind: 'DIRECT', title: null, memberCount: 2, viewerMembership: { role: 'MEMBER' } })
    expect((await stranger.run(OneConversation, { id })).conversation).toBeNull()
  })

  test('is one if both start it at the same time, many times, on two nodes', async () => {
    const [here, there] = await openPair()
    const a = await signUp(here, 'Ann')
    const b = await signUp(there, 'Ben')
    const heard = await b.events().live()
    const ids = await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 ? a.direct(b) : b.direct(a))))
    expect(new Set(ids).size).toBe(1)
    await a.send(ids[0] ?? '', 'hello')
    await heard.text('hello')
    expect(heard.seen.filter((event) => event.__typename === 'ConversationAdded')).toHaveLength(1)
  })

  test('cannot be started with oneself, an unknown user or an invalid id', async () => {
    const attempt = async (userId: string) => (await alice.refused(StartDirectConversation, { input: { userId } })).extensions
    expect(await attempt(alice.userId)).toMatchObject({ code: 'BAD_INPUT', argument: 'input.userId' })
    expect(await attempt(unknownUser)).toMatchObject({ code: 'NOT_FOUND', argument: 'input.userId' })
    expect(await attempt('rubbish')).toMatchObject({ code: 'BAD_INPUT', argument: 'input.userId' })
    expect(await attempt(unknownConversation)).toMatchObject({ code: 'BAD_INPUT', argument: 'input.userId' })
  })

  test('keeps its two members', async () => {
    const conversationId = await alice.direct(bob)
    for (const refusal of [
      await alice.refused(AddMembers, { input: { conversationId, userIds: [carol.userId] } }),
      await alice.refused(RemoveMember, { input: { conversationId, userId: bob.userId } }),
      await alice.refused(LeaveConversation, { input: { conversationId } }),
    ]) {
      expect(refusal.extensions).toMatchObject({ code: 'BAD_INPUT', argument: 'input.conversationId' })
    }
    expect(await members(alice, conversationId)).toEqual({ alice: 'MEMBER', bob: 'MEMBER' })
  })
})

describe('a group', () => {
  test('belongs to its creator; repeats and the creator among the members are ignored', async () => {
    const { createGroup } = await alice.run(CreateGroup, {
      input: { title: '  Lunch ', memberIds: [bob.userId, alice.userId, bob.userId] },
    })
    expect(createGroup.conversation).toMatchObject({
      kind: 'GROUP',
      title: 'Lunch',
      memberCount: 2,
      viewerMembership: { role: 'OWNER' },
    })
    expect(await members(bob, createGroup.conversation.id)).toEqual({ alice: 'OWNER', bob: 'MEMBER' })
  })

  test.each([
    ['an empty title', { title: '  ' }, 'BAD_INPUT', 'input.title'],
    ['a long title', { title: 'x'.repeat(121) }, 'BAD_INPUT', 'input.title'],
    ['an unknown member', { memberIds: [unknownUser] }, 'NOT_FOUND', 'input.memberIds'],
    ['a member that is no user', { memberIds: ['nobody'] }, 'BAD_INPUT', 'input.memberIds'],
  ])('with %s is refused, and nothing is created', async (_what, change, code, argument) => {
    const heard = await alice.events().live()
    const refusal = await alice.refused(CreateGroup, { input: { title: 'A group', memberIds: [], ...change } })
    expect(refusal.extensions).toMatchObject({ code, argument })
    const id = await alice.group('the next thing that happens')
    expect((await heard.first('ConversationAdded')).conversation.id).toBe(id)
  })

  test('lets only owners and admins add and remove', async () => {
    const id = await alice.group('Permissions', bob)
    const add = { input: { conversationId: id, userIds: [carol.userId] } }
    const remove = { input: { conversationId: id, userId: bob.userId } }
    for (const [device, code] of [
      [bob, 'FORBIDDEN'],
      [stranger, 'NOT_FOUND'],
    ] as const) {
      expect((await device.refused(AddMembers, add)).extensions.code).toBe(code)
    }
    expect((await request(node.url, AddMembers, add)).errors[0]?.extensions.code).toBe('UNAUTHENTICATED')
    expect((await bob.refused(RemoveMember, { input: { conversationId: id, userId: alice.userId } })).extensions.code).toBe(
      'FORBIDDEN',
    )
    expect((await stranger.refused(RemoveMember, remove)).extensions.code).toBe('NOT_FOUND')
    expect((await request(node.url, RemoveMember, remove)).errors[0]?.extensions.code).toBe('UNAUTHENTICATED')
    expect(await members(alice, id)).toEqual({ alice: 'OWNER', bob: 'MEMBER' })

    const { addMembers } = await alice.run(AddMembers, { input: { conversationId: id, userIds: [carol.userId, bob.userId] } })
    expect(addMembers).toMatchObject({ conversation: { memberCount: 3 } })
    await alice.run(RemoveMember, remove)
    expect(await members(carol, id)).toEqual({ alice: 'OWNER', carol: 'MEMBER' })
    expect((await alice.refused(RemoveMember, remove)).extensions.code).toBe('NOT_FOUND')
    expect((await bob.refused(AddMembers, add)).extensions.code).toBe('NOT_FOUND')
    expect((await bob.run(OneConversation, { id })).conversation).toBeNull()
  })

  test('does not change if all users are members already, and returns a null cursor', async () => {
    const id = await alice.group('Full of bob', bob)
    const { addMembers } = await alice.run(AddMembers, { input: { conversationId: id, userIds: [bob.userId] } })
    expect(addMembers).toMatchObject({ conversation: { memberCount: 2 }, cursor: null })
  })

  test('refuses a whole request that names an unknown user', async () => {
    const id = await alice.group('All or nobody')
    const refusal = await alice.refused(AddMembers, { input: { conversationId: id, userIds: [bob.userId, unknownUser] } })
    expect(refusal.extensions).toMatchObject({ code: 'NOT_FOUND', argument: 'input.userIds' })
    expect(await members(alice, id)).toEqual({ alice: 'OWNER' })
  })

  test('passes to another member when its owner leaves, and ends with its last member', async () => {
    const id = await alice.group('Heirs', bob, carol)
    const heard = await carol.events().live()
    const { leaveConversation } = await alice.run(LeaveConversation, { input: { conversationId: id } })
    expect(leaveConversation.conversation).toMatchObject({ memberCount: 0, viewerMembership: null })
    expect(await heard.first('MemberUpdated')).toMatchObject({ user: { username: 'bob' }, member: { role: 'OWNER' } })
    expect(await heard.first('MemberLeft')).toMatchObject({ user: { username: 'alice' } })
    expect(await members(bob, id)).toEqual({ bob: 'OWNER', carol: 'MEMBER' })
    await carol.run(LeaveConversation, { input: { conversationId: id } })
    await bob.run(LeaveConversation, { input: { conversationId: id } })
    expect((await bob.refused(LeaveConversation, { input: { conversationId: id } })).extensions.code).toBe('NOT_FOUND')
  })

  test('never exceeds the limit of members, also under concurrent additions', async () => {
    const others = await signUpAll(node, ...Array.from({ length: 10 }, (_, i) => `Extra${i}`))
    const tooMany = await alice.refused(CreateGroup, { input: { title: 'x', memberIds: others.map(({ userId }) => userId) } })
    expect(tooMany.extensions).toMatchObject({ code: 'LIMIT_EXCEEDED', argument: 'input.memberIds' })
    const id = await alice.group('Eight at most')
    const attempts = await Promise.all(
      others.map(({ userId }) =>
        request(node.url, AddMembers, { input: { conversationId: id, userIds: [userId] } }, alice.accessToken),
      ),
    )
    expect(attempts.filter(({ data }) => data)).toHaveLength(7)
    expect(new Set(attempts.flatMap(({ errors }) => errors.map((e) => e.extensions.code)))).toEqual(new Set(['LIMIT_EXCEEDED']))
    expect(Object.keys(await members(alice, id))).toHaveLength(8)
  })

  test('D6 a kick against sends: the removed user commits nothing after it, and receives nothing after it', async () => {
    const id = await alice.group('Kick', bob)
    const [onAlice, onBob] = await Promise.all([
      alice.events({ conversationId: id }).live(),
      bob.events({ conversationId: id }).live(),
    ])
    const sends = Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        request(
          node.url,
          SendMessage,
          { input: { conversationId: id, clientMessageId: crypto.randomUUID(), text: `${i}` } },
          bob.accessToken,
        ),
      ),
    )
    await alice.run(RemoveMember, { input: { conversationId: id, userId: bob.userId } })
    const answers = await sends
    await alice.send(id, 'after the kick')
    await onAlice.text('after the kick')
    const committed = answers.flatMap(({ data }) => (data ? [data.sendMessage.message.text] : []))
    expect(answers.flatMap(({ errors }) => errors).every((e) => e.extensions.code === 'NOT_FOUND')).toBe(true)
    expect(onAlice.texts.slice(0, -1).sort()).toEqual(committed.sort())
    const kickedAt = onAlice.seen.findIndex((event) => event.__typename === 'MemberLeft')
    expect(onAlice.seen.slice(kickedAt + 1).map((event) => event.__typename)).toEqual(['MessageSent'])
    await onBob.first('MemberLeft')
    expect(onBob.seen.at(-1)).toMatchObject({ __typename: 'MemberLeft', conversation: { id, title: null, memberCount: 0 } })
    expect(onBob.texts.sort()).toEqual(committed.sort())
  })
})
