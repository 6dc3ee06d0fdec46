// Who is banned from a group: checked in the transaction of each join.

import { type ConversationId, type UserId, userIdOf } from '../id.ts'
import type { Transaction } from '../store/store.ts'

/** Which of these users are banned from a group. */
export async function findBanned(tx: Transaction, conversationId: ConversationId, userIds: readonly UserId[]): Promise<UserId[]> {
  const rows = await tx.ban.findMany({ where: { conversationId, userId: { in: [...userIds] } }, select: { userId: true } })
  return rows.map(({ userId }) => userIdOf(userId))
}
