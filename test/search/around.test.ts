// A page of history around a message, and paging on from it in both directions.

import { beforeAll, expect, test } from 'vitest'
import { type Device, signUpAll } from '../support/device.ts'
import { History, RemoveMember } from '../support/documents.ts'
import { openNode } from '../support/node.ts'
import { MessagesAround, MessagesAt } from './documents.ts'

let alice: Device
let bob: Device
let stranger: Device
let group: string
const ids: string[] = []

beforeAll(async () => {
  const node = await openNode()
  ;[alice, bob, stranger] = (await signUpAll(node, 'Alice', 'Bob', 'Stranger')) as [Device, Device, Device]
  group = await alice.group('Around', bob)
  for (let i = 1; i <= 30; i += 1) ids.push((await alice.send(group, `${i}`)).message.id)
})

async function around(seq: number, variables: { before?: number; after?: number } = {}) {
  const { conversation } = await bob.run(MessagesAround, { id: group, messageId: ids[seq - 1] ?? '', ...variables })
  if (!conversation) throw new Error('no conversation')
  const { edges, pageInfo } = conversation.messagesAround
  expect(edges.every(({ highlights }) => highlights.length === 0)).toBe(true)
  return { ...pageInfo, seqs: edges.map((edge) => edge.node.seq) }
}

const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i)

test('the message lies in the middle, and paging continues in both directions', async () => {
  const page = await around(15, { before: 3, after: 2 })
  expect(page).toMatchObject({ seqs: range(12, 17), hasPreviousPage: true, hasNextPage: true })
  const more = async (variables: object) =>
    (await bob.run(History, { id: group, ...variables })).conversation?.messages.edges.map((edge) => edge.node.seq)
  expect(await more({ last: 4, before: page.startCursor })).toEqual(range(8, 11))
  expect(await more({ first: 4, after: page.endCursor })).toEqual(range(18, 21))
})

test('at either end of the history the page is shorter and says so', async () => {
  expect(await around(1, { before: 5, after: 1 })).toMatchObject({ seqs: [1, 2], hasPreviousPage: false, hasNextPage: true })
  expect(await around(30, { before: 1, after: 5 })).toMatchObject({ seqs: [29, 30], hasPreviousPage: true, hasNextPage: false })
  expect(await around(15)).toMatchObject({ seqs: range(1, 30), hasPreviousPage: false, hasNextPage: false })
  expect(await around(4, { before: 3, after: 0 })).toMatchObject({ seqs: range(1, 4), hasPreviousPage: false, hasNextPage: true })
  expect((await around(9, { before: 0, after: 0 })).seqs).toEqual([9])
})

test('a message that does not exist, or of another conversation, is not found; strangers find nothing', async () => {
  const other = await alice.group('Other', bob)
  const elsewhere = (await alice.send(other, 'elsewhere')).message.id
  for (const messageId of ['msg_00000000zzzzz', elsewhere]) {
    expect((await bob.refused(MessagesAround, { id: group, messageId })).extensions.code).toBe('NOT_FOUND')
  }
  const [first = ''] = ids
  expect((await stranger.run(MessagesAround, { id: group, messageId: first })).conversation).toBeNull()
  const own = await stranger.group('My own', bob)
  expect((await stranger.refused(MessagesAround, { id: own, messageId: first })).extensions.code).toBe('NOT_FOUND')
  await alice.run(RemoveMember, { input: { conversationId: other, userId: bob.userId } })
  expect((await bob.run(MessagesAround, { id: other, messageId: elsewhere })).conversation).toBeNull()
})

test.each([
  ['before', { before: 51 }],
  ['before', { before: -1 }],
  ['after', { after: 51 }],
  ['messageId', { messageId: 'rubbish' }],
])('refuses an invalid %s', async (argument, variables) => {
  const refusal = await bob.refused(MessagesAround, { id: group, messageId: ids[0] ?? '', ...variables })
  expect(refusal.extensions).toMatchObject({ code: 'BAD_INPUT', argument })
})

async function at(variables: { seq?: number; at?: string; messageId?: string }, [before, after] = [2, 1]) {
  const { conversation } = await bob.run(MessagesAt, { id: group, before, after, ...variables })
  return conversation?.messagesAround.nodes ?? []
}
const seqsAt = async (...args: Parameters<typeof at>) => (await at(...args)).map(({ seq }) => seq)

test('a page around a seq, such as that of a read marker, which need not be one of a message', async () => {
  expect(await seqsAt({ seq: 15 })).toEqual([13, 14, 15, 16])
  expect(await seqsAt({ seq: 0 })).toEqual([1, 2])
  expect(await seqsAt({ seq: 1_000 })).toEqual([29, 30])
})

test('a page around a time: the first message from then on is in the middle, or the newest', async () => {
  const all = await at({ seq: 15 }, [50, 50])
  for (const { createdAt } of all) {
    const first = all.find((message) => message.createdAt === createdAt)?.seq
    expect((await seqsAt({ at: String(createdAt) }, [0, 0]))[0]).toBe(first)
  }
  expect(await seqsAt({ at: '2000-01-01T00:00:00Z' }, [0, 0])).toEqual([1])
  expect(await seqsAt({ at: '2999-01-01T00:00:00Z' }, [0, 0])).toEqual([30])
  const empty = await alice.group('Empty', bob)
  const { conversation } = await bob.run(MessagesAt, { id: empty, at: '2999-01-01T00:00:00Z' })
  expect(conversation?.messagesAround.nodes).toEqual([])
})

test('exactly one place must be given', async () => {
  for (const given of [{}, { seq: 1, at: '2000-01-01T00:00:00Z' }, { seq: 1, messageId: ids[0] ?? '' }, { seq: -1 }]) {
    expect((await bob.refused(MessagesAt, { id: group, ...given })).extensions.code).toBe('BAD_INPUT')
  }
})
