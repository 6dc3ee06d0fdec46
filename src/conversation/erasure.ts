// Erases a user's conversation data when the account is deleted. The user leaves all groups, each in a transaction of its own, so
// that none locks them all. The user stays in closed direct conversations, because those also belong to the other user.

import type { Erasure } from '../account/erasure.ts'
import { ParleyError } from '../errors.ts'
import { type ConversationId, conversationIdOf } from '../id.ts'
import type { App } from '../parts.ts'
import type { Transaction } from '../store/store.ts'
import type { Viewer } from '../viewer.ts'
import { leaveConversation } from './group-actions.ts'

const groupsAtOnce = 100

/** Leaves the groups, and removes the record of which groups the user has left or is banned from. */
export const conversationErasure: Erasure = {
  before: { leave: leaveGroups, hasLeft: async (tx, by) => (await findGroups(tx, by)).length === 0 },
  async erase(tx, userId) {
    await tx.departure.deleteMany({ where: { userId } })
    await tx.ban.deleteMany({ where: { userId } })
    return []
  },
}

async function leaveGroups(by: Viewer, app: Pick<App, 'journal' | 'store'>): Promise<void> {
  for (;;) {
    const groups = await findGroups(app.store.prisma, by)
    for (const conversationId of groups) {
      await leaveConversation(by, conversationId, app).catch((error: unknown) => {
        // An admin has just removed the user from it.
        if (!(error instanceof ParleyError && error.code === 'NOT_FOUND')) throw error
      })
    }
    if (groups.length < groupsAtOnce) return
  }
}

async function findGroups(tx: Transaction, by: Viewer): Promise<ConversationId[]> {
  const rows = await tx.member.findMany({
    where: { userId: by.userId, conversation: { kind: 'GROUP' } },
    select: { conversationId: true },
    take: groupsAtOnce,
  })
  return rows.map(({ conversationId }) => conversationIdOf(conversationId))
}
