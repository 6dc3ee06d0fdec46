// How many SQL statements an operation costs: as many for two members, messages or conversations as for a hundred, and none for
// the delivery of an event.

import { setTimeout as delay } from 'node:timers/promises'
import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { print } from 'graphql'
import type { Client } from 'graphql-ws'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { encodeId, userIdOf } from '../../src/id.ts'
import { AddReaction, DeleteMessage, EditMessage, MarkRead } from '../law/documents.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { AddMembers, Conversations, Events, History, OneConversation, RemoveMember, SendMessage } from '../support/documents.ts'
import { graphql } from '../support/generated/index.ts'
import { connect, type Node, openNode } from '../support/node.ts'
import { until } from '../support/until.ts'

const Overview = graphql(`
  query Overview {
    conversations(first: 50) {
      nodes {
        id title isClosed memberCount unreadCount mentionCount
        lastMessage { text sender { displayName } reactions { emoji viewerReacted users { id } } replyTo { text } }
        viewerMembership { role mutedUntil }
        readMarkers { user { id } seq }
        pinnedMessages { id }
        messages(last: 3) { nodes { text } }
        members(first: 3) { nodes { user { displayName } } }
      }
    }
  }
`)
const Page = graphql(`
  query Page($id: ID!) {
    conversation(id: $id) {
      messages(last: 50) {
        nodes {
          id seq text sender { displayName } mentions { id } versions { text } pinnedAt
          replyTo { text sender { displayName } }
          reactions { emoji count viewerReacted users { displayName } }
        }
      }
    }
  }
`)

type Query = (this: pg.Client, ...given: unknown[]) => unknown
type Settings = { readonly connectionParameters: { readonly application_name?: string } }
const { query } = pg.Client.prototype as unknown as { query: Query }
let statements: string[] = []
/** The statement that is sent late, as on a busy connection. */
let late: string | null = null
/** Statements of the node itself, of the start of a connection, and around transactions. */
const background =
  /^(journal_head|journal_trim|webhook_hold|audit_seal|search_(progress|follow|take_turn|remove_rows|remove_range|add_rows|write_progress))$|^\s*update session|^UPDATE "public"."session"|^set search_path|^(BEGIN|COMMIT|ROLLBACK|SET TRANSACTION)/

let node: Node
let owner: Device
let few: string
let many: string
let others: Device[]

beforeAll(async () => {
  const counted: Query = function (this, ...given) {
    const [{ name = '', text = '' } = {}] = given as [{ name?: string; text?: string }?]
    const { application_name: purpose } = (this as unknown as Settings).connectionParameters
    if (purpose?.startsWith('parley') && text !== '' && !background.test(name || text)) statements.push(name === '' ? text : name)
    return name === late && late !== null ? delay(5).then(() => query.apply(this, given)) : query.apply(this, given)
  }
  Object.assign(pg.Client.prototype, { query: counted })

  node = await openNode()
  const index = await connect(node.databaseUrl)
  await index.query(
    'set idle_in_transaction_session_timeout = 0; set transaction_timeout = 0; begin; select 1 from message_search_progress for update',
  ) // the search index waits meanwhile
  ;[owner, ...others] = (await signUpAll(node, ...Array.from({ length: 12 }, (_, i) => `Person ${i}`.replace(' ', '')))) as [
    Device,
  ]
  few = await owner.group('Few', others[0] as Device)
  many = await owner.group('Many', ...others)
  // Logging in is costly, and the rest of the hundred only need to exist.
  const now = new Date()
  const rows = Array.from({ length: 88 }, (_, i) => ({ username: `extra${i}`, displayName: `Extra ${i}`, createdAt: now }))
  const extras = await node.app.store.prisma.user.createManyAndReturn({ data: rows, select: { id: true } })
  const userIds = extras.map(({ id }) => encodeId('User', userIdOf(id)))
  await owner.run(AddMembers, { input: { conversationId: many, userIds } })
})
afterAll(() => {
  Object.assign(pg.Client.prototype, { query })
})

/**
 * How many statements an operation takes: the least of four attempts, if it can be repeated. On a busy machine two connections
 * may answer in different turns of the event loop, and then their look-ups are not batched.
 */
async function count(act: () => Promise<unknown>, times = 4): Promise<number> {
  let least: string[] | null = null
  for (let i = 0; i < times; i += 1) {
    statements = []
    await act()
    if (!least || statements.length < least.length) least = statements
  }
  statements = (least ?? []).toSorted()
  return statements.length
}

async function expectConstant(what: string, act: (conversationId: string) => Promise<unknown>): Promise<void> {
  await act(few) // prepared and cached once
  await act(many)
  const inFew = await count(() => act(few))
  const seen = [...statements]
  const inMany = await count(() => act(many))
  expect({ what, inMany, statements }).toEqual({ what, inMany: inFew, statements: seen })
}

const say = async (device: Device, conversationId: string, more = {}) => {
  const input = { conversationId, text: 'hello', clientMessageId: crypto.randomUUID(), ...more }
  return (await device.run(SendMessage, { input })).sendMessage
}
const read = <Data, Variables>(document: TypedDocumentNode<Data, Variables>, variables: Variables) =>
  owner.run(document, variables)

test('costs as many with 2 members as with 100, for each core operation', async () => {
  await expectConstant('send', (id) => say(owner, id))
  await expectConstant('edit', async (id) => {
    const { message } = await say(owner, id)
    await owner.run(EditMessage, { input: { messageId: message.id, text: 'changed' } })
  })
  await expectConstant('react, delete', async (id) => {
    const { message } = await say(owner, id)
    await owner.run(AddReaction, { input: { messageId: message.id, emoji: '🎉' } })
    await owner.run(DeleteMessage, { input: { messageId: message.id } })
  })
  await expectConstant('mark as read', (id) => owner.run(MarkRead, { input: { conversationId: id, seq: 1_000 } }))
  await expectConstant('a conversation with its members', (id) => read(OneConversation, { id }))
  await expectConstant('a page of history', (id) => read(Page, { id }))
  await expectConstant('remove and add a member', async (id) => {
    const userId = (others[0] as Device).userId
    await owner.run(RemoveMember, { input: { conversationId: id, userId } })
    await owner.run(AddMembers, { input: { conversationId: id, userIds: [userId] } })
  })
})

test('costs as many for a page of 50 messages with everything as for one of 1, and for 50 conversations as for 2', async () => {
  const { message } = await say(owner, few, { mentionedUserIds: [owner.userId] })
  const answer = await say(owner, few, { replyToId: message.id })
  await owner.run(AddReaction, { input: { messageId: answer.message.id, emoji: '🎉' } })
  const short = await count(() => read(Page, { id: few }))
  for (let i = 0; i < 50; i += 1) {
    const sent = await say(i % 2 ? owner : (others[0] as Device), few, {
      replyToId: message.id,
      mentionedUserIds: [owner.userId],
    })
    if (i % 5 === 0) await owner.run(AddReaction, { input: { messageId: sent.message.id, emoji: '🎉' } })
  }
  expect(await count(() => read(Page, { id: few }))).toBeLessThanOrEqual(short)
  expect(await count(() => read(History, { id: few, last: 50 })), String(statements)).toBe(4)

  // The senders are known once, also if it takes longer to see that the viewer is still a member.
  late = 'memberships'
  const whileLate = await count(() => read(History, { id: few, last: 50 }))
  late = null
  expect(whileLate, String(statements)).toBe(4)

  const two = await count(() => read(Overview, {}))
  const ofTwo = [...statements]
  for (let i = 0; i < 48; i += 1) await say(owner, await owner.group(`Group ${i}`, others[i % 11] as Device))
  const fifty = await count(() => read(Overview, {}))
  // Four of its fields show users. Those whose rows arrive in the same turn share a statement, which depends on timing.
  expect(fifty, `${statements} for ${ofTwo}`).toBeLessThanOrEqual(two + 3)
  expect(new Set(statements)).toEqual(new Set(ofTwo))
  expect(await count(() => read(Conversations, { first: 50 }))).toBe(1)
})

test('costs none for the delivery of a message, to any number of devices', async () => {
  const logs = await Promise.all([owner, ...others].map((device) => device.events().live()))
  // A new message has no reactions and no pin, for any viewer.
  const rich = `subscription { events { __typename
    ... on MessageSent { message { text reactions { emoji viewerReacted } pinnedAt versions { text } } } } }`
  const told: string[] = []
  const next = (answer: unknown) => void told.push(JSON.stringify(answer))
  const stop = owner.socket().subscribe({ query: rich }, { next, error: next, complete: () => undefined })
  const tells = (text: string) => told.filter((answer) => answer.includes(text)).length
  await until('the stream to be live', () => tells('CaughtUp') === 1)
  const deliver = async () => {
    const before = tells('"reactions":[]')
    const { cursor } = await say(owner, many)
    await until('the event with its reactions', () => tells('"reactions":[]') > before)
    for (const log of logs) await log.until('the event', ({ seen }) => seen.some((event) => event.cursor === cursor))
  }
  await deliver()
  await count(deliver)
  for (const log of logs) log.stop()
  stop()
  expect(statements).toEqual(['conversations_by_ids', 'journal_send_batch_2', 'users_by_ids']) // the send, and its own answer
})

test('costs one for a device that comes back: its audience', async () => {
  const lazy = others[0] as Device
  const log = await lazy.events().live()
  const { cursor } = log
  log.stop()
  await say(owner, many)
  const again = lazy.events({ after: cursor })
  await again.live()
  again.stop()
  await count(() => lazy.events({ after: cursor }).live(), 1)
  expect(statements).toEqual(['audience_of_users', 'journal_flush'])
})

test('costs fewer than one each for many devices that come back at once', async () => {
  const [first] = others
  const log = await (first as Device).events().live()
  const after = log.cursor
  log.stop()
  await say(owner, many)
  const clients = [owner, ...others].map((device) => device.socket())
  const ask = (client: Client, query: string, isLast: (answer: string) => boolean) =>
    new Promise<void>((resolve, reject) => {
      const next = (answer: unknown) => isLast(JSON.stringify(answer)) && resolve()
      client.subscribe(
        { query, variables: query.startsWith('query') ? {} : { after } },
        { next, error: reject, complete: () => undefined },
      )
    })
  await Promise.all(clients.map((client) => ask(client, 'query Warm { viewer { id } }', () => true)))
  const comeBack = () => Promise.all(clients.map((client) => ask(client, print(Events), (answer) => answer.includes('CaughtUp'))))
  await count(comeBack, 1)
  expect(statements.length).toBeLessThan(2 * clients.length)
  expect(new Set(statements)).toEqual(new Set(['audience_of_users', 'journal_flush']))
})

test('costs none for the delivery of an edit, a deletion or a reaction, to any number of devices', async () => {
  const change = async () => {
    const { message } = await say(owner, many)
    const input = { messageId: message.id }
    await owner.run(EditMessage, { input: { ...input, text: 'other words' } })
    await owner.run(AddReaction, { input: { ...input, emoji: '🎉' } })
    const { deleteMessage } = await owner.run(DeleteMessage, { input })
    return deleteMessage.cursor
  }
  await change()
  await count(change)
  const toNobody = [...statements]
  const logs = await Promise.all([owner, ...others].map((device) => device.events().live()))
  await change()
  await count(async () => {
    const cursor = await change()
    for (const log of logs) await log.until('the event', ({ seen }) => seen.some((event) => event.cursor === cursor))
  })
  expect(statements).toEqual(toNobody)
})
