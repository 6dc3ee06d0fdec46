// Groups and messages of a backend: groups by its own ids, with the members that it says, and messages without a sender.

import { randomUUID } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import { parseId } from '../../src/id.ts'
import { SetMessagePolicy } from '../account/documents.ts'
import { AddReaction, DeleteMessage, EditMessage } from '../law/documents.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { LeaveConversation, SendMessage } from '../support/documents.ts'
import type { UpsertConversationInput } from '../support/generated/graphql.ts'
import { graphql } from '../support/generated/index.ts'
import { connect, type Node, openPair } from '../support/node.ts'
import { Backend, deviceOf, openBackend, openBackendOf } from './backend.ts'
import { ConversationByExternalId, SendSystemMessage, UpsertConversation } from './documents.ts'

const SystemMessages = graphql(`
  query SystemMessages($id: ID!) {
    conversation(id: $id) {
      externalId
      unreadCount
      messages(first: 20) { nodes { id kind text data sender { id } } }
    }
  }
`)

let here: Node
let there: Node
let backend: Backend
let alice: Device
let bob: Device

beforeAll(async () => {
  ;[here, there] = await openPair()
  backend = await openBackend(here, 'USERS', 'SEND', 'ACT')
  ;[alice, bob] = [await deviceOf(backend, { externalId: 'alice' }), await deviceOf(backend, { externalId: 'bob' }, there)]
})

const upsert = async (input: UpsertConversationInput, by: Backend = backend) =>
  (await by.run(UpsertConversation, { input })).upsertConversation
const membersOf = (conversation: { members: { nodes: readonly ({ user: { id: string }; role: string } | null)[] } | null }) =>
  conversation.members?.nodes?.map((node) => [node?.user.id, node?.role])
const send = async (conversationId: string, text: string, more: { data?: unknown; clientMessageId?: string } = {}) =>
  (await backend.run(SendSystemMessage, { input: { conversationId, text, clientMessageId: randomUUID(), ...more } }))
    .sendSystemMessage

test('a backend makes a group, finds it again by its own id, and its members have it at once', async () => {
  const log = await bob.events().live()
  const input = { externalId: 'order-17', title: 'Order 17', memberIds: ['alice', bob.userId, 'alice'], data: { order: 17 } }
  const { conversation, cursor } = await upsert(input)
  expect(conversation).toMatchObject({ externalId: 'order-17', title: 'Order 17', data: { order: 17 }, memberCount: 2 })
  expect(membersOf(conversation)).toEqual([
    [alice.userId, 'OWNER'],
    [bob.userId, 'MEMBER'],
  ])
  expect(cursor).not.toBeNull()
  expect((await log.first('ConversationAdded')).conversation.id).toBe(conversation.id)
  const far = new Backend(there, backend.token, backend.keyId)
  const { conversationByExternalId } = await far.run(ConversationByExternalId, { externalId: 'order-17' })
  expect(conversationByExternalId).toEqual(conversation)
  expect((await backend.run(ConversationByExternalId, { externalId: 'order-18' })).conversationByExternalId).toBeNull()
  expect((await bob.run(SystemMessages, { id: conversation.id })).conversation?.externalId).toBeNull()
  // Repeating it changes nothing.
  expect(await upsert(input)).toEqual({ conversation, cursor: null })
  expect(await upsert({ externalId: 'order-17' })).toEqual({ conversation, cursor: null })
})

test('what it says of a group becomes true: settings, and exactly these members', async () => {
  const [carol] = (await signUpAll(here, 'Carol')) as [Device]
  await carol.run(SetMessagePolicy, { input: { messagePolicy: 'CONTACTS' } })
  const { conversation } = await upsert({ externalId: 'team', title: 'Team', memberIds: ['alice', 'bob'] })
  await bob.run(LeaveConversation, { input: { conversationId: conversation.id } })
  const log = await alice.events().live()
  // Carol accepts no strangers, and bob has left: what the backend knows matters.
  const members = { externalId: 'team', memberIds: [bob.userId, carol.userId] }
  const { conversation: changed } = await upsert({ ...members, title: 'The team', description: 'of bob', data: [1] })
  expect(changed).toMatchObject({ id: conversation.id, title: 'The team', description: 'of bob', data: [1] })
  expect(new Map(membersOf(changed) as [string, string][])).toEqual(
    new Map([
      [bob.userId, 'OWNER'],
      [carol.userId, 'MEMBER'],
    ]),
  )
  expect((await log.first('MemberLeft')).user.username).toBe(alice.username)
  expect(log.seen.map(({ __typename }) => __typename)).toEqual(
    expect.arrayContaining(['ConversationUpdated', 'MemberJoined', 'MemberUpdated', 'MemberLeft']),
  )
  expect((await upsert({ ...members, description: null, data: null })).conversation).toMatchObject({
    description: null,
    data: null,
  })
  const { conversation: empty } = await upsert({ externalId: 'team', memberIds: [] })
  expect(empty.memberCount).toBe(0)
  const { conversation: again } = await upsert({ externalId: 'team', memberIds: ['alice'] })
  expect(membersOf(again)).toEqual([[alice.userId, 'OWNER']])
})

test('two requests that make the same group at once make one', async () => {
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, i) =>
      upsert(
        { externalId: 'raced', title: 'Raced', memberIds: ['alice', 'bob'] },
        i % 2 ? backend : new Backend(there, backend.token, 0),
      ),
    ),
  )
  expect(new Set(answers.map(({ conversation }) => conversation.id)).size).toBe(1)
  expect(answers.filter(({ cursor }) => cursor !== null)).toHaveLength(1)
})

test.each<[string, UpsertConversationInput, object]>([
  ['no title', { externalId: 'x' }, { code: 'BAD_INPUT', argument: 'input.title' }],
  ['an empty title', { externalId: 'x', title: ' ' }, { code: 'BAD_INPUT', argument: 'input.title' }],
  ['a global id', { externalId: 'cnv_0000000000001', title: 'x' }, { code: 'BAD_INPUT', argument: 'input.externalId' }],
  [
    'an unknown member',
    { externalId: 'x', title: 'x', memberIds: ['alice', 'nobody'] },
    { code: 'NOT_FOUND', argument: 'input.memberIds.1' },
  ],
  [
    'no user',
    { externalId: 'x', title: 'x', memberIds: ['usr_00000zzzzzzzz'] },
    { code: 'NOT_FOUND', argument: 'input.memberIds' },
  ],
  ['large data', { externalId: 'x', title: 'x', data: 'x'.repeat(5_000) }, { code: 'BAD_INPUT', argument: 'input.data' }],
])('a group with %s is refused with the argument at fault', async (_what, input, refusal) => {
  expect((await backend.refused(UpsertConversation, { input })).extensions).toMatchObject(refusal)
  expect((await backend.run(ConversationByExternalId, { externalId: 'x' })).conversationByExternalId).toBeNull()
})

test('a group has at most as many members as any other', async () => {
  const [small] = await openPair({ PARLEY_GROUP_MEMBERS_MAX: '2' })
  const of = await openBackend(small, 'USERS', 'SEND')
  for (const externalId of ['a', 'b', 'c']) await deviceOf(of, { externalId })
  const refusal = await of.refused(UpsertConversation, { input: { externalId: 'g', title: 'G', memberIds: ['a', 'b', 'c'] } })
  expect(refusal.extensions).toMatchObject({ code: 'LIMIT_EXCEEDED', argument: 'input.memberIds' })
})

test('D1 D2 a system message has no sender, counts as unread, is sent once, and is delivered live and after', async () => {
  const { conversation } = await upsert({ externalId: 'news', title: 'News', memberIds: ['alice', 'bob'] })
  const log = await bob.events().live()
  const key = randomUUID()
  const first = await send(conversation.id, 'your order was shipped', { data: { state: 'SHIPPED' }, clientMessageId: key })
  expect(first.message).toMatchObject({
    kind: 'SYSTEM',
    sender: null,
    text: 'your order was shipped',
    data: { state: 'SHIPPED' },
  })
  expect(await send(conversation.id, 'your order was shipped', { data: { state: 'SHIPPED' }, clientMessageId: key })).toEqual(
    first,
  )
  const other = { conversationId: conversation.id, text: 'another', clientMessageId: key }
  expect((await backend.refused(SendSystemMessage, { input: other })).extensions.code).toBe('IDEMPOTENCY_CONFLICT')
  await log.text('your order was shipped')
  expect((await log.first('MessageSent')).message).toMatchObject({ id: first.message.id, sender: null })
  await alice.send(conversation.id, 'thanks')
  const read = (await bob.run(SystemMessages, { id: conversation.id })).conversation
  expect(read?.unreadCount).toBe(2)
  expect(read?.messages.nodes?.map((node) => [node?.kind, node?.text, node?.sender?.id ?? null])).toEqual([
    ['SYSTEM', 'your order was shipped', null],
    ['USER', 'thanks', alice.userId],
  ])
  const later = await (await deviceOf(backend, { externalId: 'bob' })).events({ after: first.cursor }).live()
  expect(later.texts).toEqual(['thanks'])
  // Nobody wrote it, so nobody can change it but those who manage the group.
  const messageId = first.message.id
  expect((await bob.refused(EditMessage, { input: { messageId, text: 'x' } })).extensions.code).toBe('FORBIDDEN')
  await bob.run(AddReaction, { input: { messageId, emoji: '👍' } })
  const input = { conversationId: conversation.id, text: 'why?', clientMessageId: randomUUID(), replyToId: messageId }
  await bob.run(SendMessage, { input })
  expect((await bob.refused(DeleteMessage, { input: { messageId } })).extensions.code).toBe('FORBIDDEN')
  await alice.run(DeleteMessage, { input: { messageId } })
})

test('a system message goes to direct conversations too, and to nothing that nobody hears or that is not there', async () => {
  const direct = await alice.direct(bob)
  expect((await send(direct, 'a word from us')).message.kind).toBe('SYSTEM')
  const { conversation } = await upsert({ externalId: 'empty', title: 'Empty' })
  const refused = async (conversationId: string, by: Backend = backend) =>
    (await by.refused(SendSystemMessage, { input: { conversationId, text: 'x', clientMessageId: randomUUID() } })).extensions.code
  const ofTenant = await openBackendOf('red', here, 'SEND')
  expect([
    await refused(conversation.id),
    await refused('cnv_00000zzzzzzzz'),
    await refused('rubbish'),
    await refused(direct, ofTenant),
    await refused(direct, await openBackend(here, 'ACT', 'USERS')),
  ]).toEqual(['NOT_FOUND', 'NOT_FOUND', 'BAD_INPUT', 'NOT_FOUND', 'FORBIDDEN'])
})

test('a group belongs to the tenant of its key, with its people alone', async () => {
  const [red, blue] = [await openBackendOf('red', here, 'USERS', 'SEND'), await openBackendOf('blue', here, 'USERS', 'SEND')]
  const [rosa, bert] = [await deviceOf(red, { externalId: 'rosa' }), await deviceOf(blue, { externalId: 'bert' })]
  const group = { externalId: 'red group', title: 'Red' }
  const { conversation } = await upsert({ ...group, memberIds: ['rosa'] }, red)
  const codeOf = async (by: Backend, input: UpsertConversationInput) =>
    (await by.refused(UpsertConversation, { input })).extensions.code
  expect(await codeOf(red, { ...group, memberIds: ['rosa', bert.userId] })).toBe('NOT_FOUND')
  expect(await codeOf(blue, group)).toBe('EXTERNAL_ID_TAKEN')
  expect(await codeOf(blue, { ...group, tenant: 'red' })).toBe('FORBIDDEN')
  expect(await codeOf(backend, { ...group, tenant: 'blue' })).toBe('BAD_INPUT')
  expect((await blue.run(ConversationByExternalId, { externalId: 'red group' })).conversationByExternalId).toBeNull()
  const { conversation: same } = await upsert({ externalId: 'red group', title: 'Still red' })
  expect(same).toMatchObject({ id: conversation.id, title: 'Still red' })
  expect((await rosa.run(SystemMessages, { id: conversation.id })).conversation?.messages.nodes).toEqual([])
  const sql = await connect(here.databaseUrl)
  const id = parseId('Conversation', conversation.id, '')
  expect((await sql.query('select tenant from conversation where id = $1', [id])).rows).toEqual([{ tenant: 'red' }])
})
