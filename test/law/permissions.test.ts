// Who may do what (D6): every mutation of the schema, tried by somebody of each standing. One entry for each; a mutation
// without one fails. `blocked` acts in the direct conversation with the owner, who has blocked them.

import { randomUUID } from 'node:crypto'
import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { beforeAll, describe, expect, test } from 'vitest'
import { schema } from '../../src/schema.ts'
import * as groups from '../groups/documents.ts'
import * as people from '../people/documents.ts'
import * as presence from '../presence/documents.ts'
import { type Device, logIn, request, signUpAll } from '../support/device.ts'
import * as documents from '../support/documents.ts'
import { type Node, openNode } from '../support/node.ts'
import * as messages from './documents.ts'

/** From the least entitled to the most: they try in this order, in one conversation. */
const standings = ['nobody', 'stranger', 'removed', 'blocked', 'member', 'admin', 'owner'] as const
type Standing = (typeof standings)[number]
type Person = Exclude<Standing, 'nobody'> | 'other' | 'newcomer' | 'bystander'

let node: Node
let cast: Record<Person, Device>
let direct: Place

/** Where somebody acts. `own` is a message of theirs, `foreign` one of somebody else's. */
type Place = { readonly conversationId: string; readonly foreign: string; readonly own: Partial<Record<Standing, string>> }
type Scene = { readonly group: Place; readonly inviteId: string; readonly token: string; readonly cursor: string }
type Expected = Record<Standing, string>
type Act = { readonly expected: Expected; try(scene: Scene, as: Standing): Promise<string> }

beforeAll(async () => {
  node = await openNode()
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
  await owner.run(people.BlockUser, about('blocked'))
})

const about = (person: Person) => ({ input: { userId: cast[person].userId } })

/** A group in which everybody has their standing, and has written before. */
async function setTheScene(): Promise<Scene> {
  const { owner, admin, member, removed, other } = cast
  const conversationId = await owner.group('Everybody', admin, member, removed, other)
  await owner.run(groups.SetMemberRole, { input: { conversationId, userId: admin.userId, role: 'ADMIN' } })
  const own: Place['own'] = {}
  for (const standing of ['owner', 'admin', 'member', 'removed'] as const) {
    own[standing] = (await cast[standing].send(conversationId, standing)).message.id
  }
  const foreign = (await other.send(conversationId, 'other')).message.id
  await owner.run(documents.RemoveMember, { input: { conversationId, userId: removed.userId } })
  const { invite, cursor } = (await owner.run(groups.CreateInvite, { input: { conversationId } })).createInvite
  return { group: { conversationId, foreign, own }, inviteId: invite.id, token: invite.token, cursor: cursor ?? '' }
}

/** An action, the variables that it is tried with, and what each standing gets. */
function act<Variables>(
  document: TypedDocumentNode<unknown, Variables>,
  variables: (at: Place, as: Standing, scene: Scene) => Variables,
  expected: Expected,
): Act {
  const tryAs = async (scene: Scene, as: Standing) => {
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
/** The blocked one sees the conversation still, and is told that it is closed. */
const members: Expected = { ...everybody, stranger: 'NOT_FOUND', removed: 'NOT_FOUND', blocked: 'FORBIDDEN' }
const managers: Expected = { ...members, member: 'FORBIDDEN' }
/** A direct conversation is no group, whoever asks. */
const groupsOnly = { blocked: 'BAD_INPUT' }
/** What is tried upon the owner, by the owner. */
const notOneself = { owner: 'BAD_INPUT' }

const message = ({ foreign }: Place) => ({ input: { messageId: foreign } })
const ownOrForeign = ({ own, foreign }: Place, as: Standing) => own[as] ?? foreign
const conversation = ({ conversationId }: Place) => ({ input: { conversationId } })
const owner = () => about('owner')

/** The mutations that say who one is: for them there is nothing to be permitted yet. */
const open = ['signUp', 'logIn', 'refreshSession', 'renewConnection']

const acts: Record<string, Act> = {
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
  markRead: act(messages.MarkRead, ({ conversationId }) => ({ input: { conversationId, seq: 1 } }), members),
  setTyping: act(documents.SetTyping, ({ conversationId }) => ({ input: { conversationId, typing: true } }), members),
  muteConversation: act(groups.MuteConversation, conversation, { ...members, blocked: 'done' }),
  archiveConversation: act(groups.ArchiveConversation, ({ conversationId }) => ({ input: { conversationId, archived: true } }), {
    ...members,
    blocked: 'done',
  }),
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
  // The blocked one finds the conversation that is there, and can write nothing in it.
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
  changeUsername: act(people.ChangeUsername, (_at, as) => ({ input: { username: `${as}-renamed` } }), everybody),
}

function refusedToAll(code: string): Expected {
  const codes = standings.map((standing) => [standing, standing === 'nobody' ? 'UNAUTHENTICATED' : code])
  return Object.fromEntries(codes) as Expected
}

test('D6 every mutation of the schema has its entry', () => {
  const tried = Object.keys(acts).map((name) => name.split(/[ ,]/)[0])
  const mutations = Object.keys(schema.getMutationType()?.getFields() ?? {})
  expect([...new Set([...tried, ...open])].sort()).toEqual(mutations.sort())
})

describe('D6 by standing', () => {
  test.each(Object.entries(acts))('%s', async (name, { expected, try: tryAs }) => {
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
