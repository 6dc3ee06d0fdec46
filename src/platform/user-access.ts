// Lists users for the backend of a product.

import type { DefaultConnectionArguments } from '@pothos/plugin-relay'
import { type UserRow, userColumns } from '../account/access.ts'
import { issuersOf } from '../account/external-id.ts'
import { foldText } from '../account/fold.ts'
import type { Context } from '../graphql/context.ts'
import { type Page, readPage } from '../graphql/page.ts'
import { statement } from '../store/reader.ts'
import type { ServerKey } from '../viewer.ts'

const listed = `select ${userColumns} from "user" u
   where u.deleted_at is null and ($1::bigint is null or u.id > $1) and ($2::bigint is null or u.id < $2)`
const matching = 'and ((u.issuer = any($4) and u.subject = $5) or u.search_text like $6)'
const listing = (name: string, condition: string) => ({
  START: statement<UserRow>(`${name}_forward`, `${listed} ${condition} order by u.id limit $3`),
  END: statement<UserRow>(`${name}_backward`, `${listed} ${condition} order by u.id desc limit $3`),
})
const all = listing('users', '')
const allOfTenant = listing('users_of_tenant', 'and u.tenant = $4')
const found = listing('users_found', matching)
const foundOfTenant = listing('users_found_of_tenant', `${matching} and u.tenant = $7`)

/**
 * Reads a page of all users, the oldest first; with a text, of those with this external id, or whose username or display name
 * contains it. `%` and `_` are not wildcards. A key for one tenant gets its users.
 */
export function readUsers(
  { tenant }: ServerKey,
  { app, reader }: Context,
  text: string,
  args: DefaultConnectionArguments,
): Promise<Page<UserRow>> {
  const pattern = `%${foldText(text).replaceAll(/[\\%_]/g, '\\$&')}%`
  const sought = text === '' ? [] : [issuersOf(app.config), text, pattern]
  const of = tenant === null ? [] : [tenant]
  const statements = text === '' ? (tenant === null ? all : allOfTenant) : tenant === null ? found : foundOfTenant
  return readPage(
    args,
    ({ id }) => id,
    ({ after, before, from, limit }) => reader.rows(statements[from], [after, before, limit, ...sought, ...of]),
  )
}
