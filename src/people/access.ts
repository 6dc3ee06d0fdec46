// Finding people, and what the end of a person does to the conversations of others.

import type { DefaultConnectionArguments } from '@pothos/plugin-relay'
import { type UserRow, userColumns } from '../account/access.ts'
import { foldText } from '../account/username.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { batchedForAll } from '../graphql/loader.ts'
import { type Page, readPageByText } from '../graphql/page.ts'
import { statement } from '../store/reader.ts'

/** A user who was found. `rank` sorts: how well the user fits, then the username. */
type FoundRow = UserRow & { readonly rank: string }

// The ranks are compared byte by byte, so that a cursor means the same whatever the database's own order of letters is.
const found = `select * from (
  select ${userColumns}, (case when u.username = $2 then '0' when u.username like $3 then '1' when u.search_name like $3 then '2'
      when u.search_name like '% ' || $3 then '3' else '4' end || u.username) collate "C" as rank
    from "user" u
   where u.search_text like '%' || $3 and u.deleted_at is null
     and not exists (select 1 from block b where b.blocker_id = u.id and b.blocked_id = $1)) f
 where ($4::text is null or f.rank > $4) and ($5::text is null or f.rank < $5)`
const foundForward = statement<FoundRow>('people_forward', `${found} order by f.rank limit $6`)
const foundBackward = statement<FoundRow>('people_backward', `${found} order by f.rank desc limit $6`)

const closedOnes = statement<{ id: number }>(
  'closed_conversations',
  `select c.id from conversation c where c.id = any($1::bigint[]) and c.kind = 'DIRECT' and (
     exists (select 1 from block b where b.blocker_id = c.direct_low and b.blocked_id = c.direct_high)
     or exists (select 1 from block b where b.blocker_id = c.direct_high and b.blocked_id = c.direct_low)
     or exists (select 1 from "user" u where u.id in (c.direct_low, c.direct_high) and u.deleted_at is not null))`,
)

/**
 * A page of the people whose username or display name holds a text, whatever its case and accents: first the one with this very
 * username, then those whose names begin with it, then those in whose display name a word does. Nobody who has blocked the
 * viewer. `%` and `_` are letters.
 */
export async function searchUsers(context: Context, typed: string, args: DefaultConnectionArguments): Promise<Page<FoundRow>> {
  const { userId } = requireViewer(context)
  const text = foldText(typed)
  const beginning = `${text.replaceAll(/[\\%_]/g, '\\$&')}%`
  return readPageByText(
    args,
    ({ rank }) => rank,
    async ({ after, before, from, limit }) =>
      text === ''
        ? []
        : context.reader.rows(from === 'START' ? foundForward : foundBackward, [userId, text, beginning, after, before, limit]),
  )
}

/** Whether a direct conversation is closed, by a block or the end of an account: true, or null. */
export const findClosed = batchedForAll(async (reader, ids: readonly number[]) => {
  const rows = await reader.rows(closedOnes, [ids])
  return new Map(rows.map(({ id }) => [id, true]))
})
