// Who may do what (D6): every mutation of the schema, attempted by a user of each standing. One entry for each mutation; a
// mutation without one fails. `blocked` acts in the direct conversation with the owner, who has blocked them.

import { randomUUID } from 'node:crypto'
import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { beforeAll, describe, expect, test } from 'vitest'
import { encodeId, serverKeyIdOf } from '../../src/id.ts'
import { schema } from '../../src/schema.ts'
import * as people from '../account/documents.ts'
import { CreateUpload } from '../attachment/documents.ts'
import * as groups from '../conversation/documents.ts'
import * as encryption from '../encryption/documents.ts'
import { bytes, commitOf, encryptedGroup, Signer, sealed } from '../encryption/support.ts'
import { ForwardMessages } from '../message/documents.ts'
import * as moderation from '../moderation/documents.ts'
import * as platform from '../platform/documents.ts'
import * as presence from '../presence/documents.ts'
import * as push from '../push/documents.ts'
import { Subscription } from '../push/push-service.ts'
import { pushing } from '../push/support.ts'
import { type Device, logIn, request, signUpAll } from '../support/device.ts'
import * as documents from '../support/documents.ts'
import { type Node, openNode } from '../support/node.ts'
import * as messages from './documents.ts'

/** In ascending order of rights: they try in this order, in one conversation. */
const standings = ['nobody', 'stranger', 'removed', 'blocked', 'member', 'admin', 'owner'] as const
type Standing = (typeof standings)[number]
type CastName = Exclude<Standing, 'nobody'> | 'other' | 'newcomer' | 'bystander'

let node: Node
let cast: Record<CastName, Device>
let direct: ConversationRef
/** An encrypted group of the members, and the encrypted direct conversation with who is blocked. */
let secrets: { readonly group: string; readonly direct: string }

/** Where a user acts. `own` is a message of theirs, `foreign` one of another user. */
type ConversationRef = {
  readonly conversationId: string
  readonly foreign: string
  readonly own: Partial<Record<Standing, string>>
}
type PermissionScenario = {
  readonly group: ConversationRef
  readonly inviteId: string
  readonly token: string
  readonly cursor: string
}
type Expected = Record<Standing, string>
type Attempt = { readonly expected: Expected; try(scene: PermissionScenario, as: Standing): Promise<string> }

beforeAll(async () => {
  node = await openNode({
    ...pushing,
    PARLEY_PUSH_WEBHOOK_URL: 'http://127.0.0.1:9/',
    PARLEY_PUSH_WEBHOOK_SECRET: 'c2VjcmV0LW9mLXRoZS10ZXN0cy1mb3ItdGhlaXItd2ViaG9vaw==',
  })
  const names = ['Owner', 'Deputy', 'Member', 'Removed', 'Blocked', 'Stranger', 'Other', 'Newcomer', 'Bystander']
  const [owner, admin, member, removed, blocked, stranger, other, newcomer, bystander] = (await signUpAll(node, ...names)) as [
    Device,
    Device,
    Device,
    Device,
    Device,
    Device,
    Device,
    Device,
    Device,
  ]
  cast = { owner, admin, member, removed, blocked, stranger, other, newcomer, bystander }
  const conversationId = await owner.direct(blocked)
  const foreign = (await owner.send(conversationId, 'hello')).message.id
  const own = { blocked: (await blocked.send(conversationId, 'go away')).message.id }
  direct = { conversationId, foreign, own }
  const { startDirectConversation } = await owner.run(encryption.StartEncrypted, {
    input: { userId: blocked.userId, encryption: 'MLS' },
  })
  secrets = { group: await encryptedGroup(owner, admin, member, removed), direct: startDirectConversation.conversation.id }
  await owner.run(documents.RemoveMember, { input: { conversationId: secrets.group, userId: removed.userId } })
  await owner.run(people.BlockUser, about('blocked'))
})

const about = (person: CastName) => ({ input: { userId: cast[person].userId } })

/** A group in which each of them has their standing and has already sent a message. */
async function setTheScene(): Promise<PermissionScenario> {
  const { owner, admin, member, removed, other } = cast
  const conversationId = await owner.group('Everybody', admin, member, removed, other)
  await owner.run(groups.SetMemberRole, { input: { conversationId, userId: admin.userId, role: 'ADMIN' } })
  const own: ConversationRef['own'] = {}
  for (const standing of ['owner', 'admin', 'member', 'removed'] as const) {
    own[standing] = (await cast[standing].send(conversationId, standing)).message.id
  }
  const foreign = (await other.send(conversationId, 'other')).message.id
  await owner.run(documents.RemoveMember, { input: { conversationId, userId: removed.userId } })
  const { invite, cursor } = (await owner.run(groups.CreateInvite, { input: { conversationId } })).createInvite
  return { group: { conversationId, foreign, own }, inviteId: invite.id, token: invite.token, cursor: cursor ?? '' }
}

/** An action, the variables of its attempt, and the outcome for each standing. */
function act<Variables>(
  document: TypedDocumentNode<unknown, Variables>,
  variables: (at: ConversationRef, as: Standing, scene: PermissionScenario) => Variables,
  expected: Expected,
): Attempt {
  const tryAs = async (scene: PermissionScenario, as: Standing) => {
    const at = as === 'blocked' ? direct : scene.group
    const accessToken = as === 'nobody' ? undefined : cast[as].accessToken
    const { errors } = await request(node.url, document, variables(at, as, scene), accessToken)
    return errors[0]?.extensions.code ?? 'done'
  }
  return { expected, try: tryAs }
}

const everybody: Expected = {
  nobody: 'UNAUTHENTICATED',
  stranger: 'done',
  removed: 'done',
  blocked: 'done',
  member: 'done',
  admin: 'done',
  owner: 'done',
}
/** A blocked user still sees the conversation, and is told that it is closed. */
const members: Expected = { ...everybody, stranger: 'NOT_FOUND', removed: 'NOT_FOUND', blocked: 'FORBIDDEN' }
const managers: Expected = { ...members, member: 'FORBIDDEN' }
/** The file is of none of them; who is not a member learns no more than that. */
const refusedFile: Expected = { ...members, member: 'NOT_FOUND', admin: 'NOT_FOUND', owner: 'NOT_FOUND' }
/** A direct conversation is no group, for any viewer. */
const groupsOnly = { blocked: 'BAD_INPUT' }
/** Attempts on the owner, by the owner. */
const notOneself = { owner: 'BAD_INPUT' }

const message = ({ foreign }: ConversationRef) => ({ input: { messageId: foreign } })
const ownOrForeign = ({ own, foreign }: ConversationRef, as: Standing) => own[as] ?? foreign
const conversation = ({ conversationId }: ConversationRef) => ({ input: { conversationId } })
const owner = () => about('owner')

/** Mutations that authenticate: there is no permission to check yet. */
const open = ['signUp', 'logIn', 'refreshSession', 'renewConnection']

const secret = (as: Standing) => (as === 'blocked' ? secrets.direct : secrets.group)
/** In the order in which they try, each commits the next epoch. */
const epochs: Partial<Record<Standing, number>> = { admin: 1, owner: 2 }

const attempts: Record<string, Attempt> = {
  'commitEpoch without a device': act(encryption.CommitEpoch, (_at, as) => commitOf(secret(as), 0), {
    ...members,
    ...{ member: 'FORBIDDEN', admin: 'FORBIDDEN', owner: 'FORBIDDEN' },
  }),
  registerDevice: act(
    encryption.RegisterDevice,
    (_at, as) => new Signer().registration(as === 'nobody' ? '' : cast[as].userId),
    everybody,
  ),
  'sendMessage of a ciphertext': act(encryption.Seal, (_at, as) => sealed(secret(as), 0), members),
  'sendMessage in the clear to an encrypted conversation': act(
    documents.SendMessage,
    (_at, as) => ({ input: { conversationId: secret(as), clientMessageId: randomUUID(), text: 'x' } }),
    { ...members, member: 'ENCRYPTION_REQUIRED', admin: 'ENCRYPTION_REQUIRED', owner: 'ENCRYPTION_REQUIRED' },
  ),
  commitEpoch: act(encryption.CommitEpoch, (_at, as) => commitOf(secret(as), epochs[as] ?? 0), members),
  uploadKeyPackages: act(encryption.UploadKeyPackages, () => ({ input: { keyPackages: [bytes()] } }), everybody),
  claimKeyPackages: act(encryption.ClaimKeyPackages, () => ({ input: { userIds: [cast.owner.userId] } }), {
    ...everybody,
    blocked: 'FORBIDDEN',
  }),
  'bindDevice of somebody': act(
    encryption.BindDevice,
    () => ({ input: { deviceId: 'dev_0000000000099', signature: bytes(64) } }),
    refusedToAll('NOT_FOUND'),
  ),
  'removeDevice of somebody': act(
    encryption.RemoveDevice,
    () => ({ input: { deviceId: 'dev_0000000000099' } }),
    refusedToAll('NOT_FOUND'),
  ),
  sendMessage: act(
    documents.SendMessage,
    ({ conversationId }) => ({ input: { conversationId, clientMessageId: randomUUID(), text: 'hello' } }),
    members,
  ),
  'editMessage of one’s own': act(
    messages.EditMessage,
    (at, as) => ({ input: { messageId: ownOrForeign(at, as), text: 'edited' } }),
    members,
  ),
  'editMessage of somebody else’s': act(messages.EditMessage, ({ foreign }) => ({ input: { messageId: foreign, text: 'x' } }), {
    ...managers,
    admin: 'FORBIDDEN',
    owner: 'FORBIDDEN',
  }),
  'deleteMessage of one’s own': act(
    messages.DeleteMessage,
    (at, as) => ({ input: { messageId: ownOrForeign(at, as) } }),
    members,
  ),
  'deleteMessage of somebody else’s': act(messages.DeleteMessage, message, managers),
  addReaction: act(messages.AddReaction, ({ foreign }) => ({ input: { messageId: foreign, emoji: '👍' } }), members),
  removeReaction: act(messages.RemoveReaction, ({ foreign }) => ({ input: { messageId: foreign, emoji: '👍' } }), members),
  pinMessage: act(messages.PinMessage, message, managers),
  unpinMessage: act(messages.UnpinMessage, message, managers),
  hideMessage: act(messages.HideMessage, message, members),
  unhideMessage: act(messages.UnhideMessage, message, members),
  saveDraft: act(messages.SaveDraft, ({ conversationId }) => ({ input: { conversationId, text: 'begun' } }), members),
  markRead: act(messages.MarkRead, ({ conversationId }) => ({ input: { conversationId, seq: 1 } }), members),
  setTyping: act(documents.SetTyping, ({ conversationId }) => ({ input: { conversationId, typing: true } }), members),
  forwardMessages: act(
    ForwardMessages,
    ({ conversationId, own, foreign }, as) => ({
      input: { messageIds: [own[as] ?? foreign], conversationIds: [conversationId], clientMessageId: randomUUID() },
    }),
    members,
  ),
  sendSignal: act(presence.SendSignal, ({ conversationId }) => ({ input: { conversationId, kind: 'wave' } }), members),
  muteConversation: act(groups.MuteConversation, conversation, { ...members, blocked: 'done' }),
  archiveConversation: act(groups.ArchiveConversation, ({ conversationId }) => ({ input: { conversationId, archived: true } }), {
    ...members,
    blocked: 'done',
  }),
  pinConversation: act(groups.PinConversation, ({ conversationId }) => ({ input: { conversationId, pinned: true } }), {
    ...members,
    blocked: 'done',
  }),
  markUnread: act(groups.MarkUnread, ({ conversationId }) => ({ input: { conversationId, unread: true } }), {
    ...members,
    blocked: 'done',
  }),
  setConversationPushLevel: act(
    push.SetConversationPushLevel,
    ({ conversationId }) => ({ input: { conversationId, level: 'NONE' as const } }),
    { ...members, blocked: 'done' },
  ),
  setPushSettings: act(push.SetPushSettings, () => ({ input: { level: 'ALL' as const } }), everybody),
  registerPushSubscription: act(
    push.RegisterPushSubscription,
    (_at, as) => ({ input: new Subscription(`http://127.0.0.1:9/${as}`).input }),
    everybody,
  ),
  registerPushToken: act(push.RegisterPushToken, (_at, as) => ({ input: { platform: 'fcm', token: as } }), everybody),
  'sendTestNotification, by each for themselves': act(push.SendTestNotification, () => ({}), everybody),
  'unregisterPush, by each for themselves': act(push.UnregisterPush, () => ({}), everybody),
  addMembers: act(
    documents.AddMembers,
    ({ conversationId }) => ({ input: { conversationId, userIds: [cast.newcomer.userId] } }),
    { ...managers, ...groupsOnly },
  ),
  removeMember: act(
    documents.RemoveMember,
    ({ conversationId }, as) => ({ input: { conversationId, userId: cast[as === 'owner' ? 'admin' : 'other'].userId } }),
    { ...managers, ...groupsOnly },
  ),
  banMember: act(
    groups.BanMember,
    ({ conversationId }, as) => ({ input: { conversationId, userId: cast[as === 'owner' ? 'admin' : 'other'].userId } }),
    { ...managers, ...groupsOnly },
  ),
  unbanMember: act(groups.UnbanMember, ({ conversationId }) => ({ input: { conversationId, userId: cast.newcomer.userId } }), {
    ...managers,
    ...groupsOnly,
  }),
  reportMessage: act(moderation.ReportMessage, ({ foreign }) => ({ input: { messageId: foreign, reason: 'x' } }), {
    ...members,
    blocked: 'done',
  }),
  reportUser: act(moderation.ReportUser, () => ({ input: { userId: cast.bystander.userId, reason: 'x' } }), everybody),
  resolveReport: act(
    moderation.ResolveReport,
    () => ({ input: { reportId: 'rpt_0000000000001', actions: [] } }),
    refusedToAll('FORBIDDEN'),
  ),
  removeMessage: act(moderation.RemoveMessage, message, refusedToAll('FORBIDDEN')),
  setMemberRole: act(
    groups.SetMemberRole,
    ({ conversationId }) => ({ input: { conversationId, userId: cast.other.userId, role: 'ADMIN' as const } }),
    { ...managers, ...groupsOnly },
  ),
  'setMemberRole to hand over': act(
    groups.SetMemberRole,
    ({ conversationId }) => ({ input: { conversationId, userId: cast.other.userId, role: 'OWNER' as const } }),
    { ...managers, ...groupsOnly, admin: 'FORBIDDEN' },
  ),
  updateConversation: act(groups.UpdateConversation, ({ conversationId }) => ({ input: { conversationId, title: 'Renamed' } }), {
    ...managers,
    ...groupsOnly,
  }),
  leaveConversation: act(documents.LeaveConversation, conversation, { ...members, ...groupsOnly }),
  createInvite: act(groups.CreateInvite, conversation, { ...managers, ...groupsOnly }),
  revokeInvite: act(groups.RevokeInvite, (_at, _as, { inviteId }) => ({ input: { inviteId } }), {
    ...managers,
    blocked: 'NOT_FOUND',
  }),
  joinWithInvite: act(groups.JoinWithInvite, (_at, _as, { token }) => ({ input: { token } }), everybody),
  createGroup: act(documents.CreateGroup, () => ({ input: { title: 'New', memberIds: [cast.owner.userId] } }), {
    ...everybody,
    blocked: 'FORBIDDEN',
  }),
  // The blocked user finds the existing conversation, and cannot write in it.
  startDirectConversation: act(documents.StartDirectConversation, owner, { ...everybody, ...notOneself }),
  requestContact: act(people.RequestContact, owner, { ...everybody, blocked: 'FORBIDDEN', ...notOneself }),
  acceptContact: act(people.AcceptContact, () => about('bystander'), {
    ...refusedToAll('NOT_FOUND'),
  }),
  declineContact: act(people.DeclineContact, owner, { ...everybody, ...notOneself }),
  removeContact: act(people.RemoveContact, owner, { ...everybody, ...notOneself }),
  blockUser: act(people.BlockUser, () => about('bystander'), everybody),
  unblockUser: act(people.UnblockUser, () => about('bystander'), everybody),
  acknowledge: act(documents.Acknowledge, (_at, _as, { cursor }) => ({ input: { cursor } }), everybody),
  createUpload: act(
    CreateUpload,
    () => ({ input: { fileName: 'a.txt', contentType: 'text/plain', byteSize: 1, purpose: 'MESSAGE' as const } }),
    everybody,
  ),
  'sendMessage with the file of somebody': act(
    documents.SendMessage,
    ({ conversationId }) => ({
      input: { conversationId, clientMessageId: randomUUID(), text: '', attachmentIds: ['att_0000000000001'] },
    }),
    refusedFile,
  ),
  updateProfile: act(people.UpdateProfile, () => ({ input: { bio: 'Here' } }), everybody),
  setMessagePolicy: act(people.SetMessagePolicy, () => ({ input: { messagePolicy: 'ANYONE' as const } }), everybody),
  heartbeat: act(presence.Heartbeat, () => ({ input: { idle: false } }), everybody),
  setPresenceMode: act(presence.SetPresenceMode, () => ({ input: { presenceMode: 'AUTOMATIC' as const } }), everybody),
  setLastActiveVisibility: act(
    presence.SetLastActiveVisibility,
    () => ({ input: { lastActiveVisibility: 'EVERYONE' as const } }),
    everybody,
  ),
  'revokeSession of somebody': act(documents.RevokeSession, () => ({ input: { sessionId: cast.other.sessionId } }), {
    ...refusedToAll('NOT_FOUND'),
  }),
  'revokeOtherSessions, by each for themselves': act(people.RevokeOtherSessions, () => ({}), everybody),
  'changePassword without knowing it': act(
    people.ChangePassword,
    () => ({ input: { currentPassword: 'a wrong password', newPassword: 'another long password' } }),
    refusedToAll('INVALID_CREDENTIALS'),
  ),
  'deleteAccount without its password': act(
    people.DeleteAccount,
    () => ({ input: { password: 'a wrong password' } }),
    refusedToAll('INVALID_CREDENTIALS'),
  ),
  'logOut, by each for themselves': act(documents.LogOut, () => ({}), everybody),
  upsertUsers: act(platform.UpsertUsers, () => ({ input: { users: [{ externalId: 'mine' }] } }), refusedToAll('FORBIDDEN')),
  upsertConversation: act(
    platform.UpsertConversation,
    () => ({ input: { externalId: 'mine', title: 'Mine' } }),
    refusedToAll('FORBIDDEN'),
  ),
  sendSystemMessage: act(
    platform.SendSystemMessage,
    ({ conversationId }) => ({ input: { conversationId, clientMessageId: randomUUID(), text: 'x' } }),
    refusedToAll('FORBIDDEN'),
  ),
  importConversation: act(
    platform.ImportConversation,
    () => ({ input: { externalId: 'mine', title: 'Mine' } }),
    refusedToAll('FORBIDDEN'),
  ),
  importMessages: act(
    platform.ImportMessages,
    ({ conversationId }) => ({
      input: { conversationId, messages: [{ externalId: 'mine', text: 'x', createdAt: '2020-01-01T00:00:00Z' }] },
    }),
    refusedToAll('FORBIDDEN'),
  ),
  completeImport: act(
    platform.CompleteImport,
    ({ conversationId }) => ({ input: { conversationId, members: [] } }),
    refusedToAll('FORBIDDEN'),
  ),
  acknowledgeChanges: act(
    platform.AcknowledgeChanges,
    (_at, _as, { cursor }) => ({ input: { consumer: 'x', cursor } }),
    refusedToAll('FORBIDDEN'),
  ),
  deleteChangeConsumer: act(platform.DeleteChangeConsumer, () => ({ input: { consumer: 'x' } }), refusedToAll('FORBIDDEN')),
  createWebhook: act(platform.CreateWebhook, () => ({ input: { url: 'https://93.184.215.14/' } }), refusedToAll('FORBIDDEN')),
  updateWebhook: act(platform.UpdateWebhook, () => ({ input: { webhookId: 'whk_0000000000001' } }), refusedToAll('FORBIDDEN')),
  deleteWebhook: act(platform.DeleteWebhook, () => ({ input: { webhookId: 'whk_0000000000001' } }), refusedToAll('FORBIDDEN')),
  replayWebhook: act(
    platform.ReplayWebhook,
    (_at, _as, { cursor }) => ({ input: { webhookId: 'whk_0000000000001', after: cursor } }),
    refusedToAll('FORBIDDEN'),
  ),
  issueSession: act(platform.IssueSession, () => about('bystander'), refusedToAll('FORBIDDEN')),
  suspendUser: act(platform.SuspendUser, () => about('bystander'), refusedToAll('FORBIDDEN')),
  unsuspendUser: act(platform.UnsuspendUser, () => about('bystander'), refusedToAll('FORBIDDEN')),
  deleteUser: act(platform.DeleteUser, () => about('bystander'), refusedToAll('FORBIDDEN')),
  createServerKey: act(
    platform.CreateServerKey,
    () => ({ input: { name: 'mine', scopes: ['ACT' as const] } }),
    refusedToAll('FORBIDDEN'),
  ),
  revokeServerKey: act(
    platform.RevokeServerKey,
    () => ({ input: { serverKeyId: encodeId('ServerKey', serverKeyIdOf(1)) } }),
    refusedToAll('FORBIDDEN'),
  ),
  changeUsername: act(people.ChangeUsername, (_at, as) => ({ input: { username: `${as}-renamed` } }), everybody),
}

function refusedToAll(code: string): Expected {
  const codes = standings.map((standing) => [standing, standing === 'nobody' ? 'UNAUTHENTICATED' : code])
  return Object.fromEntries(codes) as Expected
}

test('D6 every mutation of the schema has its entry', () => {
  const tried = Object.keys(attempts).map((name) => name.split(/[ ,]/)[0])
  const mutations = Object.keys(schema.getMutationType()?.getFields() ?? {})
  expect([...new Set([...tried, ...open])].sort()).toEqual(mutations.sort())
})

describe('D6 by standing', () => {
  test.each(Object.entries(attempts))('%s', async (name, { expected, try: tryAs }) => {
    const scene = await setTheScene()
    const got: Partial<Expected> = {}
    for (const standing of standings) got[standing] = await tryAs(scene, standing)
    if (name.startsWith('logOut')) {
      for (const standing of standings) {
        if (standing !== 'nobody') cast[standing] = await logIn(node, cast[standing].username)
      }
    }
    expect(got).toEqual(expected)
  })
})
