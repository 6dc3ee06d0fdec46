// Forwarding: copies with keys of their own, on the same files, sent once however often it is repeated.

import { randomUUID } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import { parseId } from '../../src/id.ts'
import { MessageFiles } from '../attachment/documents.ts'
import { sendFiles, textFile, upload } from '../attachment/files.ts'
import { UpdateConversation } from '../conversation/documents.ts'
import { DeleteMessage, EditMessage } from '../law/documents.ts'
import { type Device, request, signUpAll } from '../support/device.ts'
import { SendMessage } from '../support/documents.ts'
import { connect, type Node, openNode, openPair } from '../support/node.ts'
import { until } from '../support/until.ts'
import { ForwardMessages } from './documents.ts'

let here: Node
let there: Node
let ann: Device
let ben: Device
let cai: Device
let sql: Awaited<ReturnType<typeof connect>>

beforeAll(async () => {
  ;[here, there] = await openPair()
  ;[ann, ben, cai] = (await signUpAll(here, 'Ann', 'Ben', 'Cai')) as [Device, Device, Device]
  sql = await connect(here.databaseUrl)
})

const input = (messageIds: string[], conversationIds: string[], clientMessageId: string = randomUUID()) => ({
  input: { messageIds, conversationIds, clientMessageId },
})
const forward = async (by: Device, messageIds: string[], conversationIds: string[], key?: string) =>
  (await by.run(ForwardMessages, input(messageIds, conversationIds, key))).forwardMessages.messages
const groups = async (by: Device, count: number, ...others: Device[]) => {
  const ids: string[] = []
  for (let i = 0; i < count; i += 1) ids.push(await by.group(`Group ${i}`, ...others))
  return ids
}

test('sends text and custom data, without mentions and replies, to each conversation in order', async () => {
  const [from = '', ...to] = await groups(ann, 4, ben)
  const { message: first } = await ann.send(from, 'first')
  const more = { replyToId: first.id, mentionedUserIds: [ben.userId], data: { card: 1 } }
  const second = await ann.run(SendMessage, {
    input: { conversationId: from, text: 'second', clientMessageId: randomUUID(), ...more },
  })
  const copies = await forward(ben, [second.sendMessage.message.id, first.id], to)
  expect(copies.map(({ conversation, text, data }) => [conversation.id, text, data])).toEqual(
    to.flatMap((id) => [
      [id, 'second', { card: 1 }],
      [id, 'first', null],
    ]),
  )
  for (const copy of copies)
    expect(copy).toMatchObject({ sender: { id: ben.userId }, mentions: [], replyTo: null, seq: expect.any(Number) })
})

test('D2 a repeat sends nothing twice, also if copies of the request race, and whatever became of the original', async () => {
  const [from = '', ...to] = await groups(ann, 3, ben)
  const { message } = await ann.send(from, 'original')
  const fileId = await upload(ann, textFile())
  const withFile = (await sendFiles(ann, from, [fileId])).message.id
  const key = randomUUID()
  const elsewhere = await ben.another(there)
  const racing = await Promise.all(
    Array.from({ length: 6 }, (_, i) => forward(i % 2 ? ben : elsewhere, [message.id, withFile], to, key)),
  )
  await ann.run(EditMessage, { input: { messageId: message.id, text: 'edited' } })
  racing.push(await forward(elsewhere, [message.id, withFile], to, key))
  const ids = racing.map((copies) => copies.map(({ id }) => id))
  for (const each of ids) expect(each).toEqual(ids[0])
  expect(racing.at(-1)?.map(({ text }) => text)).toEqual(['original', '', 'original', ''])
  expect(new Set(ids[0]).size).toBe(4)
})

test('attachments are new ones on the same file, which goes with the last of them', async () => {
  const [from = '', to = ''] = await groups(ann, 2, ben)
  const original = (await sendFiles(ann, from, [await upload(ann, textFile())])).message.id
  const [copy] = await forward(ben, [original], [to])
  const filesOf = async (id: string) => (await ann.run(MessageFiles, { id })).node as { attachments: { id: string }[] }
  const [before, after] = [(await filesOf(original)).attachments, (await filesOf(copy?.id ?? '')).attachments]
  expect(after).toHaveLength(1)
  expect(after[0]?.id).not.toBe(before[0]?.id)
  const left = async () => {
    const numbers = [...before, ...after].map(({ id }) => parseId('Attachment', id, ''))
    const { rows } = await sql.query(
      `select (select count(*)::int from attachment where id = any($1)) as attachments,
              (select count(*)::int from stored_file where id in (select file_id from attachment where id = any($1)) and state <> 'REMOVING') as files`,
      [numbers],
    )
    return rows[0]
  }
  expect(await left()).toEqual({ attachments: 2, files: 1 })
  await ann.run(DeleteMessage, { input: { messageId: original } })
  await until('the attachment to go', async () => (await left()).attachments === 1)
  expect(await left()).toEqual({ attachments: 1, files: 1 })
  await ben.run(DeleteMessage, { input: { messageId: copy?.id ?? '' } })
  await until('the file to go', async () => (await left()).files === 0)
})

test('the file goes too if its messages are deleted at the same moment, on nodes that sweep at once', async () => {
  await openNode({ DATABASE_URL: here.databaseUrl })
  for (let round = 0; round < 5; round += 1) {
    const [from = '', ...to] = await groups(ann, 4, ben)
    const original = (await sendFiles(ann, from, [await upload(ann, textFile())])).message.id
    const copies = await forward(ann, [original], to)
    await Promise.all(
      [original, ...copies.map(({ id }) => id)].map((messageId) => ann.run(DeleteMessage, { input: { messageId } })),
    )
  }
  await until('all files to go', async () => {
    const { rows } = await sql.query(`select 1 from stored_file f where f.state <> 'REMOVING'
      and not exists (select 1 from attachment a where a.file_id = f.id)
      union all select 1 from message_attachment where removed_at is not null`)
    return rows.length === 0
  })
})

test('D6 only what one sees can be forwarded, and only to where one may write; what was sent before stays', async () => {
  const [from = '', open = '', news = ''] = await groups(ann, 3, ben)
  const elsewhere = await cai.group('Other')
  const { message } = await ann.send(from, 'hello')
  await ann.run(UpdateConversation, { input: { conversationId: news, announcementsOnly: true } })
  const code = async (by: Device, messages: string[], to: string[]) => {
    const { extensions } = await by.refused(ForwardMessages, input(messages, to))
    return [extensions.code, extensions.argument]
  }
  expect(await code(cai, [message.id], [elsewhere])).toEqual(['NOT_FOUND', 'input.messageIds.0'])
  expect(await code(ben, [message.id], [open, elsewhere])).toEqual(['NOT_FOUND', 'input.conversationIds.1'])
  expect(await code(ben, [message.id], [open, news])).toEqual(['FORBIDDEN', 'input.conversationIds.1'])
  const { rows } = await sql.query('select count(*)::int as sent from message where conversation_id = $1', [
    parseId('Conversation', open, ''),
  ])
  expect(rows).toEqual([{ sent: 2 }])
  await ann.run(DeleteMessage, { input: { messageId: message.id } })
  expect(await code(ben, [message.id], [open])).toEqual(['MESSAGE_DELETED', 'input.messageIds.0'])
})

test('at most 20 messages, 20 conversations and 100 copies, with a UUID', async () => {
  const { message } = await ann.send(await ann.group('Here'), 'x')
  const many = Array.from({ length: 21 }, (_, i) => `cnv_${String(i).padStart(13, '0')}`)
  const conversations: string[] = []
  for (let i = 0; i < 6; i += 1) conversations.push(await ann.group(`There ${i}`))
  const messages: string[] = []
  for (let i = 0; i < 17; i += 1) messages.push((await ann.send(conversations[0] ?? '', `text ${i}`)).message.id)
  const tooMany = await ann.refused(ForwardMessages, input(messages, conversations))
  expect(tooMany.extensions).toMatchObject({ code: 'LIMIT_EXCEEDED', argument: 'input.messageIds' })
  const attempts = [input([message.id], many), input([], many.slice(1)), input([message.id], many.slice(1), 'no uuid')]
  for (const variables of attempts) {
    const { errors } = await request(here.url, ForwardMessages, variables, ann.accessToken)
    expect(errors[0]?.extensions.code).toBe('BAD_INPUT')
  }
})
