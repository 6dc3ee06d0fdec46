// Folds the names that people search for again after the rules of folding have changed.

import type { UserId } from '../id.ts'
import { type Reader, statement } from '../store/reader.ts'
import { foldText, foldVersion } from './fold.ts'

const namesAtOnce = 500

const stale = statement<{ id: UserId; displayName: string }>(
  'people_stale_names',
  `select id, display_name as "displayName" from "user"
    where id > $1 and search_fold <> $2 and deleted_at is null order by id limit ${namesAtOnce}`,
)
/** Skips a user whose name has changed in the meantime: that change folded the name already. */
const renew = statement(
  'people_renew_names',
  `update "user" u set search_name = n.folded, search_fold = $4
     from unnest($1::bigint[], $2::text[], $3::text[]) as n(id, display_name, folded)
    where u.id = n.id and u.display_name = n.display_name and u.deleted_at is null`,
)

/**
 * Folds all names again that were folded by another version of the rules. Several nodes may run it at once, and it may be
 * interrupted at any point.
 * @returns whether it is done
 */
export async function foldNames(reader: Reader, isClosed: () => boolean): Promise<boolean> {
  for (let after = 0; !isClosed(); ) {
    const rows = await reader.rows(stale, [after, foldVersion])
    const last = rows.at(-1)
    if (!last) return true
    const names = rows.map(({ displayName }) => displayName)
    await reader.rows(renew, [rows.map(({ id }) => id), names, names.map(foldText), foldVersion])
    after = last.id
  }
  return false
}
