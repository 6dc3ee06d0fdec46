// What may be read of invites: all of it by those who manage them, and a preview by whoever holds the token of an open one.

import type { DefaultConnectionArguments } from '@pothos/plugin-relay'
import { type Context, requireViewer } from '../graphql/context.ts'
import { type Page, readPage } from '../graphql/page.ts'
import { statement } from '../store/reader.ts'
import { findMembership } from './access.ts'
import { can } from './capabilities.ts'

/** A link by which people join a group by themselves. */
export type InviteRow = {
  readonly id: number
  readonly conversationId: number
  readonly token: string
  readonly createdBy: number
  readonly createdAt: Date
  readonly expiresAt: Date | null
  readonly maxUses: number | null
  readonly uses: number
  readonly revokedAt: Date | null
}

/**
 * What makes an invite, of the table or alias `i`, open a group: it is not revoked, expired or used up, and there is somebody
 * to come to. A group that everybody has left has no owner, and must not get members without one.
 */
export const isOpen = `i.revoked_at is null and (i.expires_at is null or i.expires_at > clock_timestamp())
   and (i.max_uses is null or i.uses < i.max_uses)
   and exists (select 1 from member m where m.conversation_id = i.conversation_id)`

/** The form of a token. What is not of it is no invite, and is not looked for. */
export const tokenForm = /^[\w-]{32}$/

const inviteColumns = `i.id, i.conversation_id as "conversationId", i.token, i.created_by as "createdBy",
  i.created_at as "createdAt", i.expires_at as "expiresAt", i.max_uses as "maxUses", i.uses, i.revoked_at as "revokedAt"`
const inviteById = statement<InviteRow>('invite_by_id', `select ${inviteColumns} from invite i where i.id = $1`)
const openInviteByToken = statement<InviteRow>(
  'open_invite_by_token',
  `select ${inviteColumns} from invite i where i.token = $1 and ${isOpen}`,
)
const openInvites = `select ${inviteColumns} from invite i where i.conversation_id = $1 and i.id > $2 and i.id < $3 and ${isOpen}`
const invitesForward = statement<InviteRow>('invites_forward', `${openInvites} order by i.id limit $4`)
const invitesBackward = statement<InviteRow>('invites_backward', `${openInvites} order by i.id desc limit $4`)

/** Whether the viewer may see a group's invites, and make and revoke them. */
async function canManage(context: Context, conversationId: number): Promise<boolean> {
  const membership = await findMembership(context, conversationId)
  return membership !== null && can('MANAGE_INVITES', 'GROUP', membership.role)
}

/** An invite, open or not, of a group whose invites the viewer manages; null for any other. */
export async function findOwnInvite(context: Context, inviteId: number): Promise<InviteRow | null> {
  requireViewer(context)
  const [invite] = await context.reader.rows(inviteById, [inviteId])
  return invite && (await canManage(context, invite.conversationId)) ? invite : null
}

/** The open invite with this token, for whoever holds it; null for none. */
export async function findOpenInvite(context: Context, token: string): Promise<InviteRow | null> {
  requireViewer(context)
  if (!tokenForm.test(token)) return null
  const [invite] = await context.reader.rows(openInviteByToken, [token])
  return invite ?? null
}

/** A page of a group's open invites, the oldest first; an empty one for somebody who does not manage them. */
export async function readInvites(
  context: Context,
  conversationId: number,
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
      // Who was removed while they were read is not given the links that were made after.
      return context.snapshot || (await canManage(context, conversationId)) ? invites : []
    },
  )
}
