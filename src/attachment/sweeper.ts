// Removes files that nothing refers to any more: of deleted messages at once, of unused uploads a day later. It only compares tables,
// so a crash at any step leaves work for the next turn of any node; and it may run on several nodes at once. The row of a file stays
// until nobody can write its objects any more, neither a client nor a job. It also finds the files that wait to be processed when a
// node starts.

import type { AttachmentId } from '../id.ts'
import type { Fact } from '../journal/fact.ts'
import type { App } from '../parts.ts'
import { BackgroundLoop } from '../store/background-loop.ts'
import { type Reader, statement } from '../store/reader.ts'
import type { Store } from '../store/store.ts'
import { fileJob } from './file-jobs.ts'
import { type StoreName, uploadName } from './row.ts'

const everyMs = 60_000
const gatherMs = 200
const stepRows = 100

/** The attachments of deleted messages. */
const removed = statement<{ id: AttachmentId }>(
  'attachments_removed',
  `select attachment_id as id from message_attachment where removed_at is not null order by removed_at limit ${stepRows}`,
)
/** An attachment that something uses needs no look again. */
const settle = statement<{ id: AttachmentId }>(
  'attachments_settle',
  `update attachment set expires_at = null where id = any(array(
     select a.id from attachment a where a.expires_at < now() and (
         exists (select 1 from message_attachment m where m.attachment_id = a.id)
         or exists (select 1 from "user" u where u.avatar_id = a.id) or exists (select 1 from conversation c where c.avatar_id = a.id))
      order by a.expires_at limit ${stepRows})) returning id`,
)
const drop = statement<{ fileId: number }>(
  'attachments_drop',
  'delete from attachment where id = any($1::bigint[]) returning file_id as "fileId"',
)
const dropUnused = statement<{ fileId: number }>(
  'attachments_drop_unused',
  `delete from attachment a where a.id = any(array(select id from attachment where expires_at < now() order by expires_at limit ${stepRows}))
      and a.expires_at < now() and not exists (select 1 from message_attachment m where m.attachment_id = a.id)
      and not exists (select 1 from "user" u where u.avatar_id = a.id) and not exists (select 1 from conversation c where c.avatar_id = a.id)
   returning file_id as "fileId"`,
)
// A file goes with its last attachment. Those who remove two attachments of it at the same time wait for each other here, and look
// in a later statement: it sees what others have removed, and copies that were made before.
const lockFiles = statement('files_lock', 'select 1 from stored_file where id = any($1::bigint[]) order by id for no key update')
const letGo = statement(
  'files_let_go',
  `update stored_file f set state = 'REMOVING' where f.id = any($1::bigint[])
     and not exists (select 1 from attachment a where a.file_id = f.id)`,
)
/** What there is to do. Files in state PROCESSING may be those of a node that has died. */
const due = statement<{ isProcessing: boolean; isRemoved: boolean; isExpired: boolean; isRemoving: boolean; isEnded: boolean }>(
  'files_due',
  `select exists (select 1 from stored_file where state = 'PROCESSING') as "isProcessing",
     exists (select 1 from message_attachment where removed_at is not null) as "isRemoved",
     exists (select 1 from attachment where expires_at < now()) as "isExpired",
     exists (select 1 from stored_file where state = 'REMOVING'
       and (emptied_at is null or upload_until is null or upload_until < now())) as "isRemoving",
     exists (select 1 from stored_file where upload_until < now() and state not in ('UPLOADING', 'REMOVING')) as "isEnded"`,
)
const release = statement('attachments_release', 'call journal_release_batch($1)')
/** `isFinal`: nobody can write an object of the file any more, so this is the last time. */
const removing = statement<{ id: number; storageKey: string; store: StoreName; isFinal: boolean }>(
  'files_removing',
  `select * from (
     select f.id, f.storage_key as "storageKey", f.store, f.emptied_at, (f.upload_until is null or f.upload_until < now())
         and not exists (select 1 from graphile_worker.jobs j where j.key = '${fileJob}:' || f.id
                            and (j.locked_at is not null or j.attempts < j.max_attempts)) as "isFinal"
       from stored_file f where f.state = 'REMOVING' and f.id > $1) r
    where emptied_at is null or "isFinal" order by id limit ${stepRows}`,
)
const emptied = statement('file_emptied', 'update stored_file set emptied_at = now() where id = $1')
/** Files to whose uploads nobody writes any more. */
const ended = statement<{ id: number; storageKey: string; store: StoreName }>(
  'files_ended',
  `select id, storage_key as "storageKey", store from stored_file
    where upload_until < now() and state not in ('UPLOADING', 'REMOVING') order by upload_until limit ${stepRows}`,
)
const settleEnded = statement('files_settle_ended', 'update stored_file set upload_until = null where id = any($1::bigint[])')
const forgetFile = statement('file_forget', `delete from stored_file where id = $1 and state = 'REMOVING'`)

/** Opens the sweeper of a node. @param removes whether a fact may have left files without a message */
export function openSweeper(app: App, removes: (fact: Fact) => boolean): BackgroundLoop {
  const failure = 'files that are no longer used could not be removed'
  const loop = new BackgroundLoop({ everyMs, gatherMs, failure, run: (closing) => sweep(app, closing) }, app.log)
  app.journal.onFact((fact) => {
    if (removes(fact)) loop.wake()
  })
  return loop
}

async function sweep(app: App, closing: AbortSignal): Promise<void> {
  const { reader } = app.store.jobs
  const [now] = await reader.rows(due, [])
  if (now?.isProcessing) app.files.hasWork()
  if (now?.isRemoved) while (!closing.aborted && (await sweepRemoved(app.store)) === stepRows);
  if (now?.isExpired) await sweepExpired(app.store, closing)
  if (now?.isRemoved || now?.isExpired || now?.isRemoving) await removeFiles(app, closing)
  if (now?.isEnded) while (!closing.aborted && (await endUploads(app)) === stepRows);
}

async function sweepExpired(store: Store, closing: AbortSignal): Promise<void> {
  while (!closing.aborted && (await store.jobs.reader.rows(settle, [])).length === stepRows);
  while (!closing.aborted && (await dropAttachments(store, (tx) => tx.rows(dropUnused, []))) === stepRows);
}

async function sweepRemoved(store: Store): Promise<number> {
  const ids = (await store.jobs.reader.rows(removed, [])).map(({ id }) => id)
  if (ids.length === 0) return 0
  await dropAttachments(store, (tx) => tx.rows(drop, [ids]))
  await store.jobs.reader.rows(release, [ids])
  return ids.length
}

/** Removes attachments, and lets go of files without any. @returns how many attachments it removed */
function dropAttachments({ jobs }: Store, remove: (tx: Reader) => Promise<{ fileId: number }[]>): Promise<number> {
  return jobs.transaction(async (tx) => {
    const fileIds = (await remove(tx)).map(({ fileId }) => fileId)
    if (fileIds.length > 0) {
      await tx.rows(lockFiles, [fileIds])
      await tx.rows(letGo, [fileIds])
    }
    return fileIds.length
  })
}

/** Removes the bytes before the row, so that none are forgotten. A store that is away delays only its own files. */
async function removeFiles(app: App, closing: AbortSignal): Promise<void> {
  const { reader } = app.store.jobs
  let failure: unknown
  let after = 0
  for (;;) {
    const files = await reader.rows(removing, [after])
    for (const { id, storageKey, store, isFinal } of files) {
      if (closing.aborted) return
      after = id
      try {
        await app.files.storeOf({ store }).remove(storageKey)
        await reader.rows(isFinal ? forgetFile : emptied, [id])
      } catch (error) {
        failure = error
      }
    }
    if (files.length < stepRows) break
  }
  if (failure !== undefined) throw failure
}

/** Removes what clients wrote to a bucket after their uploads were complete. */
async function endUploads(app: App): Promise<number> {
  const { reader } = app.store.jobs
  const files = await reader.rows(ended, [])
  for (const { storageKey, store } of files) await app.files.storeOf({ store }).removeOne(`${storageKey}/${uploadName}`)
  await reader.rows(settleEnded, [files.map(({ id }) => id)])
  return files.length
}
