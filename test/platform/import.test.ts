// Imports from another system: messages with their own times, before anybody is in the conversation, and members who have read all.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { FailedResult, UsageError } from '../../src/commands/command.ts'
import { importFile } from '../../src/commands/import.ts'
import type { Device } from '../support/device.ts'
import { graphql } from '../support/generated/index.ts'
import { connect, type Node, openNode } from '../support/node.ts'
import { until } from '../support/until.ts'
import { type Backend, deviceOf, openBackend, openBackendOf } from './backend.ts'
import { CompleteImport, ImportConversation, ImportMessages, UpsertConversation } from './documents.ts'

const Imported = graphql(`
  query Imported {
    conversations(first: 20) {
      nodes {
        kind
        title
        data
        createdAt
        unreadCount
        mentionCount
        members(first: 5) { nodes { role user { displayName } } }
        messages(first: 10) {
          nodes { seq kind text data createdAt sender { displayName } replyTo { text } mentions { displayName } }
        }
      }
    }
  }
`)
const Found = graphql(`
  query FoundImported($query: String!) { searchMessages(query: $query, first: 10) { nodes { text } } }
`)

let node: Node
let backend: Backend
let ann: Device
let ben: Device

beforeAll(async () => {
  node = await openNode()
  backend = await openBackend(node, 'USERS', 'IMPORT', 'SEND')
  ;[ann, ben] = [
    await deviceOf(backend, { externalId: 'ann', displayName: 'Ann' }),
    await deviceOf(backend, { externalId: 'ben', displayName: 'Ben' }),
  ]
})

const begin = async (externalId: string, more: object = { title: 'Old times' }) =>
  (await backend.run(ImportConversation, { input: { externalId, ...more } })).importConversation.conversation.id
const message = (externalId: string, at: string, more: object = {}) => ({
  externalId,
  senderId: 'ann',
  text: `text of ${externalId}`,
  createdAt: `2020-01-01T${at}Z`,
  ...more,
})
const store = async (conversationId: string, ...messages: ReturnType<typeof message>[]) =>
  (await backend.run(ImportMessages, { input: { conversationId, messages } })).importMessages
const complete = (conversationId: string, members: { userId: string; role?: 'OWNER' | 'ADMIN' }[] | null) =>
  backend.run(CompleteImport, { input: { conversationId, members } })
const listOf = async (device: Device) => (await device.run(Imported, {})).conversations.nodes
const file = async (...lines: (object | string)[]) => {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'parley-import-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n')
  const [lined, key] = [path.join(directory, 'lines'), path.join(directory, 'key')]
  await Promise.all([writeFile(lined, text), writeFile(key, `${backend.token}\n`)])
  return [lined, '--key-file', key, '--url', node.url]
}

test('a group comes with its messages, their times, replies and mentions, and its members have read them', async () => {
  const log = await ben.events().live()
  const id = await begin('c1', { title: 'Old times', data: { from: 'elsewhere' }, createdAt: '2019-12-31T00:00:00Z' })
  expect(await begin('c1', { title: 'Old times' })).toBe(id)
  const reply = message('m2', '10:00:01.500', { senderId: 'ben', replyToExternalId: 'm1', mentionedUserIds: ['ann'], data: [1] })
  const first = [message('m1', '10:00:00'), reply, message('m3', '10:00:01.500', { senderId: null, text: 'Ben came' })]
  expect(await store(id, ...first)).toEqual({ stored: 3, repeated: 0, refused: [] })
  expect(await store(id, ...first)).toEqual({ stored: 0, repeated: 3, refused: [] })
  // Nobody has it yet.
  expect(await listOf(ben)).toEqual([])
  const early = await backend.refused(UpsertConversation, { input: { externalId: 'c1', memberIds: ['ann'] } })
  expect(early.extensions).toMatchObject({ code: 'BAD_INPUT', argument: 'input.memberIds' })
  await complete(id, [
    { userId: 'ann', role: 'ADMIN' },
    { userId: 'ben', role: 'OWNER' },
  ])
  await complete(id, [{ userId: 'ann' }])
  const [shown] = await listOf(ben)
  expect(shown).toMatchObject({
    kind: 'GROUP',
    title: 'Old times',
    data: { from: 'elsewhere' },
    createdAt: '2019-12-31T00:00:00.000Z',
    unreadCount: 0,
    mentionCount: 0,
  })
  const roles = shown?.members?.nodes?.map((member) => [member?.user.displayName, member?.role])
  expect(new Map(roles as [string, string][])).toEqual(
    new Map([
      ['Ann', 'ADMIN'],
      ['Ben', 'OWNER'],
    ]),
  )
  expect(shown?.messages?.nodes).toMatchObject([
    {
      seq: 1,
      kind: 'USER',
      text: 'text of m1',
      createdAt: '2020-01-01T10:00:00.000Z',
      sender: { displayName: 'Ann' },
      replyTo: null,
    },
    {
      seq: 2,
      data: [1],
      createdAt: '2020-01-01T10:00:01.500Z',
      sender: { displayName: 'Ben' },
      replyTo: { text: 'text of m1' },
      mentions: [{ displayName: 'Ann' }],
    },
    { seq: 3, kind: 'SYSTEM', text: 'Ben came', sender: null },
  ])
  // A device hears of the conversation once, and of none of its messages.
  await ann.send((await log.first('ConversationAdded')).conversation.id, 'a new one')
  await log.first('MessageSent')
  const names = log.seen.map(({ __typename }) => __typename)
  expect(names.filter((name) => name === 'ConversationAdded')).toHaveLength(1)
  expect(names.filter((name) => name === 'MessageSent')).toHaveLength(1)
  expect((await listOf(ben))[0]).toMatchObject({ unreadCount: 1 })
  await until('the index', async () => (await ben.run(Found, { query: 'text of m1' })).searchMessages.nodes.length === 1)
})

test('what does not fit is told for each message, and the others are stored', async () => {
  const id = await begin('c2')
  await store(id, message('a', '12:00:00'))
  const mixed = [
    message('a', '12:00:00', { text: 'another' }),
    message('b', '11:00:00'),
    message('c', '12:00:01', { replyToExternalId: 'nothing' }),
    message('d', '12:00:02'),
  ]
  expect(await store(id, ...mixed)).toEqual({
    stored: 1,
    repeated: 0,
    refused: [
      { externalId: 'a', reason: 'CONFLICT' },
      { externalId: 'b', reason: 'OUT_OF_ORDER' },
      { externalId: 'c', reason: 'NOTHING_TO_REPLY_TO' },
    ],
  })
  await complete(id, [{ userId: 'ann' }])
  expect(await store(id, message('d', '12:00:02'), message('e', '12:00:03'))).toEqual({
    stored: 0,
    repeated: 1,
    refused: [{ externalId: 'e', reason: 'IMPORT_OVER' }],
  })
})

test('a direct conversation comes with its two people', async () => {
  const [cid, dot] = [await deviceOf(backend, { externalId: 'cid' }), await deviceOf(backend, { externalId: 'dot' })]
  const id = await begin('c3', { memberIds: ['cid', 'dot'] })
  await store(id, message('x', '08:00:00', { senderId: 'cid' }))
  await complete(id, null)
  for (const device of [cid, dot]) expect(await listOf(device)).toMatchObject([{ kind: 'DIRECT', unreadCount: 0 }])
  expect(await cid.direct(dot)).toBe(id)
  const taken = await backend.refused(ImportConversation, { input: { externalId: 'c4', memberIds: ['dot', 'cid'] } })
  expect(taken.extensions).toMatchObject({ code: 'BAD_INPUT', argument: 'input.memberIds' })
})

test('only a conversation that was begun as an import takes messages', async () => {
  const { conversation } = (await backend.run(UpsertConversation, { input: { externalId: 'c8', title: 'No import' } }))
    .upsertConversation
  const over = [{ externalId: 'a', reason: 'IMPORT_OVER' }]
  expect(await store(conversation.id, message('a', '10:00:00'))).toMatchObject({ stored: 0, refused: over })
  const id = await begin('c9')
  await complete(id, [])
  expect(await store(id, message('a', '10:00:00'))).toMatchObject({ stored: 0, refused: over })
})

test('bad input is refused, and other tenants are out of reach', async () => {
  const id = await begin('c5')
  const refused = async (input: object) =>
    (await backend.refused(ImportMessages, { input: { conversationId: id, messages: [input as never] } })).extensions
  expect(await refused(message('a', '10:00:00', { senderId: 'nobody' }))).toMatchObject({ code: 'NOT_FOUND' })
  expect(await refused(message('a', '10:00:00', { text: ' ' }))).toMatchObject({ argument: 'input.messages.0.text' })
  expect(await refused(message('a', '10:00:00', { createdAt: '2999-01-01T00:00:00Z' }))).toMatchObject({
    code: 'BAD_INPUT',
    argument: 'input.messages.0.createdAt',
  })
  const both = await backend.refused(ImportConversation, { input: { externalId: 'c6', title: 'x', memberIds: ['ann', 'ben'] } })
  expect(both.extensions).toMatchObject({ argument: 'input.title' })
  const owners = [
    { userId: 'ann', role: 'OWNER' as const },
    { userId: 'ben', role: 'OWNER' as const },
  ]
  const two = await backend.refused(CompleteImport, { input: { conversationId: id, members: owners } })
  expect(two.extensions).toMatchObject({ code: 'BAD_INPUT', argument: 'input.members' })
  const other = await openBackendOf('acme', node, 'IMPORT')
  const outside = await other.refused(ImportMessages, { input: { conversationId: id, messages: [message('a', '10:00:00')] } })
  expect(outside.extensions.code).toBe('NOT_FOUND')
  const none = await openBackend(node, 'SEND')
  expect((await none.refused(ImportConversation, { input: { externalId: 'c7', title: 'x' } })).extensions.code).toBe('FORBIDDEN')
})

test('parley import reads users, conversations and messages from lines, and again without doubling anything', async () => {
  const lines = [
    { type: 'user', id: 'eve', displayName: 'Eve' },
    { type: 'user', id: 'fay', displayName: 'Fay', data: { plan: 'pro' } },
    { type: 'conversation', id: 'g1', title: 'Late', members: [{ id: 'eve' }, { id: 'fay', role: 'ADMIN' }] },
    { type: 'conversation', id: 'g2', title: 'Early', members: [{ id: 'fay' }] },
    ...Array.from({ length: 250 }, (_, i) => ({
      type: 'message',
      id: `${i}`,
      conversation: 'g1',
      sender: i % 2 ? 'eve' : 'fay',
      text: `message ${i}`,
      createdAt: new Date(Date.UTC(2021, 0, 1, 0, 0, i)).toISOString(),
    })),
    { type: 'message', id: 'early', conversation: 'g2', text: 'by nobody', createdAt: '2020-01-01T00:00:00Z' },
  ]
  const args = await file(...lines)
  expect(await importFile.run(args)).toMatch(
    /^255 lines: 2 users, 2 conversations complete, 251 messages imported .*, 0 already there, 0 lines wrong$/,
  )
  expect(await importFile.run(args)).toMatch(/ 0 messages imported .*, 251 already there, 0 lines wrong$/)
  const fay = await deviceOf(backend, { externalId: 'fay' })
  expect(await listOf(fay)).toMatchObject([
    { title: 'Late', unreadCount: 0 },
    { title: 'Early', unreadCount: 0 },
  ])
  const sql = await connect(node.databaseUrl)
  const { rows } = await sql.query(
    `select count(*)::int as count, max(m.seq) as last, bool_and(m.text = 'message ' || (m.seq - 1)) as ordered
       from message m join conversation c on c.id = m.conversation_id where c.external_id = 'g1'`,
  )
  expect(rows).toEqual([{ count: 250, last: 250, ordered: true }])
})

test('parley import tells the wrong line, and stops there or goes on', async () => {
  const at = '2020-01-01T00:00:00Z'
  const lines = [
    { type: 'conversation', id: 'h1', title: 'Wrong lines', members: [{ id: 'ann' }] },
    { type: 'message', id: '1', conversation: 'h1', sender: 'ann', text: 'one', createdAt: at },
    'no JSON',
    { type: 'message', id: '2', conversation: 'h1', sender: 'nobody', text: 'two', createdAt: at },
    { type: 'message', id: '3', conversation: 'h1', sender: 'ann', text: 'three', createdAt: at },
    { type: 'message', id: '4', conversation: 'h1', sender: 'ann', text: 'four', createdAt: 'yesterday' },
    { type: 'message', id: '5', conversation: 'h9', sender: 'ann', text: 'five', createdAt: at },
  ]
  const failed = async (args: string[]) => {
    const error = await importFile.run(args).catch((one: unknown) => one)
    expect(error).toBeInstanceOf(FailedResult)
    return (error as Error).message
  }
  const args = await file(...lines)
  expect(await failed(args)).toMatch(/^line 3: it is not JSON\n/)
  expect(await failed([...args, '--keep-going'])).toMatch(/1 conversations complete, 2 messages imported .* 4 lines wrong$/)
  expect((await listOf(ann)).find((one) => one?.title === 'Wrong lines')?.messages?.nodes).toMatchObject([
    { text: 'one' },
    { text: 'three' },
  ])
  await expect(importFile.run([args[0] ?? ''])).rejects.toBeInstanceOf(UsageError)
})
