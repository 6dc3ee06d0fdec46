// Reads the viewer's own contacts and blocks. Nobody can read another user's blocks: a block shows only in the actions that
// it refuses.

import type { DefaultConnectionArguments } from '@pothos/plugin-relay'
import { type Context, requireViewer } from '../graphql/context.ts'
import { indexBy, sharedLoader, viewerLoader } from '../graphql/loader.ts'
import { type Page, readPage, readPageByText } from '../graphql/page.ts'
import type { ConversationId, UserId } from '../id.ts'
import { statement } from '../store/reader.ts'

/** The users who may start a direct conversation with a user or add them to a group. */
export type MessagePolicy = 'ANYONE' | 'CONTACTS' | 'SHARED_CONVERSATION'

/** A contact or contact request between the viewer and another user. */
export type ContactRow = {
  readonly id: number
  readonly userId: UserId
  readonly state: 'INCOMING' | 'OUTGOING' | 'ACCEPTED'
  readonly requestedAt: Date
  readonly acceptedAt: Date | null
}

/** A user that the viewer has blocked. */
export type BlockRow = { readonly id: number; readonly userId: UserId; readonly blockedAt: Date }

type NamedContactRow = ContactRow & { readonly username: string }

const highest = Number.MAX_SAFE_INTEGER

/** Contacts and requests of the user $1, in either column of the pair. */
const own = `select c.id, o.id as "userId", c.requested_at as "requestedAt", c.accepted_at as "acceptedAt", u.username,
    case when c.accepted_at is not null then 'ACCEPTED' when c.requested_by = $1 then 'OUTGOING' else 'INCOMING' end as state
  from contact c
  cross join lateral (select case when c.low_id = $1 then c.high_id else c.low_id end as id) o
  join "user" u on u.id = o.id
 where (c.low_id = $1 or c.high_id = $1)`
const accepted = `${own} and c.accepted_at is not null
   and ($2::text is null or u.username > $2) and ($3::text is null or u.username < $3)`
const requested = `${own} and c.accepted_at is null and (c.requested_by = $1) = $2 and c.id > $3 and c.id < $4`
const blocked = `select b.id, b.blocked_id as "userId", b.blocked_at as "blockedAt"
  from block b where b.blocker_id = $1 and b.id > $2 and b.id < $3`

const requestCount = statement<{ count: number }>(
  'contact_request_count',
  `select count(*)::int as count from contact c where (c.low_id = $1 or c.high_id = $1) and c.accepted_at is null and (c.requested_by = $1) = $2`,
)
const contactsForward = statement<NamedContactRow>('contacts_forward', `${accepted} order by u.username limit $4`)
const contactsBackward = statement<NamedContactRow>('contacts_backward', `${accepted} order by u.username desc limit $4`)
const requestsNewestFirst = statement<ContactRow>('requests_newest_first', `${requested} order by c.id desc limit $5`)
const requestsOldestFirst = statement<ContactRow>('requests_oldest_first', `${requested} order by c.id limit $5`)
const blocksNewestFirst = statement<BlockRow>('blocks_newest_first', `${blocked} order by b.id desc limit $4`)
const blocksOldestFirst = statement<BlockRow>('blocks_oldest_first', `${blocked} order by b.id limit $4`)
const contactsByUsers = statement<ContactRow>('contacts_by_users', `${own} and o.id = any($2::bigint[])`)
const blocksByUsers = statement<{ userId: UserId }>(
  'blocks_by_users',
  'select blocked_id as "userId" from block where blocker_id = $1 and blocked_id = any($2::bigint[])',
)
const policy = statement<{ messagePolicy: MessagePolicy }>(
  'message_policy',
  'select message_policy as "messagePolicy" from "user" where id = $1',
)

/** Finds the contact or request between the viewer and a user; null if there is none. */
export const findContact = viewerLoader(async (context, userIds: readonly UserId[]) =>
  indexBy(await context.reader.rows(contactsByUsers, [requireViewer(context).userId, userIds]), (contact) => contact.userId),
)

/** Whether the viewer has blocked a user: true, or null. */
export const findOwnBlock = viewerLoader(async (context, userIds: readonly UserId[]) => {
  const rows = await context.reader.rows(blocksByUsers, [requireViewer(context).userId, userIds])
  return new Map(rows.map(({ userId }) => [userId, true]))
})

/** Reads a page of the viewer's contacts, by username. */
export function readContacts(context: Context, args: DefaultConnectionArguments): Promise<Page<NamedContactRow>> {
  const { userId } = requireViewer(context)
  return readPageByText(
    args,
    ({ username }) => username,
    ({ after, before, from, limit }) =>
      context.reader.rows(from === 'START' ? contactsForward : contactsBackward, [userId, after, before, limit]),
  )
}

/** Reads a page of the pending requests that the viewer has sent, or received; newest first. */
export function readRequests(context: Context, isOutgoing: boolean, args: DefaultConnectionArguments): Promise<Page<ContactRow>> {
  const { userId } = requireViewer(context)
  return readPage(
    args,
    ({ id }) => id,
    ({ after, before, from, limit }) =>
      context.reader.rows(from === 'START' ? requestsNewestFirst : requestsOldestFirst, [
        userId,
        isOutgoing,
        before ?? 0,
        after ?? highest,
        limit,
      ]),
  )
}

/** Reads a page of the users that the viewer has blocked; newest first. */
export function readBlocks(context: Context, args: DefaultConnectionArguments): Promise<Page<BlockRow>> {
  const { userId } = requireViewer(context)
  return readPage(
    args,
    ({ id }) => id,
    ({ after, before, from, limit }) =>
      context.reader.rows(from === 'START' ? blocksNewestFirst : blocksOldestFirst, [
        userId,
        before ?? 0,
        after ?? highest,
        limit,
      ]),
  )
}

/** Counts the pending contact requests that the viewer received, or those that they sent. */
export async function countRequests(context: Context, areOutgoing: boolean): Promise<number> {
  const [row] = await context.reader.rows(requestCount, [requireViewer(context).userId, areOutgoing])
  return row?.count ?? 0
}

/** Reads who may start a direct conversation with the viewer or add them to a group. */
export async function readMessagePolicy(context: Context): Promise<MessagePolicy> {
  const [row] = await context.reader.rows(policy, [requireViewer(context).userId])
  return row?.messagePolicy ?? 'ANYONE'
}

const closed = statement<{ id: ConversationId }>(
  'closed_conversations',
  `select c.id from conversation c where c.id = any($1::bigint[]) and c.kind = 'DIRECT'
     and not exists (select 1 from current_audience a where a.conversation_id = c.id)`,
)

/** Whether a block or a deleted account has closed a direct conversation: true, or null. Nobody is in its audience then. */
export const findClosed = sharedLoader(async (reader, ids: readonly ConversationId[]) => {
  const rows = await reader.rows(closed, [ids])
  return new Map(rows.map(({ id }) => [id, true]))
})
