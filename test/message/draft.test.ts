// Drafts: what a user has begun to write is on all of their devices, and nowhere else.

import { beforeAll, expect, test } from 'vitest'
import { encryptedGroup, register } from '../encryption/support.ts'
import { SaveDraft } from '../law/documents.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { AddMembers, RemoveMember } from '../support/documents.ts'
import { openPair } from '../support/node.ts'
import { Drafted } from './documents.ts'

let ann: Device
let ben: Device
let onPhone: Device

beforeAll(async () => {
  const [here, there] = await openPair()
  ;[ann, ben] = (await signUpAll(here, 'Ann', 'Ben')) as [Device, Device]
  onPhone = await ben.another(there)
})

const save = async (by: Device, conversationId: string, text: string, replyToId: string | null = null) =>
  (await by.run(SaveDraft, { input: { conversationId, text, replyToId } })).saveDraft
const draftOf = async (device: Device, id: string) => (await device.run(Drafted, { id })).conversation?.draft
const refusedCode = async (by: Device, input: { conversationId: string; text: string; replyToId?: string }) =>
  (await by.refused(SaveDraft, { input })).extensions.code

test('a draft is on all devices of its author, the last one wins, and an empty one removes it', async () => {
  const group = await ann.group('Drafts', ben)
  const { message } = await ann.send(group, 'what do you think?')
  const first = await save(ben, group, '  half a sen')
  expect(first.conversation.draft).toMatchObject({ text: '  half a sen', replyTo: null, savedAt: expect.any(String) })
  await save(onPhone, group, '', message.id)
  for (const device of [ben, onPhone])
    expect(await draftOf(device, group)).toMatchObject({ text: '', replyTo: { id: message.id } })
  expect(await draftOf(ann, group)).toBeNull()
  expect((await save(ben, group, '', message.id)).cursor).toBeNull()
  expect((await save(ben, group, '')).conversation.draft).toBeNull()
  expect((await save(ben, group, '')).cursor).toBeNull()
})

test('D5 the devices of its author are told, and nobody else', async () => {
  const group = await ann.group('Told', ben)
  const [onBens, onAnns] = [await onPhone.events().live(), await ann.events().live()]
  for (const text of ['one', 'one', 'two']) await save(ben, group, text)
  await ann.send(group, 'the end')
  for (const log of [onBens, onAnns]) await log.text('the end')
  const told = onBens.seen.filter((event) => event.__typename === 'DraftChanged')
  expect(told).toHaveLength(2)
  expect(told[1]).toMatchObject({ conversation: { id: group, draft: { text: 'two' } } })
  expect(onAnns.seen.map(({ __typename }) => __typename)).not.toContain('DraftChanged')
})

test('who is no member, replies to another conversation, writes too much, or in the clear, is refused and loses nothing', async () => {
  const [group, other] = [await ann.group('Refused', ben), await ann.group('Other')]
  const { message } = await ann.send(other, 'elsewhere')
  await save(ben, group, 'kept')
  expect(await refusedCode(ben, { conversationId: other, text: 'x' })).toBe('NOT_FOUND')
  expect(await refusedCode(ben, { conversationId: group, text: 'x', replyToId: message.id })).toBe('NOT_FOUND')
  expect(await refusedCode(ben, { conversationId: group, text: 'x'.repeat(10_001) })).toBe('BAD_INPUT')
  for (const device of [ann, ben]) await register(device)
  const secret = await encryptedGroup(ann, ben)
  expect(await refusedCode(ben, { conversationId: secret, text: 'in the clear' })).toBe('ENCRYPTION_REQUIRED')
  expect(await draftOf(ben, group)).toMatchObject({ text: 'kept' })
})

test('it waits for a member who was removed and comes back', async () => {
  const group = await ann.group('Back', ben)
  await save(ben, group, 'before')
  await ann.run(RemoveMember, { input: { conversationId: group, userId: ben.userId } })
  expect(await refusedCode(ben, { conversationId: group, text: 'x' })).toBe('NOT_FOUND')
  await ann.run(AddMembers, { input: { conversationId: group, userIds: [ben.userId] } })
  expect(await draftOf(ben, group)).toMatchObject({ text: 'before' })
})
