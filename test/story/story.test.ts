// Whole stories over the network, with the real graphql-ws client.

import { randomUUID } from 'node:crypto'
import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { Kind } from 'graphql'
import { expect, test } from 'vitest'
import { parseId } from '../../src/id.ts'
import { schema } from '../../src/schema.ts'
import * as people from '../account/documents.ts'
import { CreateUpload } from '../attachment/documents.ts'
import { photo, processed, put, uploadOf } from '../attachment/files.ts'
import * as groups from '../conversation/documents.ts'
import * as encryption from '../encryption/documents.ts'
import { bytes, commitOf, encryptedGroup, register, Signer, seal } from '../encryption/support.ts'
import { ofKeys } from '../graphql/authorisation.ts'
import * as messages from '../law/documents.ts'
import { expectLaw, Replica } from '../law/replica.ts'
import { ForwardMessages } from '../message/documents.ts'
import * as moderation from '../moderation/documents.ts'
import * as presence from '../presence/documents.ts'
import { watchPresence } from '../presence/watch.ts'
import * as push from '../push/documents.ts'
import { PushService } from '../push/push-service.ts'
import { pushing } from '../push/support.ts'
import { MessagesAround, SearchMessages } from '../search/documents.ts'
import { indexed } from '../search/support.ts'
import { type Device, password, request, signUpAll } from '../support/device.ts'
import * as documents from '../support/documents.ts'
import { type Node, openNode, openPair } from '../support/node.ts'
import { watchTyping } from '../support/typing.ts'
import { until } from '../support/until.ts'

test('D3 two users talk, one is away for a while, and nothing is missed or doubled', async () => {
  const node = await openNode()
  const [alice, bob] = await signUpAll(node, 'Alice', 'Bob')
  if (!alice || !bob) throw new Error('nobody came')
  const before = await bob.events().live()
  expect(before.seen[0]).toMatchObject({ __typename: 'SyncStarted', mode: 'FRESH', reason: null })

  const conversationId = await alice.direct(bob)
  const added = await before.first('ConversationAdded')
  expect(added.conversation).toMatchObject({ id: conversationId, kind: 'DIRECT' })
  const { message } = await alice.send(conversationId, 'hello')
  await before.text('hello')
  expect(message).toMatchObject({ seq: 1, text: 'hello', sender: { username: 'alice' } })
  const { cursor } = before
  before.cut()

  for (let i = 1; i <= 30; i += 1) await alice.send(conversationId, `while you were away ${i}`)
  const after = await bob.events({ after: cursor }).live()
  expect(after.seen[0]).toMatchObject({ __typename: 'SyncStarted', mode: 'RESUMED' })
  expect(after.texts).toEqual(Array.from({ length: 30 }, (_, i) => `while you were away ${i + 1}`))
  await alice.send(conversationId, 'live again')
  await after.text('live again')
  expect(after.texts).toHaveLength(31)
  expect(await after.first('CaughtUp')).toMatchObject({ count: 30 })
})

/** The mutations that the story used, by its documents; and those of helpers and connections. */
const used = new Set(['signUp', 'logIn', 'renewConnection'])
async function does<Data, Variables>(device: Device, document: TypedDocumentNode<Data, Variables>, variables: Variables) {
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION || definition.operation !== 'mutation') continue
    for (const field of definition.selectionSet.selections) if (field.kind === Kind.FIELD) used.add(field.name.value)
  }
  return device.run(document, variables)
}
const about = ({ userId }: Device) => ({ input: { userId } })
async function send(device: Device, conversationId: string, text: string, more: object = {}) {
  const input = { conversationId, clientMessageId: randomUUID(), text, ...more }
  return (await does(device, documents.SendMessage, { input })).sendMessage.message.id
}

/** Waits until all devices of these users are idle. */
async function untilIdle({ app }: Node, ...people: readonly Device[]): Promise<void> {
  const ids = people.map(({ userId }) => parseId('User', userId, ''))
  const devices = async () => [...(await app.presence.devices(ids)).values()].flat()
  await until('their devices to be put down', async () => (await devices()).every(({ state }) => state === 'IDLE'))
}

test('D3 D4 D5 four users with eight devices on two nodes do everything there is, and each device keeps the truth', async () => {
  const webhook = {
    PARLEY_PUSH_WEBHOOK_URL: 'http://127.0.0.1:9/',
    PARLEY_PUSH_WEBHOOK_SECRET: 'c2VjcmV0LW9mLXRoZS10ZXN0cy1mb3ItdGhlaXItd2ViaG9vaw==',
  }
  const [here, there] = await openPair({ ...pushing, ...webhook })
  const [alice, bob, carol, dan, eve] = (await signUpAll(here, 'Alice', 'Bob', 'Carol', 'Dan', 'Eve')) as [
    Device,
    Device,
    Device,
    Device,
    Device,
  ]
  const laptops = await Promise.all([alice, bob, carol, dan].map((phone) => phone.another(there, 'Laptop')))
  const devices = [alice, bob, carol, dan, ...laptops]
  for (const device of devices) device.isIdle = true
  const everybody = [alice, bob, carol, dan, eve].map(({ userId }) => userId)
  const replicas = await Promise.all(devices.map((device) => Replica.open(device, everybody)))
  const [onAlice, , , , onAlicesLaptop, onBobsLaptop] = replicas as [Replica, Replica, Replica, Replica, Replica, Replica]
  const [alicesLaptop] = laptops as [Device]

  // They find each other and become contacts, or not.
  const found = await alice.run(people.SearchUsers, { query: 'BO' })
  expect(found.searchUsers.edges.map(({ node }) => node.username)).toEqual(['bob'])
  for (const other of [bob, carol, dan, eve]) await does(alice, people.RequestContact, about(other))
  for (const other of [bob, carol, eve]) await does(other, people.AcceptContact, about(alice))
  await does(dan, people.DeclineContact, about(alice))
  await does(carol, people.RemoveContact, about(alice))

  // A group, its members and its settings.
  const createGroup = { title: 'Trip', description: 'To the sea', memberIds: [bob, eve].map(({ userId }) => userId) }
  const { conversation: trip } = (await does(alice, groups.CreateGroupWith, { input: createGroup })).createGroup
  const conversationId = trip.id
  await does(alice, documents.CreateGroup, { input: { title: 'Alone', memberIds: [] } })
  const first = await send(alice, conversationId, '바다에 가자! Who comes along?', { mentionedUserIds: [bob.userId] })
  await does(alice, groups.SetMemberRole, { input: { conversationId, userId: bob.userId, role: 'ADMIN' } })
  // A photo, which everybody sees at once, and with its preview when there is one.
  const sea = await photo('sea.jpg')
  const begun = (await does(alice, CreateUpload, { input: uploadOf(sea) })).createUpload
  await put(alice, begun.upload, sea.bytes)
  await send(alice, conversationId, '', { attachmentIds: [begun.attachment.id] })
  expect(await processed(bob, begun.attachment.id)).toMatchObject({ state: 'READY', width: 640 })
  await does(bob, groups.UpdateConversation, {
    input: { conversationId, title: 'Trip to the sea', historyVisibility: 'SINCE_JOINING' },
  })
  await does(bob, documents.AddMembers, { input: { conversationId, userIds: [dan.userId] } })
  const { invite } = (await does(bob, groups.CreateInvite, { input: { conversationId, maxUses: 3 } })).createInvite
  await does(carol, groups.JoinWithInvite, { input: { token: invite.token } })
  await does(bob, groups.RevokeInvite, { input: { inviteId: invite.id } })

  // Somebody is banned, and forgiven; a message and its sender are reported. Eve may only listen for a while.
  await does(bob, groups.BanMember, { input: { conversationId, userId: carol.userId } })
  await does(bob, groups.UnbanMember, { input: { conversationId, userId: carol.userId } })
  await does(bob, documents.AddMembers, { input: { conversationId, userIds: [carol.userId] } })
  await does(eve, moderation.ReportMessage, { input: { messageId: first, reason: 'too loud' } })
  await does(eve, moderation.ReportUser, { input: { userId: alice.userId, reason: 'too loud' } })
  for (const announcementsOnly of [true, false]) {
    await does(bob, groups.UpdateConversation, { input: { conversationId, announcementsOnly, slowModeS: 0 } })
  }

  // Everyday chat; two devices lose their connection and come back on the other node.
  onAlicesLaptop.cut()
  onBobsLaptop.cut()
  const answer = await send(bob, conversationId, 'Me', { replyToId: first })
  await does(carol, messages.AddReaction, { input: { messageId: answer, emoji: '🏖️' } })
  await does(dan, messages.AddReaction, { input: { messageId: answer, emoji: '🏖️' } })
  await does(dan, messages.RemoveReaction, { input: { messageId: answer, emoji: '🏖️' } })
  await does(bob, messages.EditMessage, { input: { messageId: answer, text: 'Me, too', expectedVersion: 1 } })
  await does(alice, messages.EditMessage, { input: { messageId: first, text: '바다에 가자! Who comes?' } })
  await does(alice, messages.PinMessage, { input: { messageId: first } })
  await does(alice, messages.PinMessage, { input: { messageId: answer } })
  await does(bob, messages.UnpinMessage, { input: { messageId: first } })
  await does(bob, ForwardMessages, {
    input: { messageIds: [answer], conversationIds: [conversationId], clientMessageId: randomUUID() },
  })
  const oops = await send(dan, conversationId, 'wrong window', { mentionedUserIds: [carol.userId] })
  await does(bob, messages.HideMessage, { input: { messageId: oops } })
  await does(dan, messages.DeleteMessage, { input: { messageId: oops } })
  await does(bob, messages.SaveDraft, { input: { conversationId, text: 'begun on the laptop' } })
  await does(bob, messages.UnhideMessage, { input: { messageId: oops } })
  onAlicesLaptop.device.node = here
  onBobsLaptop.device.node = here
  onAlicesLaptop.resume()
  onBobsLaptop.resume()
  await does(carol, messages.MarkRead, { input: { conversationId, seq: 2 } })
  await does(alice, messages.MarkRead, { input: { conversationId, seq: 3 } })
  await does(alice, groups.MarkUnread, { input: { conversationId, unread: true } })
  await does(alice, groups.PinConversation, { input: { conversationId, pinned: true } })
  await does(dan, groups.MuteConversation, { input: { conversationId, until: '2999-01-01T00:00:00.000Z' } })

  // Notifications: Bob's phone has them, and so has Carol's, for mentions and direct messages only.
  const services = await PushService.open()
  const [onBobsPhone, onCarolsPhone] = [services.subscription(), services.subscription()]
  await does(bob, push.RegisterPushSubscription, { input: onBobsPhone.input })
  await does(carol, push.RegisterPushSubscription, { input: onCarolsPhone.input })
  await does(carol, push.SetPushSettings, { input: { level: 'MENTIONS' } })
  await does(eve, push.RegisterPushToken, { input: { platform: 'fcm', token: 'of Eve' } })
  await does(eve, push.UnregisterPush, {})
  await does(carol, push.SendTestNotification, {})
  await does(alice, push.SetConversationPushLevel, { input: { conversationId, level: 'NONE' } })
  for (const device of [bob, carol]) await does(device, presence.Heartbeat, { input: { idle: true } })
  await untilIdle(here, bob, carol)
  await send(eve, conversationId, 'Carol, a towel?', { mentionedUserIds: [carol.userId] })
  await send(eve, conversationId, 'Or two')
  await onBobsPhone.came(2)
  await onCarolsPhone.came(2)
  expect(onBobsPhone.shown).toEqual(
    expect.arrayContaining(['Trip to the sea|Eve: Carol, a towel?', 'Trip to the sea|Eve: Or two']),
  )
  expect(onCarolsPhone.shown).toContain('Trip to the sea|Eve: Carol, a towel?')
  expect(onCarolsPhone.shown).not.toContain('Trip to the sea|Eve: Or two')

  // Typing is a signal: it shows at once on the other node, and is never stored.
  const typing = watchTyping(alicesLaptop, conversationId)
  await typing.shows('')
  await does(carol, documents.SetTyping, { input: { conversationId, typing: true } })
  await typing.shows('carol')
  await does(carol, presence.SendSignal, { input: { conversationId, kind: 'wave', data: { hand: 'left' } } })

  // A direct conversation, with a block in the middle.
  const { conversation: direct } = (await does(dan, documents.StartDirectConversation, about(bob))).startDirectConversation
  await send(dan, direct.id, 'just us')
  await does(bob, people.BlockUser, about(dan))
  expect(
    (
      await dan.refused(documents.SendMessage, {
        input: { conversationId: direct.id, clientMessageId: randomUUID(), text: 'hey' },
      })
    ).extensions.code,
  ).toBe('FORBIDDEN')
  await does(bob, people.UnblockUser, about(dan))
  await send(dan, direct.id, 'peace?', { mentionedUserIds: [bob.userId] })
  await does(bob, groups.ArchiveConversation, { input: { conversationId: direct.id, archived: true } })

  // Search finds the messages, for those who may see them.
  await indexed(here)
  const find = async (device: Device, query: string) =>
    (await device.run(SearchMessages, { query })).searchMessages.edges.map(({ node }) => node.id)
  expect(await find(bob, '바다')).toEqual([first])
  expect(await find(carol, '바다')).toEqual([])
  expect(await find(carol, 'wrong window')).toEqual([])
  const around = await bob.run(MessagesAround, { id: conversationId, messageId: answer, before: 1, after: 1 })
  expect(around.conversation?.messagesAround.edges.map(({ node }) => node.seq)).toEqual([2, 3, 4])

  // Users change, leave and come back.
  await does(carol, people.UpdateProfile, { input: { displayName: 'Caroline', bio: 'By the sea' } })
  await does(carol, people.ChangeUsername, { input: { username: 'caroline' } })

  // Contacts and fellow members see presence, within each user's settings.
  await does(bob, presence.Heartbeat, { input: { idle: false } })
  const bobs = watchPresence(carol, bob)
  await bobs.shows(bob, 'ONLINE')
  await does(bob, presence.SetPresenceMode, { input: { presenceMode: 'DO_NOT_DISTURB' } })
  await bobs.shows(bob, 'DO_NOT_DISTURB')
  await does(bob, presence.SetLastActiveVisibility, { input: { lastActiveVisibility: 'NOBODY' } })
  await does(alice, groups.SetMemberRole, { input: { conversationId, userId: bob.userId, role: 'OWNER' } })
  await does(bob, documents.RemoveMember, { input: { conversationId, userId: dan.userId } })
  await does(bob, documents.AddMembers, { input: { conversationId, userIds: [dan.userId] } })
  await does(dan, people.SetMessagePolicy, { input: { messagePolicy: 'CONTACTS' } })
  await send(eve, conversationId, 'I am leaving')
  await does(eve, people.RevokeOtherSessions, {})
  await does(eve, people.ChangePassword, { input: { currentPassword: password, newPassword: 'another long password' } })
  await does(eve, people.DeleteAccount, { input: { password: 'another long password' } })
  await does(bob, documents.LeaveConversation, { input: { conversationId } })

  // An encrypted conversation, of which the server has ciphertexts only.
  const signer = new Signer()
  const { device } = (await does(alice, encryption.RegisterDevice, signer.registration(alice.userId))).registerDevice
  await register(bob)
  await does(bob, encryption.UploadKeyPackages, { input: { keyPackages: [bytes()] } })
  const secret = await encryptedGroup(alice, bob)
  const claim = { input: { userIds: [bob.userId] } }
  const [claimed] = (await does(alice, encryption.ClaimKeyPackages, claim)).claimKeyPackages.keyPackages
  await does(alice, encryption.CommitEpoch, commitOf(secret, 0, [{ deviceId: claimed?.device.id ?? '', welcome: bytes() }]))
  await seal(bob, secret, 1)
  const { deviceChallenge } = await alicesLaptop.run(encryption.DeviceChallenge, {})
  const proof = signer.sign('parley.device.bind.v1', device.id, deviceChallenge)
  await does(alicesLaptop, encryption.BindDevice, { input: { deviceId: device.id, signature: proof } })
  await does(alicesLaptop, encryption.RemoveDevice, { input: { deviceId: device.id } })
  await does(bob, encryption.CommitEpoch, commitOf(secret, 1))
  await seal(bob, secret, 2)

  // Sessions: one is revoked, one is logged out, one is refreshed.
  const lost = await alice.another(there, 'Lost phone')
  await does(alice, documents.RevokeSession, { input: { sessionId: lost.sessionId } })
  await does(await alice.another(here, 'Borrowed'), documents.LogOut, {})
  const refreshed = await request(here.url, documents.RefreshSession, { input: { refreshToken: bob.refreshToken } })
  bob.accessToken = refreshed.data?.refreshSession.accessToken ?? ''
  used.add('refreshSession')
  await send(carol, conversationId, 'the end')
  const { syncCursor } = await alice.run(messages.Whole, { people: [] })
  await does(alice, documents.Acknowledge, { input: { cursor: syncCursor } })

  await expectLaw(replicas)
  expect(onAlice.starts).toEqual(['RESUMED'])
  expect([...onAlicesLaptop.starts, ...onBobsLaptop.starts]).toEqual(['RESUMED', 'RESUMED', 'RESUMED', 'RESUMED'])
  const all = Object.keys(schema.getMutationType()?.getFields() ?? {}).filter((name) => !ofKeys.includes(name))
  expect([...used].sort()).toEqual(all.sort())
})
