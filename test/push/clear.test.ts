// When a shown message is cleared: read, deleted, left, blocked; and what is shown of a text.

import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { conversationIdOf, messageIdOf } from '../../src/id.ts'
import { messagePayload, payloadBytesMax } from '../../src/push/payload.ts'
import { BlockUser } from '../account/documents.ts'
import { DeleteMessage, EditMessage, MarkRead } from '../law/documents.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { LeaveConversation, RemoveMember } from '../support/documents.ts'
import { type Node, openNode } from '../support/node.ts'
import { PushService } from './push-service.ts'
import { decided, pushing } from './support.ts'

let node: Node
let service: PushService
let alice: Device
let bob: Device
let carol: Device
let round = 0

beforeAll(async () => {
  node = await openNode(pushing)
  service = await PushService.open()
})
beforeEach(async () => {
  round += 1
  ;[alice, bob, carol] = (await signUpAll(node, `Alice${round}`, `Bob${round}`, `Carol${round}`)) as [Device, Device, Device]
})

const remove = (device: Device, messageId: string) => device.run(DeleteMessage, { input: { messageId } })

test('N8 a deleted message is cleared from the devices that show it; one that a newer message replaced costs nothing', async () => {
  const [phone, laptop] = [await service.subscribe(bob), await service.subscribe(await bob.another())]
  const conversationId = await alice.direct(bob)
  const one = (await alice.send(conversationId, 'one')).message
  for (const device of [phone, laptop]) await device.came(1)
  const two = (await alice.send(conversationId, 'two')).message
  for (const device of [phone, laptop]) await device.came(2)
  await remove(alice, one.id)
  await remove(alice, two.id)
  for (const device of [phone, laptop]) {
    await device.came(3)
    expect(device.shown.slice(2)).toEqual(['clear'])
    expect(device.pushes[2]?.payload).toEqual({ kind: 'clear', id: expect.any(String), conversationId, badge: 0 })
    expect(device.pushes[2]?.headers.topic).toBe(device.pushes[1]?.headers.topic)
  }
  // Nothing is left to clear when the rest is read; later messages are shown.
  await bob.run(MarkRead, { input: { conversationId, seq: 2 } })
  await alice.send(conversationId, 'three')
  for (const device of [phone, laptop]) await device.came(4)
  expect(phone.shown.at(-1)).toBe(`Alice${round}|three`)
})

test('N8 an edit does not change a shown notification, and changes one that is not sent yet', async () => {
  const his = await service.subscribe(bob)
  his.next.push({ status: 503 })
  const conversationId = await alice.direct(bob)
  const { message } = await alice.send(conversationId, 'teh text')
  await expect.poll(() => his.attempts.length).toBe(1)
  await alice.run(EditMessage, { input: { messageId: message.id, text: 'the text' } })
  await his.came(1, 12_000)
  await alice.run(EditMessage, { input: { messageId: message.id, text: 'the last text' } })
  await decided(bob, message.id, 'SENT')
  await alice.send(conversationId, 'next')
  await his.came(2)
  expect(his.shown).toEqual([`Alice${round}|the text`, `Alice${round}|next`])
}, 20_000)

test('N8 a member who leaves or is removed sees nothing of the conversation any more; others do', async () => {
  const [his, hers] = [await service.subscribe(bob), await service.subscribe(carol)]
  const conversationId = await alice.group('Leaving', bob, carol)
  await alice.send(conversationId, 'for both')
  await Promise.all([his.came(1), hers.came(1)])
  await alice.run(RemoveMember, { input: { conversationId, userId: bob.userId } })
  await his.came(2)
  expect(his.shown.at(-1)).toBe('clear')
  expect(hers.pushes).toHaveLength(1)
  await carol.run(LeaveConversation, { input: { conversationId } })
  await hers.came(2)
  expect(hers.shown.at(-1)).toBe('clear')
})

test('N8 a block clears the messages of the blocked user, in groups too, and the direct conversation on both sides', async () => {
  const [hers, his] = [await service.subscribe(alice), await service.subscribe(bob)]
  const [direct, group, other] = [
    await alice.direct(bob),
    await alice.group('Both', bob, carol),
    await alice.group('Other', bob, carol),
  ]
  await alice.send(direct, 'direct')
  await alice.send(group, 'in the group')
  await carol.send(other, 'of Carol')
  await bob.send(direct, 'back')
  await bob.send(group, 'stays')
  await his.came(3)
  await hers.came(3)
  await bob.run(BlockUser, { input: { userId: alice.userId } })
  await his.came(5)
  await hers.came(4)
  const cleared = (pushes: typeof his.pushes) =>
    pushes.filter(({ payload }) => payload.kind === 'clear').map((p) => p.payload.conversationId)
  expect(new Set(cleared(his.pushes))).toEqual(new Set([direct, group]))
  expect(cleared(hers.pushes)).toEqual([direct])
})

describe('N6 the text of a notification', () => {
  const shown = (text: string, more: object = {}) => {
    const ids = { conversationId: conversationIdOf(1), messageId: messageIdOf(2) }
    const about = { ...ids, isDirect: true, conversationTitle: null, senderName: 'Ann', text, attached: [], ...more }
    const payload = messagePayload('ntf_1', about, true, 1)
    expect(Buffer.byteLength(payload)).toBeLessThanOrEqual(payloadBytesMax)
    return JSON.parse(payload) as { title: string; body?: string }
  }
  test('N6 says what was sent if there is no text', () => {
    const inGroup = { isDirect: false, conversationTitle: 'Trip' }
    expect(shown('', { attached: ['IMAGE'] }).body).toBe('sent a photo')
    expect(shown('', { ...inGroup, attached: ['IMAGE', 'IMAGE', 'IMAGE'] }).body).toBe('Ann sent 3 photos')
    expect(shown('', { ...inGroup, attached: ['IMAGE', 'AUDIO'] }).body).toBe('Ann sent 2 files')
    expect(shown('a caption', { ...inGroup, attached: ['VIDEO'] }).body).toBe('Ann: a caption')
    expect(shown('').body).toBeUndefined()
  })
  const family = '👩\u200d👩\u200d👧\u200d👦'

  test.each([
    ['310 line breaks before it', `${'\n'.repeat(310)}hello`, 'hello'],
    ['line breaks within it', `one${'\n'.repeat(310)}two`, 'one two'],
    ['blanks after it', `hello${' '.repeat(310)}`, 'hello'],
    ['white space of all kinds', 'a\u2028b\u2029c\u00a0d\u3000e\tf\r\ng', 'a b c d e f g'],
    ['a text that just fits', 'x'.repeat(200), 'x'.repeat(200)],
    ['one character too many', 'x'.repeat(201), `${'x'.repeat(199)}…`],
    ['a cut between blanks', `${'x'.repeat(198)}   ${'y'.repeat(50)}`, `${'x'.repeat(198)}…`],
    ['a cut within an emoji', `${'x'.repeat(197)}${family}${family}`, `${'x'.repeat(197)}…`],
    ['an emoji that just fits', `${'x'.repeat(193)}${family}`, `${'x'.repeat(193)}${family}`],
    ['a cut within a letter with its accents', `${'x'.repeat(198)}e\u0301\u0323y`, `${'x'.repeat(198)}…`],
    ['flags', '🇰🇷'.repeat(101), `${'🇰🇷'.repeat(99)}…`],
    ['a letter with more marks than fit', `a${'\u0301'.repeat(300)}b`, `a${'\u0301'.repeat(198)}…`],
    ['characters that change the direction', 'photo\u202egpj.exe', 'photogpj.exe'],
  ])('%s', (_what, text, body) => {
    expect(shown(text).body).toBe(body)
  })

  test('a text without visible characters has no body', () => {
    for (const text of ['\n\n', '\u200b\u2060', '\u3164', '\u202e', ' \u00a0 ']) expect(shown(text)).not.toHaveProperty('body')
  })

  test('titles are cut alike', () => {
    const { title, body } = shown('hi', {
      isDirect: false,
      conversationTitle: `${'g'.repeat(98)}${family}`,
      senderName: family.repeat(20),
    })
    expect(title).toBe(`${'g'.repeat(98)}…`)
    expect(body).toBe(`${family.repeat(14)}…: hi`)
  })
})
