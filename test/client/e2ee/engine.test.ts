// Encryption of apps against a real node: groups form, talk, change, and come back after whatever happens to a device.

import { beforeEach, expect, test } from 'vitest'
import { setRole } from '../../../src/account/operator-actions.ts'
import { parseId } from '../../../src/id.ts'
import { Reports, ReportWithMessages } from '../../moderation/documents.ts'
import { type Device, signUpAll } from '../../support/device.ts'
import { AddMembers, RemoveMember } from '../../support/documents.ts'
import { type Node, openNode } from '../../support/node.ts'
import { until } from '../../support/until.ts'
import { withoutGateway } from '../app.ts'
import { agreed, EncryptedApp, newKept } from './apps.ts'

let node: Node
let [alice, bob, carol]: Device[] = []
const of = (device: Device | undefined): Device => {
  if (!device) throw new Error('not signed up')
  return device
}

beforeEach(async () => {
  node = await openNode()
  ;[alice, bob, carol] = await signUpAll(node, 'Alice', 'Bob', 'Carol')
})

/** Two users with an encrypted group. */
async function pair() {
  const [a, b] = [await EncryptedApp.open(of(alice)), await EncryptedApp.open(of(bob))]
  const id = await a.group(of(bob))
  await agreed(id, [a, b], 2)
  return { a, b, id }
}

test('people talk, and the server never sees what they say', async () => {
  const sent: string[] = []
  const listening: typeof fetch = (url, init) => {
    sent.push(String(init?.body))
    return withoutGateway(url, init)
  }
  const a = await EncryptedApp.open(of(alice), newKept(), { fetch: listening })
  const b = await EncryptedApp.open(of(bob))
  const id = await a.group(of(bob))
  await a.say(id, 'the canary sings')
  await b.hears(id, 'the canary sings')
  await b.say(id, 'it does')
  await a.hears(id, 'it does')
  // Through the store, as a screen sends it.
  const { clientMessageId } = await a.store.send({ conversationId: id, text: 'and the canary again' })
  expect(a.store.messages(id).pending.map(({ input }) => input.text)).toEqual(['and the canary again'])
  await a.client.outbox.settled(clientMessageId)
  await b.hears(id, 'and the canary again')
  await a.hears(id, 'and the canary again')
  expect(a.texts(id)).toEqual(['the canary sings', 'it does', 'and the canary again'])
  expect(sent.length).toBeGreaterThan(10)
  expect(sent.filter((body) => body.includes('canary'))).toEqual([])
  expect(a.store.conversation(id)?.lastMessage?.text).toBe('and the canary again')
  expect(await b.encryption.search('CANARY')).toHaveLength(2)
})

test('replies, edits, reactions and deletions are encrypted messages, which change the one that they name', async () => {
  const { a, b, id } = await pair()
  await a.say(id, 'first')
  await b.hears(id, 'first')
  await a.hears(id, 'first')
  const messageId = a.messages(id)[0]?.id ?? ''
  await b.encryption.send({ conversationId: id, text: 'reply', replyToId: messageId })
  await b.encryption.change(id, { type: 'reaction', messageId, emoji: '👍', isAdded: true })
  // Bob may not change what Alice has said.
  await b.encryption.change(id, { type: 'edit', messageId, text: 'forged' })
  await b.say(id, 'done')
  await a.hears(id, 'done')
  expect(a.messages(id)[0]?.text).toBe('first')
  await a.encryption.change(id, { type: 'edit', messageId, text: 'better' })
  await b.hears(id, 'better')
  await a.hears(id, 'better')
  expect(b.messages(id).map(({ text }) => text)).toEqual(['better', 'reply', 'done'])
  expect(b.messages(id)[1]?.replyTo).toMatchObject({ id: messageId, text: 'better', sender: { displayName: 'Alice' } })
  expect(b.messages(id)[0]).toMatchObject({ reactions: [{ emoji: '👍', count: 1, viewerReacted: true }] })
  expect(a.messages(id)[0]).toMatchObject({ reactions: [{ emoji: '👍', count: 1, viewerReacted: false }] })
  await a.encryption.change(id, { type: 'deletion', messageId })
  await until('the deletion', () => Boolean(b.messages(id)[0]?.deletedAt))
  expect(b.messages(id)[0]?.text).toBe('')
})

test('a report says what the message and those around it say, after their edits, on the device of the reporter', async () => {
  const { a, b, id } = await pair()
  await b.say(id, 'before')
  await b.say(id, 'rood')
  await a.hears(id, 'rood')
  await b.hears(id, 'rood')
  const [, rude] = b.messages(id)
  await b.encryption.change(id, { type: 'edit', messageId: rude?.id ?? '', text: 'rude' })
  await a.hears(id, 'rude')
  await a.encryption.report(rude?.id ?? '', 'See for yourself')
  await setRole(parseId('User', of(carol).userId, ''), 'MODERATOR', node.app)
  const { reports } = await of(carol).run(Reports, {})
  const [found] = reports.nodes ?? []
  const { report } = await of(carol).run(ReportWithMessages, { id: found?.id ?? '' })
  expect(report.messages.map(({ claimedText, isReported }) => [claimedText, isReported])).toEqual([
    ['before', false],
    ['rude', true],
    [null, false],
  ])
})

test('a second device of a user joins by itself, and reads what comes from then on', async () => {
  const { a, b, id } = await pair()
  await a.say(id, 'before')
  const laptop = await EncryptedApp.open(await of(bob).another(node, 'Laptop'))
  await agreed(id, [a, b, laptop], 3)
  await a.say(id, 'to both of you')
  await b.hears(id, 'to both of you')
  await laptop.hears(id, 'to both of you')
  expect(laptop.texts(id)).toEqual(['(UNREADABLE)', 'to both of you'])
  expect(laptop.messages(id)[0]?.sealed).toEqual({ status: 'UNREADABLE', reason: 'BEFORE_JOINING' })
  await laptop.say(id, 'from the laptop')
  await b.hears(id, 'from the laptop')
  await a.hears(id, 'from the laptop')
})

test('a new member reads what comes, and one who leaves reads nothing more', async () => {
  const { a, b, id } = await pair()
  const c = await EncryptedApp.open(of(carol))
  await of(alice).run(AddMembers, { input: { conversationId: id, userIds: [of(carol).userId] } })
  await agreed(id, [a, b, c], 3)
  await b.say(id, 'welcome')
  await c.hears(id, 'welcome')
  const before = await c.encryption.epoch(id)
  await of(alice).run(RemoveMember, { input: { conversationId: id, userId: of(carol).userId } })
  // Refused until somebody has committed without Carol: the outbox waits for it.
  await a.say(id, 'without carol')
  await b.hears(id, 'without carol')
  const after = await agreed(id, [a, b], 2)
  expect(after).toBeGreaterThan(before?.epoch ?? 0)
  await until('Carol to be out', async () => c.store.conversation(id) === null && (await c.encryption.epoch(id)) === null)
})

test('a removed device is thrown out of the groups', async () => {
  const { a, b, id } = await pair()
  const lost = await EncryptedApp.open(await of(bob).another(node, 'Lost'))
  await agreed(id, [a, b, lost], 3)
  await b.encryption.removeDevice(lost.encryption.device.deviceId)
  await a.say(id, 'after the loss')
  await b.hears(id, 'after the loss')
  await agreed(id, [a, b], 2)
  await until('the lost device to know', () => lost.messages(id).length > 0)
  expect(lost.texts(id)).not.toContain('after the loss')
})

test('two commits race, one wins, and everybody agrees', async () => {
  const { a, b, id } = await pair()
  const c = await EncryptedApp.open(of(carol))
  for (let round = 0; round < 3; round++) {
    // Both want to do the same at the same time: nobody waits for the other.
    await of(alice).run(AddMembers, { input: { conversationId: id, userIds: [of(carol).userId] } })
    await Promise.all([a.encryption.prepare(id), b.encryption.prepare(id)])
    await agreed(id, [a, b, c], 3)
    await of(alice).run(RemoveMember, { input: { conversationId: id, userId: of(carol).userId } })
    await Promise.all([a.encryption.prepare(id), b.encryption.prepare(id)])
    await agreed(id, [a, b], 2)
  }
  await a.say(id, 'still here')
  await b.hears(id, 'still here')
})

test('a device that was away reads all that it has missed, over several epochs', async () => {
  const { a, b, id } = await pair()
  await b.close()
  await a.say(id, 'one')
  const c = await EncryptedApp.open(of(carol))
  await of(alice).run(AddMembers, { input: { conversationId: id, userIds: [of(carol).userId] } })
  await agreed(id, [a, c], 3)
  await c.say(id, 'two')
  const laptop = await EncryptedApp.open(await of(alice).another(node, 'Laptop'))
  await agreed(id, [a, c, laptop], 4)
  await laptop.say(id, 'three')
  const back = await EncryptedApp.open(of(bob), b.kept)
  await back.hears(id, 'three')
  expect(back.texts(id)).toEqual(['one', 'two', 'three'])
  await back.say(id, 'four')
  await c.hears(id, 'four')
})

test('files are encrypted before they are uploaded', async () => {
  const { a, b, id } = await pair()
  const blob = new Blob(['canary '.repeat(100)], { type: 'text/plain' })
  const { clientMessageId } = await a.encryption.send({
    conversationId: id,
    text: 'look',
    files: [{ blob, fileName: 'notes.txt' }],
  })
  expect(await a.client.outbox.settled(clientMessageId)).toMatchObject({ status: 'SENT' })
  await b.hears(id, 'look')
  const message = b.messages(id)[0]
  expect(message?.attachments).toMatchObject([{ fileName: 'encrypted', kind: 'FILE' }])
  const sealed = message?.sealed
  const file = sealed?.status === 'READ' ? sealed.files[0] : undefined
  if (!file) throw new Error('no file')
  const url = message?.attachments[0]?.url ?? ''
  const bytes = new Uint8Array(await (await fetch(new URL(url, node.url))).arrayBuffer())
  expect(Buffer.from(bytes).includes('canary')).toBe(false)
  const opened = await b.encryption.openFile(bytes, file)
  expect([await opened.text(), opened.type, file.fileName]).toEqual(['canary '.repeat(100), 'text/plain', 'notes.txt'])
})

test('a device whose storage is lost comes back as a new one', async () => {
  const { a, b, id } = await pair()
  await b.close()
  const fresh = await EncryptedApp.open(await of(bob).another(node, 'Reinstalled'))
  await agreed(id, [a, fresh], 3)
  await fresh.encryption.removeDevice(b.encryption.device.deviceId)
  await agreed(id, [a, fresh], 2)
  await a.say(id, 'you are back')
  await fresh.hears(id, 'you are back')
})

test('two people see the same safety number, until one of them has another device', async () => {
  const { a, b } = await pair()
  const [mine, theirs] = [await a.encryption.people.safety(of(bob).userId), await b.encryption.people.safety(of(alice).userId)]
  expect(mine.number).toMatch(/^\d{60}$/)
  expect(theirs.number).toBe(mine.number)
  expect(mine.status).toBe('UNVERIFIED')
  expect(await a.encryption.people.scan(of(bob).userId, theirs.payload)).toBe(true)
  expect(await a.encryption.people.safety(of(bob).userId)).toMatchObject({
    status: 'VERIFIED',
    devices: [{ name: b.device.username }],
  })
  await EncryptedApp.open(await of(bob).another(node, 'Laptop'))
  expect(await a.encryption.people.safety(of(bob).userId)).toMatchObject({ status: 'CHANGED' })
})
