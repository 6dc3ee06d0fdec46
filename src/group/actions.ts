// What one does with groups. Permission is checked inside the transaction that writes, with the conversation locked; the
// journal checks once more, under its lock, that the actor is still in the audience.

import type { App } from '../app.ts'
import { type Done, requireUsers } from '../conversation/actions.ts'
import { type Capability, can, canRemove, canSetRole, type Role } from '../conversation/capabilities.ts'
import { joining, memberLeft, memberUpdated } from '../conversation/events.ts'
import { badInput, notFound, ParleyError } from '../errors.ts'
import type { Prisma } from '../store/store.ts'
import type { Viewer } from '../viewer.ts'

type Transaction = Prisma.TransactionClient

/**
 * Creates a group of the viewer, who owns it, and others.
 * @throws ParleyError NOT_FOUND for an unknown user, LIMIT_EXCEEDED
 */
export async function createGroup(by: Viewer, title: string, memberIds: readonly number[], app: App): Promise<Done> {
  const others = [...new Set(memberIds)].filter((id) => id !== by.userId)
  requireRoom(others.length + 1, 'input.memberIds', app)
  const { result, place } = await app.journal.writing(async (tx) => {
    await requireUsers(tx, others, 'input.memberIds')
    const conversation = await tx.conversation.create({ data: { kind: 'GROUP', title } })
    const conversationId = Number(conversation.id)
    await tx.member.createMany({
      data: [{ conversationId, userId: by.userId, role: 'OWNER' }, ...others.map((userId) => ({ conversationId, userId }))],
    })
    return { result: conversationId, facts: joining(conversationId, [by.userId, ...others], by.userId) }
  })
  return { conversationId: result, place }
}

/**
 * Adds people to a group; who is in it already is passed over.
 * @throws ParleyError NOT_FOUND, FORBIDDEN for a plain member, LIMIT_EXCEEDED, BAD_INPUT for a direct conversation
 */
export async function addMembers(by: Viewer, conversationId: number, userIds: readonly number[], app: App): Promise<Done> {
  const { place } = await app.journal.writing(async (tx) => {
    const members = await lockGroup(tx, by, conversationId)
    requireCapability('ADD_MEMBERS', members.get(by.userId))
    const added = [...new Set(userIds)].filter((id) => !members.has(id))
    requireRoom(members.size + added.length, 'input.userIds', app)
    await requireUsers(tx, added, 'input.userIds')
    await tx.member.createMany({ data: added.map((userId) => ({ conversationId, userId })) })
    return { result: undefined, facts: joining(conversationId, added, by.userId) }
  })
  return { conversationId, place }
}

/**
 * Removes somebody from a group.
 * @throws ParleyError NOT_FOUND, FORBIDDEN for a plain member and for the removal of an owner, BAD_INPUT for oneself
 */
export async function removeMember(by: Viewer, conversationId: number, userId: number, app: App): Promise<Done> {
  if (userId === by.userId) throw badInput('input.userId', 'is yourself: use leaveConversation')
  const { place } = await app.journal.writing(async (tx) => {
    const members = await lockGroup(tx, by, conversationId)
    const actor = requireCapability('REMOVE_MEMBERS', members.get(by.userId))
    const role = members.get(userId)
    if (!role) throw notFound('Member')
    if (!canRemove(actor, role)) throw new ParleyError('FORBIDDEN', 'The owner of a group cannot be removed')
    await tx.member.delete({ where: { conversationId_userId: { conversationId, userId } } })
    return { result: undefined, facts: [memberLeft(conversationId, userId, by.userId)] }
  })
  return { conversationId, place }
}

/**
 * Gives a member of a group a role. OWNER hands the group over: its former owner becomes an admin. An admin may step down.
 * @throws ParleyError NOT_FOUND, FORBIDDEN where the role of either does not allow it, BAD_INPUT for a direct conversation
 */
export async function setMemberRole(by: Viewer, conversationId: number, userId: number, role: Role, app: App): Promise<Done> {
  const { place } = await app.journal.writing(async (tx) => {
    const members = await lockGroup(tx, by, conversationId)
    const actor = requireCapability('CHANGE_ROLES', members.get(by.userId))
    const before = members.get(userId)
    if (!before) throw notFound('Member')
    if (before === role) return { result: undefined, facts: [] }
    if (!canSetRole(actor, before, role))
      throw new ParleyError('FORBIDDEN', 'The owner alone hands a group over, to another member')
    // The former owner first: a group never has two.
    const changes: [number, Role][] =
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
 * Leaves a group. An owner who leaves hands it over: to the admin, else to the member, who has been in it longest.
 * @throws ParleyError NOT_FOUND, BAD_INPUT for a direct conversation
 */
export async function leaveConversation(by: Viewer, conversationId: number, app: App): Promise<Done> {
  const { place } = await app.journal.writing(async (tx) => {
    const members = await lockGroup(tx, by, conversationId)
    const isOwner = members.get(by.userId) === 'OWNER'
    const others = [...members].filter(([userId]) => userId !== by.userId)
    const heir = isOwner ? (others.find(([, role]) => role === 'ADMIN') ?? others[0])?.[0] : undefined
    await tx.member.delete({ where: { conversationId_userId: { conversationId, userId: by.userId } } })
    const facts = []
    if (heir !== undefined) {
      await tx.member.update({ where: { conversationId_userId: { conversationId, userId: heir } }, data: { role: 'OWNER' } })
      facts.push(memberUpdated(conversationId, heir, by.userId))
    }
    return { result: undefined, facts: [...facts, memberLeft(conversationId, by.userId, by.userId)] }
  })
  return { conversationId, place }
}

/**
 * Locks a group until COMMIT, so that its members change by one request at a time, and gives the members, the longest in it
 * first. @throws ParleyError NOT_FOUND unless the viewer is one of them, BAD_INPUT for a direct conversation
 */
async function lockGroup(tx: Transaction, by: Viewer, conversationId: number): Promise<Map<number, Role>> {
  const [conversation] = await tx.$queryRaw<{ kind: string }[]>`
    select kind::text from conversation where id = ${conversationId} for no key update`
  const rows = await tx.member.findMany({ where: { conversationId }, orderBy: [{ joinedAt: 'asc' }, { userId: 'asc' }] })
  const members = new Map(rows.map(({ userId, role }) => [Number(userId), role]))
  if (!conversation || !members.has(by.userId)) throw notFound('Conversation')
  if (conversation.kind !== 'GROUP') throw badInput('input.conversationId', 'is a direct conversation: its two members are fixed')
  return members
}

/** The role of somebody who may do this. @throws ParleyError FORBIDDEN for anybody else */
export function requireCapability(capability: Capability, role: Role | undefined): Role {
  if (role && can(capability, 'GROUP', role)) return role
  throw new ParleyError('FORBIDDEN', 'Your role in this group does not allow it')
}

function requireRoom(size: number, argument: string, app: App): void {
  const max = app.config.limits.groupMembersMax
  if (size > max) throw new ParleyError('LIMIT_EXCEEDED', `A group has at most ${max} members`, { argument })
}
