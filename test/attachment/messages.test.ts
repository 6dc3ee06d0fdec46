// Messages with files: one message has each file, a repeat is the same message, and their order holds.

import { randomUUID } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import { EditMessage } from '../law/documents.ts'
import { SearchMessages } from '../search/documents.ts'
import { indexed } from '../search/support.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { type Node, openNode } from '../support/node.ts'
import { MessageFiles, SendFiles, SharedMedia } from './documents.ts'
import { begin, photo, processed, put, sendFiles, textFile, upload } from './files.ts'

let node: Node
let alice: Device
let bob: Device
let group: string

beforeAll(async () => {
  node = await openNode()
  ;[alice, bob] = (await signUpAll(node, 'Alice', 'Bob')) as [Device, Device]
  group = await alice.group('Files', bob)
})

const message = (attachmentIds: readonly string[], more: object = {}) => ({
  input: { conversationId: group, clientMessageId: randomUUID(), text: '', attachmentIds, ...more },
})

test('a message may have files and no text, and keeps their order', async () => {
  const ids = [
    await upload(alice, textFile('1')),
    await upload(alice, textFile('2')),
    await upload(alice, textFile('3')),
  ].reverse()
  const { message: sent } = await sendFiles(alice, group, ids)
  expect(sent.text).toBe('')
  expect(sent.attachments.map(({ id }) => id)).toEqual(ids)
  const { node: seen } = await bob.run(MessageFiles, { id: sent.id })
  expect(seen && 'attachments' in seen ? seen.attachments.map(({ id }) => id) : null).toEqual(ids)
})

test('D2 a repeat with the same files is the same message, one with others is refused', async () => {
  const [one, two] = [await upload(alice, textFile('1')), await upload(alice, textFile('2'))]
  const first = message([one])
  const { sendMessage } = await alice.run(SendFiles, first)
  const again = await alice.run(SendFiles, first)
  expect(again.sendMessage.message.id).toBe(sendMessage.message.id)
  const other = await alice.refused(SendFiles, { input: { ...first.input, attachmentIds: [two] } })
  expect(other.extensions.code).toBe('IDEMPOTENCY_CONFLICT')
  const none = await alice.refused(SendFiles, { input: { ...first.input, attachmentIds: [], text: 'x' } })
  expect(none.extensions.code).toBe('IDEMPOTENCY_CONFLICT')
})

test('D2 racing copies of a message with a file make one message', async () => {
  const sent = message([await upload(alice, textFile('raced'))])
  const all = await Promise.all(Array.from({ length: 10 }, () => alice.run(SendFiles, sent)))
  expect(new Set(all.map(({ sendMessage }) => sendMessage.message.id)).size).toBe(1)
})

test('of racing messages with the same file one has it', async () => {
  const id = await upload(alice, textFile('one'))
  const all = await Promise.allSettled(Array.from({ length: 10 }, () => alice.run(SendFiles, message([id]))))
  expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  for (const each of all) if (each.status === 'rejected') expect(String(each.reason)).toContain('ATTACHMENT_USED')
})

test('too many files, something else than a file, and no content at all are refused', async () => {
  // One after another: a node receives eight of a user at once.
  const ids: string[] = []
  for (let i = 0; i < 11; i += 1) ids.push(await upload(alice, textFile()))
  expect(await alice.refused(SendFiles, message(ids))).toMatchObject({
    extensions: { code: 'LIMIT_EXCEEDED', argument: 'input.attachmentIds' },
  })
  expect(await alice.refused(SendFiles, message([alice.userId]))).toMatchObject({ extensions: { code: 'BAD_INPUT' } })
  expect(await alice.refused(SendFiles, message([]))).toMatchObject({ extensions: { code: 'BAD_INPUT', argument: 'input.text' } })
  const { sendMessage } = await alice.run(SendFiles, message([ids[0] ?? '', ids[0] ?? '']))
  expect(sendMessage.message.attachments).toHaveLength(1)
})

test('A10 a text that is sent after a file comes after it, although the file has to be looked at first', async () => {
  const { attachment, upload: how } = await begin(alice, textFile('slow'))
  await put(alice, how, Buffer.from('slow'))
  const socket = alice.socket()
  const order: string[] = []
  const send = (text: string, attachmentIds: readonly string[]) =>
    new Promise<void>((resolve, reject) => {
      const query = 'mutation S($input: SendMessageInput!) { sendMessage(input: $input) { message { seq } } }'
      socket.subscribe<{ sendMessage: { message: { seq: number } } }>(
        { query, variables: message(attachmentIds, { text }) as Record<string, unknown> },
        {
          next: ({ data, errors }) => {
            if (errors) reject(new Error(JSON.stringify(errors)))
            else order.push(`${String(data?.sendMessage.message.seq).padStart(9, '0')} ${text}`)
          },
          error: reject,
          complete: resolve,
        },
      )
    })
  await Promise.all([send('with a file', [attachment.id]), send('right after', []), send('last', [])])
  expect(order.sort().map((line) => line.slice(10))).toEqual(['with a file', 'right after', 'last'])
})

test('the text beside files can be edited away, without files it cannot', async () => {
  const { message: captioned } = await sendFiles(alice, group, [await upload(alice, textFile())], 'a caption')
  const { editMessage } = await alice.run(EditMessage, { input: { messageId: captioned.id, text: '' } })
  expect(editMessage.message).toMatchObject({ text: '', version: 2, attachments: [{}] })
  const { message: plain } = await alice.send(group, 'plain')
  expect(await alice.refused(EditMessage, { input: { messageId: plain.id, text: '' } })).toMatchObject({
    extensions: { code: 'BAD_INPUT' },
  })
})

test('the media shared in a conversation are listed by kind, in pages, as far as a member sees', async () => {
  const [carol, dan] = (await signUpAll(node, 'Carol', 'Dan')) as [Device, Device]
  const conversationId = await alice.group('Media', carol)
  const photos = [await upload(alice, await photo('1.jpg')), await upload(alice, await photo('2.jpg'))]
  await Promise.all(photos.map((id) => processed(alice, id)))
  await sendFiles(alice, conversationId, [photos[0] ?? '', await upload(alice, textFile('a', 'a.txt'))])
  await sendFiles(alice, conversationId, [await upload(alice, textFile('b', 'b.txt')), photos[1] ?? ''])
  const names = async (device: Device, variables: object) => {
    const { conversation } = await device.run(SharedMedia, { id: conversationId, ...variables })
    return conversation?.attachments.nodes.map((each) => each?.fileName) ?? null
  }
  expect(await names(carol, {})).toEqual(['1.jpg', 'a.txt', 'b.txt', '2.jpg'])
  expect(await names(carol, { kind: 'IMAGE' })).toEqual(['1.jpg', '2.jpg'])
  expect(await names(carol, { kind: 'FILE', last: 1 })).toEqual(['b.txt'])
  const { conversation } = await carol.run(SharedMedia, { id: conversationId, first: 3 })
  expect(conversation?.attachments.pageInfo.hasNextPage).toBe(true)
  expect(await names(carol, { after: conversation?.attachments.pageInfo.endCursor })).toEqual(['2.jpg'])
  expect(await names(dan, {})).toBeNull()
})

test('a message is found by the name of its file', async () => {
  const { message: sent } = await sendFiles(alice, group, [await upload(alice, textFile('x', 'Quarterly-Überblick 2026.pdf'))])
  await indexed(node)
  for (const query of ['quarterly', 'uberblick 2026', 'überbl']) {
    const { searchMessages } = await bob.run(SearchMessages, { query })
    expect([query, searchMessages.edges.map((edge) => edge?.node.id)]).toEqual([query, [sent.id]])
  }
})
