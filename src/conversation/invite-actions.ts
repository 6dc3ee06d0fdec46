// Invite actions. Each action locks the group first, so that only one at a time counts uses, checks permissions and checks for
// room.

import { randomBytes } from 'node:crypto'
import { requireUsers } from '../contact/reach.ts'
import { notFound, ParleyError } from '../errors.ts'
import { type ConversationId, conversationIdOf } from '../id.ts'
import type { Place } from '../journal/fact.ts'
import type { App } from '../parts.ts'
import type { Transaction } from '../store/store.ts'
import type { Viewer } from '../viewer.ts'
import type { Done } from './actions.ts'
import { findBanned } from './bans.ts'
import { can } from './capabilities.ts'
import { invitesChanged } from './events.ts'
import { admit, type LockedGroup, lockConversation, lockGroup, requireCapability, requireRoom } from './group-actions.ts'
import { isForTenantOf, isOpen, tokenForm, tryingInvite } from './invite-access.ts'

const usable = `${isOpen} and ${isForTenantOf('$2')}`

/** The most open invites of a group. */
export const openInvitesMax = 100

/** A committed action on an invite. `place` is that of its last fact; null if nothing changed. */
export type InviteDone = { readonly inviteId: number; readonly place: Place | null }

/** How long and how often an invite can be used; null means without limit. */
export type Terms = { readonly expiresAt: Date | null; readonly maxUses: number | null }

/**
 * Creates an invite to a group.
 * @throws ParleyError NOT_FOUND, FORBIDDEN for a plain member, LIMIT_EXCEEDED, BAD_INPUT for a direct conversation
 */
export async function createInvite(by: Viewer, conversationId: ConversationId, terms: Terms, app: App): Promise<InviteDone> {
  const { result, place } = await app.journal.writing(async (tx) => {
    const group = await lockGroup(tx, by, conversationId)
    requireCapability('MANAGE_INVITES', group.members.get(by.userId))
    if ((await countOpen(tx, conversationId)) >= openInvitesMax)
      throw new ParleyError('LIMIT_EXCEEDED', `A group can have at most ${openInvitesMax} open invites. Revoke one first.`)
    // 192 bits: nobody can guess one.
    const token = randomBytes(24).toString('base64url')
    const invite = await tx.invite.create({ data: { conversationId, token, createdBy: by.userId, ...terms } })
    return { result: Number(invite.id), facts: toManagers(group, by) }
  })
  return { inviteId: result, place }
}

/**
 * Revokes an invite: nobody can join with it after that. Revoking it again changes nothing.
 * @throws ParleyError NOT_FOUND, FORBIDDEN for a plain member of its group
 */
export async function revokeInvite(by: Viewer, inviteId: number, app: App): Promise<InviteDone> {
  const { place } = await app.journal.writing(async (tx) => {
    const invite = await tx.invite.findUnique({ where: { id: inviteId } })
    const group = invite && (await lockConversation(tx, conversationIdOf(invite.conversationId)))
    // The same error for an invite that does not exist and for an invite to another group.
    if (!group?.members.has(by.userId)) throw notFound('Invite')
    requireCapability('MANAGE_INVITES', group.members.get(by.userId))
    const revokedAt = new Date(app.clock.now())
    const revoked = await tx.invite.updateMany({ where: { id: inviteId, revokedAt: null }, data: { revokedAt } })
    return { result: undefined, facts: revoked.count === 1 ? toManagers(group, by) : [] }
  })
  return { inviteId, place }
}

/**
 * Joins the group of an invite, and counts one use of it. A viewer who is already a member gets the group without a use, even if
 * the invite is no longer open: a retry after a lost answer must not fail because the first try took the last use.
 * @throws ParleyError NOT_FOUND for an invite that is unknown, revoked, expired, used up or of another tenant; FORBIDDEN for a banned user; LIMIT_EXCEEDED for a full group;
 *   RATE_LIMITED (`tryingInvite`)
 */
export async function joinWithInvite(by: Viewer, token: string, app: App): Promise<Done> {
  const join = async (tx: Transaction) => {
    const invite = await tx.invite.findUnique({ where: { token } })
    const group = invite && (await lockConversation(tx, conversationIdOf(invite.conversationId)))
    if (!group) throw notFound('Invite')
    if (group.members.has(by.userId)) return { result: group.id, facts: [] }
    if ((await findBanned(tx, group.id, [by.userId])).length > 0) {
      throw new ParleyError('FORBIDDEN', 'You are banned from this group.')
    }
    const used = await tx.$executeRawUnsafe(
      `update invite i set uses = uses + 1 where i.token = $1 and ${usable}`,
      token,
      by.userId,
    )
    if (used === 0) throw notFound('Invite')
    await requireUsers(tx, [by.userId], 'input.token')
    requireRoom(group.members.size + 1, 'input.token', app)
    await tx.departure.deleteMany({ where: { conversationId: group.id, userId: by.userId } })
    const facts = [...(await admit(tx, group, [by.userId], by.userId)), ...toManagers(group, by)]
    return { result: group.id, facts }
  }
  const { result, place } = await tryingInvite(String(by.userId), app, async () => {
    if (!tokenForm.test(token)) throw notFound('Invite')
    return app.journal.writing(join)
  })
  return { conversationId: result, place }
}

/** The facts for the members who manage a group's invites: its open invites have changed. */
function toManagers({ id, members }: LockedGroup, by: Viewer) {
  const managers = [...members].filter(([, role]) => can('MANAGE_INVITES', 'GROUP', role)).map(([userId]) => userId)
  return invitesChanged(id, managers, by.userId)
}

async function countOpen(tx: Transaction, conversationId: ConversationId): Promise<number> {
  const text = `select count(*)::int as open from invite i where i.conversation_id = $1 and ${isOpen}`
  const [row] = await tx.$queryRawUnsafe<{ open: number }[]>(text, conversationId)
  return row?.open ?? 0
}
