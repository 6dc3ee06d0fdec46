// What one does with accounts: come in, stay in, leave.

import type { App } from '../app.ts'
import { notFound, ParleyError } from '../errors.ts'
import type { Place } from '../journal/fact.ts'
import { isTransient } from '../store/postgres.ts'
import type { Prisma } from '../store/store.ts'
import type { Viewer } from '../viewer.ts'
import type { DeviceKind } from './access.ts'
import { sessionRevoked } from './events.ts'
import { hashPassword, verifyPassword } from './password.ts'
import { foldText, isReserved, usernameForm } from './username.ts'

/** An account with its first device. The door has checked the form. */
export type SignUp = { username: string; password: string; displayName: string; deviceName: string; deviceKind: DeviceKind }
/** A login on a device. */
export type LogIn = { username: string; password: string; deviceName: string; deviceKind: DeviceKind }

type Transaction = Prisma.TransactionClient

/** What proves a session, fresh. */
export type Credentials = Viewer & { accessToken: string; refreshToken: string; expiresAt: Date }

/** Creates an account and logs in. @throws ParleyError USERNAME_TAKEN */
export async function signUp(
  { username, password, displayName, deviceName, deviceKind }: SignUp,
  app: App,
): Promise<Credentials> {
  requireUsernameFree(username)
  const passwordHash = await hashPassword(password)
  const session = { deviceName, deviceKind, expiresAt: refreshExpiry(app) }
  const user = await app.store.prisma.user
    .create({
      data: { username, displayName, searchName: foldText(displayName), passwordHash, sessions: { create: session } },
      include: { sessions: true },
    })
    .catch((error: unknown) => throwTaken(error, username))
  return credentials(app, Number(user.id), Number(user.sessions[0]?.id), 1, session.expiresAt)
}

/** Logs in. @throws ParleyError INVALID_CREDENTIALS, after the same time whether or not there is such an account. */
export async function logIn({ username, password, deviceName, deviceKind }: LogIn, app: App): Promise<Credentials> {
  const user = usernameForm.test(username) ? await app.store.prisma.user.findUnique({ where: { username } }) : null
  if (!(await verifyPassword(user?.passwordHash ?? null, password)) || !user) throw wrongPassword()
  const expiresAt = refreshExpiry(app)
  const session = await app.store.prisma.$transaction(async (tx) => {
    // While the password was checked it may have been changed, and all sessions ended: then this one must not be opened.
    const same = await tx.$queryRaw<unknown[]>`
      select 1 from "user" where id = ${user.id} and password_hash = ${user.passwordHash} for key share`
    if (same.length === 0) throw wrongPassword()
    return tx.session.create({ data: { userId: user.id, deviceName, deviceKind, expiresAt } })
  })
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

/**
 * Changes the password and ends all other sessions of the user.
 * @throws ParleyError INVALID_CREDENTIALS where the current password is not that, or is changed at the same moment
 */
export async function changePassword(by: Viewer, currentPassword: string, newPassword: string, app: App): Promise<Place | null> {
  const passwordHash = await requirePassword(by, currentPassword, app)
  const newHash = await hashPassword(newPassword)
  const { place } = await app.journal.writing(async (tx) => {
    await lockAccount(tx, by, passwordHash)
    await tx.user.update({ where: { id: by.userId }, data: { passwordHash: newHash } })
    const ended = await endSessions(tx, by.userId, by.sessionId)
    return { result: undefined, facts: ended.map((sessionId) => sessionRevoked(by.userId, sessionId)) }
  })
  return place
}

/**
 * Checks the viewer's password, and gives its hash for `lockAccount`: null for an account of an identity provider, which has
 * none and for which null must be given.
 * @throws ParleyError INVALID_CREDENTIALS, RATE_LIMITED
 */
export async function requirePassword(by: Viewer, password: string | null, app: App): Promise<string | null> {
  const user = await app.store.prisma.user.findUnique({ where: { id: by.userId }, select: { passwordHash: true, issuer: true } })
  if (user?.issuer && password === null) return null
  const isRight = await verifyPassword(user?.passwordHash ?? null, password ?? '')
  if (!user || !isRight) throw wrongPassword()
  return user.passwordHash
}

/**
 * Locks the viewer's account until COMMIT, against everybody who opens a session or names the user in a new row.
 * @throws ParleyError INVALID_CREDENTIALS where the password is no longer the one that was checked, or the account is gone
 */
export async function lockAccount(tx: Transaction, by: Viewer, passwordHash: string | null): Promise<void> {
  const same = await tx.$queryRaw<unknown[]>`
    select 1 from "user" where id = ${by.userId} and deleted_at is null
       and password_hash is not distinct from ${passwordHash}::text for update`
  if (same.length === 0) throw wrongPassword()
}

/** Ends the open sessions of a locked account, but for one; gives their ids. */
export async function endSessions(tx: Transaction, userId: number, exceptId: number | null): Promise<number[]> {
  const rows = await tx.$queryRaw<{ id: bigint }[]>`
    update session set revoked_at = now()
     where user_id = ${userId} and revoked_at is null and expires_at > now() and id is distinct from ${exceptId}::bigint
    returning id`
  return rows.map(({ id }) => Number(id))
}

/** @throws ParleyError USERNAME_TAKEN where the username, or one that it looks like, is reserved */
export function requireUsernameFree(username: string): void {
  if (isReserved(username)) throw usernameTaken(username)
}

/** Throws what an error of a write of a username means. @throws ParleyError USERNAME_TAKEN, or the error itself */
export function throwTaken(error: unknown, username: string): never {
  throw (error as { code?: string }).code === 'P2002' ? usernameTaken(username) : error
}

function usernameTaken(username: string): ParleyError {
  const message = `The username ${username} is taken, or looks like one that is`
  return new ParleyError('USERNAME_TAKEN', message, { argument: 'input.username' })
}

function wrongPassword(): ParleyError {
  return new ParleyError('INVALID_CREDENTIALS', 'There is no such account, or the password is wrong')
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
