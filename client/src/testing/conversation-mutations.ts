// The mutations and queries of conversations.

import type * as api from '../generated/schema-types.ts'
import { checkLine } from './accounts.ts'
import { addPeople, done, endMembership, makeConversation, tellAll } from './actions.ts'
import { requireNoBlock } from './people.ts'
import { badInput, lacks, notFound, refuse } from './refusal.ts'
import {
  checkId,
  type OwnConversation,
  requireOwn,
  requireUser,
  requireViewer,
  type TestContext,
  type TestFields,
} from './test-context.ts'
import { type PageArguments, pageOf } from './test-page.ts'
import { can, type TestCapability, unreadOf } from './visibility.ts'
import type { TestConversation, TestMember, TestUser } from './world.ts'

const [titleMax, descriptionMax, membersMax] = [120, 1_000, 100]
const slowModeMaxS = 21_600
const [pinnedMax, bansMax] = [50, 1_000]

/** A group of the viewer in which they may do something. @throws GraphQLError NOT_FOUND, BAD_INPUT, FORBIDDEN */
function requireGroup(context: TestContext, id: string, capability?: TestCapability): OwnConversation {
  const own = requireOwn(context, id)
  if (own.conversation.kind !== 'GROUP') throw badInput('input.conversationId', 'must be a group, not a direct conversation')
  if (capability && !can(capability, own.conversation, own.member))
    throw refuse('FORBIDDEN', 'Your role in this group does not allow this.')
  return own
}

/** The people to add. @throws GraphQLError NOT_FOUND, FORBIDDEN with the argument of the first who refuses */
function requireAdmission(context: TestContext, ids: readonly string[], argument: string): TestUser[] {
  const viewer = requireViewer(context)
  const users = ids.map((id) => requireUser(context, id, argument))
  const first = users.findIndex(({ id }) => context.world.hasBlocked(id, viewer.id))
  if (first >= 0) throw refuse('FORBIDDEN', 'This user does not accept messages from you.', `${argument}.${first}`)
  return [...new Set(users)]
}

function requireRoom(size: number, argument: string): void {
  if (size > membersMax) throw refuse('LIMIT_EXCEEDED', `A group can have at most ${membersMax} members.`, argument)
}

function checkDescription(text: string | null | undefined): string | null {
  const given = text?.trim() ? text : null
  if ([...(given ?? '')].length > descriptionMax)
    throw badInput('input.description', `must have at most ${descriptionMax} characters`)
  return given
}

/** Encryption needs a delivery service that orders commits. */
function requirePlain({ encryption }: { readonly encryption?: string | null }): void {
  if (encryption === 'MLS') throw lacks('encryption')
}

function startDirectConversation(_root: unknown, { input }: { input: api.StartDirectConversationInput }, context: TestContext) {
  requirePlain(input)
  const { world } = context
  const viewer = requireViewer(context)
  if (input.userId === viewer.id) throw badInput('input.userId', 'must not be yourself')
  const user = requireUser(context, input.userId, 'input.userId')
  const isOfBoth = ({ kind, members }: TestConversation) => kind === 'DIRECT' && members.has(viewer.id) && members.has(user.id)
  const known = [...world.conversations.values()].find(isOfBoth)
  if (known) return done(world, null, { conversation: known })
  requireNoBlock(world, viewer, user)
  const { conversation, fact } = makeConversation(world, 'DIRECT', [viewer, user])
  world.signal()
  return done(world, fact, { conversation })
}

function createGroup(_root: unknown, { input }: { input: api.CreateGroupInput }, context: TestContext) {
  requirePlain(input)
  const viewer = requireViewer(context)
  const others = requireAdmission(context, input.memberIds, 'input.memberIds').filter((user) => user !== viewer)
  requireRoom(others.length + 1, 'input.memberIds')
  const { conversation, fact } = makeConversation(context.world, 'GROUP', [viewer, ...others], {
    title: checkLine(input.title, titleMax, 'input.title'),
    description: checkDescription(input.description),
    data: input.data ?? null,
    historyVisibility: input.historyVisibility ?? 'ALL',
  })
  context.world.signal()
  return done(context.world, fact, { conversation })
}

function updateConversation(_root: unknown, { input }: { input: api.UpdateConversationInput }, context: TestContext) {
  const { conversation } = requireGroup(context, input.conversationId, 'EDIT')
  if (input.avatarId !== undefined) throw lacks('avatars')
  const { slowModeS = null } = input
  if (slowModeS !== null && (slowModeS < 0 || slowModeS > slowModeMaxS))
    throw badInput('input.slowModeS', `must be between 0 and ${slowModeMaxS}`)
  const settings = {
    title: input.title == null ? conversation.title : checkLine(input.title, titleMax, 'input.title'),
    description: input.description === undefined ? conversation.description : checkDescription(input.description),
    historyVisibility: input.historyVisibility ?? conversation.historyVisibility,
    data: input.data === undefined ? conversation.data : input.data,
    slowModeS: slowModeS ?? conversation.slowModeS,
    announcementsOnly: input.announcementsOnly ?? conversation.announcementsOnly,
  }
  const { title, description, historyVisibility, data, announcementsOnly } = conversation
  const now = { title, description, historyVisibility, data, slowModeS: conversation.slowModeS, announcementsOnly }
  if (JSON.stringify(settings) === JSON.stringify(now)) return done(context.world, null, { conversation })
  Object.assign(conversation, settings)
  return done(context.world, tellAll(context.world, conversation, 'ConversationUpdated'), { conversation })
}

function addMembers(_root: unknown, { input }: { input: api.AddMembersInput }, context: TestContext) {
  const { conversation } = requireGroup(context, input.conversationId, 'ADD_MEMBERS')
  const { members, leavers } = conversation
  for (const id of input.userIds) checkId('User', id, 'input.userIds')
  const added = [...new Set(input.userIds)].filter((id) => !members.has(id))
  requireRoom(members.size + added.length, 'input.userIds')
  const gone = input.userIds.findIndex((id) => leavers.has(id))
  if (gone >= 0) throw refuse('FORBIDDEN', 'This user has left the group. Send them an invite link.', `input.userIds.${gone}`)
  const banned = input.userIds.findIndex((id) => conversation.bans.has(id))
  if (banned >= 0) throw refuse('FORBIDDEN', 'This user is banned from the group.', `input.userIds.${banned}`)
  requireAdmission(context, added, 'input.userIds')
  const fact = added.length === 0 ? null : addPeople(context.world, conversation, added)
  context.world.signal()
  return done(context.world, fact, { conversation })
}

function removeMember(_root: unknown, { input }: { input: api.RemoveMemberInput }, context: TestContext) {
  if (checkId('User', input.userId, 'input.userId') === requireViewer(context).id)
    throw badInput('input.userId', 'must not be yourself: use leaveConversation')
  const { conversation } = requireGroup(context, input.conversationId, 'REMOVE_MEMBERS')
  const member = conversation.members.get(input.userId)
  if (!member) throw notFound('Member')
  if (member.role === 'OWNER') throw refuse('FORBIDDEN', 'The owner of a group cannot be removed.')
  const fact = endMembership(context.world, conversation, member.userId)
  context.world.signal()
  return done(context.world, fact, { conversation })
}

function banMember(_root: unknown, { input }: { input: api.BanMemberInput }, context: TestContext) {
  const { world } = context
  const viewer = requireViewer(context)
  if (checkId('User', input.userId, 'input.userId') === viewer.id)
    throw badInput('input.userId', 'must not be yourself: use leaveConversation')
  const { conversation } = requireGroup(context, input.conversationId, 'REMOVE_MEMBERS')
  const { bans, members } = conversation
  const member = members.get(input.userId)
  if (member?.role === 'OWNER') throw refuse('FORBIDDEN', 'The owner of a group cannot be banned.')
  const { id: userId } = requireUser(context, input.userId, 'input.userId')
  if (bans.has(userId)) return done(world, null, { conversation })
  if (bans.size >= bansMax) throw refuse('LIMIT_EXCEEDED', `A group can have at most ${bansMax} bans. Lift one first.`)
  bans.set(userId, { userId, bannedBy: viewer.id, bannedAt: world.journal.now() })
  if (member) endMembership(world, conversation, userId)
  const fact = tellAll(world, conversation, 'ConversationUpdated')
  world.signal()
  return done(world, fact, { conversation })
}

function unbanMember(_root: unknown, { input }: { input: api.UnbanMemberInput }, context: TestContext) {
  const { conversation } = requireGroup(context, input.conversationId, 'REMOVE_MEMBERS')
  const isLifted = conversation.bans.delete(checkId('User', input.userId, 'input.userId'))
  return done(context.world, isLifted ? tellAll(context.world, conversation, 'ConversationUpdated') : null, { conversation })
}

function leaveConversation(_root: unknown, { input }: { input: api.LeaveConversationInput }, context: TestContext) {
  const { conversation, member } = requireGroup(context, input.conversationId)
  const others = [...conversation.members.values()].filter((other) => other !== member)
  const heir = member.role === 'OWNER' ? (others.find(({ role }) => role === 'ADMIN') ?? others[0]) : undefined
  conversation.leavers.add(member.userId)
  if (heir) {
    heir.role = 'OWNER'
    tellAll(context.world, conversation, 'MemberUpdated', { userId: heir.userId })
  }
  const fact = endMembership(context.world, conversation, member.userId)
  context.world.signal()
  return done(context.world, fact, { conversation })
}

function setMemberRole(_root: unknown, { input }: { input: api.SetMemberRoleInput }, context: TestContext) {
  const { conversation, member: own } = requireGroup(context, input.conversationId, 'CHANGE_ROLES')
  const member = conversation.members.get(checkId('User', input.userId, 'input.userId'))
  if (!member) throw notFound('Member')
  if (member.role === input.role) return done(context.world, null, { conversation })
  if (member.role === 'OWNER' || (input.role === 'OWNER' && own.role !== 'OWNER'))
    throw refuse('FORBIDDEN', 'Only the owner can hand over the group, and only to another member.')
  const changes: [TestMember, api.MemberRole][] = [
    ...(input.role === 'OWNER' ? [[own, 'ADMIN'] as [TestMember, 'ADMIN']] : []),
    [member, input.role],
  ]
  const facts = changes.map(([each, role]) => {
    each.role = role
    return tellAll(context.world, conversation, 'MemberUpdated', { userId: each.userId })
  })
  return done(context.world, facts.at(-1) ?? null, { conversation })
}

/** Changes what only the member sees of their membership. */
function changeOwn(context: TestContext, id: string, change: (member: TestMember) => boolean) {
  const { conversation, member } = requireOwn(context, id)
  const about = { conversationId: conversation.id, userId: member.userId }
  const fact = change(member) ? context.world.journal.append('MembershipUpdated', [member.userId], about) : null
  return done(context.world, fact, { conversation })
}

export const conversationMutations: TestFields = {
  startDirectConversation,
  createGroup,
  updateConversation,
  addMembers,
  removeMember,
  leaveConversation,
  setMemberRole,
  banMember,
  unbanMember,
  muteConversation: (
    _root: unknown,
    { input }: { input: { conversationId: string; until?: Date | null } },
    context: TestContext,
  ) =>
    changeOwn(context, input.conversationId, (member) => {
      const until = input.until ?? null
      if (until && until.getTime() <= Date.now()) throw badInput('input.until', 'must be in the future')
      const isChange = member.mutedUntil?.getTime() !== until?.getTime()
      member.mutedUntil = until
      return isChange
    }),
  archiveConversation: (_root: unknown, { input }: { input: api.ArchiveConversationInput }, context: TestContext) =>
    changeOwn(context, input.conversationId, (member) => {
      if ((member.archivedAt !== null) === input.archived) return false
      member.archivedAt = input.archived ? new Date() : null
      return true
    }),
  pinConversation: (_root: unknown, { input }: { input: api.PinConversationInput }, context: TestContext) =>
    changeOwn(context, input.conversationId, (member) => {
      if ((member.pinnedAt !== null) === input.pinned) return false
      const isOwnPin = ({ members }: TestConversation) => members.get(member.userId)?.pinnedAt != null
      if (input.pinned && ownConversations(context).filter(isOwnPin).length >= pinnedMax)
        throw refuse('LIMIT_EXCEEDED', `You can pin at most ${pinnedMax} conversations. Unpin one first.`)
      member.pinnedAt = input.pinned ? new Date() : null
      return true
    }),
  markUnread: (_root: unknown, { input }: { input: api.MarkUnreadInput }, context: TestContext) =>
    changeOwn(context, input.conversationId, (member) => {
      if ((member.markedUnreadAt !== null) === input.unread) return false
      member.markedUnreadAt = input.unread ? new Date() : null
      return true
    }),
}

/** The conversations of the viewer, most recent activity first. */
function ownConversations(context: TestContext): TestConversation[] {
  const viewer = requireViewer(context)
  const own = [...context.world.conversations.values()].filter(({ members }) => members.has(viewer.id))
  return own.sort((a, b) => b.lastPosition - a.lastPosition)
}

type ListArguments = PageArguments & {
  readonly archived?: boolean | null
  readonly pinned?: boolean | null
  readonly query?: string | null
}

export const conversationQueries: TestFields = {
  conversation: (_root: unknown, { id }: { id: string }, context: TestContext) => {
    const found = context.world.conversations.get(checkId('Conversation', id, 'id'))
    return found?.members.has(requireViewer(context).id) ? found : null
  },
  conversations: (_root: unknown, { archived, pinned, query, ...args }: ListArguments, context: TestContext) => {
    const viewer = requireViewer(context)
    const text = (query ?? '').trim().toLowerCase()
    const namesOf = ({ kind, title, members }: TestConversation) => {
      const others = kind === 'DIRECT' ? [...members.keys()].filter((id) => id !== viewer.id) : []
      return [title ?? '', ...others.map((id) => context.world.users.get(id)?.displayName ?? '')].join(' ').toLowerCase()
    }
    const isArchived = ({ members }: TestConversation) => members.get(viewer.id)?.archivedAt != null
    const isPinned = ({ members }: TestConversation) => members.get(viewer.id)?.pinnedAt != null
    const isWanted = (each: TestConversation) =>
      (archived == null || isArchived(each) === archived) && (pinned == null || isPinned(each) === pinned)
    const found = ownConversations(context).filter((each) => isWanted(each) && namesOf(each).includes(text))
    return pageOf(found, ({ lastPosition }) => -lastPosition, args)
  },
  unreadTotals: (_root: unknown, _args: object, context: TestContext) => {
    const viewer = requireViewer(context)
    const isMuted = ({ members }: TestConversation) => Number(members.get(viewer.id)?.mutedUntil ?? 0) > Date.now()
    const unread = ownConversations(context)
      .filter((each) => !isMuted(each))
      .map((each) => unreadOf(context, each))
      .filter(({ count }) => count > 0)
    const sum = (count: (each: ReturnType<typeof unreadOf>) => number) => unread.reduce((all, each) => all + count(each), 0)
    return { conversations: unread.length, messages: sum(({ count }) => count), mentions: sum(({ mentions }) => mentions) }
  },
}
