// Who may moderate: users with the role MODERATOR or ADMIN, and server keys with the scope MODERATE that act for themselves.

import { ParleyError } from '../errors.ts'
import { type Context, requireKey, requireViewer } from '../graphql/context.ts'
import type { ServerKeyId, UserId } from '../id.ts'
import { statement } from '../store/reader.ts'

/** What a user may do beyond their own conversations. */
export const roles = ['USER', 'MODERATOR', 'ADMIN'] as const
/** One of them. */
export type UserRole = (typeof roles)[number]

/** A moderator: a user or a key. */
export type Moderator = {
  readonly userId: UserId | null
  readonly keyId: ServerKeyId | null
  /** Those with a lower role obey. A key is above all users. */
  readonly role: Exclude<UserRole, 'USER'> | 'KEY'
  /** The only tenant that they moderate; null for the whole installation. */
  readonly tenant: string | null
}

type RoleRow = { readonly role: UserRole; readonly tenant: string | null }
const roleOf = statement<RoleRow>('user_role', 'select role, tenant from "user" where id = $1 and deleted_at is null')

/** The role of a user; USER for one that does not exist. It is read each time: no fact tells when it changes. */
export async function readRole(context: Pick<Context, 'reader'>, userId: UserId): Promise<RoleRow> {
  const [found] = await context.reader.rows(roleOf, [userId])
  return found ?? { role: 'USER', tenant: null }
}

/**
 * The moderator that calls.
 * @throws ParleyError UNAUTHENTICATED and the like, as `requireViewer`; FORBIDDEN
 */
export async function requireModerator(context: Context): Promise<Moderator> {
  const { key, viewer } = context.caller
  if (key && !viewer) {
    const { id, tenant } = requireKey(context, 'MODERATE')
    return { userId: null, keyId: id, role: 'KEY', tenant }
  }
  const { userId } = requireViewer(context)
  if (key) throw new ParleyError('FORBIDDEN', 'A server key moderates for itself, with the scope MODERATE.')
  const { role, tenant } = await readRole(context, userId)
  if (role === 'USER') throw new ParleyError('FORBIDDEN', 'Only moderators can do this.')
  return { userId, keyId: null, role, tenant }
}

/** The same, for those with the role ADMIN, and keys. @throws the same */
export async function requireAdmin(context: Context): Promise<Moderator> {
  const by = await requireModerator(context)
  if (by.role !== 'MODERATOR') return by
  throw new ParleyError('FORBIDDEN', 'Only administrators can do this.')
}

/** Whether a moderator is responsible for what belongs to a tenant. One without a tenant is responsible for the whole installation. */
export const isResponsibleFor = (by: Moderator, tenant: string | null) => by.tenant === null || by.tenant === tenant

const above = ['USER', 'MODERATOR', 'ADMIN', 'KEY'] as const

/** Checks that a moderator may act against a user. @throws ParleyError FORBIDDEN for a user of the same or of a higher role */
export async function requireAbove(context: Pick<Context, 'reader'>, by: Moderator, userId: UserId): Promise<void> {
  const { role } = await readRole(context, userId)
  if (above.indexOf(by.role) > above.indexOf(role)) return
  throw new ParleyError('FORBIDDEN', 'Your role does not allow you to act against this user.')
}
