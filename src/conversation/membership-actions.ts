// Actions on the viewer's own membership of a conversation: settings that nobody else can see.

import { notFound, ParleyError } from '../errors.ts'
import type { ConversationId } from '../id.ts'
import type { App } from '../parts.ts'
import type { Transaction } from '../store/store.ts'
import type { Viewer } from '../viewer.ts'
import type { MembershipRow } from './access.ts'
import type { Done } from './actions.ts'
import { membershipUpdated } from './events.ts'

/** Mutes a conversation for the viewer until a given time; null unmutes it. @throws ParleyError NOT_FOUND */
export function muteConversation(by: Viewer, conversationId: ConversationId, until: Date | null, app: App): Promise<Done> {
  return changeMembership(by, conversationId, app, ({ mutedUntil }) =>
    mutedUntil?.getTime() === until?.getTime() ? null : { mutedUntil: until },
  )
}

/** Archives or unarchives a conversation for the viewer. @throws ParleyError NOT_FOUND */
export function archiveConversation(by: Viewer, conversationId: ConversationId, archived: boolean, app: App): Promise<Done> {
  return changeMembership(by, conversationId, app, ({ archivedAt }) =>
    (archivedAt !== null) === archived ? null : { archivedAt: archived ? new Date(app.clock.now()) : null },
  )
}

/** The most conversations that a user has pinned. */
export const pinnedConversationsMax = 50

/** Pins a conversation to the top of the viewer's list, or unpins it. @throws ParleyError NOT_FOUND, LIMIT_EXCEEDED */
export function pinConversation(by: Viewer, conversationId: ConversationId, pinned: boolean, app: App): Promise<Done> {
  return changeMembership(by, conversationId, app, async ({ pinnedAt }, tx) => {
    if ((pinnedAt !== null) === pinned) return null
    if (pinned && (await tx.member.count({ where: { userId: by.userId, pinnedAt: { not: null } } })) >= pinnedConversationsMax) {
      throw new ParleyError('LIMIT_EXCEEDED', `You can pin at most ${pinnedConversationsMax} conversations. Unpin one first.`)
    }
    return { pinnedAt: pinned ? new Date(app.clock.now()) : null }
  })
}

/** Marks a conversation as unread for the viewer, or takes the mark away. @throws ParleyError NOT_FOUND */
export function markUnread(by: Viewer, conversationId: ConversationId, unread: boolean, app: App): Promise<Done> {
  return changeMembership(by, conversationId, app, ({ markedUnreadAt }) =>
    (markedUnreadAt !== null) === unread ? null : { markedUnreadAt: unread ? new Date(app.clock.now()) : null },
  )
}

type OwnSettings = Pick<MembershipRow, 'mutedUntil' | 'archivedAt' | 'pinnedAt' | 'markedUnreadAt'>

/**
 * Changes a member's private settings. Locking only the member is enough: no other user is affected, and a concurrent removal
 * either waits or was first, so that there is no membership to change.
 */
async function changeMembership(
  { userId }: Viewer,
  conversationId: ConversationId,
  app: App,
  change: (now: OwnSettings, tx: Transaction) => Partial<OwnSettings> | null | Promise<Partial<OwnSettings> | null>,
): Promise<Done> {
  const { place } = await app.journal.writing(async (tx) => {
    await tx.$executeRaw`select 1 from member where conversation_id = ${conversationId} and user_id = ${userId} for no key update`
    const where = { conversationId_userId: { conversationId, userId } }
    const member = await tx.member.findUnique({ where })
    if (!member) throw notFound('Conversation')
    const data = await change(member, tx)
    if (!data) return { result: undefined, facts: [] }
    await tx.member.update({ where, data })
    return { result: undefined, facts: [membershipUpdated(conversationId, userId)] }
  })
  return { conversationId, place }
}
