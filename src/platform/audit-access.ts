// Reads the audit log.

import type { DefaultConnectionArguments } from '@pothos/plugin-relay'
import type { Context } from '../graphql/context.ts'
import { type Page, readPage } from '../graphql/page.ts'
import { statement } from '../store/reader.ts'
import type { AuditEntry } from './audit.ts'

/** An entry as it is stored. */
export type AuditRow = AuditEntry & { readonly id: number; readonly at: Date }

const listed = (
  condition: string,
) => `select id, at, actor, key_id as "keyId", user_id as "userId", action, subjects from audit_entry
   where ($1::bigint is null or id > $1) and ($2::bigint is null or id < $2) ${condition}`
const listing = (name: string, condition: string) => ({
  START: statement<AuditRow>(`${name}_forward`, `${listed(condition)} order by id limit $3`),
  END: statement<AuditRow>(`${name}_backward`, `${listed(condition)} order by id desc limit $3`),
})
const all = listing('audit_log', '')
const about = listing('audit_log_about', 'and subjects @> array[$4]')

/** Reads a page of the audit log, the oldest entries first: all, or those about an object. */
export function readAuditLog(
  { reader }: Context,
  subject: string | null,
  args: DefaultConnectionArguments,
): Promise<Page<AuditRow>> {
  return readPage(
    args,
    ({ id }) => id,
    ({ after, before, from, limit }) =>
      subject === null
        ? reader.rows(all[from], [after, before, limit])
        : reader.rows(about[from], [after, before, limit, subject]),
  )
}
