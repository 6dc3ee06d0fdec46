// Hiding a message for oneself: it leaves everything that the viewer reads, and nothing that others do.

import { beforeAll, expect, test } from 'vitest'
import { SharedMedia } from '../attachment/documents.ts'
import { sendFiles, textFile, upload } from '../attachment/files.ts'
import { DeleteMessage, EditMessage, HideMessage, MarkRead, PinMessage, UnhideMessage } from '../law/documents.ts'
import { MessagesAround } from '../search/documents.ts'
import { indexed, textsFound } from '../search/support.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { AddMembers, History, LeaveConversation, Node as NodeById, RemoveMember } from '../support/documents.ts'
import { type Node, openPair } from '../support/node.ts'
import { Shown } from './documents.ts'

let here: Node
let ann: Device
let ben: Device
let onPhone: Device

beforeAll(async () => {
  const [first, there] = await openPair()
  here = first
  ;[ann, ben] = (await signUpAll(here, 'Ann', 'Ben')) as [Device, Device]
  onPhone = await ben.another(there)
})

const hide = async (by: Device, messageId: string) => (await by.run(HideMessage, { input: { messageId } })).hideMessage
const unhide = async (by: Device, messageId: string) => (await by.run(UnhideMessage, { input: { messageId } })).unhideMessage
const shown = async (to: Device, id: string) => {
  const { conversation } = await to.run(Shown, { id })
  if (!conversation) throw new Error('the conversation is not shown')
  const { lastMessage, messages, pinnedMessages, unreadCount, mentionCount } = conversation
  const texts = (messages.nodes ?? []).map((message) => message?.text)
  return { texts, last: lastMessage?.text, pinned: pinnedMessages.map(({ text }) => text), unreadCount, mentionCount }
}
const group = async (...texts: string[]) => {
  const conversationId = await ann.group('Hiding', ben)
  const ids: string[] = []
  for (const text of texts) ids.push((await ann.send(conversationId, text)).message.id)
  return { conversationId, ids }
}

test('a hidden message leaves pages, the last message, pins and counts of the viewer alone', async () => {
  const { conversationId, ids } = await group('one', 'two', 'three', 'four')
  const [, two = '', , four = ''] = ids
  await ann.run(PinMessage, { input: { messageId: two } })
  const before = await shown(ben, conversationId)
  for (const id of [two, four]) await hide(ben, id)
  const left = { texts: ['one', 'three'], last: 'three', pinned: [], unreadCount: 2, mentionCount: 0 }
  for (const device of [ben, onPhone]) expect(await shown(device, conversationId)).toEqual(left)
  expect((await shown(ann, conversationId)).texts).toEqual(['one', 'two', 'three', 'four'])
  expect((await shown(ann, conversationId)).pinned).toEqual(['two'])
  for (const id of [two, four]) await unhide(ben, id)
  expect(await shown(ben, conversationId)).toEqual(before)
})

test('pages are as long as they can be, in both directions, and around a hidden message', async () => {
  const { conversationId: id, ids } = await group('1', '2', '3', '4', '5', '6', '7')
  for (const at of [1, 2, 3, 5]) await hide(ben, ids[at] ?? '')
  const page = async (args: object) => {
    const { conversation } = await ben.run(History, { id, ...args })
    return { texts: conversation?.messages.edges.map(({ node }) => node.text), info: conversation?.messages.pageInfo }
  }
  const first = await page({ first: 2 })
  expect(first).toMatchObject({ texts: ['1', '5'], info: { hasNextPage: true } })
  expect(await page({ first: 2, after: first.info?.endCursor })).toMatchObject({ texts: ['7'], info: { hasNextPage: false } })
  const last = await page({ last: 2 })
  expect(last).toMatchObject({ texts: ['5', '7'], info: { hasPreviousPage: true } })
  expect(await page({ last: 5, before: last.info?.startCursor })).toMatchObject({
    texts: ['1'],
    info: { hasPreviousPage: false },
  })
  const { conversation } = await ben.run(MessagesAround, { id, messageId: ids[3] ?? '', before: 1, after: 1 })
  expect(conversation?.messagesAround.edges.map(({ node }) => node.text)).toEqual(['1', '5', '7'])
})

test('D5 the devices of the user are told, nobody else is, and its later events still come', async () => {
  const { conversationId, ids } = await group('secret')
  const [messageId = ''] = ids
  const [onBens, onAnns] = [await onPhone.events().live(), await ann.events().live()]
  const { cursor } = await hide(ben, messageId)
  expect(cursor).not.toBeNull()
  expect((await hide(ben, messageId)).cursor).toBeNull()
  await ann.run(EditMessage, { input: { messageId, text: 'edited' } })
  await unhide(ben, messageId)
  expect((await unhide(ben, messageId)).cursor).toBeNull()
  await ann.send(conversationId, 'the end')
  for (const log of [onBens, onAnns]) await log.text('the end')
  const kinds = (log: typeof onBens) => log.seen.map(({ __typename }) => __typename).filter((kind) => /^Message/.test(kind))
  expect(kinds(onBens)).toEqual(['MessageHidden', 'MessageEdited', 'MessageUnhidden', 'MessageSent'])
  expect(kinds(onAnns)).toEqual(['MessageEdited', 'MessageSent'])
  const [hidden] = onBens.seen.filter((event) => event.__typename === 'MessageHidden')
  expect(hidden).toMatchObject({ message: { id: messageId }, conversation: { id: conversationId, title: 'Hiding' }, cursor })
})

test('mentions and files of hidden messages are left out, the message itself is found by its ID', async () => {
  const conversationId = await ann.group('Files', ben)
  const fileId = await upload(ann, textFile())
  const { message } = await sendFiles(ann, conversationId, [fileId], 'see the peculiar file')
  const media = async () => (await ben.run(SharedMedia, { id: conversationId })).conversation?.attachments.nodes?.length
  expect(await media()).toBe(1)
  await indexed(here)
  expect(await textsFound(ben, 'peculiar')).toEqual(['see the peculiar file'])
  await hide(ben, message.id)
  expect(await media()).toBe(0)
  expect(await textsFound(ben, 'peculiar')).toEqual([])
  expect(await textsFound(ann, 'peculiar')).toEqual(['see the peculiar file'])
  expect((await ben.run(NodeById, { id: message.id })).node).toMatchObject({ text: 'see the peculiar file' })
  await ben.run(MarkRead, { input: { conversationId, seq: 1 } })
  await unhide(ben, message.id)
  expect((await shown(ben, conversationId)).unreadCount).toBe(0)
  expect(await media()).toBe(1)
})

test('it stays hidden after the viewer was removed and has come back, and a deleted message can be hidden', async () => {
  const { conversationId, ids } = await group('one', 'two')
  const [one = '', two = ''] = ids
  await hide(ben, one)
  await ann.run(RemoveMember, { input: { conversationId, userId: ben.userId } })
  expect((await ben.refused(UnhideMessage, { input: { messageId: one } })).extensions.code).toBe('NOT_FOUND')
  await ann.run(AddMembers, { input: { conversationId, userIds: [ben.userId] } })
  expect((await shown(ben, conversationId)).texts).toEqual(['two'])
  await ann.run(DeleteMessage, { input: { messageId: two } })
  await hide(ben, two)
  expect((await shown(ben, conversationId)).texts).toEqual([])
  expect((await shown(ben, conversationId)).last).toBeUndefined()
})

test('D6 who left before a replay is told of the own hiding, without what was written since', async () => {
  const { conversationId, ids } = await group('as it was')
  const [messageId = ''] = ids
  const start = (await onPhone.events().live()).cursor
  await hide(ben, messageId)
  await ben.run(LeaveConversation, { input: { conversationId } })
  await ann.run(EditMessage, { input: { messageId, text: 'not for those who left' } })
  const log = await onPhone.events({ after: start }).live()
  const [hidden] = log.seen.filter((event) => event.__typename === 'MessageHidden')
  expect(hidden).toMatchObject({ message: { id: messageId, text: '' }, conversation: { title: null } })
})
