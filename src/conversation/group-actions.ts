// Group actions. The transaction that writes checks the permission, with the conversation locked; the journal checks again,
// under its own lock, that the actor is still in the audience.

import { tenantOf } from '../account/tenant.ts'
import { retireAvatar } from '../attachment/avatars.ts'
import { requireAdmission } from '../contact/reach.ts'
import { reaching } from '../contact/strangers.ts'
import { badInput, notFound, ParleyError } from '../errors.ts'
import { type AttachmentId, attachmentIdOf, type ConversationId, conversationIdOf, type UserId, userIdOf } from '../id.ts'
import type { NewFact } from '../journal/fact.ts'
import type { App } from '../parts.ts'
import { jsonColumn } from '../store/json-column.ts'
import type { Transaction } from '../store/store.ts'
import type { Viewer } from '../viewer.ts'
import type { Done } from './actions.ts'
import { findBanned } from './bans.ts'
import { type Capability, can, canRemove, canSetRole, type Kind, type Role } from './capabilities.ts'
import type { Encryption, HistoryVisibility } from './events.ts'
import { conversationUpdated, joining, memberLeft, memberUpdated, starting } from './events.ts'

/** The settings of a group. */
export type Settings = {
  readonly title: string
  readonly description: string | null
  readonly historyVisibility: HistoryVisibility
  readonly avatarId: AttachmentId | null
  /** Custom data of the app, as JSON text. */
  readonly data: string | null
  /** How many seconds must pass between two messages of a member; 0 for none. */
  readonly slowModeS: number
  /** Whether only members who may announce can write. */
  readonly announcementsOnly: boolean
}

/**
 * Creates a group of other users that the viewer owns.
 * @throws ParleyError NOT_FOUND for an unknown user, FORBIDDEN if a user does not allow the viewer to add them, LIMIT_EXCEEDED,
 *   RATE_LIMITED (`reaching`)
 */
export async function createGroup(
  by: Viewer,
  settings: Pick<Settings, 'title' | 'description' | 'historyVisibility' | 'data'> & { readonly encryption: Encryption },
  memberIds: readonly UserId[],
  app: App,
): Promise<Done> {
  const others = [...new Set(memberIds)].filter((id) => id !== by.userId)
  requireRoom(others.length + 1, 'input.memberIds', app)
  const create = async (tx: Transaction) => {
    await requireAdmission(tx, by, { added: others, named: memberIds, argument: 'input.memberIds' })
    const tenant = await tenantOf(tx, by.userId)
    const data = { kind: 'GROUP', ...settings, tenant, data: jsonColumn(settings.data) } as const
    const conversation = await tx.conversation.create({ data })
    const conversationId = conversationIdOf(conversation.id)
    await tx.member.createMany({
      data: [{ conversationId, userId: by.userId, role: 'OWNER' }, ...others.map((userId) => ({ conversationId, userId }))],
    })
    const facts = joining(conversationId, [by.userId, ...others], by.userId, settings.historyVisibility)
    return { result: conversationId, facts: starting(settings.encryption, facts) }
  }
  const { result, place } = await reaching(by, others, app, () => app.journal.writing(create))
  return { conversationId: result, place }
}

/**
 * Changes settings of a group. Omitted settings stay unchanged.
 * @throws ParleyError NOT_FOUND, FORBIDDEN for a plain member, BAD_INPUT for a direct conversation
 */
export async function updateConversation(
  by: Viewer,
  conversationId: ConversationId,
  changes: Partial<Settings>,
  app: App,
): Promise<Done> {
  const { place } = await app.journal.writing(async (tx) => {
    const group = await lockGroup(tx, by, conversationId)
    requireCapability('EDIT_CONVERSATION', group.members.get(by.userId))
    const { title, description, historyVisibility, avatarId, data, slowModeS, announcementsOnly } = { ...group, ...changes }
    const settings = { title, description, historyVisibility, avatarId, data, slowModeS, announcementsOnly }
    const names = Object.keys(settings) as (keyof typeof settings)[]
    if (names.every((name) => settings[name] === group[name])) return { result: undefined, facts: [] }
    await tx.conversation.update({ where: { id: conversationId }, data: { ...settings, data: jsonColumn(data) } })
    if (avatarId !== group.avatarId) await retireAvatar(tx, group.avatarId)
    return { result: undefined, facts: [conversationUpdated(conversationId, by.userId)] }
  })
  return { conversationId, place }
}

/**
 * Adds users to a group. Ignores users who are already members.
 * @throws ParleyError NOT_FOUND, FORBIDDEN for a plain member, or if a user does not allow the viewer to add them or has left
 *   the group, LIMIT_EXCEEDED, BAD_INPUT for a direct conversation, RATE_LIMITED (`reaching`)
 */
export async function addMembers(
  by: Viewer,
  conversationId: ConversationId,
  userIds: readonly UserId[],
  app: App,
): Promise<Done> {
  const add = async (tx: Transaction) => {
    const group = await lockGroup(tx, by, conversationId)
    requireCapability('ADD_MEMBERS', group.members.get(by.userId))
    const added = [...new Set(userIds)].filter((id) => !group.members.has(id))
    requireRoom(group.members.size + added.length, 'input.userIds', app)
    await requireNotDeparted(tx, conversationId, userIds)
    await requireNotBanned(tx, conversationId, userIds)
    await requireAdmission(tx, by, { added, named: userIds, argument: 'input.userIds' })
    return { result: undefined, facts: await admit(tx, group, added, by.userId) }
  }
  const { place } = await reaching(by, userIds, app, () => app.journal.writing(add))
  return { conversationId, place }
}

/**
 * Removes a member from a group.
 * @throws ParleyError NOT_FOUND, FORBIDDEN for a plain member, or for removing the owner, BAD_INPUT for the viewer
 */
export async function removeMember(by: Viewer, conversationId: ConversationId, userId: UserId, app: App): Promise<Done> {
  if (userId === by.userId) throw badInput('input.userId', 'must not be yourself: use leaveConversation')
  const { place } = await app.journal.writing(async (tx) => {
    const { members } = await lockGroup(tx, by, conversationId)
    const actor = requireCapability('REMOVE_MEMBERS', members.get(by.userId))
    const role = members.get(userId)
    if (!role) throw notFound('Member')
    if (!canRemove(actor, role)) throw new ParleyError('FORBIDDEN', 'The owner of a group cannot be removed.')
    await tx.member.delete({ where: { conversationId_userId: { conversationId, userId } } })
    return { result: undefined, facts: [memberLeft(conversationId, userId, by.userId)] }
  })
  return { conversationId, place }
}

/**
 * Changes the role of a member. OWNER hands the group over: the former owner becomes an admin. An admin may step down.
 * @throws ParleyError NOT_FOUND, FORBIDDEN if the role of either does not allow it, BAD_INPUT for a direct conversation
 */
export async function setMemberRole(
  by: Viewer,
  conversationId: ConversationId,
  userId: UserId,
  role: Role,
  app: App,
): Promise<Done> {
  const { place } = await app.journal.writing(async (tx) => {
    const { members } = await lockGroup(tx, by, conversationId)
    const actor = requireCapability('CHANGE_ROLES', members.get(by.userId))
    const before = members.get(userId)
    if (!before) throw notFound('Member')
    if (before === role) return { result: undefined, facts: [] }
    if (!canSetRole(actor, before, role))
      throw new ParleyError('FORBIDDEN', 'Only the owner can hand over the group, and only to another member.')
    // The former owner first: a group never has two owners.
    const changes: [UserId, Role][] =
      role === 'OWNER'
        ? [
            [by.userId, 'ADMIN'],
            [userId, role],
          ]
        : [[userId, role]]
    for (const [id, next] of changes) {
      await tx.member.update({ where: { conversationId_userId: { conversationId, userId: id } }, data: { role: next } })
    }
    return { result: undefined, facts: changes.map(([id]) => memberUpdated(conversationId, id, by.userId)) }
  })
  return { conversationId, place }
}

/**
 * Leaves a group. The viewer can return only with an invite link. If the owner leaves, the longest-standing admin becomes the
 * owner, or the longest-standing member if there is no admin.
 * @throws ParleyError NOT_FOUND, BAD_INPUT for a direct conversation
 */
export async function leaveConversation(by: Viewer, conversationId: ConversationId, app: Pick<App, 'journal'>): Promise<Done> {
  const { place } = await app.journal.writing(async (tx) => {
    const { members } = await lockGroup(tx, by, conversationId)
    const isOwner = members.get(by.userId) === 'OWNER'
    const others = [...members].filter(([userId]) => userId !== by.userId)
    const heir = isOwner ? (others.find(([, role]) => role === 'ADMIN') ?? others[0])?.[0] : undefined
    await tx.member.delete({ where: { conversationId_userId: { conversationId, userId: by.userId } } })
    await tx.departure.createMany({ data: { conversationId, userId: by.userId }, skipDuplicates: true })
    const facts = []
    if (heir !== undefined) {
      await tx.member.update({ where: { conversationId_userId: { conversationId, userId: heir } }, data: { role: 'OWNER' } })
      facts.push(memberUpdated(conversationId, heir, by.userId))
    }
    return { result: undefined, facts: [...facts, memberLeft(conversationId, by.userId, by.userId)] }
  })
  return { conversationId, place }
}

/** A locked group, with its members in the order in which they joined. */
export type LockedGroup = Settings & {
  readonly id: ConversationId
  readonly tenant: string | null
  /** It is being filled with messages of another system, and has no members yet. */
  readonly isImporting: boolean
  readonly members: ReadonlyMap<UserId, Role>
}

/** Makes users members of a locked group. The caller has checked that there is room and that they are not members yet. */
export async function admit(
  tx: Transaction,
  group: LockedGroup,
  userIds: readonly UserId[],
  actorId: UserId | null,
): Promise<NewFact[]> {
  await tx.member.createMany({ data: userIds.map((userId) => ({ conversationId: group.id, userId })) })
  return joining(group.id, userIds, actorId, group.historyVisibility)
}

/**
 * Locks a group until COMMIT, so that only one request at a time changes its members and settings.
 * @throws ParleyError NOT_FOUND unless the viewer is a member, BAD_INPUT for a direct conversation
 */
export async function lockGroup(tx: Transaction, by: Viewer, conversationId: ConversationId): Promise<LockedGroup> {
  const found = await lockConversation(tx, conversationId)
  if (!found?.members.has(by.userId)) throw notFound('Conversation')
  if (found.kind !== 'GROUP') throw badInput('input.conversationId', 'must be a group, not a direct conversation')
  return found
}

/** Locks a conversation of either kind until COMMIT, without checking the viewer; null if it does not exist. */
export async function lockConversation(
  tx: Transaction,
  id: ConversationId,
): Promise<(LockedGroup & { readonly kind: Kind }) | null> {
  // Lock first, read in later statements: they see everything that was committed while this one waited.
  await tx.$executeRaw`select 1 from conversation where id = ${id} for no key update`
  const conversation = await tx.conversation.findUnique({ where: { id } })
  if (!conversation) return null
  const rows = await tx.member.findMany({ where: { conversationId: id }, orderBy: [{ joinedAt: 'asc' }, { userId: 'asc' }] })
  const { kind, tenant, title, description, historyVisibility, slowModeS, announcementsOnly } = conversation
  const { importing: isImporting } = conversation
  const avatarId = conversation.avatarId === null ? null : attachmentIdOf(conversation.avatarId)
  const members = new Map(rows.map(({ userId, role }) => [userIdOf(userId), role]))
  const data = conversation.data === null ? null : JSON.stringify(conversation.data)
  const settings = { title: title ?? '', description, historyVisibility, avatarId, data, slowModeS, announcementsOnly }
  return { id, kind, tenant, ...settings, isImporting, members }
}

/** @throws ParleyError FORBIDDEN with the argument of the first user who has left the group */
async function requireNotDeparted(tx: Transaction, conversationId: ConversationId, userIds: readonly UserId[]): Promise<void> {
  const rows = await tx.departure.findMany({ where: { conversationId, userId: { in: [...userIds] } }, select: { userId: true } })
  const departed = new Set(rows.map(({ userId }) => userIdOf(userId)))
  const first = userIds.findIndex((id) => departed.has(id))
  if (first < 0) return
  const message = 'This user has left the group. Send them an invite link.'
  throw new ParleyError('FORBIDDEN', message, { argument: `input.userIds.${first}` })
}

/** @throws ParleyError FORBIDDEN with the argument of the first user who is banned from the group */
async function requireNotBanned(tx: Transaction, conversationId: ConversationId, userIds: readonly UserId[]): Promise<void> {
  const banned = new Set(await findBanned(tx, conversationId, userIds))
  const first = userIds.findIndex((id) => banned.has(id))
  if (first < 0) return
  throw new ParleyError('FORBIDDEN', 'This user is banned from the group.', { argument: `input.userIds.${first}` })
}

/** Checks that a role has a capability in a group. @returns the role @throws ParleyError FORBIDDEN */
export function requireCapability(capability: Capability, role: Role | undefined): Role {
  if (role && can(capability, 'GROUP', role)) return role
  throw new ParleyError('FORBIDDEN', 'Your role in this group does not allow this.')
}

/** @throws ParleyError LIMIT_EXCEEDED with the argument, if a group of this size is too large */
export function requireRoom(size: number, argument: string, app: App): void {
  const max = app.config.limits.groupMembersMax
  if (size > max) throw new ParleyError('LIMIT_EXCEEDED', `A group can have at most ${max} members.`, { argument })
}
