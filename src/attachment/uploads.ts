// The end of an upload: when all bytes are there, decides what the file is, and begins to process it.

import type { Readable } from 'node:stream'
import type { App } from '../parts.ts'
import { statement } from '../store/reader.ts'
import { type Content, contentOf, sniffedBytes } from './content.ts'
import { addFileJob } from './file-jobs.ts'
import { StoreFailure } from './file-store.ts'
import {
  type AttachmentRow,
  attachmentColumns,
  attachmentsWithFiles,
  type FileKind,
  type FileState,
  originalName,
} from './row.ts'

/** How long another request may take to complete the same upload. */
const lockMs = 5_000

const completed = statement<{ state: FileState; kind: FileKind }>(
  'file_completed',
  `update stored_file set state = $2, kind = $3, content_type = $4 where id = $1 and state = 'UPLOADING' returning state, kind`,
)
const byFile = statement<AttachmentRow>(
  'attachment_by_file',
  `select ${attachmentColumns} from ${attachmentsWithFiles} where f.id = $1 limit 1`,
)

/**
 * Completes an upload if all of its bytes are in the store.
 * @returns the attachment as it is then, in state UPLOADING if bytes are missing
 * @throws StoreFailure if the store does not answer, or another request does not complete it in time
 */
export async function completeUpload(app: App, attachment: AttachmentRow): Promise<AttachmentRow> {
  if (attachment.state !== 'UPLOADING') return attachment
  const { fileId, storageKey, byteSize } = attachment
  // Asked before the lock is taken: taking it ends a request that is still sending.
  if ((await app.files.storeOf(attachment).uploadedSize(storageKey)) !== byteSize) return attachment
  const lock = await app.files.uploadLocks.take(fileId, lockMs, new AbortController().signal, () => undefined)
  if (!lock) throw new StoreFailure('AWAY', new Error('another request is completing the upload'))
  try {
    return await completeLocked(app, attachment)
  } finally {
    await lock.release()
  }
}

/**
 * Completes an upload whose lock the caller holds, if all of its bytes are in the store.
 * @returns the attachment as it is then, in state UPLOADING if bytes are missing
 */
export async function completeLocked(app: App, attachment: AttachmentRow): Promise<AttachmentRow> {
  const { fileId, storageKey, byteSize, contentType: declared } = attachment
  const before = await nowOf(app, attachment)
  if (before.state !== 'UPLOADING') return before
  const store = app.files.storeOf(attachment)
  if (!(await store.keepUpload(storageKey, byteSize))) return attachment
  const bytes = await store.read(`${storageKey}/${originalName}`, { first: 0, last: Math.min(sniffedBytes, byteSize) - 1 })
  if (!bytes) return attachment
  const beginning = await readAll(bytes)
  const content = attachment.isEncrypted ? sealedContent : await contentOf(beginning, declared)
  const isProcessed = !attachment.isEncrypted && (content.kind !== 'FILE' || app.config.files.scanCommand !== null)
  await app.store.jobs.lasting(async (tx) => {
    const values = [fileId, isProcessed ? 'PROCESSING' : 'READY', content.kind, content.contentType]
    const rows = await tx.rows(completed, values)
    if (rows.length > 0 && isProcessed) await addFileJob(tx, fileId)
  })
  if (isProcessed) app.files.hasWork()
  return nowOf(app, attachment)
}

/** The attachment with the state, kind and type of its file now. */
async function nowOf(app: App, attachment: AttachmentRow): Promise<AttachmentRow> {
  const [now] = await app.store.reader.rows(byFile, [attachment.fileId])
  return { ...attachment, ...(now && { state: now.state, kind: now.kind, contentType: now.contentType }) }
}

/** What was encrypted on a device says nothing about itself. */
const sealedContent: Content = { kind: 'FILE', contentType: 'application/octet-stream' }

async function readAll(bytes: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of bytes) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
