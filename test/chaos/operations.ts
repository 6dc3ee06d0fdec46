// The operations of people other than sending: on messages, on their own settings and on groups. Each operation is one request
// without a retry. An answer makes a claim: what it says must be true at its position.

import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { parseId } from '../../src/id.ts'
import type { MemberRole, MemberRolesFragment } from '../support/generated/graphql.ts'
import {
  Add,
  Archive,
  Delete,
  Edit,
  GroupMembers,
  Hide,
  Invite,
  JoinByInvite,
  Leave,
  NewGroup,
  Pin,
  React,
  Read,
  Remove,
  Revoke,
  SetRole,
  SetVisibility,
  Unhide,
  Unpin,
  Unreact,
} from './documents.ts'
import type { KnownConversation, RecentMessage } from './known-state.ts'
import type { Model } from './model.ts'
import type { Person } from './person.ts'
import { titleOf } from './stored-state.ts'

type Perform = (me: Person) => Promise<unknown> | undefined

/** An operation: its name, its weight out of 100, and how a person performs it. */
export type Operation = readonly [name: string, weight: number, perform: Perform]

const emoji = ['👍', '🎉', '❤️'] as const
/** Groups get the setting that hides history more often. */
export const visibilities = ['ALL', 'SINCE_JOINING', 'SINCE_JOINING'] as const

const conversationsOf = (me: Person) => me.known.conversations.filter(({ members }) => members.has(me))
/** Draws a recent message; half of the time one that may be hidden from a member who joined later. */
const drawMessage = (me: Person, messages: readonly RecentMessage[]) => {
  const older = messages.filter(({ conversation, seq }) => seq <= conversation.lastSeqBeforeJoin)
  return me.draw(older.length > 0 && me.random.chance(0.5) ? older : messages)
}
const anyMessage = (me: Person) =>
  drawMessage(
    me,
    me.known.recentMessages.filter(({ conversation }) => conversation.members.has(me)),
  )
const ownMessage = (me: Person) =>
  drawMessage(
    me,
    me.known.recentMessages.filter(({ sender }) => sender === me),
  )
/** Draws a message that the person may pin as far as they know; one time in ten, any message of their conversations. */
const messageToPin = (me: Person) => {
  const isAny = me.random.chance(0.1)
  const fits = ({ isGroup, managers, members }: KnownConversation) => members.has(me) && (isAny || !isGroup || managers.has(me))
  return drawMessage(
    me,
    me.known.recentMessages.filter(({ conversation }) => fits(conversation)),
  )
}
/** Draws a group that the person manages as far as they know; one time in twenty, any group. */
const managedGroup = (me: Person) => {
  const groups = me.known.conversations.filter(({ isGroup }) => isGroup)
  const managed = groups.filter(({ managers }) => managers.has(me))
  return me.draw(me.random.chance(0.05) ? groups : managed)
}
/** The row ids of a conversation and of a message. */
const conversationIdOf = ({ id }: KnownConversation) => parseId('Conversation', id, 'id')
const messageIdOf = ({ id }: RecentMessage) => parseId('Message', id, 'id')

type GroupAnswer = { readonly cursor?: string | null; readonly conversation: MemberRolesFragment }

/** Performs an operation on a group and learns from the answer; from a refusal, too. */
async function inGroup<Data, Input>(
  me: Person,
  what: string,
  group: KnownConversation,
  document: TypedDocumentNode<Data, { input: Input }>,
  input: Input,
  answerIn: (data: Data) => GroupAnswer,
  holds?: (model: Model) => boolean,
): Promise<void> {
  const { data, refused } = await me.do(what, document, input, answerIn, holds)
  if (data) me.known.learn(answerIn(data).conversation)
  if (refused === 'NOT_FOUND') group.removeMember(me)
  if (refused === 'FORBIDDEN') group.demote(me)
}

async function setRole(me: Person, group: KnownConversation | undefined, role: MemberRole): Promise<void> {
  const target = group && me.draw([...group.members].filter((person) => role !== 'OWNER' || person !== me))
  if (!group || !target) return
  const input = { conversationId: group.id, userId: target.id, role }
  const holds = (model: Model) => model.roleOf(conversationIdOf(group), target.userId) === role
  await inGroup(me, role === 'OWNER' ? 'transfer ownership' : 'set role', group, SetRole, input, (d) => d.setMemberRole, holds)
}

async function createGroup(me: Person): Promise<void> {
  const others = me.known.available.filter((person) => person !== me)
  const memberIds = Array.from({ length: me.random.whole(1, 3) }, () => me.draw(others)?.id ?? me.id)
  const historyVisibility = me.random.one(visibilities)
  const input = { title: titleOf('A group', historyVisibility), historyVisibility, memberIds }
  const { data } = await me.do('create group', NewGroup, input, (d) => d.createGroup)
  if (data) me.known.learn(data.createGroup.conversation)
}

async function join(me: Person): Promise<void> {
  const invitation = me.draw(me.known.invitations.filter(({ group }) => me.random.chance(0.1) || !group.members.has(me)))
  if (!invitation || !me.known.available.includes(me)) return
  const { data } = await me.do('join', JoinByInvite, { token: invitation.token }, (d) => d.joinWithInvite)
  if (data) {
    invitation.group.formerMembers.delete(me)
    me.known.learn(data.joinWithInvite.conversation)
  }
}

async function createInvite(me: Person): Promise<void> {
  const group = managedGroup(me)
  if (!group) return
  const terms = me.random.chance(0.5) ? { maxUses: me.random.whole(1, 3) } : {}
  const { data } = await me.do('create invite', Invite, { conversationId: group.id, ...terms }, (d) => d.createInvite)
  if (data) me.known.addInvitation({ ...data.createInvite.invite, group })
}

async function leave(me: Person): Promise<void> {
  // An owner leaves less often: the group passes to another member, which everybody else must learn first.
  const group = me.draw(conversationsOf(me).filter(({ isGroup, owner }) => isGroup && (owner !== me || me.random.chance(0.3))))
  if (!group) return
  const { data, refused } = await me.do('leave', Leave, { conversationId: group.id }, (d) => d.leaveConversation)
  if (data) group.formerMembers.add(me)
  if (data || refused === 'NOT_FOUND') group.removeMember(me)
}

async function readGroup(me: Person): Promise<void> {
  const groups = conversationsOf(me).filter(({ isGroup }) => isGroup)
  const group = me.draw(groups.filter(({ owner }) => owner === null)) ?? me.draw(groups)
  if (!group) return
  const data = await me.ask('read group', GroupMembers, { id: group.id })
  if (data?.conversation) me.known.learn(data.conversation)
  else if (data) group.removeMember(me)
}

const onMessages: readonly Operation[] = [
  [
    'edit',
    7,
    (me) => {
      const text = `edited ${me.random.fraction()}`
      const own = ownMessage(me)
      return own && me.do('edit', Edit, { messageId: own.id, text }, (d) => d.editMessage)
    },
  ],
  [
    'delete',
    2,
    (me) => {
      const own = ownMessage(me)
      return own && me.do('delete', Delete, { messageId: own.id }, (d) => d.deleteMessage)
    },
  ],
  [
    'react',
    6,
    (me) => {
      const message = anyMessage(me)
      return message && me.do('react', React, { messageId: message.id, emoji: me.random.one(emoji) }, (d) => d.addReaction)
    },
  ],
  [
    'unreact',
    2,
    (me) => {
      const message = anyMessage(me)
      return message && me.do('unreact', Unreact, { messageId: message.id, emoji: me.random.one(emoji) }, (d) => d.removeReaction)
    },
  ],
  [
    'pin',
    4,
    (me) => {
      const message = messageToPin(me)
      if (!message) return
      return me.do(
        'pin',
        Pin,
        { messageId: message.id },
        (d) => d.pinMessage,
        (model) => model.isPinned(messageIdOf(message)),
      )
    },
  ],
  [
    'unpin',
    2,
    (me) => {
      const message = messageToPin(me)
      if (!message) return
      return me.do(
        'unpin',
        Unpin,
        { messageId: message.id },
        (d) => d.unpinMessage,
        (model) => !model.isPinned(messageIdOf(message)),
      )
    },
  ],
]

const onOwnSettings: readonly Operation[] = [
  [
    'hide',
    2,
    (me) => {
      const message = anyMessage(me)
      if (!message) return
      const holds = (model: Model) => model.hides(me.userId, messageIdOf(message))
      return me.do('hide', Hide, { messageId: message.id }, (d) => d.hideMessage, holds)
    },
  ],
  [
    'unhide',
    1,
    (me) => {
      const message = anyMessage(me)
      if (!message) return
      const holds = (model: Model) => !model.hides(me.userId, messageIdOf(message))
      return me.do('unhide', Unhide, { messageId: message.id }, (d) => d.unhideMessage, holds)
    },
  ],
  [
    'read',
    7,
    (me) => {
      const message = anyMessage(me)
      if (!message) return
      const { conversation, seq } = message
      const holds = (model: Model) => model.readBy(conversationIdOf(conversation), me.userId) >= seq
      return me.do('read', Read, { conversationId: conversation.id, seq }, (d) => d.markRead, holds)
    },
  ],
  [
    'archive',
    1,
    (me) => {
      const conversation = me.draw(conversationsOf(me))
      if (!conversation) return
      const archived = me.random.chance(0.6)
      const holds = (model: Model) => model.isArchived(conversationIdOf(conversation), me.userId) === archived
      return me.do('archive', Archive, { conversationId: conversation.id, archived }, (d) => d.archiveConversation, holds)
    },
  ],
]

const onGroups: readonly Operation[] = [
  ['read group', 2, readGroup],
  ['create group', 1, createGroup],
  [
    'add member',
    8,
    (me) => {
      const group = managedGroup(me)
      const person = group && me.draw(me.known.available.filter((p) => !group.members.has(p) && !group.formerMembers.has(p)))
      if (!group || !person) return
      return inGroup(me, 'add member', group, Add, { conversationId: group.id, userIds: [person.id] }, (d) => d.addMembers)
    },
  ],
  [
    'remove member',
    3,
    (me) => {
      const group = managedGroup(me)
      const person = group && me.draw([...group.members].filter((p) => p !== me))
      if (!group || !person) return
      return inGroup(me, 'remove member', group, Remove, { conversationId: group.id, userId: person.id }, (d) => d.removeMember)
    },
  ],
  ['leave', 3, leave],
  ['set role', 3, (me) => setRole(me, managedGroup(me), me.random.chance(0.7) ? 'ADMIN' : 'MEMBER')],
  ['transfer ownership', 1, (me) => setRole(me, me.draw(me.known.conversations.filter(({ owner }) => owner === me)), 'OWNER')],
  [
    'set visibility',
    2,
    (me) => {
      const group = managedGroup(me)
      if (!group) return
      const historyVisibility = me.random.one(visibilities)
      const input = { conversationId: group.id, historyVisibility }
      const holds = (model: Model) => model.settingsOf(conversationIdOf(group)).visibility === historyVisibility
      return inGroup(me, 'set visibility', group, SetVisibility, input, (d) => d.updateConversation, holds)
    },
  ],
  ['create invite', 3, createInvite],
  ['join', 4, join],
  [
    'revoke invite',
    1,
    (me) => {
      const invitation = me.draw(me.known.invitations.filter(({ group }) => group.managers.has(me)))
      return invitation && me.do('revoke invite', Revoke, { inviteId: invitation.id }, (d) => d.revokeInvite)
    },
  ],
]

/** All operations other than sending. */
export const operations: readonly Operation[] = [...onMessages, ...onOwnSettings, ...onGroups]
