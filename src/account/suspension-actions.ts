// What operators do with accounts: suspend them, lift a suspension, set a role. A suspension ends all sessions on every node.

import { notFound } from '../errors.ts'
import type { UserId } from '../id.ts'
import type { App } from '../parts.ts'
import type { Transaction } from '../store/store.ts'
import { endSessions } from './actions.ts'
import { sessionRevoked } from './events.ts'
import type { Suspension } from './suspension.ts'

/**
 * Suspends an account, or changes its suspension.
 * @throws ParleyError NOT_FOUND
 */
export async function suspendUser(
  userId: UserId,
  { reason, until }: Suspension,
  app: Pick<App, 'clock' | 'journal'>,
): Promise<void> {
  await app.journal.writing(async (tx) => {
    await lockUser(tx, userId)
    const suspendedAt = new Date(app.clock.now())
    await tx.user.update({
      where: { id: userId },
      data: { suspendedAt, suspendedUntil: until, suspensionReason: reason },
    })
    const ended = await endSessions(tx, userId, null)
    return { result: undefined, facts: ended.map((sessionId) => sessionRevoked(userId, sessionId)) }
  })
}

/** Lifts a suspension. The user logs in again. @throws ParleyError NOT_FOUND */
export async function unsuspendUser(userId: UserId, app: Pick<App, 'store'>): Promise<void> {
  const data = { suspendedAt: null, suspendedUntil: null, suspensionReason: null }
  const { count } = await app.store.prisma.user.updateMany({ where: { id: userId, deletedAt: null }, data })
  if (count === 0) throw notFound('User')
}

/** What a user may do beyond their own conversations. */
export const roles = ['USER', 'MODERATOR', 'ADMIN'] as const

/** Sets a user's role. @throws ParleyError NOT_FOUND */
export async function setRole(userId: UserId, role: (typeof roles)[number], app: Pick<App, 'store'>): Promise<void> {
  const { count } = await app.store.prisma.user.updateMany({ where: { id: userId, deletedAt: null }, data: { role } })
  if (count === 0) throw notFound('User')
}

/** Locks a user until COMMIT, so that no session opens meanwhile. @throws ParleyError NOT_FOUND if the account was deleted */
async function lockUser(tx: Transaction, userId: UserId): Promise<void> {
  const rows = await tx.$queryRaw<unknown[]>`select 1 from "user" where id = ${userId} and deleted_at is null for update`
  if (rows.length === 0) throw notFound('User')
}
