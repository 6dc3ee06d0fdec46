// What screens ask of lists of conversations and members: their order as a time, the other person, names and roles.

import { beforeAll, expect, test } from 'vitest'
import { type Device, signUp, signUpAll } from '../support/device.ts'
import { openNode } from '../support/node.ts'
import {
  FindConversations,
  FindMembers,
  GroupsInCommon,
  ListOfConversations,
  SetMemberRole,
  UpdateConversation,
} from './documents.ts'

let [alice, bob, carol]: Device[] = []
let [zoo, cafe, direct]: string[] = []
const of = <T>(value: T | undefined): T => {
  if (value === undefined) throw new Error('not there')
  return value
}

beforeAll(async () => {
  const node = await openNode()
  ;[alice, bob, carol] = await signUpAll(node, 'Alice', 'Bob', 'Carol')
  zoo = await of(alice).group('Zoo am Fluß', of(bob), of(carol))
  cafe = await of(alice).group('Café', of(bob))
  direct = await of(alice).direct(of(bob))
})

const list = async (device: Device) => (await device.run(ListOfConversations, {})).conversations.nodes

test('lastActivityAt orders the list, and every kind of activity moves it', async () => {
  const [device, one] = [of(alice), of(zoo)]
  const before = (await list(device)).find(({ id }) => id === one)
  await of(bob).send(one, 'hello')
  const nodes = await list(device)
  expect(nodes[0]?.id).toBe(one)
  const times = nodes.map(({ lastActivityAt }) => String(lastActivityAt))
  expect(times).toEqual([...times].sort().reverse())
  expect(String(nodes[0]?.lastActivityAt) > String(before?.lastActivityAt)).toBe(true)
  expect(nodes[0]?.lastActivityAt).toBe(nodes[0]?.lastMessage?.createdAt)
  await device.run(UpdateConversation, { input: { conversationId: of(cafe), description: 'with cake' } })
  const [renamed] = await list(device)
  expect(renamed?.id).toBe(cafe)
  expect(String(renamed?.lastActivityAt) > String(times[0])).toBe(true)
})

test('otherUser is the other person of a direct conversation, for each of the two', async () => {
  const others = async (device: Device) => (await list(device)).map(({ id, otherUser }) => [id, otherUser?.username])
  expect(new Map((await others(of(alice))) as [string, string][]).get(of(direct))).toBe('bob')
  expect(new Map((await others(of(bob))) as [string, string][]).get(of(direct))).toBe('alice')
  expect(new Map((await others(of(alice))) as [string, string][]).get(of(zoo))).toBeUndefined()
})

test.each([
  ['ZOO', () => [zoo]],
  ['fluss', () => [zoo]],
  ['cafe', () => [cafe]],
  ['bob', () => [direct]],
  ['@bo', () => [direct]],
  ['o', () => [direct, zoo]],
  ['%', () => []],
  ['nobody of this name', () => []],
])('conversations are found by title or by the other name: %s', async (query, expected) => {
  const { conversations } = await of(alice).run(FindConversations, { query, first: 10 })
  expect(conversations.nodes.map(({ id }) => id).sort()).toEqual(expected().sort())
})

test('a search of conversations pages in both directions, reading on past those that do not match', async () => {
  const device = of(carol)
  for (let n = 0; n < 230; n += 1) await device.group(n % 100 === 7 ? `needle ${n}` : `hay ${n}`)
  const titles = async (variables: object) =>
    (await device.run(FindConversations, { query: 'needle', ...variables })).conversations
  const first = await titles({ first: 2 })
  expect(first.nodes.map(({ title }) => title)).toEqual(['needle 207', 'needle 107'])
  expect(first.pageInfo.hasNextPage).toBe(true)
  const rest = await titles({ first: 2, after: first.pageInfo.endCursor })
  expect(rest.nodes.map(({ title }) => title)).toEqual(['needle 7'])
  expect(rest.pageInfo.hasNextPage).toBe(false)
  expect((await titles({ last: 2 })).nodes.map(({ title }) => title)).toEqual(['needle 107', 'needle 7'])
})

test('members are found by name and role', async () => {
  const find = async (device: Device, variables: object) =>
    (await device.run(FindMembers, { id: of(zoo), ...variables })).conversation?.members.nodes.map(({ user }) => user.username)
  await of(alice).run(SetMemberRole, { input: { conversationId: of(zoo), userId: of(bob).userId, role: 'ADMIN' } })
  expect(await find(of(carol), { role: 'OWNER' })).toEqual(['alice'])
  expect(await find(of(carol), { role: 'ADMIN' })).toEqual(['bob'])
  expect(await find(of(carol), { query: 'CAR' })).toEqual(['carol'])
  expect(await find(of(carol), { query: 'CAR', role: 'ADMIN' })).toEqual([])
  expect(await find(of(carol), { query: '@' })).toEqual([])
  expect((await of(carol).refused(FindMembers, { id: of(zoo), query: '' })).extensions).toMatchObject({
    code: 'BAD_INPUT',
    argument: 'query',
  })
  const { conversation } = await of(carol).run(FindMembers, { id: of(cafe), query: 'bob' })
  expect(conversation).toBeNull()
})

test('groups in common are those of both, without direct conversations', async () => {
  const shared = async (device: Device, other: Device) =>
    ((await device.run(GroupsInCommon, { username: other.username })).user?.groupsInCommon.nodes ?? []).map(({ id }) => id).sort()
  expect(await shared(of(alice), of(bob))).toEqual([zoo, cafe].sort())
  expect(await shared(of(bob), of(carol))).toEqual([zoo])
  const stranger = await signUp(of(alice).node, 'Dan')
  expect(await shared(of(alice), stranger)).toEqual([])
})
