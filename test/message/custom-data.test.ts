// Custom data of messages and groups: kept as it was given, shown wherever the message or the group is, part of the content. That of
// users is in test/platform.

import { randomUUID } from 'node:crypto'
import { print } from 'graphql'
import { beforeAll, expect, test } from 'vitest'
import { openBackend } from '../platform/backend.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { RemoveMember } from '../support/documents.ts'
import { graphql } from '../support/generated/index.ts'
import { connect, type Node, openPair } from '../support/node.ts'

const SendData = graphql(`
  mutation SendData($input: SendMessageInput!) {
    sendMessage(input: $input) { message { id data } cursor }
  }
`)
const EditData = graphql(`
  mutation EditData($input: EditMessageInput!) {
    editMessage(input: $input) { message { text version data } cursor }
  }
`)
const DeleteData = graphql(`
  mutation DeleteData($input: DeleteMessageInput!) {
    deleteMessage(input: $input) { message { data } }
  }
`)
const CreateWithData = graphql(`
  mutation CreateWithData($input: CreateGroupInput!) {
    createGroup(input: $input) { conversation { id data } }
  }
`)
const UpdateData = graphql(`
  mutation UpdateData($input: UpdateConversationInput!) {
    updateConversation(input: $input) { conversation { title data } cursor }
  }
`)
const ReadData = graphql(`
  query ReadData($id: ID!) {
    conversation(id: $id) { data messages(first: 100) { nodes { text data } } }
  }
`)
const FollowData = graphql(`
  subscription FollowData($after: Cursor) {
    events(after: $after) {
      __typename
      cursor
      ... on MessageSent { message { data } conversation { data } }
      ... on MessageEdited { message { data } }
      ... on MessageDeleted { message { data } }
      ... on ConversationUpdated { conversation { data } }
    }
  }
`)

let here: Node
let there: Node
let alice: Device
let bob: Device

beforeAll(async () => {
  ;[here, there] = await openPair()
  ;[alice, bob] = (await signUpAll(here, 'Alice', 'Bob')) as [Device, Device]
})

const createGroup = async (data?: unknown) => {
  const input = { title: 'Orders', memberIds: [bob.userId], ...(data === undefined ? {} : { data }) }
  return (await alice.run(CreateWithData, { input })).createGroup.conversation
}
const sendData = async (conversationId: string, data: unknown, clientMessageId: string = randomUUID()) => {
  const input = { conversationId, text: 'see the data', clientMessageId, data }
  return (await alice.run(SendData, { input })).sendMessage
}

/** The events of a device until the message "the end", without the ticks. */
async function follow(device: Device, after: string): Promise<{ __typename: string; [name: string]: unknown }[]> {
  const client = device.socket()
  const seen: { __typename: string; [name: string]: unknown }[] = []
  for await (const { data } of client.iterate<{ events: { __typename: string; cursor?: string } }>({
    query: print(FollowData),
    variables: { after },
  })) {
    if (!data) continue
    const { cursor: _, ...event } = data.events
    if (event.__typename === 'CaughtUp') break
    if (!['SyncStarted', 'Tick'].includes(event.__typename)) seen.push(event)
  }
  return seen
}

test('custom data is returned as it was given: in answers, in history, and in events of any node, from memory and from Postgres', async () => {
  const data = { order: 17, 가격: 0.1, nested: [null, true, { z: 1, a: '\u0000 "\\' }], __proto__: null, constructor: 'x' }
  const { id, data: ofGroup } = await createGroup(['of the', 'group'])
  expect(ofGroup).toEqual(['of the', 'group'])
  const { message, cursor } = await sendData(id, 'before')
  expect(message.data).toBe('before')
  for (const each of [data, [], {}, 0, false, '', 'text', 1e300, -0.5]) {
    expect((await sendData(id, each)).message.data).toEqual(each)
  }
  const { conversation } = await bob.run(ReadData, { id })
  expect(conversation?.data).toEqual(['of the', 'group'])
  expect(conversation?.messages.nodes?.map((node) => node?.data).slice(1)).toEqual([
    data,
    [],
    {},
    0,
    false,
    '',
    'text',
    1e300,
    -0.5,
  ])
  // The order of its members stays, too.
  expect(Object.keys(conversation?.messages.nodes?.[1]?.data as object)).toEqual(Object.keys(data))
  for (const node of [here, there]) {
    const events = await follow(await bob.another(node), cursor)
    expect(events.map((event) => (event.message as { data: unknown }).data)).toEqual([
      data,
      [],
      {},
      0,
      false,
      '',
      'text',
      1e300,
      -0.5,
    ])
    expect(events[0]?.conversation).toEqual({ data: ['of the', 'group'] })
  }
})

test('no data and null are the same, and are nothing', async () => {
  const { id, data } = await createGroup()
  expect(data).toBeNull()
  expect((await sendData(id, null)).message.data).toBeNull()
  expect((await createGroup(null)).data).toBeNull()
})

test('D2 the data is part of the content of a message, by its value', async () => {
  const { id } = await createGroup()
  const key = randomUUID()
  const first = await sendData(id, { a: 1, b: [{ y: 1.0, x: '\u00e9' }] }, key)
  const again = await sendData(id, { b: [{ x: 'é', y: 1 }], a: 1 }, key)
  expect(again).toEqual(first)
  for (const other of [{ a: 1 }, null, { a: 1, b: [{ x: 'é', y: 2 }] }, [{ a: 1 }]]) {
    const input = { conversationId: id, text: 'see the data', clientMessageId: key, data: other }
    expect((await alice.refused(SendData, { input })).extensions.code).toBe('IDEMPOTENCY_CONFLICT')
  }
})

const nested = (depth: number) => JSON.parse('['.repeat(depth) + ']'.repeat(depth)) as unknown

test('data that is too large is refused with its argument, and nothing is written', async () => {
  const { id } = await createGroup()
  const most = 'x'.repeat(4_094)
  expect((await sendData(id, most)).message.data).toBe(most)
  expect((await sendData(id, nested(50))).message.data).toEqual(nested(50))
  for (const data of ['x'.repeat(4_095), '가'.repeat(1_365), nested(51), nested(4_000)]) {
    const refusals = [
      await alice.refused(SendData, { input: { conversationId: id, text: 'x', clientMessageId: randomUUID(), data } }),
      await alice.refused(UpdateData, { input: { conversationId: id, data } }),
      await alice.refused(CreateWithData, { input: { title: 'x', memberIds: [], data } }),
    ]
    for (const { extensions } of refusals) expect(extensions).toMatchObject({ code: 'BAD_INPUT', argument: 'input.data' })
  }
  expect((await bob.run(ReadData, { id })).conversation?.messages.nodes).toHaveLength(2)
})

test('an edit keeps, replaces or removes the data; a deletion removes it', async () => {
  const { id } = await createGroup()
  const { message, cursor } = await sendData(id, { state: 'open' })
  const messageId = message.id
  const edit = async (input: { text: string; data?: unknown }) =>
    (await alice.run(EditData, { input: { messageId, ...input } })).editMessage
  expect((await edit({ text: 'new text' })).message).toEqual({ text: 'new text', version: 2, data: { state: 'open' } })
  expect((await edit({ text: 'new text', data: { state: 'paid' } })).message).toMatchObject({
    version: 3,
    data: { state: 'paid' },
  })
  expect(await edit({ text: 'new text', data: { state: 'paid' } })).toMatchObject({ cursor: null, message: { version: 3 } })
  expect((await edit({ text: 'new text', data: null })).message).toMatchObject({ version: 4, data: null })
  expect((await edit({ text: 'new text', data: 'again' })).message).toMatchObject({ version: 5, data: 'again' })
  const events = await follow(await bob.another(there), cursor)
  expect(events).toEqual(Array(4).fill({ __typename: 'MessageEdited', message: { data: 'again' } }))
  expect((await alice.run(DeleteData, { input: { messageId } })).deleteMessage.message.data).toBeNull()
  const sql = await connect(here.databaseUrl)
  expect((await sql.query('select data from message where data is not null and text = $1', [''])).rows).toEqual([])
})

test('the data of a group changes like its title, and a former member sees neither', async () => {
  const { id } = await createGroup({ topic: 'a' })
  const { cursor } = await sendData(id, 1)
  expect((await alice.run(UpdateData, { input: { conversationId: id, title: 'Renamed' } })).updateConversation).toMatchObject({
    conversation: { title: 'Renamed', data: { topic: 'a' } },
  })
  const same = await alice.run(UpdateData, { input: { conversationId: id, data: { topic: 'a' } } })
  expect(same.updateConversation.cursor).toBeNull()
  await alice.run(UpdateData, { input: { conversationId: id, data: { topic: 'b' } } })
  expect((await bob.refused(UpdateData, { input: { conversationId: id, data: 1 } })).extensions.code).toBe('FORBIDDEN')
  expect((await bob.run(ReadData, { id })).conversation?.data).toEqual({ topic: 'b' })
  await alice.run(RemoveMember, { input: { conversationId: id, userId: bob.userId } })
  await alice.run(UpdateData, { input: { conversationId: id, data: 'secret' } })
  expect(
    (await alice.run(UpdateData, { input: { conversationId: id, data: null } })).updateConversation.conversation.data,
  ).toBeNull()
  await alice.run(UpdateData, { input: { conversationId: id, data: 'secret' } })
  expect((await bob.run(ReadData, { id })).conversation).toBeNull()
  for (const node of [here, there]) expect(JSON.stringify(await follow(await bob.another(node), cursor))).not.toContain('secret')
})

test('a server key that acts for a user sends data as the user does', async () => {
  const { id } = await createGroup()
  const backend = await openBackend(here, 'ACT')
  const input = { conversationId: id, text: 'paid', clientMessageId: randomUUID(), data: { paid: true } }
  expect((await backend.run(SendData, { input }, alice.userId)).sendMessage.message.data).toEqual({ paid: true })
})
