// The law (D5): an old snapshot and the facts that a mutation caused give the new snapshot. One entry for each mutation of the
// schema; a mutation without one fails.

import { randomUUID } from 'node:crypto'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { schema } from '../../src/schema.ts'
import * as people from '../account/documents.ts'
import { photo, processed, textFile, upload } from '../attachment/files.ts'
import * as groups from '../conversation/documents.ts'
import { DeviceNode, RemoveDevice } from '../encryption/documents.ts'
import { commit, encryptedGroup, register as registerDevice, Signer, seal } from '../encryption/support.ts'
import { ForwardMessages } from '../message/documents.ts'
import * as presence from '../presence/documents.ts'
import * as push from '../push/documents.ts'
import { Subscription } from '../push/push-service.ts'
import { pushing } from '../push/support.ts'
import { type Device, password, signUpAll } from '../support/device.ts'
import {
  Acknowledge,
  AddMembers,
  CreateGroup,
  LeaveConversation,
  LogOut,
  RemoveMember,
  RevokeSession,
  SendMessage,
  StartDirectConversation,
} from '../support/documents.ts'
import { type Node, openPair } from '../support/node.ts'
import { until } from '../support/until.ts'
import {
  AddReaction,
  DeleteMessage,
  EditMessage,
  HideMessage,
  MarkRead,
  PinMessage,
  RemoveReaction,
  SaveDraft,
  UnhideMessage,
  UnpinMessage,
} from './documents.ts'
import { expectLaw, Replica } from './replica.ts'

let alice: Device
let bob: Device
let carol: Device
let group: string
let replicas: Replica[]

let here: Node
let there: Node
let round = 0

beforeAll(async () => {
  ;[here, there] = await openPair({ ...pushing, ...webhook })
})

beforeEach(async () => {
  round += 1
  const names = ['Alice', 'Bob', 'Carol'].map((name) => `${name}${round}`)
  ;[alice, bob, carol] = (await signUpAll(here, ...names)) as [Device, Device, Device]
  group = await alice.group('The law', bob)
  await alice.send(group, 'one')
  await bob.send(group, 'two')
  const devices = [alice, bob, carol, await alice.another(there), await bob.another(there)]
  const friends = [alice.userId, bob.userId]
  replicas = await Promise.all(devices.map((device) => Replica.open(device, device === carol ? [carol.userId] : friends)))
})

const send = (device: Device, text: string, more: object = {}) =>
  device.run(SendMessage, { input: { conversationId: group, clientMessageId: randomUUID(), text, ...more } })

/** For each mutation, what to do. The law is checked after it. */
const cases: Record<string, () => Promise<unknown>> = {
  startDirectConversation: () => bob.run(StartDirectConversation, { input: { userId: carol.userId } }),
  createGroup: () => carol.run(CreateGroup, { input: { title: 'New', memberIds: [alice.userId, bob.userId] } }),
  addMembers: async () => {
    await alice.run(AddMembers, { input: { conversationId: group, userIds: [carol.userId] } })
    await send(carol, 'hello', { mentionedUserIds: [alice.userId, bob.userId] })
  },
  removeMember: () => alice.run(RemoveMember, { input: { conversationId: group, userId: bob.userId } }),
  leaveConversation: () => alice.run(LeaveConversation, { input: { conversationId: group } }),
  sendMessage: async () => {
    const { sendMessage } = await send(alice, 'three', { mentionedUserIds: [bob.userId], data: { three: 3 } })
    await send(bob, 'four', { replyToId: sendMessage.message.id })
    await sendPhoto(alice)
    await send(bob, '', { attachmentIds: [await upload(bob, textFile())] })
  },
  forwardMessages: async () => {
    const { sendMessage } = await send(alice, 'news', { data: { news: 1 } })
    const withFile = await send(alice, '', { attachmentIds: [await upload(alice, textFile())] })
    const conversationIds = [group, await bob.direct(alice)]
    const messageIds = [sendMessage.message.id, withFile.sendMessage.message.id]
    await bob.run(ForwardMessages, { input: { messageIds, conversationIds, clientMessageId: randomUUID() } })
  },
  editMessage: async () => {
    const { sendMessage } = await send(alice, 'tree')
    await alice.run(EditMessage, { input: { messageId: sendMessage.message.id, text: 'three', data: [3] } })
  },
  deleteMessage: async () => {
    const { sendMessage } = await send(alice, 'oops', { mentionedUserIds: [bob.userId] })
    await send(bob, 'what?', { replyToId: sendMessage.message.id })
    await alice.run(DeleteMessage, { input: { messageId: sendMessage.message.id } })
    await alice.run(DeleteMessage, { input: { messageId: await sendPhoto(alice) } })
  },
  addReaction: async () => {
    const { sendMessage } = await send(alice, 'news')
    for (const device of [bob, alice])
      await device.run(AddReaction, { input: { messageId: sendMessage.message.id, emoji: '🎉' } })
  },
  removeReaction: async () => {
    const { sendMessage } = await send(alice, 'news')
    const input = { messageId: sendMessage.message.id, emoji: '👍🏽' }
    for (const device of [bob, alice]) await device.run(AddReaction, { input })
    await bob.run(RemoveReaction, { input })
  },
  hideMessage: async () => {
    const { sendMessage: first } = await send(alice, 'three', { mentionedUserIds: [bob.userId] })
    const { sendMessage: last } = await send(alice, 'four')
    const [hidden, newest] = [first, last].map(({ message }) => ({ messageId: message.id }))
    if (!hidden || !newest) throw new Error('nothing was sent')
    await bob.run(HideMessage, { input: hidden })
    await bob.run(HideMessage, { input: hidden })
    await bob.run(HideMessage, { input: newest })
    await alice.run(EditMessage, { input: { ...hidden, text: 'edited' } })
    await alice.run(PinMessage, { input: hidden })
    await alice.run(AddReaction, { input: { ...newest, emoji: '👍' } })
    await alice.run(DeleteMessage, { input: newest })
  },
  saveDraft: async () => {
    const { sendMessage } = await send(alice, 'three')
    const save = (text: string, replyToId: string | null = null) =>
      bob.run(SaveDraft, { input: { conversationId: group, text, replyToId } })
    await save('begun')
    await save('begun', sendMessage.message.id)
    const direct = await bob.direct(carol)
    for (const text of ['elsewhere', '']) await bob.run(SaveDraft, { input: { conversationId: direct, text } })
  },
  unhideMessage: async () => {
    const { sendMessage } = await send(alice, 'three', { mentionedUserIds: [bob.userId] })
    const input = { messageId: sendMessage.message.id }
    await bob.run(HideMessage, { input })
    for (let n = 0; n < 2; n += 1) await bob.run(UnhideMessage, { input })
    await bob.run(HideMessage, { input })
    await alice.run(EditMessage, { input: { ...input, text: 'edited' } })
    await bob.run(UnhideMessage, { input })
  },
  markRead: async () => {
    await send(alice, 'three', { mentionedUserIds: [bob.userId] })
    await bob.run(MarkRead, { input: { conversationId: group, seq: 2 } })
    await alice.run(MarkRead, { input: { conversationId: group, seq: 99 } })
  },
  acknowledge: async () => {
    const { sendMessage: first } = await send(alice, 'three')
    await bob.run(Acknowledge, { input: { cursor: first.cursor } })
    const { sendMessage: second } = await send(bob, 'four')
    for (const device of [alice, bob]) await device.run(Acknowledge, { input: { cursor: second.cursor } })
    await alice.run(AddMembers, { input: { conversationId: group, userIds: [carol.userId] } })
    const { sendMessage: third } = await send(carol, 'five')
    await alice.run(Acknowledge, { input: { cursor: third.cursor } })
  },
  commitEpoch: async () => {
    for (const device of [alice, bob, carol]) await registerDevice(device)
    const secret = await encryptedGroup(alice, bob, carol)
    await commit(alice, secret, 0)
    const { message } = await seal(bob, secret, 1)
    await seal(alice, secret, 1, { replyToId: message.id })
    await bob.run(DeleteMessage, { input: { messageId: message.id } })
    await alice.run(RemoveMember, { input: { conversationId: secret, userId: carol.userId } })
    await commit(bob, secret, 1)
    await bob.run(LeaveConversation, { input: { conversationId: secret } })
  },
  registerDevice: async () => {
    await encryptedGroup(alice, bob)
    await registerDevice(alice)
    await registerDevice(bob)
  },
  bindDevice: async () => {
    const signer = new Signer()
    const phone = await bob.another(there)
    const deviceId = await registerDevice(phone, signer)
    await registerDevice(alice)
    const secret = await encryptedGroup(alice, bob)
    await commit(alice, secret, 0)
    await phone.run(LogOut, {})
    const isGone = async () => {
      const { node: device } = await alice.run(DeviceNode, { id: deviceId })
      return device?.__typename === 'Device' && device.removedAt !== null
    }
    await until('the device is gone', isGone)
    await signer.bind(bob, deviceId)
  },
  removeDevice: async () => {
    const deviceId = await registerDevice(bob)
    const secret = await encryptedGroup(bob, alice)
    await commit(bob, secret, 0)
    await bob.run(RemoveDevice, { input: { deviceId } })
  },
  pinMessage: async () => {
    for (const text of ['pinned', 'pinned too', 'gone']) {
      const { sendMessage } = await send(bob, text)
      await alice.run(PinMessage, { input: { messageId: sendMessage.message.id } })
      if (text === 'gone') await bob.run(DeleteMessage, { input: { messageId: sendMessage.message.id } })
    }
  },
  unpinMessage: async () => {
    const { sendMessage } = await send(bob, 'pinned')
    await alice.run(PinMessage, { input: { messageId: sendMessage.message.id } })
    await alice.run(UnpinMessage, { input: { messageId: sendMessage.message.id } })
  },
  setMemberRole: async () => {
    const input = { conversationId: group, userId: bob.userId }
    await alice.run(groups.SetMemberRole, { input: { ...input, role: 'ADMIN' } })
    await bob.run(groups.CreateInvite, { input: { conversationId: group } })
    await alice.run(groups.SetMemberRole, { input: { ...input, role: 'OWNER' } })
    await bob.run(groups.SetMemberRole, { input: { ...input, userId: alice.userId, role: 'MEMBER' } })
  },
  updateConversation: async () => {
    const rules = { slowModeS: 30, announcementsOnly: true }
    const input = { conversationId: group, title: 'Renamed', description: 'For the law', data: { law: 1 } }
    const { sendMessage } = await send(alice, 'before')
    await alice.run(groups.UpdateConversation, { input: { ...input, historyVisibility: 'SINCE_JOINING' } })
    await alice.run(AddMembers, { input: { conversationId: group, userIds: [carol.userId] } })
    // Changes of earlier messages do not concern members who joined after them.
    const { id: messageId } = sendMessage.message
    const avatarId = await upload(alice, await photo(), 'AVATAR')
    await alice.run(groups.UpdateConversation, { input: { conversationId: group, avatarId } })
    await alice.run(PinMessage, { input: { messageId } })
    await bob.run(AddReaction, { input: { messageId, emoji: '👍🏽' } })
    await send(bob, 'after', { replyToId: messageId })
    await alice.run(EditMessage, { input: { messageId, text: 'still before' } })
    await alice.run(DeleteMessage, { input: { messageId } })
    await alice.run(groups.UpdateConversation, { input: { conversationId: group, ...rules } })
  },
  banMember: async () => {
    await alice.run(AddMembers, { input: { conversationId: group, userIds: [carol.userId] } })
    await alice.run(groups.BanMember, { input: { conversationId: group, userId: bob.userId } })
  },
  unbanMember: async () => {
    await alice.run(groups.BanMember, { input: { conversationId: group, userId: carol.userId } })
    await alice.run(groups.UnbanMember, { input: { conversationId: group, userId: carol.userId } })
  },
  createInvite: () => alice.run(groups.CreateInvite, { input: { conversationId: group, maxUses: 2 } }),
  revokeInvite: async () => {
    const { createInvite } = await alice.run(groups.CreateInvite, { input: { conversationId: group } })
    await alice.run(groups.RevokeInvite, { input: { inviteId: createInvite.invite.id } })
  },
  joinWithInvite: async () => {
    const { createInvite } = await alice.run(groups.CreateInvite, { input: { conversationId: group } })
    await carol.run(groups.JoinWithInvite, { input: { token: createInvite.invite.token } })
    await send(carol, 'here I am')
  },
  muteConversation: () =>
    bob.run(groups.MuteConversation, { input: { conversationId: group, until: '2999-01-01T00:00:00.000Z' } }),
  pinConversation: async () => {
    await bob.run(groups.PinConversation, { input: { conversationId: group, pinned: true } })
    const direct = await bob.direct(carol)
    for (const pinned of [true, false]) await bob.run(groups.PinConversation, { input: { conversationId: direct, pinned } })
  },
  markUnread: async () => {
    await bob.run(groups.MarkUnread, { input: { conversationId: group, unread: true } })
    await bob.run(MarkRead, { input: { conversationId: group, seq: 1 } })
  },
  archiveConversation: () => bob.run(groups.ArchiveConversation, { input: { conversationId: group, archived: true } }),
  revokeSession: () =>
    alice.run(RevokeSession, { input: { sessionId: replicas[3]?.device.sessionId ?? '' } }).then(() => replicas.splice(3, 1)),
  logOut: () => (replicas.splice(3, 1)[0] as Replica).device.run(LogOut, {}),
}

/** Sends a photo before its pictures have been made, and waits until they have. @returns the id of the message */
async function sendPhoto(device: Device): Promise<string> {
  const id = await upload(device, await photo())
  const { sendMessage } = await send(device, '', { attachmentIds: [id] })
  await processed(device, id)
  return sendMessage.message.id
}

const toward = (other: Device) => ({ input: { userId: other.userId } })
/** A conversation without a subscriber: what is sent there fails, and does not concern the law. */
const webhook = {
  PARLEY_PUSH_WEBHOOK_URL: 'http://127.0.0.1:9/',
  PARLEY_PUSH_WEBHOOK_SECRET: 'c2VjcmV0LW9mLXRoZS10ZXN0cy1mb3ItdGhlaXItd2ViaG9vaw==',
}
const register = (device: Device) =>
  device.run(push.RegisterPushSubscription, { input: new Subscription(`http://127.0.0.1:9/${device.sessionId}`).input })
/** Ends the comparison for a device. */
const drop = (...gone: Device[]) => {
  replicas = replicas.filter(({ device }) => !gone.some(({ userId }) => device.userId === userId))
}

Object.assign(cases, {
  updateProfile: async () => {
    const avatarId = await upload(bob, await photo(), 'AVATAR')
    await bob.run(people.UpdateProfile, { input: { displayName: 'Robert', bio: 'Here', avatarId } })
  },
  changeUsername: () => bob.run(people.ChangeUsername, { input: { username: `robert-${round}` } }),
  setMessagePolicy: () => bob.run(people.SetMessagePolicy, { input: { messagePolicy: 'CONTACTS' } }),
  setPresenceMode: () => bob.run(presence.SetPresenceMode, { input: { presenceMode: 'INVISIBLE' } }),
  setLastActiveVisibility: () => bob.run(presence.SetLastActiveVisibility, { input: { lastActiveVisibility: 'NOBODY' } }),
  requestContact: () => alice.run(people.RequestContact, toward(bob)),
  acceptContact: async () => {
    await alice.run(people.RequestContact, toward(bob))
    await bob.run(people.AcceptContact, toward(alice))
  },
  declineContact: async () => {
    await alice.run(people.RequestContact, toward(bob))
    await bob.run(people.DeclineContact, toward(alice))
  },
  removeContact: async () => {
    await cases.acceptContact?.()
    await alice.run(people.RemoveContact, toward(bob))
  },
  blockUser: async () => {
    const direct = await alice.direct(bob)
    await alice.send(direct, 'unread')
    await bob.run(people.BlockUser, toward(alice))
  },
  unblockUser: async () => {
    await cases.blockUser?.()
    await bob.run(people.UnblockUser, toward(alice))
    await alice.send(await alice.direct(bob), 'again')
  },
  registerPushSubscription: async () => {
    const input = { input: new Subscription('http://127.0.0.1:9/shared').input }
    for (const device of [bob, alice, alice]) await device.run(push.RegisterPushSubscription, input)
  },
  registerPushToken: async () => {
    await register(bob)
    await bob.run(push.RegisterPushToken, { input: { platform: 'fcm', token: 'of the phone' } })
  },
  unregisterPush: async () => {
    await register(bob)
    await bob.run(push.UnregisterPush, {})
  },
  sendTestNotification: async () => {
    await register(bob)
    await bob.run(push.SendTestNotification, {})
  },
  setPushSettings: () => {
    const quietHours = [{ days: ['MONDAY', 'SUNDAY'] as const, from: '22:00', until: '07:00' }]
    return bob.run(push.SetPushSettings, { input: { level: 'MENTIONS', showsText: false, timeZone: 'Asia/Seoul', quietHours } })
  },
  setConversationPushLevel: () => bob.run(push.SetConversationPushLevel, { input: { conversationId: group, level: 'MENTIONS' } }),
  changePassword: async () => {
    await bob.run(people.ChangePassword, { input: { currentPassword: password, newPassword: 'another long password' } })
    replicas = replicas.filter(({ device }) => device.userId !== bob.userId || device === bob)
  },
  revokeOtherSessions: async () => {
    await bob.run(people.RevokeOtherSessions, {})
    replicas = replicas.filter(({ device }) => device.userId !== bob.userId || device === bob)
  },
  deleteAccount: async () => {
    const direct = await alice.direct(bob)
    const { message } = await alice.send(direct, 'read and liked')
    await bob.run(MarkRead, { input: { conversationId: direct, seq: 1 } })
    await bob.run(AddReaction, { input: { messageId: message.id, emoji: '🎉' } })
    await send(alice, 'you', { mentionedUserIds: [bob.userId] })
    await bob.run(people.DeleteAccount, { input: { password } })
    drop(bob)
  },
} satisfies typeof cases)

/**
 * Mutations that change nothing that a device stores: they create or renew a session, send a signal, begin an upload, or keep key
 * packages in stock. And those for server keys and moderators: test/platform and test/moderation have the facts of those that change
 * what devices store.
 */
const outside = [
  ...['uploadKeyPackages', 'claimKeyPackages'],
  ...['signUp', 'logIn', 'refreshSession', 'renewConnection', 'setTyping', 'sendSignal', 'heartbeat', 'createUpload'],
  ...['createServerKey', 'revokeServerKey', 'upsertUsers', 'issueSession', 'suspendUser', 'unsuspendUser', 'deleteUser'],
  ...['upsertConversation', 'sendSystemMessage', 'acknowledgeChanges', 'deleteChangeConsumer'],
  ...['importConversation', 'importMessages', 'completeImport'],
  ...['createWebhook', 'updateWebhook', 'deleteWebhook', 'replayWebhook'],
  ...['reportMessage', 'reportUser', 'resolveReport', 'removeMessage'],
]

test('D5 every mutation of the schema has its law', () => {
  const mutations = Object.keys(schema.getMutationType()?.getFields() ?? {})
  expect([...Object.keys(cases), ...outside].sort()).toEqual(mutations.sort())
})

describe('D5 the old snapshot and the facts give the new snapshot', () => {
  test.each(Object.entries(cases))('after %s', async (_name, act) => {
    await act()
    await expectLaw(replicas)
  })
})
