// The earlier messages that a new member sees: decided at the position of the join (D6), until they leave.

import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { AddReaction, DeleteMessage, EditMessage, PinMessage, UnpinMessage } from '../law/documents.ts'
import { MessagesAround } from '../search/documents.ts'
import { indexed, textsFound } from '../search/support.ts'
import { type Device, request, signUpAll } from '../support/device.ts'
import { AddMembers, Node as NodeById, RemoveMember, SendMessage } from '../support/documents.ts'
import { type Node, openNode, openPair } from '../support/node.ts'
import { CreateGroupWith, GroupEvents, Look, SetMemberRole, UpdateConversation, WhatOneSees } from './documents.ts'
import { follow } from './follow.ts'

let node: Node
let alice: Device
let bob: Device
let carol: Device

beforeAll(async () => {
  node = await openNode()
  ;[alice, bob, carol] = (await signUpAll(node, 'Alice', 'Bob', 'Carol')) as [Device, Device, Device]
})

type HistoryVisibility = 'ALL' | 'SINCE_JOINING'
const create = async (by: Device, historyVisibility: HistoryVisibility, ...others: Device[]) =>
  (
    await by.run(CreateGroupWith, {
      input: { title: 'History', historyVisibility, memberIds: others.map(({ userId }) => userId) },
    })
  ).createGroup.conversation.id
const add = (conversationId: string, who: Device) => ({ input: { conversationId, userIds: [who.userId] } })
const remove = (conversationId: string, who: Device) => ({ input: { conversationId, userId: who.userId } })
const set = (conversationId: string, historyVisibility: HistoryVisibility) => ({ input: { conversationId, historyVisibility } })

type Paging = { first?: number; after?: string | null; last?: number; before?: string | null }
async function sees(device: Device, id: string, paging: Paging = { last: 100 }) {
  const { conversation } = await device.run(WhatOneSees, { id, ...paging })
  if (!conversation) throw new Error('no conversation')
  const { messages, lastMessage } = conversation
  return { lastMessage, ...messages.pageInfo, edges: messages.edges, seqs: messages.edges.map((edge) => edge?.node.seq) }
}
const seqsOf = async (device: Device, id: string) => (await sees(device, id)).seqs

describe('D6 the history of a group', () => {
  test('is complete for a member who joins a group of ALL, also if that changes later', async () => {
    const id = await create(alice, 'ALL')
    for (const text of ['1', '2']) await alice.send(id, text)
    await alice.run(AddMembers, add(id, bob))
    await alice.run(UpdateConversation, set(id, 'SINCE_JOINING'))
    expect(await seqsOf(bob, id)).toEqual([1, 2])
  })

  test('begins after the join in a group of SINCE_JOINING, also if that changes later', async () => {
    const id = await create(alice, 'SINCE_JOINING')
    for (const text of ['1', '2', '3']) await alice.send(id, text)
    await alice.run(AddMembers, add(id, bob))
    expect(await sees(bob, id)).toMatchObject({ seqs: [], lastMessage: null, hasPreviousPage: false, hasNextPage: false })
    await alice.run(UpdateConversation, set(id, 'ALL'))
    await alice.send(id, '4')
    await alice.run(AddMembers, add(id, carol))
    expect(await sees(bob, id)).toMatchObject({ seqs: [4], lastMessage: { seq: 4, text: '4' } })
    expect(await seqsOf(carol, id)).toEqual([1, 2, 3, 4])
    expect(await seqsOf(alice, id)).toEqual([1, 2, 3, 4])
  })

  test('is hidden on every way: pages from both ends, foreign cursors, and the id of a message', async () => {
    const id = await create(alice, 'SINCE_JOINING')
    const sent: string[] = []
    for (let i = 1; i <= 6; i += 1) {
      sent.push((await alice.send(id, `${i}`)).message.id)
      if (i === 4) await alice.run(AddMembers, add(id, bob))
    }
    const whole = await sees(alice, id)
    expect(whole.seqs).toEqual([1, 2, 3, 4, 5, 6])
    const [second, fifth] = [whole.edges[1]?.cursor ?? null, whole.edges[4]?.cursor ?? null]
    for (const paging of [{ first: 100 }, { last: 100 }, { first: 100, after: second }, { last: 2 }]) {
      expect((await sees(bob, id, paging)).seqs).toEqual([5, 6])
    }
    expect(await sees(bob, id, { last: 1, before: fifth })).toMatchObject({ seqs: [], hasPreviousPage: false })
    expect(await sees(bob, id, { last: 1 })).toMatchObject({ seqs: [6], hasPreviousPage: true })
    expect(await sees(bob, id, { last: 2 })).toMatchObject({ seqs: [5, 6], hasPreviousPage: false })
    const byId = async (device: Device, index: number) => (await device.run(NodeById, { id: sent[index] ?? '' })).node
    expect(await byId(bob, 3)).toBeNull()
    expect(await byId(bob, 4)).toMatchObject({ text: '5' })
    expect(await byId(alice, 3)).toMatchObject({ text: '4' })
    expect(await byId(carol, 4)).toBeNull()
  })

  test('is decided by each join: after coming back, the latest one counts', async () => {
    const id = await create(alice, 'ALL', bob)
    await alice.send(id, '1')
    expect(await seqsOf(bob, id)).toEqual([1])
    await alice.run(RemoveMember, remove(id, bob))
    await alice.send(id, '2')
    await alice.run(UpdateConversation, set(id, 'SINCE_JOINING'))
    await alice.run(AddMembers, add(id, bob))
    await alice.send(id, '3')
    expect(await seqsOf(bob, id)).toEqual([3])
    await alice.run(RemoveMember, remove(id, bob))
    await alice.run(UpdateConversation, set(id, 'ALL'))
    await alice.run(AddMembers, add(id, bob))
    expect(await seqsOf(bob, id)).toEqual([1, 2, 3])
  })

  test('of a direct conversation is always complete', async () => {
    const id = await alice.direct(bob)
    await alice.send(id, '1')
    expect(await seqsOf(bob, id)).toEqual([1])
  })
})

describe('D6 changes of messages from before a join', () => {
  test('do not reach the new member, live or replayed from Postgres; and the member cannot change these messages', async () => {
    const small = await openNode({ PARLEY_WINDOW_FACTS_MAX: '100' })
    const [ann, ben] = (await signUpAll(small, 'Ann', 'Ben')) as [Device, Device]
    const id = await create(ann, 'SINCE_JOINING')
    const { message } = await ann.send(id, 'the secret kangaroo')
    const messageId = message.id
    await ann.run(AddMembers, add(id, ben))
    const live = await ben.events().live()
    const cursor = live.cursor
    await ann.run(EditMessage, { input: { messageId, text: 'the hidden kangaroo' } })
    await ann.run(AddReaction, { input: { messageId, emoji: '🦘' } })
    await ann.run(PinMessage, { input: { messageId } })
    const send = { conversationId: id, clientMessageId: randomUUID(), text: 'you know what', replyToId: messageId }
    const { sendMessage } = await ann.run(SendMessage, { input: send })
    await ann.run(EditMessage, { input: { messageId: sendMessage.message.id, text: 'the last one' } })
    const told = ['MessageSent', 'MessageEdited']
    await live.until('the edit', ({ seen }) => seen.some(({ __typename }) => __typename === 'MessageEdited'))
    const facts = (log: typeof live) =>
      log.seen.map(({ __typename }) => __typename).filter((name) => !/Sync|Caught|Tick/.test(name))
    expect(facts(live)).toEqual(told)
    // Push everything out of the node's memory, so that it is read from Postgres.
    for (let i = 0; i < 110; i += 1) await ann.send(await ann.direct(ben), `${i}`)
    const replayed = await ben.events({ after: cursor, conversationId: id }).live()
    expect(facts(replayed)).toEqual(told)

    await indexed(small)
    expect(await textsFound(ben, 'kangaroo')).toEqual([])
    expect(await textsFound(ben, 'last')).toEqual(['the last one'])
    expect(await textsFound(ann, 'kangaroo')).toEqual(['the hidden kangaroo'])
    const { node } = await ben.run(Look, { id: sendMessage.message.id })
    expect(node).toMatchObject({ replyTo: null, conversation: { pinnedMessages: [] } })
    expect((await ann.run(Look, { id: sendMessage.message.id })).node).toMatchObject({ replyTo: { id: messageId } })
    const codeOf = async (refused: Promise<{ extensions: { code: string } }>) => (await refused).extensions.code
    expect(await codeOf(ben.refused(MessagesAround, { id, messageId }))).toBe('NOT_FOUND')
    expect(await codeOf(ben.refused(AddReaction, { input: { messageId, emoji: '🦘' } }))).toBe('NOT_FOUND')
    const reply = { ...send, clientMessageId: randomUUID() }
    expect(await codeOf(ben.refused(SendMessage, { input: reply }))).toBe('NOT_FOUND')
    await ann.run(SetMemberRole, { input: { conversationId: id, userId: ben.userId, role: 'ADMIN' } })
    const input = { messageId }
    const tries = [
      ben.refused(PinMessage, { input }),
      ben.refused(UnpinMessage, { input }),
      ben.refused(DeleteMessage, { input }),
    ]
    for (const refused of tries) expect(await codeOf(refused)).toBe('NOT_FOUND')
  })
})

describe('D6 at the same moment, on two nodes', () => {
  test('a member who joins during sends sees exactly the messages after the join, by page and by event', async () => {
    const [here, there] = await openPair()
    const [ann, ben] = (await signUpAll(here, 'Ann', 'Ben')) as [Device, Device]
    const elsewhere = await ann.another(there)
    for (let round = 0; round < 4; round += 1) {
      const id = await create(ann, 'SINCE_JOINING')
      const [onAnn, onBen] = [await follow(ann, GroupEvents, {}), await follow(await ben.another(there), GroupEvents, {})]
      const total = 60
      const send = (from: Device, text: string) => {
        const input = { conversationId: id, clientMessageId: randomUUID(), text }
        return request(from.node.url, SendMessage, { input }, from.accessToken)
      }
      const sends = Array.from({ length: total }, (_, i) => send(i % 2 ? ann : elsewhere, `${i}`))
      await sends[8]
      await elsewhere.run(AddMembers, add(id, ben))
      await Promise.all(sends)
      await ann.send(id, 'the last one')
      await onAnn.until('all messages', () => onAnn.all('MessageSent').length === total + 1)
      await onBen.until('the last one', () => onBen.all('MessageSent').some(({ message }) => message.text === 'the last one'))
      const joinedAt = onAnn.names().indexOf('MemberJoined')
      const after = onAnn.seen.slice(joinedAt).flatMap((event) => (event.__typename === 'MessageSent' ? [event.message.seq] : []))
      expect(await seqsOf(ben, id)).toEqual(after)
      expect(onBen.all('MessageSent').map(({ message }) => message.seq)).toEqual(after)
      expect(after).toEqual(Array.from({ length: after.length }, (_, i) => total + 2 - after.length + i))
    }
  })

  test('a join against a change of the setting: one comes first, and the visible history matches', async () => {
    const [here, there] = await openPair()
    const [ann, ben] = (await signUpAll(here, 'Ann', 'Ben')) as [Device, Device]
    const elsewhere = await ann.another(there)
    for (let round = 0; round < 8; round += 1) {
      const id = await create(ann, 'ALL')
      const heard = await follow(ann, GroupEvents, {})
      for (const text of ['1', '2', '3']) await ann.send(id, text)
      await Promise.all([ann.run(AddMembers, add(id, ben)), elsewhere.run(UpdateConversation, set(id, 'SINCE_JOINING'))])
      await Promise.all([heard.first('MemberJoined'), heard.first('ConversationUpdated')])
      const joinedFirst = heard.names().indexOf('MemberJoined') < heard.names().indexOf('ConversationUpdated')
      expect(await seqsOf(ben, id)).toEqual(joinedFirst ? [1, 2, 3] : [])
    }
  })
})
