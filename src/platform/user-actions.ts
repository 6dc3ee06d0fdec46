// What a backend does with users: makes and changes them, opens sessions for those that it has authenticated, suspends and deletes
// them.

import { randomInt } from 'node:crypto'
import type { DeviceKind } from '../account/access.ts'
import { credentials, refreshExpiry, requireUsernameFree, type SessionCredentials } from '../account/actions.ts'
import { userUpdated } from '../account/events.ts'
import { findByExternalId, issuerOfNew } from '../account/external-id.ts'
import { findHearers, lockUser } from '../account/hearers.ts'
import { removeAccount } from '../account/profile-actions.ts'
import { requireNotSuspended } from '../account/suspension.ts'
import { searchedAs } from '../account/username.ts'
import { badInput, notFound, ParleyError } from '../errors.ts'
import { sessionIdOf, type UserId, userIdOf } from '../id.ts'
import type { App } from '../parts.ts'
import { jsonColumn } from '../store/json-column.ts'
import type { ServerKey } from '../viewer.ts'
import { requireTenant } from './key-actions.ts'
import { isFor } from './server-keys.ts'

/** The most users of one `upsertUsers`. */
export const upsertMax = 100
/** How often to make up another username, or to look again for a user that another request has just made. */
const attemptsMax = 5

/** A user to make or to change. What is omitted stays as it is, or gets a default. */
export type UpsertedUser = {
  readonly externalId: string
  readonly username?: string
  readonly displayName?: string
  readonly bio?: string
  /** Custom data as JSON text; null removes it. */
  readonly data?: string | null
  /** The tenant. It cannot change. */
  readonly tenant?: string
}

/**
 * Makes the users that do not exist, and changes the others, one after another. Repeating it changes nothing. If it fails, those
 * before the one at fault are done.
 * @param by the key; if it is for one tenant, so are the users
 * @returns their ids, in this order
 * @throws ParleyError USERNAME_TAKEN, EXTERNAL_ID_TAKEN, FORBIDDEN for a tenant that is not the key's, BAD_INPUT for another tenant
 *   than that of the user, UNAVAILABLE
 */
export async function upsertUsers(by: ServerKey, users: readonly UpsertedUser[], app: App): Promise<UserId[]> {
  for (const [i, { tenant }] of users.entries()) {
    if (tenant !== undefined) requireTenant(by, tenant, `input.users.${i}.tenant`)
  }
  const ids: UserId[] = []
  for (const [i, user] of users.entries()) ids.push(await upsert(by, user, `input.users.${i}`, app))
  return ids
}

async function upsert(by: ServerKey, user: UpsertedUser, argument: string, app: App): Promise<UserId> {
  const { username } = user
  if (username !== undefined) renamingArgument(`${argument}.username`, () => requireUsernameFree(username))
  for (let attempt = 1; ; attempt += 1) {
    const known = await findByExternalId(app.store.reader, app.config, user.externalId)
    try {
      if (known === null) return await create(by, user, app)
      if (!isFor(by, known)) {
        throw new ParleyError('EXTERNAL_ID_TAKEN', 'The external ID is taken.', { argument: `${argument}.externalId` })
      }
      if (user.tenant !== undefined && user.tenant !== known.tenant) {
        throw badInput(`${argument}.tenant`, 'must be the one in which the user was made')
      }
      await change(known.id, user, app)
      return known.id
    } catch (error) {
      if ((error as { code?: string }).code !== 'P2002') throw error
      // Another request may just have made this user: then there is one now. Otherwise the username is taken.
      const isThere = known === null && (await findByExternalId(app.store.reader, app.config, user.externalId)) !== null
      if (attempt >= attemptsMax || (username !== undefined && !isThere)) throw taken(username ?? '', `${argument}.username`)
    }
  }
}

async function create(by: ServerKey, user: UpsertedUser, { config, store }: App): Promise<UserId> {
  const { externalId, username = `user-${randomInt(1e8, 1e9)}`, bio = '', tenant = by.tenant, data: custom = null } = user
  const displayName = user.displayName ?? username
  const named = { username, displayName, bio, ...searchedAs(displayName), issuer: issuerOfNew(config), subject: externalId }
  const data = { ...named, tenant, data: jsonColumn(custom) }
  const { id } = await store.prisma.user.create({ data, select: { id: true } })
  return userIdOf(id)
}

async function change(userId: UserId, { username, displayName, bio, data: custom }: UpsertedUser, app: App): Promise<void> {
  await app.journal.writing(async (tx) => {
    const known = await lockUser(tx, userId)
    const data = {
      ...(username === undefined || username === known.username ? {} : { username }),
      ...(displayName === undefined || displayName === known.displayName ? {} : { displayName, ...searchedAs(displayName) }),
      ...(bio === undefined || bio === known.bio ? {} : { bio }),
      ...(custom === undefined || custom === known.data ? {} : { data: jsonColumn(custom) }),
    }
    if (Object.keys(data).length === 0) return { result: undefined, facts: [] }
    await tx.user.update({ where: { id: userId }, data })
    return { result: undefined, facts: userUpdated(userId, await findHearers(tx, userId)) }
  })
}

/** Names the argument at fault as the caller gave it. */
function renamingArgument(argument: string, check: () => void): void {
  try {
    check()
  } catch (error) {
    throw error instanceof ParleyError ? new ParleyError(error.code, error.message, { argument }) : error
  }
}

function taken(username: string, argument: string): ParleyError {
  return new ParleyError('USERNAME_TAKEN', `The username ${username} is taken, or too similar to one that is taken.`, {
    argument,
  })
}

/** A device for which a backend opens a session. */
export type IssuedDevice = { readonly deviceName: string; readonly deviceKind: DeviceKind }

/**
 * Opens a session for a user that the backend has authenticated.
 * @throws ParleyError NOT_FOUND, ACCOUNT_SUSPENDED
 */
export async function issueSession(userId: UserId, device: IssuedDevice, app: App): Promise<SessionCredentials> {
  const expiresAt = refreshExpiry(app)
  const session = await app.store.prisma.$transaction(async (tx) => {
    const present = await tx.$queryRaw<unknown[]>`
      select 1 from "user" where id = ${userId} and deleted_at is null for key share`
    if (present.length === 0) throw notFound('User')
    await requireNotSuspended(tx, userId)
    return tx.session.create({ data: { userId, ...device, expiresAt } })
  })
  return credentials(app, userId, sessionIdOf(session.id), { generation: 1, expiresAt })
}

/** Deletes a user's account, as `deleteAccount` does. @throws ParleyError NOT_FOUND, UNAVAILABLE */
export async function deleteUser(userId: UserId, app: App): Promise<void> {
  const user = await app.store.prisma.user.findFirst({ where: { id: userId, deletedAt: null }, select: { passwordHash: true } })
  if (!user) throw notFound('User')
  await removeAccount({ userId, sessionId: null }, user.passwordHash, app)
}
