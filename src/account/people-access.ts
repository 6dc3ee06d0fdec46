// Finds people by name.

import type { DefaultConnectionArguments } from '@pothos/plugin-relay'
import { type Context, requireViewer } from '../graphql/context.ts'
import { type Page, readPageByText } from '../graphql/page.ts'
import { statement } from '../store/reader.ts'
import { type UserRow, userColumns } from './access.ts'
import { beginningWith } from './search-text.ts'
import { isTenantOf } from './tenant.ts'

/** A user in search results. `rank` is the sort key: how well the user matches, then the username. */
type FoundRow = UserRow & { readonly rank: string }

// Ranks are compared byte by byte, so that a cursor means the same under any collation of the database.
const found = `select * from (
  select ${userColumns}, (case when u.username = $2 then '0' when u.username like $3 then '1' when u.search_name like $3 then '2'
      when u.search_name like '% ' || $3 then '3' else '4' end || u.username) collate "C" as rank
    from "user" u
   where u.search_text like '%' || $3 and u.deleted_at is null and ${isTenantOf('u.tenant', '$1')}
     and not exists (select 1 from block b where b.blocker_id = u.id and b.blocked_id = $1)) f
 where ($4::text is null or f.rank > $4) and ($5::text is null or f.rank < $5)`
const foundForward = statement<FoundRow>('people_forward', `${found} order by f.rank limit $6`)
const foundBackward = statement<FoundRow>('people_backward', `${found} order by f.rank desc limit $6`)

/**
 * Reads a page of the users whose username or display name contains a folded text (`parseSearchText`). The exact username comes first,
 * then names that begin with the text, then display names with a word that begins with it, then the rest. Omits users of other
 * tenants, and those who have blocked the viewer.
 */
export async function searchUsers(context: Context, text: string, args: DefaultConnectionArguments): Promise<Page<FoundRow>> {
  const { userId } = requireViewer(context)
  return readPageByText(
    args,
    ({ rank }) => rank,
    async ({ after, before, from, limit }) => {
      if (text === '') return []
      const values = [userId, text, beginningWith(text), after, before, limit]
      return context.reader.rows(from === 'START' ? foundForward : foundBackward, values)
    },
  )
}
