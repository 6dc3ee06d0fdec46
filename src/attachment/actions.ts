// What users do with files: begin an upload, and use finished ones. Room is reserved before the first byte arrives.

import { randomBytes } from 'node:crypto'
import { limited } from '../bus/counters.ts'
import { ParleyError } from '../errors.ts'
import { type AttachmentId, attachmentIdOf } from '../id.ts'
import type { App } from '../parts.ts'
import { locks } from '../store/locks.ts'
import { isTransient } from '../store/postgres.ts'
import { statement } from '../store/reader.ts'
import type { Viewer } from '../viewer.ts'
import { StoreFailure } from './file-store.ts'
import { type AttachmentRow, attachmentColumns, attachmentsWithFiles, type Purpose, type UsableAttachments } from './row.ts'
import { completeUpload } from './uploads.ts'

/** How long an upload may take, and an unused attachment lasts, in seconds. */
export const unusedLastS = 86_400
/** How long a request may begin that writes straight to a bucket, in seconds: who holds its URL may write as often as they like. */
const directLastS = 3_600
/** How long a request may go on that has begun, in seconds, and for each byte. */
const lastRequestS = 3_600
/** The fewest bytes a second that an upload may bring. */
export const slowestBytesPerS = 1_024
/** How long an attachment lasts at least that is being used, in seconds: far longer than a send may take. */
const usingLastS = 3_600
/** The most attachments of one user that nothing uses yet. */
export const unusedMax = 100
/** The longest name of a file, in characters. */
export const fileNameMax = 255

/** An upload to begin. The schema has checked its form. */
export type NewUpload = {
  readonly fileName: string
  readonly contentType: string
  readonly byteSize: number
  readonly purpose: Purpose
  readonly isEncrypted: boolean
}

/** How a client sends the bytes of an upload. */
export type UploadRequest = {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly expiresAt: Date
  /** Where the tus protocol works; null if the store does not offer it. */
  readonly resumableUrl: string | null
}

const lockQuota = statement('file_lock_quota', 'select pg_advisory_xact_lock($1, $2)')
const usage = statement<{ bytes: number; unused: number }>(
  'file_usage',
  `select coalesce((select sum(byte_size + made_bytes) from stored_file where uploaded_by = $1 and emptied_at is null), 0)::bigint as bytes,
     (select count(*) from attachment where owner_id = $1 and expires_at is not null) as unused`,
)
const insert = statement<{ id: number }>(
  'attachment_insert',
  `with f as (insert into stored_file(storage_key, store, uploaded_by, content_type, byte_size, upload_until, encrypted)
     values ($1, $2, $3, $4, $5, now() + make_interval(secs => $8), $9) returning id)
   insert into attachment(file_id, owner_id, purpose, file_name, expires_at)
     select f.id, $3, $6, $7, now() + make_interval(secs => ${unusedLastS}) from f returning id`,
)
const byId = statement<AttachmentRow>(
  'attachment_by_id',
  `select ${attachmentColumns} from ${attachmentsWithFiles} where a.id = $1`,
)
const using = statement<AttachmentRow>(
  'attachment_using',
  `update attachment x set expires_at = case when x.expires_at is not null
       then greatest(x.expires_at, now() + make_interval(secs => ${usingLastS})) end
     from ${attachmentsWithFiles}
    where x.id = a.id and a.id = any($1::bigint[]) and a.owner_id = $2 and a.purpose = $3 and (a.expires_at is null or a.expires_at > now())
   returning ${attachmentColumns}`,
)

/**
 * Begins an upload: reserves its size of the user's quota, and says where its bytes go.
 * @throws ParleyError LIMIT_EXCEEDED, STORAGE_FULL, RATE_LIMITED, UNAVAILABLE
 */
export async function createUpload(
  by: Viewer,
  upload: NewUpload,
  app: App,
): Promise<{ readonly attachment: AttachmentRow; readonly upload: UploadRequest }> {
  const { fileBytesMax } = app.config.limits
  if (upload.byteSize > fileBytesMax) {
    throw new ParleyError('LIMIT_EXCEEDED', `A file can have at most ${fileBytesMax} bytes.`, { argument: 'input.byteSize' })
  }
  const counted = {
    limit: { name: 'uploads', most: app.config.attempts.uploadsMax, periodS: 3_600 },
    key: String(by.userId),
    refusal: 'You have begun too many uploads. Try again later.',
  }
  return limited(app.counters, counted, async () => {
    const { store, disk, urls } = app.files
    if (store.name === 'DISK' && !(await disk.hasRoom(upload.byteSize).catch(unavailable)))
      throw full('The storage of the server is full.')
    const storageKey = randomBytes(16).toString('hex')
    const lastS = store.name === 'DISK' ? unusedLastS : directLastS
    const writableS = lastS + lastRequestS + upload.byteSize / slowestBytesPerS
    const id = await app.store.jobs.lasting(async (tx) => {
      await tx.rows(lockQuota, [locks.quota, by.userId % 2_147_483_647])
      const [used] = await tx.rows(usage, [by.userId])
      if ((used?.unused ?? 0) >= unusedMax) {
        throw new ParleyError('LIMIT_EXCEEDED', `You can have at most ${unusedMax} uploads that no message uses yet.`)
      }
      if ((used?.bytes ?? 0) + upload.byteSize > app.config.limits.fileBytesPerUserMax)
        throw full('Your files take all the room that you have.')
      const file = [storageKey, store.name, by.userId, upload.contentType, upload.byteSize]
      const values = [...file, upload.purpose, upload.fileName, writableS, upload.isEncrypted]
      const [row] = await tx.rows(insert, values)
      return attachmentIdOf(row?.id ?? 0)
    })
    const [attachment] = await app.store.reader.rows(byId, [id])
    if (!attachment) throw new Error('a new attachment is not there')
    const expiresAt = app.clock.now() + lastS * 1_000
    const direct = await store.signUpload(storageKey, upload.byteSize, upload.contentType, lastS).catch(unavailable)
    const own = direct === null ? urls.upload(id, expiresAt) : null
    const request = {
      url: direct?.url ?? own ?? '',
      headers: direct?.headers ?? { 'content-type': 'application/octet-stream' },
      expiresAt: new Date(expiresAt),
      resumableUrl: own,
    }
    return { attachment, upload: request }
  })
}

const full = (message: string) => new ParleyError('STORAGE_FULL', message)

/** @throws ParleyError for a failure of the store, and any other error as it is */
export function unavailable(error: unknown): never {
  if (!(error instanceof StoreFailure)) throw error
  if (error.reason === 'FULL') throw full('The storage of the server is full.')
  throw new ParleyError('UNAVAILABLE', 'The storage of files does not answer.', { retryAfterMs: 1_000, cause: error })
}

/** What attachments are to be used for. */
export type AttachmentNeed = { readonly purpose: Purpose; readonly isEncrypted: boolean }

/**
 * Looks whether the viewer may use these attachments, and keeps unused ones for an hour more. An upload that arrived completely
 * is completed.
 * @param argument the path of the list in the input
 * @throws ParleyError UNAVAILABLE if the store does not answer
 */
export async function useAttachments(
  by: Viewer,
  ids: readonly AttachmentId[],
  use: AttachmentNeed,
  argument: (index: number) => string,
  app: App,
): Promise<UsableAttachments> {
  const rows = await app.store.jobs.lasting((tx) => tx.rows(using, [ids, by.userId, use.purpose]))
  const known = new Map(rows.map((row) => [row.id, row]))
  const found = await Promise.all(
    ids.map(async (id) => {
      const row = known.get(id)
      return row && completeUpload(app, row).catch(unavailable)
    }),
  )
  const refusals = found.map((row, i) => refusalOf(row, use, argument(i)))
  const refusal = refusals.find((each) => each !== null) ?? null
  return { ids, kinds: refusal ? [] : found.map((row) => row?.kind ?? 'FILE'), refusal }
}

const settle = statement('attachments_used', 'update attachment set expires_at = null where id = any($1::bigint[])')

/** Notes that a message has these attachments: they are no longer among the unused ones. If it fails, the sweeper does it. */
export async function noteUsed(ids: readonly AttachmentId[], app: App): Promise<void> {
  await app.store.jobs.reader.rows(settle, [ids]).catch((error: unknown) => {
    if (!isTransient(error)) throw error
  })
}

function refusalOf(
  row: AttachmentRow | undefined,
  { purpose, isEncrypted }: AttachmentNeed,
  argument: string,
): ParleyError | null {
  if (!row) return new ParleyError('NOT_FOUND', 'Attachment not found.', { argument })
  if (row.isEncrypted !== isEncrypted) {
    const message = isEncrypted ? 'This file is not encrypted.' : 'This file is encrypted: it cannot be used here.'
    return new ParleyError('ENCRYPTION_REQUIRED', message, { argument })
  }
  if (row.state === 'UPLOADING') {
    return new ParleyError('UPLOAD_INCOMPLETE', 'The bytes of this attachment have not all arrived.', { argument })
  }
  if (row.state === 'FAILED') return new ParleyError('FILE_REFUSED', 'This file is damaged, or was refused.', { argument })
  if (purpose === 'AVATAR' && row.kind !== 'IMAGE')
    return new ParleyError('FILE_REFUSED', 'An avatar must be a picture.', { argument })
  return null
}
