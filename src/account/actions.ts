// Account actions: sign up, log in, log out, change the password.

import { accessTtlMaxS } from '../config/variables.ts'
import { notFound, ParleyError } from '../errors.ts'
import { type SessionId, sessionIdOf, type UserId, userIdOf } from '../id.ts'
import type { Place } from '../journal/fact.ts'
import type { App } from '../parts.ts'
import type { Transaction } from '../store/store.ts'
import type { SessionViewer, Viewer } from '../viewer.ts'
import type { DeviceKind } from './access.ts'
import { beginLogIn, signingUp } from './attempts.ts'
import { sessionRevoked } from './events.ts'
import { redeem, requireInvitation } from './invitations.ts'
import { type Asker, findByPassword, hashPassword } from './password.ts'
import { requireNotSuspended } from './suspension.ts'
import type { RefreshGeneration } from './tokens.ts'
import { isReserved, searchedAs, usernameForm } from './username.ts'

/** The network address that a request comes from. Empty if the server acts on its own. */
export type ClientAddress = string

/** A new account with its first device. The resolver has validated the fields. */
export type SignUp = {
  username: string
  password: string
  displayName: string
  deviceName: string
  deviceKind: DeviceKind
  /** The token of an operator's invitation. */
  invitation: string | null
}
/** A login on a device. */
export type LogIn = { username: string; password: string; deviceName: string; deviceKind: DeviceKind }

/** New tokens of a session. */
export type SessionCredentials = SessionViewer & { accessToken: string; refreshToken: string; expiresAt: Date }

/** Creates an account and logs in. @throws ParleyError USERNAME_TAKEN, FORBIDDEN without an invitation where one is needed */
export async function signUp(
  { username, password, displayName, deviceName, deviceKind, invitation }: SignUp,
  address: ClientAddress,
  app: App,
): Promise<SessionCredentials> {
  requireUsernameFree(username)
  const needsInvitation = app.config.signUp === 'invited' && address !== ''
  // Checked first, so that a request without an invitation costs no hash.
  if (needsInvitation) await requireInvitation(app.store.prisma, invitation)
  const session = { deviceName, deviceKind, expiresAt: refreshExpiry(app) }
  const user = await signingUp(address, app, async () => {
    const passwordHash = await hashPassword(password, { kind: 'SIGN_UP', address, account: username })
    const creating = app.store.prisma.$transaction(async (tx) => {
      if (needsInvitation) await redeem(tx, invitation)
      return tx.user.create({
        data: { username, displayName, ...searchedAs(displayName), passwordHash, sessions: { create: session } },
        include: { sessions: true },
      })
    })
    return creating.catch((error: unknown) => throwTaken(error, username))
  })
  return credentials(app, userIdOf(user.id), sessionIdOf(Number(user.sessions[0]?.id)), firstGeneration(session.expiresAt))
}

/**
 * Logs in.
 * @throws ParleyError INVALID_CREDENTIALS, after the same time whether or not the account exists. ACCOUNT_SUSPENDED, if the
 *   password is right
 */
export async function logIn(
  { username, password, deviceName, deviceKind }: LogIn,
  address: ClientAddress,
  app: App,
): Promise<SessionCredentials> {
  const attempt = await beginLogIn(username, address, app)
  const find = async () => (usernameForm.test(username) ? app.store.prisma.user.findUnique({ where: { username } }) : null)
  const finding = findByPassword(find, password, { kind: 'LOG_IN', address, account: username })
  const user = await finding.catch(async (error: unknown) => {
    await attempt.takeBack()
    throw error
  })
  if (!user) throw wrongPassword()
  const expiresAt = refreshExpiry(app)
  const opening = app.store.prisma.$transaction(async (tx) => {
    // While this request checked the password, another may have changed it and ended all sessions: then do not open this one.
    const same = await tx.$queryRaw<unknown[]>`
      select 1 from "user" where id = ${user.id} and password_hash = ${user.passwordHash} for key share`
    if (same.length === 0) throw wrongPassword()
    await requireNotSuspended(tx, userIdOf(user.id))
    return tx.session.create({ data: { userId: user.id, deviceName, deviceKind, expiresAt } })
  })
  const session = await opening.catch(async (error: unknown) => {
    // The password was right.
    if (error instanceof ParleyError && error.code === 'ACCOUNT_SUSPENDED') await attempt.succeed()
    throw error
  })
  await attempt.succeed()
  return credentials(app, userIdOf(user.id), sessionIdOf(session.id), firstGeneration(expiresAt))
}

/** Ends the viewer's own session. */
export async function logOut(by: SessionViewer, app: App): Promise<void> {
  await revoke(by.userId, by.sessionId, app)
}

/** Ends one of the viewer's sessions. Does nothing if it has already ended. @throws ParleyError NOT_FOUND */
export async function revokeSession(by: Viewer, sessionId: SessionId, app: App): Promise<void> {
  const session = await app.store.prisma.session.findFirst({ where: { id: sessionId, userId: by.userId } })
  if (!session) throw notFound('Session')
  await revoke(by.userId, sessionId, app)
}

/**
 * Ends all sessions of the viewer except this one. Of two sessions that end each other at once, one stays.
 * @returns the place of the last fact; null if there was no other session
 * @throws ParleyError SESSION_REVOKED if this session has ended
 */
export async function revokeOtherSessions(by: SessionViewer, app: App): Promise<Place | null> {
  const { place } = await app.journal.writing(async (tx) => {
    await tx.$queryRaw`select 1 from "user" where id = ${by.userId} for no key update`
    const open = await tx.session.count({ where: { id: by.sessionId, revokedAt: null } })
    if (open === 0) throw new ParleyError('SESSION_REVOKED', 'This session was ended.')
    const ended = await endSessions(tx, by.userId, by.sessionId)
    return { result: undefined, facts: ended.map((sessionId) => sessionRevoked(by.userId, sessionId)) }
  })
  return place
}

/**
 * Changes the password and ends all other sessions of the user.
 * @throws ParleyError INVALID_CREDENTIALS if the current password is wrong, or if another request changes it at the same moment
 */
export async function changePassword(
  by: SessionViewer,
  currentPassword: string,
  newPassword: string,
  app: App,
): Promise<Place | null> {
  const passwordHash = await requirePassword(by, currentPassword, app)
  const newHash = await hashPassword(newPassword, askerOf(by))
  const { place } = await app.journal.writing(async (tx) => {
    await lockAccount(tx, by, passwordHash)
    await tx.user.update({ where: { id: by.userId }, data: { passwordHash: newHash } })
    const ended = await endSessions(tx, by.userId, by.sessionId)
    return { result: undefined, facts: ended.map((sessionId) => sessionRevoked(by.userId, sessionId)) }
  })
  return place
}

/**
 * Checks the viewer's password and returns its hash for `lockAccount`. An account of an identity provider has no password:
 * pass null, and the hash is null too.
 * @throws ParleyError INVALID_CREDENTIALS, RATE_LIMITED
 */
export async function requirePassword(by: Viewer, password: string | null, app: App): Promise<string | null> {
  const user = await app.store.prisma.user.findUnique({ where: { id: by.userId }, select: { passwordHash: true, issuer: true } })
  if (user?.issuer && password === null) return null
  const owner = await findByPassword(async () => user, password ?? '', askerOf(by))
  if (!owner) throw wrongPassword()
  return owner.passwordHash
}

/**
 * Locks the viewer's account until COMMIT, so that no session opens and no new row refers to the user.
 * @throws ParleyError INVALID_CREDENTIALS if the password has changed since it was checked, or if the account was deleted
 */
export async function lockAccount(tx: Transaction, by: Viewer, passwordHash: string | null): Promise<void> {
  const same = await tx.$queryRaw<unknown[]>`
    select 1 from "user" where id = ${by.userId} and deleted_at is null
       and password_hash is not distinct from ${passwordHash}::text for update`
  if (same.length === 0) throw wrongPassword()
}

/** Ends the sessions of an account except one. Returns the IDs of those whose access tokens may not have expired yet. */
export async function endSessions(tx: Transaction, userId: UserId, exceptId: SessionId | null): Promise<SessionId[]> {
  const rows = await tx.$queryRaw<{ id: bigint; isAlive: boolean }[]>`
    update session set revoked_at = now()
     where user_id = ${userId} and revoked_at is null and id is distinct from ${exceptId}::bigint
    returning id, expires_at > now() - ${accessTtlMaxS} * interval '1 second' as "isAlive"`
  return rows.filter(({ isAlive }) => isAlive).map(({ id }) => sessionIdOf(id))
}

/** @throws ParleyError USERNAME_TAKEN if the username, or one that it looks like, is reserved */
export function requireUsernameFree(username: string): void {
  if (isReserved(username)) throw usernameTaken(username)
}

/** Rethrows an error from writing a username. @throws ParleyError USERNAME_TAKEN if the error says so, else the error itself */
export function throwTaken(error: unknown, username: string): never {
  throw (error as { code?: string }).code === 'P2002' ? usernameTaken(username) : error
}

function usernameTaken(username: string): ParleyError {
  const message = `The username ${username} is reserved, taken, or too similar to one that is taken.`
  return new ParleyError('USERNAME_TAKEN', message, { argument: 'input.username' })
}

/** A logged-in user, who queues only behind their own requests, from any address. */
function askerOf({ userId }: Viewer): Asker {
  return { kind: 'SIGNED_IN', address: '', account: String(userId) }
}

function wrongPassword(): ParleyError {
  return new ParleyError('INVALID_CREDENTIALS', 'The username or password is wrong.')
}

/** Ends a session unless it has already ended. */
export async function revoke(userId: UserId, sessionId: SessionId, app: App): Promise<void> {
  await app.journal.writing(async (tx) => {
    const { count } = await tx.session.updateMany({
      where: { id: sessionId, userId, revokedAt: null },
      data: { revokedAt: new Date(app.clock.now()) },
    })
    return { result: undefined, facts: count === 1 ? [sessionRevoked(userId, sessionId)] : [] }
  })
}

/** When the refresh token of a session that is opened now expires. */
export function refreshExpiry(app: App): Date {
  return new Date(app.clock.now() + app.config.tokens.refreshTtlS * 1000)
}

function firstGeneration(expiresAt: Date): RefreshGeneration {
  return { generation: 1, expiresAt }
}

/** Signs new tokens for a session. */
export async function credentials(
  app: App,
  userId: UserId,
  sessionId: SessionId,
  generation: RefreshGeneration,
): Promise<SessionCredentials> {
  const access = await app.tokens.signAccess(userId, sessionId)
  const refreshToken = await app.tokens.signRefresh(userId, sessionId, generation)
  return { userId, sessionId, accessToken: access.token, refreshToken, expiresAt: access.expiresAt }
}
