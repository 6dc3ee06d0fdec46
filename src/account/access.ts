// What may be read of accounts. A user's public face is everyone's to see; sessions are their user's alone.

import { notFound } from '../errors.ts'
import type { Context } from '../graphql/context.ts'
import { andThen, batchedForAll, by, type MaybePromise, remembered } from '../graphql/loader.ts'
import { factKinds } from '../journal/fact.ts'
import { isNotHidden } from '../journal/tables.ts'
import type { Reader } from '../store/reader.ts'
import { statement } from '../store/reader.ts'
import type { Viewer } from '../viewer.ts'
import { normaliseUsername, usernameForm } from './username.ts'

/** A user's public face. */
export type UserRow = {
  readonly id: number
  readonly username: string
  readonly displayName: string
  readonly bio: string
  readonly createdAt: Date
  /** The account is gone: a row without a name that others' conversations still refer to. */
  readonly isDeleted: boolean
}

/** What kind of device a session is on, as it says itself. */
export type DeviceKind = 'WEB' | 'DESKTOP' | 'PHONE' | 'TABLET' | 'OTHER'

/** One login on one device. */
export type SessionRow = {
  readonly id: number
  readonly userId: number
  readonly deviceName: string
  readonly deviceKind: DeviceKind
  readonly createdAt: Date
  readonly lastUsedAt: Date
  readonly expiresAt: Date
  readonly revokedAt: Date | null
  /** Up to where in the journal the device says to have everything, and when the fact there happened; null where it never said so. */
  readonly syncedPosition: number | null
  readonly syncedUntil: Date | null
}

/** The columns of a user with the names of `UserRow`, from a table or alias `u`. */
export const userColumns = `u.id, u.username, u.display_name as "displayName", u.bio, u.created_at as "createdAt",
  u.deleted_at is not null as "isDeleted"`
const sessionColumns = `id, user_id as "userId", device_name as "deviceName", device_kind as "deviceKind",
  created_at as "createdAt",
  last_used_at as "lastUsedAt", expires_at as "expiresAt", revoked_at as "revokedAt",
  position as "syncedPosition", occurred_at as "syncedUntil"`
const sessions = 'session left join acknowledgement on session_id = id'

const usersByIds = statement<UserRow>('users_by_ids', `select ${userColumns} from "user" u where u.id = any($1::bigint[])`)
const userByUsername = statement<UserRow>('user_by_username', `select ${userColumns} from "user" u where u.username = $1`)
const openSessions = statement<SessionRow>(
  'open_sessions',
  `select ${sessionColumns} from ${sessions} where user_id = $1 and revoked_at is null and expires_at > now() order by last_used_at desc, id desc`,
)
const sessionById = statement<SessionRow>(
  'session_by_id',
  `select ${sessionColumns} from ${sessions} where id = $1 and user_id = $2`,
)
/** How many facts are counted for a device that is behind. */
export const behindMax = 1_000
const factsAfter = statement<{ userId: number; position: number; count: number }>(
  'facts_after_for_users',
  `select p.user_id as "userId", p.position, (select count(*) from (
     (select 1 from audience a cross join lateral (
        select 1 from fact f
         where f.conversation_id = a.conversation_id and f.position > greatest(p.position, a.from_position - 1)
           and (a.to_position is null or f.position <= a.to_position)
           and ${isNotHidden}
         limit ${behindMax}) f
       where a.user_id = p.user_id)
     union all
     (select 1 from fact f where f.user_id = p.user_id and f.position > p.position)
     limit ${behindMax}) seen) as count
   from unnest($1::bigint[], $2::bigint[]) as p(user_id, position)`,
)

/** A user by id, also one whose account is gone: for what names them already. Null for none. */
export const findUser = remembered(
  async (reader, ids) => by(await reader.rows(usersByIds, [ids]), (user) => user.id),
  // The end of an account ends its sessions: that is told also where nobody else hears of the user.
  ({ kind, subjectId, userId }) =>
    kind === factKinds.UserUpdated ? subjectId : kind === factKinds.SessionRevoked ? userId : null,
)

/** A user by id, who has to be there. Rejects with ParleyError NOT_FOUND. */
export function requireUser(context: Context, userId: number): MaybePromise<UserRow> {
  return andThen(findUser(context, userId), (user) => {
    if (!user) throw notFound('User')
    return user
  })
}

/** Users by id, in this order; without those who are not there. */
export function findUsers(context: Context, userIds: readonly number[]): MaybePromise<readonly UserRow[]> {
  const found = userIds.map((id) => findUser(context, id))
  const present = (users: readonly (UserRow | null)[]) => users.filter((user) => user !== null)
  return found.some((user) => user instanceof Promise)
    ? Promise.all(found).then(present)
    : present(found as readonly (UserRow | null)[])
}

/** A user by id; null for none, and for one whose account is gone. */
export function findPresentUser(context: Context, userId: number): MaybePromise<UserRow | null> {
  return andThen(findUser(context, userId), (user) => (user?.isDeleted ? null : user))
}

/** A user by username, in whatever case and form it was typed; null for none. */
export async function findUserByUsername(reader: Reader, typed: string): Promise<UserRow | null> {
  const username = normaliseUsername(typed)
  if (!usernameForm.test(username)) return null
  const [user] = await reader.rows(userByUsername, [username])
  return user ?? null
}

/** How many facts a user may see after a position, as `user:position`; at most `behindMax`. */
export const countFactsAfter = batchedForAll(async (reader, pairs: readonly `${number}:${number}`[]) => {
  const [userIds, positions] = [0, 1].map((part) => pairs.map((pair) => Number(pair.split(':')[part])))
  const rows = await reader.rows(factsAfter, [userIds, positions])
  return new Map(rows.map(({ userId, position, count }) => [`${userId}:${position}` as const, count]))
})

/** The viewer's open sessions, the one used last first. */
export function readOpenSessions(by: Viewer, reader: Reader): Promise<SessionRow[]> {
  return reader.rows(openSessions, [by.userId])
}

/** A session of the viewer, open or ended; null for none. */
export async function findSession(by: Viewer, sessionId: number, reader: Reader): Promise<SessionRow | null> {
  const [session] = await reader.rows(sessionById, [sessionId, by.userId])
  return session ?? null
}
