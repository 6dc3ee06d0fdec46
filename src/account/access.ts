// Reads users and sessions. Every user can see the profile of every other of the same tenant; only its own user can see a session.

import { shownToAll } from '../attachment/access.ts'
import type { AttachmentUse } from '../attachment/uses.ts'
import { notFound } from '../errors.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { cachedLoader, indexBy, type MaybePromise, mapMaybePromise } from '../graphql/loader.ts'
import type { AttachmentId, Position, SessionId, UserId } from '../id.ts'
import type { Reader } from '../store/reader.ts'
import { statement } from '../store/reader.ts'
import type { Viewer } from '../viewer.ts'
import { accountKinds } from './events.ts'
import { isTenantOf } from './tenant.ts'
import { normaliseUsername, usernameForm } from './username.ts'

/** A user's public profile. */
export type UserRow = {
  readonly id: UserId
  readonly username: string
  readonly displayName: string
  readonly bio: string
  readonly createdAt: Date
  readonly avatarId: AttachmentId | null
  /** The id by which the backend of the product knows the user; null for a user with a password. */
  readonly externalId: string | null
  /** The tenant; null for a user in none. */
  readonly tenant: string | null
  /** Custom data of the backend, as JSON text; null if there is none. */
  readonly data: string | null
  /** Whether the account was deleted: the row stays, without a name, because conversations still refer to it. */
  readonly isDeleted: boolean
}

/** The kind of a session's device, as the device reports it. */
export type DeviceKind = 'WEB' | 'DESKTOP' | 'PHONE' | 'TABLET' | 'OTHER'

/** One login on one device. */
export type SessionRow = {
  readonly id: SessionId
  readonly userId: UserId
  readonly deviceName: string
  readonly deviceKind: DeviceKind
  readonly createdAt: Date
  readonly lastUsedAt: Date
  readonly expiresAt: Date
  readonly revokedAt: Date | null
  /** The position up to which the device has stored everything, and when that fact happened; null if it has never reported. */
  readonly syncedPosition: Position | null
  readonly syncedUntil: Date | null
}

/** The columns of a `UserRow`, from a table or alias `u`. */
export const userColumns = `u.id, u.username, u.display_name as "displayName", u.bio, u.created_at as "createdAt",
  u.avatar_id as "avatarId", u.subject as "externalId", u.tenant, u.data::text as data, u.deleted_at is not null as "isDeleted"`
const sessionColumns = `id, user_id as "userId", device_name as "deviceName", device_kind as "deviceKind",
  created_at as "createdAt",
  last_used_at as "lastUsedAt", expires_at as "expiresAt", revoked_at as "revokedAt",
  position as "syncedPosition", occurred_at as "syncedUntil"`
const sessions = 'session left join acknowledgement on session_id = id'

const usersByIds = statement<UserRow>('users_by_ids', `select ${userColumns} from "user" u where u.id = any($1::bigint[])`)
const userByUsername = statement<UserRow>(
  'user_by_username',
  `select ${userColumns} from "user" u where u.username = $1 and ${isTenantOf('u.tenant', '$2')}`,
)
const openSessions = statement<SessionRow>(
  'open_sessions',
  `select ${sessionColumns} from ${sessions} where user_id = $1 and revoked_at is null and expires_at > now() order by last_used_at desc, id desc`,
)
const sessionById = statement<SessionRow>(
  'session_by_id',
  `select ${sessionColumns} from ${sessions} where id = $1 and user_id = $2`,
)
/** Finds a user by ID, deleted ones too, because existing data refers to them. Null if there is none. */
export const findUser = cachedLoader(
  async (reader, ids: readonly UserId[]) => indexBy(await reader.rows(usersByIds, [ids]), (user) => user.id),
  // Deleting an account ends its sessions: SessionRevoked reaches this cache even if the user has no hearers.
  ({ kind, subjectId, userId }) =>
    kind === accountKinds.UserUpdated.number
      ? (subjectId as UserId | null)
      : kind === accountKinds.SessionRevoked.number
        ? userId
        : null,
)

const userWithAvatar = statement<{ id: UserId }>(
  'user_with_avatar',
  `select id from "user" where avatar_id = $1 and ${isTenantOf('tenant', '$2')}`,
)

/** Attachments as users use them: everybody of the same tenant sees the avatar of a user. */
export const userAvatarUse: AttachmentUse = {
  async show(context, attachment) {
    if (attachment.purpose !== 'AVATAR') return null
    const { userId } = requireViewer(context)
    return (await context.reader.rows(userWithAvatar, [attachment.id, userId])).length > 0 ? shownToAll(attachment) : null
  },
}

/** Reads a user by ID. Rejects with ParleyError NOT_FOUND if there is none. */
export function requireUser(context: Context, userId: UserId): MaybePromise<UserRow> {
  return mapMaybePromise(findUser(context, userId), (user) => {
    if (!user) throw notFound('User')
    return user
  })
}

/** Reads users by ID, in this order; skips IDs without a user. */
export function findUsers(context: Context, userIds: readonly UserId[]): MaybePromise<readonly UserRow[]> {
  const found = userIds.map((id) => findUser(context, id))
  const present = (users: readonly (UserRow | null)[]) => users.filter((user) => user !== null)
  return found.some((user) => user instanceof Promise)
    ? Promise.all(found).then(present)
    : present(found as readonly (UserRow | null)[])
}

/** Finds a user by ID for any caller; null if there is none, the account was deleted, or the user is of another tenant. */
export function findFellow(context: Context, userId: UserId): MaybePromise<UserRow | null> {
  const { userId: viewerId } = requireViewer(context)
  return mapMaybePromise(findPresentUser(context, userId), (user) =>
    user === null
      ? null
      : mapMaybePromise(findUser(context, viewerId), (viewer) => (viewer?.tenant === user.tenant ? user : null)),
  )
}

/** Finds a user by ID that something visible to the viewer names; null if there is none or the account was deleted. */
export function findPresentUser(context: Context, userId: UserId): MaybePromise<UserRow | null> {
  return mapMaybePromise(findUser(context, userId), (user) => (user?.isDeleted ? null : user))
}

/** Finds a user of the viewer's tenant by username, normalising it first; null if there is none. */
export async function findUserByUsername(by: Viewer, reader: Reader, typed: string): Promise<UserRow | null> {
  const username = normaliseUsername(typed)
  if (!usernameForm.test(username)) return null
  const [user] = await reader.rows(userByUsername, [username, by.userId])
  return user ?? null
}

/** The viewer's open sessions, most recently used first. */
export function readOpenSessions(by: Viewer, reader: Reader): Promise<SessionRow[]> {
  return reader.rows(openSessions, [by.userId])
}

/** Finds a session of the viewer, open or ended; null if there is none. */
export async function findSession(by: Viewer, sessionId: SessionId, reader: Reader): Promise<SessionRow | null> {
  const [session] = await reader.rows(sessionById, [sessionId, by.userId])
  return session ?? null
}
