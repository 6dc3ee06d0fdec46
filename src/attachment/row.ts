// Attachments as rows: a reference to a stored file, read together with that file. Facts never carry them: an event that shows one reads it.

import type { ParleyError } from '../errors.ts'
import type { AttachmentId, UserId } from '../id.ts'
import { type Reader, statement } from '../store/reader.ts'

/** What a file is, by its content. */
export type FileKind = 'IMAGE' | 'VIDEO' | 'AUDIO' | 'FILE'
/** The kinds in the order of their numbers in message_attachment, from 1. */
export const fileKinds = ['IMAGE', 'VIDEO', 'AUDIO', 'FILE'] as const satisfies readonly FileKind[]

/** What an attachment is for. */
export type Purpose = 'MESSAGE' | 'AVATAR'

/**
 * UPLOADING: its bytes have not all arrived. PROCESSING: pictures are being made of it, or it is scanned. READY. FAILED: it cannot be
 * shown.
 */
export type FileState = 'UPLOADING' | 'PROCESSING' | 'READY' | 'FAILED'

/** Where files are kept. */
export type StoreName = 'DISK' | 'S3'

/** A smaller picture that was made of a picture. */
export type Variant = {
  readonly name: string
  readonly contentType: string
  readonly width: number
  readonly height: number
  readonly byteSize: number
}

/** A stored file, as its attachments show it. */
export type FileRow = {
  readonly fileId: number
  readonly storageKey: string
  readonly store: StoreName
  readonly state: FileState
  readonly kind: FileKind
  readonly contentType: string
  readonly byteSize: number
  readonly width: number | null
  readonly height: number | null
  readonly durationMs: number | null
  readonly thumbhash: string | null
  readonly variants: readonly Variant[]
  /** Its bytes were encrypted on a device: nothing is made of them. */
  readonly isEncrypted: boolean
}

/** An attachment with its file. */
export type AttachmentRow = FileRow & {
  readonly id: AttachmentId
  readonly ownerId: UserId
  readonly purpose: Purpose
  readonly fileName: string
}

/** Attachments as a message to send has them. */
export type UsableAttachments = {
  readonly ids: readonly AttachmentId[]
  /** In the order of the ids; empty if they cannot be used. */
  readonly kinds: readonly FileKind[]
  /** Why they cannot be used; null if they can. */
  readonly refusal: ParleyError | null
}

/** The columns of a `FileRow`, from a table or alias `f`. */
export const fileColumns = `f.id as "fileId", f.storage_key as "storageKey", f.store, f.state, f.kind, f.content_type as "contentType",
  f.byte_size as "byteSize", f.width, f.height, f.duration_ms as "durationMs", f.thumbhash, f.variants,
  f.encrypted as "isEncrypted"`
/** The columns of an `AttachmentRow`, from aliases `a` and `f`. */
export const attachmentColumns = `a.id, a.owner_id as "ownerId", a.purpose, a.file_name as "fileName", ${fileColumns}`
/** Attachments `a` with their files `f`. A file that is being removed has none. */
export const attachmentsWithFiles = "attachment a join stored_file f on f.id = a.file_id and f.state <> 'REMOVING'"

const attachmentsByIds = statement<AttachmentRow>(
  'attachments_by_ids',
  `select ${attachmentColumns} from ${attachmentsWithFiles} where a.id = any($1::bigint[])`,
)

/** Reads the attachments with these ids, in no particular order, without a permission check. */
export function readAttachments(reader: Reader, ids: readonly AttachmentId[]): Promise<AttachmentRow[]> {
  return ids.length === 0 ? Promise.resolve([]) : reader.rows(attachmentsByIds, [ids])
}

/** The name of the object to which a client writes. It may write again after the upload is complete, so nothing is read from there. */
export const uploadName = 'upload'
/** The name of the object with the bytes of a complete upload. No client can write to it. */
export const originalName = 'file'
/** The name of the object with a picture as it is shown: turned upright, without metadata. */
export const pictureName = 'picture'

/** The longer sides of the smaller pictures, and the sides of avatars. Their objects have these names. */
export const pictureSides = [320, 960, 1_920] as const
export const avatarSides = [64, 192, 512] as const
/** The names of the objects that are made of a picture. */
export const madeNames = [pictureName, '320', '960', '1920', '64', '192', '512'] as const satisfies readonly string[]
/** The names of all objects that a file may have. */
export const objectNames: readonly string[] = [uploadName, originalName, ...madeNames]

/** The name of the object that an attachment shows. The original of a picture is never shown, because it may say where it was taken. */
export const shownName = ({ kind }: Pick<FileRow, 'kind'>) => (kind === 'IMAGE' ? pictureName : originalName)
