// Notifications over the network: a real node, and a push service on loopback that decrypts and verifies.

import { randomUUID } from 'node:crypto'
import { beforeAll, beforeEach, expect, test } from 'vitest'
import { parseId } from '../../src/id.ts'
import { BlockUser, DeleteAccount } from '../account/documents.ts'
import { MuteConversation } from '../conversation/documents.ts'
import { DeleteMessage, MarkRead } from '../law/documents.ts'
import { SetPresenceMode } from '../presence/documents.ts'
import { connectDevice } from '../presence/watch.ts'
import { type Device, password, signUpAll } from '../support/device.ts'
import * as documents from '../support/documents.ts'
import { connect, type Node, openNode } from '../support/node.ts'
import { until } from '../support/until.ts'
import {
  PushDecisions,
  PushDevices,
  RegisterPushSubscription,
  SendTestNotification,
  SetConversationPushLevel,
  SetPushSettings,
  UnreadCounts,
  UnregisterPush,
  VapidPublicKey,
} from './documents.ts'
import { PushService } from './push-service.ts'
import { decided, decisionsOf, hurried, pushing, vapid, waitingJobs } from './support.ts'

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

const numberOf = ({ userId }: Device) => parseId('User', userId, '')

const send = async (device: Device, conversationId: string, text: string, more: object = {}) => {
  const input = { conversationId, clientMessageId: randomUUID(), text, ...more }
  return (await device.run(documents.SendMessage, { input })).sendMessage.message
}

test('N1 a message is pushed to the devices of its recipients, encrypted and signed, and not to its sender', async () => {
  const [hers, his] = [await service.subscribe(alice), await service.subscribe(bob)]
  const onLaptop = await service.subscribe(await bob.another())
  const conversationId = await alice.direct(bob)
  const { message } = await alice.send(conversationId, 'Hello Bob!')
  const [push] = await his.came(1)
  expect(push?.payload).toEqual({
    kind: 'message',
    id: expect.stringMatching(/^ntf_\d+$/),
    title: `Alice${round}`,
    body: 'Hello Bob!',
    conversationId,
    messageId: message.id,
    badge: 1,
  })
  expect(push?.claims).toMatchObject({ aud: service.origin, sub: 'mailto:tests@parley.example' })
  expect(push?.headers).toMatchObject({
    urgency: 'high',
    topic: expect.stringMatching(/^[\w-]{32}$/),
    'content-encoding': 'aes128gcm',
  })
  expect(Number(push?.headers.ttl)).toBeGreaterThan(86_000)
  await onLaptop.came(1)
  await bob.send(conversationId, 'Hello Alice!')
  await hers.came(1)
  expect(hers.shown).toEqual([`Bob${round}|Hello Alice!`])
  expect([his.shown, onLaptop.shown]).toEqual([[`Alice${round}|Hello Bob!`], [`Alice${round}|Hello Bob!`]])
  expect(service.faults).toEqual([])
})

test('N6 a notification names the group and the sender, is short and fits; without a text if the user wants none', async () => {
  const [his, hers] = [await service.subscribe(bob), await service.subscribe(carol)]
  await carol.run(SetPushSettings, { input: { showsText: false } })
  const conversationId = await alice.group('a'.repeat(100), bob, carol)
  await alice.send(conversationId, `line one\nline "two"\t${'𝒳'.repeat(5_000)}`)
  const [[push], [discreet]] = [await his.came(1), await hers.came(1)]
  expect(push?.payload.title).toBe('a'.repeat(100))
  expect(push?.payload.body).toMatch(/^Alice\d+: line one line "two" 𝒳+…$/u)
  expect([...(push?.payload.body ?? '')].length).toBeLessThan(220)
  expect(push?.headers.urgency).toBe('normal')
  expect(push?.bytes).toBeLessThan(4_096)
  expect(Object.keys(discreet?.payload ?? {})).not.toContain('body')
  expect(JSON.stringify(discreet?.payload)).not.toContain('line')
  expect(discreet?.headers.topic).not.toBe(push?.headers.topic)
})

test('N7 the badge is the exact number of unread messages that the user wants to be notified of', async () => {
  const his = await service.subscribe(bob)
  const [direct, group, quiet, muted, mentions] = await Promise.all([
    alice.direct(bob),
    alice.group('All', bob),
    alice.group('None', bob),
    alice.group('Muted', bob),
    alice.group('Mentions', bob),
  ])
  await bob.run(SetConversationPushLevel, { input: { conversationId: quiet, level: 'NONE' } })
  await bob.run(SetConversationPushLevel, { input: { conversationId: mentions, level: 'MENTIONS' } })
  await bob.run(MuteConversation, { input: { conversationId: muted, until: '2999-01-01T00:00:00.000Z' } })
  for (const conversationId of [direct, group, quiet, muted, mentions]) await alice.send(conversationId, 'one')
  await bob.send(group, 'mine does not count')
  const gone = await alice.send(group, 'gone')
  await alice.run(DeleteMessage, { input: { messageId: gone.message.id } })
  await send(alice, mentions, 'you!', { mentionedUserIds: [bob.userId] })
  await alice.send(direct, 'two')
  await his.came(4)
  const last = await alice.send(group, 'the last')
  await expect.poll(() => his.pushes.find(({ payload }) => payload.messageId === last.message.id)?.payload.badge).toBe(5)
  const { conversations } = await bob.run(UnreadCounts, {})
  const unread = new Map((conversations.nodes ?? []).map((one) => [one?.id, one]))
  expect([direct, group].map((id) => unread.get(id)?.unreadCount)).toEqual([2, 2])
  expect(unread.get(mentions)).toMatchObject({ unreadCount: 2, mentionCount: 1 })
  expect(await decisionsOf(bob)).toHaveLength(9)
})

test('N2 a user with an active device is not notified; one who is idle everywhere is', async () => {
  const [his, onLaptop] = [await service.subscribe(bob), await service.subscribe(await bob.another(node, 'Laptop'))]
  const tablet = await bob.another(node, 'Tablet')
  const direct = await alice.direct(bob)
  const connected = await connectDevice(tablet)
  await until('bob to be there', async () => (await node.app.presence.devices([numberOf(bob)])).size === 1)
  const seen = await alice.send(direct, 'you see this')
  await decided(bob, seen.message.id, 'SKIPPED ONLINE')
  await connected.beat(true)
  await until('bob to be idle', async () => {
    const devices = (await node.app.presence.devices([numberOf(bob)])).get(numberOf(bob))
    return devices?.every(({ state }) => state === 'IDLE') ?? false
  })
  await alice.send(direct, 'come back')
  await Promise.all([his.came(1), onLaptop.came(1)])
  await connected.beat()
  await bob.run(SetPresenceMode, { input: { presenceMode: 'DO_NOT_DISTURB' } })
  const disturbing = await alice.send(direct, 'may I?')
  await decided(bob, disturbing.message.id, 'SKIPPED DO_NOT_DISTURB')
  expect(his.pushes).toHaveLength(1)
})

test('N3 levels: all messages, mentions, nothing; by conversation and for the account', async () => {
  const his = await service.subscribe(bob)
  const conversationId = await alice.group('Levels', bob)
  const say = async (text: string, mentioned: boolean, expected: string) => {
    const { id } = await send(alice, conversationId, text, mentioned ? { mentionedUserIds: [bob.userId] } : {})
    await decided(bob, id, expected)
  }
  await say('all', false, 'SENT')
  await bob.run(SetPushSettings, { input: { level: 'MENTIONS' } })
  await say('not you', false, 'SKIPPED LEVEL')
  await say('you', true, 'SENT')
  const level = (level: 'ALL' | 'NONE' | null) => bob.run(SetConversationPushLevel, { input: { conversationId, level } })
  const { setConversationPushLevel } = await level('ALL')
  expect(setConversationPushLevel.conversation.viewerMembership?.pushLevel).toBe('ALL')
  await say('all here', false, 'SENT')
  await level('NONE')
  await say('not even you', true, 'SKIPPED LEVEL')
  await level(null)
  await say('as everywhere', false, 'SKIPPED LEVEL')
  expect(his.pushes.map(({ payload }) => payload.body?.split(': ')[1])).toEqual(['all', 'you', 'all here'])
  const { pushDecisions } = await bob.run(PushDecisions, { first: 2 })
  expect(pushDecisions.pageInfo.hasNextPage).toBe(true)
  const rest = await bob.run(PushDecisions, { first: 100, after: pushDecisions.pageInfo.endCursor })
  expect(rest.pushDecisions.edges).toHaveLength(4)
  expect((await alice.run(PushDecisions, {})).pushDecisions.edges).toEqual([])
})

test('N4 N5 muted conversations and quiet hours notify of nothing but the chosen exceptions', async () => {
  const his = await service.subscribe(bob)
  const group = await alice.group('Quiet', bob)
  const mute = (until: string | null) => bob.run(MuteConversation, { input: { conversationId: group, until } })
  await mute('2999-01-01T00:00:00.000Z')
  const says = async (conversationId: string, text: string, expected: string, more: object = {}) =>
    decided(bob, (await send(alice, conversationId, text, more)).id, expected)
  await says(group, 'muted', 'SKIPPED MUTED')
  await mute(null)
  const everyDay = ['MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY', 'SUNDAY'] as const
  const quietHours = [{ days: everyDay, from: '00:00', until: '00:00' }]
  const set = (input: object) => bob.run(SetPushSettings, { input })
  expect((await bob.refused(SetPushSettings, { input: { quietHours } })).extensions.argument).toBe('input.timeZone')
  for (const wrong of [
    { timeZone: '+02:00' },
    { timeZone: 'Nowhere/Else' },
    { quietHours: [{ days: everyDay, from: '24:00', until: '07:00' }] },
  ])
    expect((await bob.refused(SetPushSettings, { input: wrong })).extensions.code).toBe('BAD_INPUT')
  await set({ quietHours, timeZone: 'Asia/Seoul', quietExceptMentions: true })
  await says(group, 'quiet', 'SKIPPED QUIET_HOURS')
  await says(await alice.direct(bob), 'quiet too', 'SKIPPED QUIET_HOURS')
  await says(group, 'you', 'SENT', { mentionedUserIds: [bob.userId] })
  const { setPushSettings } = await set({ quietHours: [] })
  expect(setPushSettings.pushSettings).toMatchObject({ quietHours: [], timeZone: 'Asia/Seoul', quietExceptMentions: true })
  await says(group, 'loud again', 'SENT')
  expect(his.shown.map((shown) => shown.split(': ')[1])).toEqual(['you', 'loud again'])
})

test('N2 nobody is notified of messages that they may not see, or that come from a user they have blocked', async () => {
  const [his, hers] = [await service.subscribe(bob), await service.subscribe(carol)]
  const group = await alice.group('Blocked', bob, carol)
  const direct = await alice.direct(bob)
  await bob.run(BlockUser, { input: { userId: alice.userId } })
  const { id } = await send(alice, group, 'of Alice')
  await decided(bob, id, 'SKIPPED BLOCKED')
  await decided(carol, id, 'SENT')
  await bob.send(group, 'of Bob')
  await hers.came(2)
  await alice.run(documents.RemoveMember, { input: { conversationId: group, userId: carol.userId } })
  await bob.send(group, 'after Carol')
  expect(
    await alice.refused(documents.SendMessage, { input: { conversationId: direct, clientMessageId: randomUUID(), text: 'x' } }),
  ).toBeTruthy()
  const witness = await service.subscribe(alice)
  await decided(alice, (await send(bob, group, 'the witness')).id, 'SENT')
  // The latest message may be decided only now, with her new device, and come beside it.
  expect(witness.shown).toContain(`Blocked|Bob${round}: the witness`)
  expect(witness.shown).not.toContain('clear')
  // Her removal clears what was shown.
  await hers.came(3)
  expect([his.shown, hers.shown.length, hers.shown.at(-1)]).toEqual([[], 3, 'clear'])
  expect(await decisionsOf(carol)).toHaveLength(2)
})

test('N1 a device has one registration: a new one replaces the old, and another user on the same browser takes it over', async () => {
  const [first, second] = [await service.subscribe(bob), await service.subscribe(bob)]
  const { edges } = (await bob.run(PushDecisions, {})).pushDecisions
  expect(edges).toEqual([])
  const conversationId = await alice.group('Devices', bob, carol)
  await alice.send(conversationId, 'one')
  await second.came(1)
  await carol.run(RegisterPushSubscription, { input: second.input })
  const push = async (device: Device) => (await device.run(PushDevices, {})).sessions.find(({ isCurrent }) => isCurrent)?.push
  expect(await push(bob)).toBeNull()
  expect(await push(carol)).toMatchObject({ provider: 'WEB_PUSH', platform: null, failingSince: null })
  await alice.send(conversationId, 'two')
  await second.came(2)
  await carol.run(UnregisterPush, {})
  expect((await carol.run(UnregisterPush, {})).unregisterPush.cursor).toBeNull()
  await service.subscribe(bob)
  await decided(bob, (await send(alice, conversationId, 'three')).id, 'SENT')
  expect([first.pushes.length, second.pushes.length]).toEqual([0, 2])
  await bob.run(documents.LogOut, {})
  const other = await bob.another()
  const onOther = await service.subscribe(other)
  await decided(other, (await send(alice, conversationId, 'four')).id, 'SENT')
  expect(onOther.pushes).toHaveLength(1)
})

test('N8 a message read before the delay is over is not pushed; one read later is cleared everywhere', async () => {
  const late = await openNode({ ...pushing, PARLEY_PUSH_DELAY_MS: '60000' })
  const sql = await connect(late.databaseUrl)
  const [dan, eve] = (await signUpAll(late, 'Dan', 'Eve')) as [Device, Device]
  const [phone, laptop] = [await service.subscribe(eve), await service.subscribe(await eve.another())]
  const conversationId = await dan.direct(eve)
  const { id } = await send(dan, conversationId, 'read at once')
  await eve.run(MarkRead, { input: { conversationId, seq: 1 } })
  await hurried(sql, 'a decision', async () => (await decisionsOf(eve)).length > 0)
  await decided(eve, id, 'SKIPPED READ')
  const sentAt = Date.now()
  await dan.send(conversationId, 'read later')
  await until('its job', async () => (await waitingJobs(sql)).length > 0)
  for (const at of await waitingJobs(sql)) expect(at.getTime() - sentAt).toBeGreaterThan(59_000)
  const haveCome = (count: number) => [phone, laptop].every(({ pushes }) => pushes.length === count)
  await hurried(sql, 'the message', () => haveCome(1))
  await dan.send(conversationId, 'and more')
  await hurried(sql, 'the next message', () => haveCome(2))
  await eve.run(MarkRead, { input: { conversationId, seq: 2 } })
  await eve.run(MarkRead, { input: { conversationId, seq: 3 } })
  for (const subscription of [phone, laptop]) {
    await subscription.came(3)
    expect(subscription.shown).toEqual(['Dan|read later', 'Dan|and more', 'clear'])
    const [, shown, cleared] = subscription.pushes
    expect(cleared?.payload).toEqual({ kind: 'clear', id: expect.any(String), conversationId, badge: 0 })
    expect(cleared?.headers).toMatchObject({ urgency: 'low', topic: shown?.headers.topic })
  }
})

test("N1 a test notification goes to this device alone, whatever the user's settings", async () => {
  expect((await bob.refused(SendTestNotification, {})).extensions.code).toBe('NOT_FOUND')
  const [his, onLaptop] = [await service.subscribe(bob), await service.subscribe(await bob.another())]
  await bob.run(SetPushSettings, { input: { level: 'NONE' } })
  await bob.run(SendTestNotification, {})
  expect((await bob.refused(SendTestNotification, {})).extensions).toMatchObject({ code: 'RATE_LIMITED', retryable: true })
  const [push] = await his.came(1)
  expect(push?.payload).toMatchObject({ kind: 'test', title: 'Notifications work' })
  const [decision] = await decided(bob, null, 'SENT')
  expect(decision).toMatchObject({ message: null, conversation: null, session: { id: bob.sessionId } })
  expect(onLaptop.pushes).toEqual([])
})

test('N1 a server tells its public key to everyone; one without keys refuses registrations and keeps no jobs', async () => {
  expect((await bob.run(VapidPublicKey, {})).vapidPublicKey).toBe(vapid.PARLEY_VAPID_PUBLIC_KEY)
  const without = await openNode()
  const [dan, eve] = (await signUpAll(without, 'Dan', 'Eve')) as [Device, Device]
  expect((await dan.run(VapidPublicKey, {})).vapidPublicKey).toBeNull()
  const { input } = service.subscription()
  expect((await dan.refused(RegisterPushSubscription, { input })).extensions.code).toBe('FORBIDDEN')
  await eve.send(await eve.direct(dan), 'hello')
  const sql = await connect(without.databaseUrl)
  expect((await sql.query('select 1 from graphile_worker.jobs')).rowCount).toBe(0)
})

test('N1 the deletion of an account removes its devices, settings and decisions', async () => {
  await service.subscribe(bob)
  await bob.run(SetPushSettings, { input: { level: 'ALL', showsText: false } })
  await decided(bob, (await send(alice, await alice.direct(bob), 'goodbye')).id, 'SENT')
  await bob.run(DeleteAccount, { input: { password } })
  const sql = await connect(node.databaseUrl)
  for (const table of ['push_registration', 'push_settings', 'push_delivery'])
    expect(
      (await sql.query(`select 1 from ${table} where user_id = $1`, [parseId('User', bob.userId, '')])).rowCount,
      table,
    ).toBe(0)
})

test('N2 decisions are kept for seven days, and registrations as long as their sessions', async () => {
  await service.subscribe(bob)
  const [kept, old] = [await service.subscribe(await bob.another()), await bob.another()]
  await service.subscribe(old)
  const conversationId = await alice.direct(bob)
  for (const text of ['old', 'new']) await decided(bob, (await send(alice, conversationId, text)).id, 'SENT', 'SENT', 'SENT')
  await old.run(documents.LogOut, {})
  const sql = await connect(node.databaseUrl)
  const user = parseId('User', bob.userId, '')
  await sql.query(`update push_delivery set decided_at = now() - interval '7 days 1 minute' where user_id = $1 and seq = 1`, [
    user,
  ])
  const count = async (table: string) => (await sql.query(`select 1 from ${table} where user_id = $1`, [user])).rowCount
  expect([await count('push_delivery'), await count('push_registration')]).toEqual([6, 3])
  await openNode({ ...pushing, DATABASE_URL: node.databaseUrl })
  await expect.poll(() => count('push_delivery'), { timeout: 5_000 }).toBe(3)
  await expect.poll(() => count('push_registration'), { timeout: 5_000 }).toBe(2)
  expect(new Set((await decisionsOf(bob)).map(({ message }) => message?.text))).toEqual(new Set(['new']))
  expect(kept.pushes).toHaveLength(2)
})

test('N1 no decision, job or log contains an address or its keys', async () => {
  const his = await service.subscribe(bob)
  his.behaviour = { status: 400, body: `no: ${his.endpoint}` }
  await decided(bob, (await send(alice, await alice.direct(bob), 'a secret text')).id, 'FAILED REFUSED')
  const sql = await connect(node.databaseUrl)
  const user = parseId('User', bob.userId, '')
  const { rows } = await sql.query('select * from push_delivery where user_id = $1', [user])
  expect(rows).toMatchObject([{ outcome: 'FAILED', error: 'the service answered 400' }])
  const jobs = await sql.query('select payload from graphile_worker._private_jobs')
  for (const secret of [his.endpoint, his.input.p256dh, his.input.auth, 'a secret text'])
    expect(JSON.stringify([rows, jobs.rows])).not.toContain(secret)
})
