// What people do beside sending: with messages, with what they keep for themselves, and with groups. Each act is one request,
// done once, wherever it may lead; what an answer says is claimed, and has to hold at its place.

import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { parseId } from '../../src/id.ts'
import type { MemberRole, StandingFragment } from '../support/generated/graphql.ts'
import {
  Add,
  Delete,
  Edit,
  Enter,
  Found,
  GiveRole,
  Invite,
  Leave,
  LookAt,
  Pin,
  Put,
  React,
  Read,
  Remove,
  Revoke,
  SetVisibility,
  Unpin,
  Unreact,
} from './documents.ts'
import { titleOf } from './history.ts'
import type { Model } from './model.ts'
import type { Person } from './person.ts'
import type { Conversation, Recent } from './world.ts'

type Doing = (me: Person) => Promise<unknown> | undefined
const emoji = ['👍', '🎉', '❤️'] as const
/** What a group is given: more often the setting that hides something. */
export const visibilities = ['ALL', 'SINCE_JOINING', 'SINCE_JOINING'] as const

const mine = (me: Person) => me.world.conversations.filter(({ members }) => members.has(me))
const anyOfMine = (me: Person) => me.draw(mine(me))
/** A message of late; as often as not one that somebody who came after it may have to know nothing of. */
const anyOf = (me: Person, messages: readonly Recent[]) => {
  const older = messages.filter(({ conversation, seq }) => seq <= conversation.seqBefore)
  return me.draw(older.length > 0 && me.random.chance(0.5) ? older : messages)
}
const anyMessage = (me: Person) =>
  anyOf(
    me,
    me.world.recent.filter(({ conversation }) => conversation.members.has(me)),
  )
const anyOwn = (me: Person) =>
  anyOf(
    me,
    me.world.recent.filter(({ sender }) => sender === me),
  )
/** A message that one believes to be entitled to pin; now and then any other. */
const anyToPin = (me: Person) => {
  const isFree = me.random.chance(0.1)
  const fits = ({ isGroup, managers, members }: Conversation) => members.has(me) && (isFree || !isGroup || managers.has(me))
  return anyOf(
    me,
    me.world.recent.filter(({ conversation }) => fits(conversation)),
  )
}
/** A group that one believes to run; now and then any other. */
const anyToRun = (me: Person) => {
  const groups = me.world.conversations.filter(({ isGroup }) => isGroup)
  const run = groups.filter(({ managers }) => managers.has(me))
  return me.draw(me.random.chance(0.05) ? groups : run)
}
/** Conversations and messages as the journal numbers them. */
const numberOf = ({ id }: Conversation) => parseId('Conversation', id, 'id')
const numberOfMessage = ({ id }: Recent) => parseId('Message', id, 'id')

type Shown = { readonly cursor?: string | null; readonly conversation: StandingFragment }

/** Acts in a group, and believes the answer; a refusal, too. */
async function inGroup<Data, Input>(
  me: Person,
  what: string,
  group: Conversation,
  document: TypedDocumentNode<Data, { input: Input }>,
  input: Input,
  answerIn: (data: Data) => Shown,
  holds?: (model: Model) => boolean,
): Promise<void> {
  const { data, refused } = await me.do(what, document, input, answerIn, holds)
  if (data) me.world.believe(answerIn(data).conversation)
  if (refused === 'NOT_FOUND') group.forget(me)
  if (refused === 'FORBIDDEN') group.demote(me)
}

async function giveRole(me: Person, group: Conversation | undefined, role: MemberRole): Promise<void> {
  const whom = group && me.draw([...group.members].filter((person) => role !== 'OWNER' || person !== me))
  if (!group || !whom) return
  const input = { conversationId: group.id, userId: whom.id, role }
  const holds = (model: Model) => model.roleOf(numberOf(group), whom.userId) === role
  await inGroup(me, role === 'OWNER' ? 'hand over' : 'role', group, GiveRole, input, (d) => d.setMemberRole, holds)
}

async function found(me: Person): Promise<void> {
  const others = me.world.free.filter((person) => person !== me)
  const memberIds = Array.from({ length: me.random.whole(1, 3) }, () => me.draw(others)?.id ?? me.id)
  const historyVisibility = me.random.one(visibilities)
  const input = { title: titleOf('A group', historyVisibility), historyVisibility, memberIds }
  const { data } = await me.do('found', Found, input, (d) => d.createGroup)
  if (data) me.world.believe(data.createGroup.conversation)
}

async function enter(me: Person): Promise<void> {
  const invitation = me.draw(me.world.invitations.filter(({ group }) => me.random.chance(0.1) || !group.members.has(me)))
  if (!invitation || !me.world.free.includes(me)) return
  const { data } = await me.do('enter', Enter, { token: invitation.token }, (d) => d.joinWithInvite)
  if (data) me.world.believe(data.joinWithInvite.conversation)
}

async function invite(me: Person): Promise<void> {
  const group = anyToRun(me)
  if (!group) return
  const terms = me.random.chance(0.5) ? { maxUses: me.random.whole(1, 3) } : {}
  const { data } = await me.do('invite', Invite, { conversationId: group.id, ...terms }, (d) => d.createInvite)
  if (data) me.world.invite({ ...data.createInvite.invite, group })
}

async function leave(me: Person): Promise<void> {
  // Who owns a group leaves it more rarely, since it is handed over to whom others have to learn.
  const group = me.draw(mine(me).filter(({ isGroup, owner }) => isGroup && (owner !== me || me.random.chance(0.3))))
  if (!group) return
  const { data, refused } = await me.do('leave', Leave, { conversationId: group.id }, (d) => d.leaveConversation)
  if (data || refused === 'NOT_FOUND') group.forget(me)
}

async function look(me: Person): Promise<void> {
  const groups = mine(me).filter(({ isGroup }) => isGroup)
  const group = me.draw(groups.filter(({ owner }) => owner === null)) ?? me.draw(groups)
  if (!group) return
  const data = await me.ask('look', LookAt, { id: group.id })
  if (data?.conversation) me.world.believe(data.conversation)
  else if (data) group.forget(me)
}

const ofMessages: readonly (readonly [string, number, Doing])[] = [
  [
    'edit',
    7,
    (me) => {
      const text = `edited ${me.random.fraction()}`
      const own = anyOwn(me)
      return own && me.do('edit', Edit, { messageId: own.id, text }, (d) => d.editMessage)
    },
  ],
  [
    'delete',
    2,
    (me) => {
      const own = anyOwn(me)
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
      const message = anyToPin(me)
      if (!message) return
      return me.do(
        'pin',
        Pin,
        { messageId: message.id },
        (d) => d.pinMessage,
        (model) => model.isPinned(numberOfMessage(message)),
      )
    },
  ],
  [
    'unpin',
    2,
    (me) => {
      const message = anyToPin(me)
      if (!message) return
      return me.do(
        'unpin',
        Unpin,
        { messageId: message.id },
        (d) => d.unpinMessage,
        (model) => !model.isPinned(numberOfMessage(message)),
      )
    },
  ],
]

const ofOneself: readonly (readonly [string, number, Doing])[] = [
  [
    'read',
    7,
    (me) => {
      const message = anyMessage(me)
      if (!message) return
      const { conversation, seq } = message
      const holds = (model: Model) => model.readBy(numberOf(conversation), me.userId) >= seq
      return me.do('read', Read, { conversationId: conversation.id, seq }, (d) => d.markRead, holds)
    },
  ],
  [
    'archive',
    1,
    (me) => {
      const conversation = anyOfMine(me)
      if (!conversation) return
      const archived = me.random.chance(0.6)
      const holds = (model: Model) => model.isArchived(numberOf(conversation), me.userId) === archived
      return me.do('archive', Put, { conversationId: conversation.id, archived }, (d) => d.archiveConversation, holds)
    },
  ],
]

const ofGroups: readonly (readonly [string, number, Doing])[] = [
  ['look', 2, look],
  ['found', 1, found],
  [
    'add',
    8,
    (me) => {
      const group = anyToRun(me)
      const person = group && me.draw(me.world.free.filter((p) => !group.members.has(p)))
      if (!group || !person) return
      return inGroup(me, 'add', group, Add, { conversationId: group.id, userIds: [person.id] }, (d) => d.addMembers)
    },
  ],
  [
    'remove',
    3,
    (me) => {
      const group = anyToRun(me)
      const person = group && me.draw([...group.members].filter((p) => p !== me))
      if (!group || !person) return
      return inGroup(me, 'remove', group, Remove, { conversationId: group.id, userId: person.id }, (d) => d.removeMember)
    },
  ],
  ['leave', 3, leave],
  ['role', 3, (me) => giveRole(me, anyToRun(me), me.random.chance(0.7) ? 'ADMIN' : 'MEMBER')],
  ['hand over', 1, (me) => giveRole(me, me.draw(me.world.conversations.filter(({ owner }) => owner === me)), 'OWNER')],
  [
    'set visibility',
    2,
    (me) => {
      const group = anyToRun(me)
      if (!group) return
      const historyVisibility = me.random.one(visibilities)
      const input = { conversationId: group.id, historyVisibility }
      const holds = (model: Model) => model.settingsOf(numberOf(group)).visibility === historyVisibility
      return inGroup(me, 'set visibility', group, SetVisibility, input, (d) => d.updateConversation, holds)
    },
  ],
  ['invite', 3, invite],
  ['enter', 4, enter],
  [
    'revoke',
    1,
    (me) => {
      const invitation = me.draw(me.world.invitations.filter(({ group }) => group.managers.has(me)))
      return invitation && me.do('revoke', Revoke, { inviteId: invitation.id }, (d) => d.revokeInvite)
    },
  ],
]

/** All acts beside sending, each with its share of a hundred. */
export const acts: readonly (readonly [string, number, Doing])[] = [...ofMessages, ...ofOneself, ...ofGroups]
