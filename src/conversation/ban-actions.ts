// Bans from a group. A ban is checked with the group locked, wherever somebody joins.

import { isTenantOf } from '../account/tenant.ts'
import { badInput, notFound, ParleyError } from '../errors.ts'
import type { ConversationId, UserId } from '../id.ts'
import type { App } from '../parts.ts'
import type { Viewer } from '../viewer.ts'
import type { Done } from './actions.ts'
import { findBanned } from './bans.ts'
import { canRemove } from './capabilities.ts'
import { conversationUpdated, memberLeft } from './events.ts'
import { lockGroup, requireCapability } from './group-actions.ts'

/** The most bans of a group. */
export const bansMax = 1_000

const fellow = `select 1 from "user" where id = $1 and deleted_at is null and ${isTenantOf('tenant', '$2')} for key share`

/**
 * Bans a user from a group, and removes them if they are a member. Banning them again changes nothing.
 * @throws ParleyError NOT_FOUND, FORBIDDEN for a plain member, or for banning the owner, BAD_INPUT for the viewer, LIMIT_EXCEEDED
 */
export async function banMember(by: Viewer, conversationId: ConversationId, userId: UserId, app: App): Promise<Done> {
  if (userId === by.userId) throw badInput('input.userId', 'must not be yourself: use leaveConversation')
  const { place } = await app.journal.writing(async (tx) => {
    const { members } = await lockGroup(tx, by, conversationId)
    const actor = requireCapability('REMOVE_MEMBERS', members.get(by.userId))
    const role = members.get(userId)
    if (role && !canRemove(actor, role)) throw new ParleyError('FORBIDDEN', 'The owner of a group cannot be banned.')
    if ((await tx.$queryRawUnsafe<unknown[]>(fellow, userId, by.userId)).length === 0) throw notFound('User')
    if ((await findBanned(tx, conversationId, [userId])).length > 0) return { result: undefined, facts: [] }
    if ((await tx.ban.count({ where: { conversationId } })) >= bansMax) {
      throw new ParleyError('LIMIT_EXCEEDED', `A group can have at most ${bansMax} bans. Lift one first.`)
    }
    await tx.ban.create({ data: { conversationId, userId, bannedBy: by.userId } })
    await tx.member.deleteMany({ where: { conversationId, userId } })
    const leaving = role ? [memberLeft(conversationId, userId, by.userId)] : []
    return { result: undefined, facts: [...leaving, conversationUpdated(conversationId, by.userId)] }
  })
  return { conversationId, place }
}

/**
 * Lifts a ban: the user may join again. Does nothing if there is none.
 * @throws ParleyError NOT_FOUND, FORBIDDEN for a plain member
 */
export async function unbanMember(by: Viewer, conversationId: ConversationId, userId: UserId, app: App): Promise<Done> {
  const { place } = await app.journal.writing(async (tx) => {
    const { members } = await lockGroup(tx, by, conversationId)
    requireCapability('REMOVE_MEMBERS', members.get(by.userId))
    const { count } = await tx.ban.deleteMany({ where: { conversationId, userId } })
    return { result: undefined, facts: count === 0 ? [] : [conversationUpdated(conversationId, by.userId)] }
  })
  return { conversationId, place }
}
