// Refreshes a session by rotating its refresh token. A short grace period covers lost responses and tabs that refresh at the
// same time (docs/adr/0017). Postgres decides by its own clock, so nodes with different clocks agree.

import { ParleyError } from '../errors.ts'
import type { SessionId, UserId } from '../id.ts'
import type { App } from '../parts.ts'
import { credentials, revoke, type SessionCredentials } from './actions.ts'
import { requireNotSuspended } from './suspension.ts'
import type { RefreshGeneration } from './tokens.ts'

/** How long, in seconds, a used refresh token still returns its successor, as long as the successor is unused. */
export const refreshGraceS = 30

/**
 * Exchanges a refresh token for new tokens. Within the grace period the same token returns the same successor again. Any other
 * reuse ends the session, because one of the two parties that hold the token stole it (RFC 9700, section 4.14.2).
 * @throws ParleyError UNAUTHENTICATED, TOKEN_EXPIRED, SESSION_REVOKED, ACCOUNT_SUSPENDED
 */
export async function refreshSession(refreshToken: string, app: App): Promise<SessionCredentials> {
  const { sub: userId, sid: sessionId, gen } = await app.tokens.verifyRefresh(refreshToken)
  const generation = (await rotate(userId, sessionId, gen, app)) ?? (await findSuccessor(userId, sessionId, gen, app))
  if (generation) return credentials(app, userId, sessionId, generation)
  await requireNotSuspended(app.store.prisma, userId)
  await revoke(userId, sessionId, app)
  throw new ParleyError('SESSION_REVOKED', 'The refresh token was already used, or its session has ended. Log in again.')
}

/** Moves an open session from this generation to the next; null if it is not at this generation. */
async function rotate(userId: UserId, sessionId: SessionId, generation: number, app: App): Promise<RefreshGeneration | null> {
  const [row] = await app.store.prisma.$queryRaw<RefreshGeneration[]>`
    update session
       set generation = generation + 1, last_used_at = now(), refreshed_at = now(),
           expires_at = now() + ${app.config.tokens.refreshTtlS} * interval '1 second'
     where id = ${sessionId} and user_id = ${userId} and generation = ${generation} and revoked_at is null and expires_at > now()
    returning generation, expires_at as "expiresAt"`
  return row ?? null
}

/** The next generation, if it is the newest and the grace period lasts. Call it after `rotate`, which waits for a parallel one. */
async function findSuccessor(
  userId: UserId,
  sessionId: SessionId,
  generation: number,
  app: App,
): Promise<RefreshGeneration | null> {
  const [row] = await app.store.prisma.$queryRaw<RefreshGeneration[]>`
    select generation, expires_at as "expiresAt" from session
     where id = ${sessionId} and user_id = ${userId} and generation = ${generation + 1} and revoked_at is null
       and expires_at > now() and refreshed_at > now() - ${refreshGraceS} * interval '1 second'`
  return row ?? null
}
