// Attachments of a forwarded message: new ones on the same files. A file goes with its last attachment.

import { type AttachmentId, attachmentIdOf, type UserId } from '../id.ts'
import type { App } from '../parts.ts'
import { statement } from '../store/reader.ts'
import { unusedLastS } from './actions.ts'

// The lock lets the sweeper wait that is about to remove an attachment: it then sees the new one, and keeps the file.
const copy = statement<{ id: number }>(
  'attachments_copy',
  `insert into attachment(file_id, owner_id, purpose, file_name, expires_at)
     select s.file_id, $2, 'MESSAGE', s.file_name, now() + make_interval(secs => ${unusedLastS}) from (
       select a.file_id, a.file_name, o.place from unnest($1::bigint[]) with ordinality o(id, place)
         join attachment a on a.id = o.id and a.purpose = 'MESSAGE'
         join stored_file f on f.id = a.file_id and f.state in ('PROCESSING', 'READY') for key share of a) s
      order by s.place returning id`,
)

/** Makes attachments of a user on the files of others, in this order. Those whose file is gone or cannot be shown are left out. */
export async function copyAttachments(ownerId: UserId, ids: readonly AttachmentId[], { store }: App): Promise<AttachmentId[]> {
  const rows = await store.jobs.lasting((tx) => tx.rows(copy, [ids, ownerId]))
  return rows.map(({ id }) => attachmentIdOf(id)).sort((a, b) => a - b)
}
