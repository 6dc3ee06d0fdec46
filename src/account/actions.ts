// What one does with accounts: come in, stay in, leave.

import type { App } from '../app.ts'
import { notFound, ParleyError } from '../errors.ts'
import { isTransient } from '../store/postgres.ts'
import type { Viewer } from '../viewer.ts'
import { sessionRevoked } from './events.ts'
import { hashPassword, verifyPassword } from './password.ts'
import { usernameForm } from './username.ts'

/** An account with its first device. The door has checked the form. */
export type SignUp = { username: string; password: string; displayName: string; deviceName: string }
/** A login on a device. */
export type LogIn = { username: string; password: string; deviceName: string }

/** What proves a session, fresh. */
export type Credentials = Viewer & { accessToken: string; refreshToken: string; expiresAt: Date }

/** Creates an account and logs in. @throws ParleyError USERNAME_TAKEN */
export async function signUp({ username, password, displayName, deviceName }: SignUp, app: App): Promise<Credentials> {
  const passwordHash = await hashPassword(password)
  const session = { deviceName, expiresAt: refreshExpiry(app) }
  const user = await app.store.prisma.user
    .create({
      data: { username, displayName, passwordHash, sessions: { create: session } },
      include: { sessions: true },
    })
    .catch((error: unknown) => {
      if ((error as { code?: string }).code !== 'P2002') throw error
      throw new ParleyError('USERNAME_TAKEN', `The username ${username} is taken`, { argument: 'input.username' })
    })
  return credentials(app, Number(user.id), Number(user.sessions[0]?.id), 1, session.expiresAt)
}

/** Logs in. @throws ParleyError INVALID_CREDENTIALS, after the same time whether or not there is such an account. */
export async function logIn({ username, password, deviceName }: LogIn, app: App): Promise<Credentials> {
  const user = usernameForm.test(username) ? await app.store.prisma.user.findUnique({ where: { username } }) : null
  if (!(await verifyPassword(user?.passwordHash ?? null, password)) || !user) {
    throw new ParleyError('INVALID_CREDENTIALS', 'There is no such account, or the password is wrong')
  }
  const expiresAt = refreshExpiry(app)
  const session = await app.store.prisma.session.create({ data: { userId: user.id, deviceName, expiresAt } })
  return credentials(app, Number(user.id), Number(session.id), 1, expiresAt)
}

/**
 * Trades a refresh token for fresh ones. Each is good once: one that is used again ends its session, since one of the two
 * who hold it has no right to (RFC 9700, section 4.14.2).
 * @throws ParleyError UNAUTHENTICATED, TOKEN_EXPIRED, SESSION_REVOKED
 */
export async function refreshSession(refreshToken: string, app: App): Promise<Credentials> {
  const { sub: userId, sid: sessionId, gen: generation } = await app.tokens.verifyRefresh(refreshToken)
  const now = new Date()
  const expiresAt = refreshExpiry(app)
  const isRotated = await app.store.prisma.session
    .updateMany({
      where: { id: sessionId, userId, generation, revokedAt: null, expiresAt: { gt: now } },
      data: { generation: generation + 1, lastUsedAt: now, expiresAt },
    })
    .then(({ count }) => count === 1)
    .catch(async (error: unknown) => {
      // Perhaps only the answer was lost: then a client that tries again would be taken for a thief.
      const mine = { id: sessionId, generation: generation + 1, expiresAt }
      if (isTransient(error) && (await app.store.prisma.session.count({ where: mine })) === 1) return true
      throw error
    })
  if (isRotated) return credentials(app, userId, sessionId, generation + 1, expiresAt)
  await revoke(userId, sessionId, app)
  throw new ParleyError('SESSION_REVOKED', 'The refresh token was used before, or its session was ended')
}

/** Ends the viewer's own session. */
export async function logOut(by: Viewer, app: App): Promise<void> {
  await revoke(by.userId, by.sessionId, app)
}

/** Ends a session of the viewer's. Ending an ended one changes nothing. @throws ParleyError NOT_FOUND */
export async function revokeSession(by: Viewer, sessionId: number, app: App): Promise<void> {
  const session = await app.store.prisma.session.findFirst({ where: { id: sessionId, userId: by.userId } })
  if (!session) throw notFound('Session')
  await revoke(by.userId, sessionId, app)
}

async function revoke(userId: number, sessionId: number, app: App): Promise<void> {
  await app.journal.writing(async (tx) => {
    const { count } = await tx.session.updateMany({
      where: { id: sessionId, userId, revokedAt: null },
      data: { revokedAt: new Date() },
    })
    return { result: undefined, facts: count === 1 ? [sessionRevoked(userId, sessionId)] : [] }
  })
}

function refreshExpiry(app: App): Date {
  return new Date(Date.now() + app.config.tokens.refreshTtlS * 1000)
}

async function credentials(
  app: App,
  userId: number,
  sessionId: number,
  generation: number,
  expiresAt: Date,
): Promise<Credentials> {
  const access = await app.tokens.signAccess(userId, sessionId)
  const refreshToken = await app.tokens.signRefresh(userId, sessionId, generation, expiresAt)
  return { userId, sessionId, accessToken: access.token, refreshToken, expiresAt: access.expiresAt }
}
