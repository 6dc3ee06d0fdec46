// Reads invites. Members who manage invites can see everything; anyone with the token of an open invite can see a preview.

import type { DefaultConnectionArguments } from '@pothos/plugin-relay'
import { isTenantOf } from '../account/tenant.ts'
import { limited } from '../bus/counters.ts'
import { ParleyError } from '../errors.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { type Page, readPage } from '../graphql/page.ts'
import type { ConversationId, UserId } from '../id.ts'
import type { App } from '../parts.ts'
import { statement } from '../store/reader.ts'
import { findMembership } from './access.ts'
import { can } from './capabilities.ts'

/** A link that people use to join a group. */
export type InviteRow = {
  readonly id: number
  readonly conversationId: ConversationId
  readonly token: string
  readonly createdBy: UserId
  readonly createdAt: Date
  readonly expiresAt: Date | null
  readonly maxUses: number | null
  readonly uses: number
  readonly revokedAt: Date | null
}

/**
 * An SQL condition for an open invite, in the table or alias `i`: it is not revoked, expired or used up, and its group has a
 * member. A group that everyone has left has no owner, and must not get members without one.
 */
export const isOpen = `i.revoked_at is null and (i.expires_at is null or i.expires_at > clock_timestamp())
   and (i.max_uses is null or i.uses < i.max_uses)
   and exists (select 1 from member m where m.conversation_id = i.conversation_id)`

/** The form of a token. Other strings are refused without a query. */
export const tokenForm = /^[\w-]{32}$/

/** SQL: whether an invite, in the table or alias `i`, is to a group of a user's tenant. */
export const isForTenantOf = (userId: string) =>
  isTenantOf('(select c.tenant from conversation c where c.id = i.conversation_id)', userId)

const inviteColumns = `i.id, i.conversation_id as "conversationId", i.token, i.created_by as "createdBy",
  i.created_at as "createdAt", i.expires_at as "expiresAt", i.max_uses as "maxUses", i.uses, i.revoked_at as "revokedAt"`
const inviteById = statement<InviteRow>('invite_by_id', `select ${inviteColumns} from invite i where i.id = $1`)
const openInviteByToken = statement<InviteRow>(
  'open_invite_by_token',
  `select ${inviteColumns} from invite i where i.token = $1 and ${isOpen} and ${isForTenantOf('$2')}`,
)
const openInviteForAll = statement<InviteRow>(
  'open_invite_for_all',
  `select ${inviteColumns} from invite i join conversation c on c.id = i.conversation_id and c.tenant is null
    where i.token = $1 and ${isOpen}`,
)
const openInvites = `select ${inviteColumns} from invite i where i.conversation_id = $1 and i.id > $2 and i.id < $3 and ${isOpen}`
const invitesForward = statement<InviteRow>('invites_forward', `${openInvites} order by i.id limit $4`)
const invitesBackward = statement<InviteRow>('invites_backward', `${openInvites} order by i.id desc limit $4`)

/** Whether the viewer may see, create and revoke the invites of a group. */
async function canManage(context: Context, conversationId: ConversationId): Promise<boolean> {
  const membership = await findMembership(context, conversationId)
  return membership !== null && can('MANAGE_INVITES', 'GROUP', membership.role)
}

/** Finds an invite, open or not, of a group whose invites the viewer manages; null for any other. */
export async function findOwnInvite(context: Context, inviteId: number): Promise<InviteRow | null> {
  requireViewer(context)
  const [invite] = await context.reader.rows(inviteById, [inviteId])
  return invite && (await canManage(context, invite.conversationId)) ? invite : null
}

/**
 * Finds the open invite with this token to a group of the viewer's tenant, or, for a person without an account, to a group of no
 * tenant; null if there is none.
 * @throws ParleyError RATE_LIMITED (`tryingInvite`)
 */
export async function findOpenInvite(context: Context, token: string): Promise<InviteRow | null> {
  const { viewer, key } = context.caller
  // A token that was refused, and a key that acts for nobody, are not people without an account.
  if (!viewer && (key || context.caller.refusal)) requireViewer(context)
  const find = async () => {
    if (!tokenForm.test(token)) return null
    const [invite] = viewer
      ? await context.reader.rows(openInviteByToken, [token, viewer.userId])
      : await context.reader.rows(openInviteForAll, [token])
    return invite ?? null
  }
  return tryingInvite(viewer ? String(viewer.userId) : context.address, context.app, find)
}

/**
 * Tries an invite. An attempt counts if it finds none: if it resolves with null, or rejects with NOT_FOUND.
 * @param by the user's id, or the address of a person without an account
 * @throws ParleyError RATE_LIMITED if they have tried too many; any error of `attempt`
 */
export function tryingInvite<T>(by: string, app: App, attempt: () => Promise<T>): Promise<T> {
  const counted = {
    limit: { name: 'invites-tried', most: app.config.attempts.failedInvitesMax, periodS: 900 },
    key: by,
    refusal: 'You have tried too many invites that are not open. Try again later.',
    isCounted: (found: unknown) => found === null || (found instanceof ParleyError && found.code === 'NOT_FOUND'),
  }
  return limited(app.counters, counted, attempt)
}

/** Reads a page of a group's open invites, oldest first. Empty if the viewer may not manage them. */
export async function readInvites(
  context: Context,
  conversationId: ConversationId,
  args: DefaultConnectionArguments,
): Promise<Page<InviteRow>> {
  return readPage(
    args,
    (invite) => invite.id,
    async ({ after, before, from, limit }) => {
      if (!(await canManage(context, conversationId))) return []
      const statement = from === 'START' ? invitesForward : invitesBackward
      const values = [conversationId, after ?? 0, before ?? Number.MAX_SAFE_INTEGER, limit]
      const invites = await context.reader.rows(statement, values)
      // A member who was removed during the read must not see invites created after that.
      return context.snapshot || (await canManage(context, conversationId)) ? invites : []
    },
  )
}
