// What operators do with accounts: suspend them, lift a suspension, set a role or a password. A suspension and a new password end
// all sessions on every node.

import { notFound, ParleyError } from '../errors.ts'
import type { UserId } from '../id.ts'
import type { NewFact } from '../journal/fact.ts'
import type { App } from '../parts.ts'
import type { Transaction } from '../store/store.ts'
import { endSessions } from './actions.ts'
import { accountBarred, sessionRevoked } from './events.ts'
import type { UserRole } from './moderators.ts'
import { hashPassword } from './password.ts'
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
  const data = { suspendedAt: new Date(app.clock.now()), suspendedUntil: until, suspensionReason: reason }
  await endingSessions(userId, app, [accountBarred(userId)], async (tx) => {
    await tx.user.update({ where: { id: userId }, data })
  })
}

/** Lifts a suspension. The user logs in again. @throws ParleyError NOT_FOUND */
export async function unsuspendUser(userId: UserId, app: Pick<App, 'store'>): Promise<void> {
  await update(userId, { suspendedAt: null, suspendedUntil: null, suspensionReason: null }, app)
}

/** Sets a user's role. @throws ParleyError NOT_FOUND */
export async function setRole(userId: UserId, role: UserRole, app: Pick<App, 'store'>): Promise<void> {
  await update(userId, { role }, app)
}

/** Sets the password of an account. @throws ParleyError NOT_FOUND, FORBIDDEN for an account of an identity provider */
export async function resetPassword(userId: UserId, newPassword: string, app: Pick<App, 'journal'>): Promise<void> {
  const passwordHash = await hashPassword(newPassword, { kind: 'SIGNED_IN', address: '', account: String(userId) })
  await endingSessions(userId, app, [], async (tx) => {
    const { issuer } = await tx.user.update({ where: { id: userId }, data: { passwordHash }, select: { issuer: true } })
    if (issuer !== null) throw new ParleyError('FORBIDDEN', 'This account logs in through an identity provider.')
  })
}

/** Changes a locked account, and ends all of its sessions: no new one opens meanwhile. @throws ParleyError NOT_FOUND */
async function endingSessions(
  userId: UserId,
  app: Pick<App, 'journal'>,
  facts: readonly NewFact[],
  change: (tx: Transaction) => Promise<void>,
): Promise<void> {
  await app.journal.writing(async (tx) => {
    const rows = await tx.$queryRaw<unknown[]>`select 1 from "user" where id = ${userId} and deleted_at is null for update`
    if (rows.length === 0) throw notFound('User')
    await change(tx)
    const ended = await endSessions(tx, userId, null)
    return { result: undefined, facts: [...facts, ...ended.map((sessionId) => sessionRevoked(userId, sessionId))] }
  })
}

async function update(userId: UserId, data: object, { store }: Pick<App, 'store'>): Promise<void> {
  const { count } = await store.prisma.user.updateMany({ where: { id: userId, deletedAt: null }, data })
  if (count === 0) throw notFound('User')
}
