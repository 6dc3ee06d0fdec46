// Uploads the files of a message before it is sent: begins each upload once, and continues where it was broken off, also after the
// app was closed. Over tus 1.0.0 if the server offers it, otherwise in one piece.

import { failureOf, noAnswer, ParleyFailure, type Result, refusal } from './failure.ts'
import { createUpload } from './operations.ts'
import type { FileUpload, OutgoingFile } from './storage.ts'

/** What an upload needs of the client. */
export type UploadHost = {
  execute(query: string, variables: object): Promise<Result>
  /** Sends a request with so many bytes, and without a token, to a URL that the server has given. Rejects with `NO_ANSWER`. */
  send(url: string, init: RequestInit, byteSize: number): Promise<Response>
}

/** How much one request carries, in bytes: progress is known so often, and so much is sent again at most. */
const partBytes = 262_144
/** How many times the upload of one file may start again, because the server has forgotten it, or its URL has expired. */
const beginningsMax = 3
/** Answers that say nothing of the file: the same request may succeed later. 409, 423: another one sends it just now. */
const passing = new Set([408, 409, 423, 425, 429])
const tus = { 'tus-resumable': '1.0.0' }

/**
 * Uploads one file.
 * @param known the upload as it was left; null if it was not begun
 * @param keep stores the upload when it is begun and when it is complete, and learns of progress in between
 * @throws ParleyFailure why it cannot be uploaded now, or at all
 */
export async function uploadFile(
  host: UploadHost,
  file: OutgoingFile,
  known: FileUpload | null,
  keep: (upload: FileUpload, isLasting: boolean) => Promise<void>,
): Promise<FileUpload> {
  let upload = known && known.expiresAtMs > Date.now() ? known : null
  for (let beginnings = 0; ; beginnings += 1) {
    if (!upload) {
      upload = await begin(host, file)
      await keep(upload, true)
    }
    if (upload.sentBytes === file.blob.size) return upload
    const done = await (upload.resumableUrl === null ? putWhole(host, file, upload) : sendParts(host, file, upload, keep))
    if (done) {
      await keep(done, true)
      return done
    }
    if (beginnings === beginningsMax) {
      throw new ParleyFailure('FILE_REFUSED', 'Every upload of the file was forgotten or refused at once.', false)
    }
    upload = null
  }
}

type UploadAnswer = {
  readonly createUpload: {
    readonly attachment: { readonly id: string }
    readonly upload: {
      readonly url: string
      readonly resumableUrl: string | null
      readonly headers: Readonly<Record<string, string>>
      readonly expiresAt: string
    }
  }
}

async function begin(host: UploadHost, { blob, fileName, contentType, isEncrypted }: OutgoingFile): Promise<FileUpload> {
  const input = {
    fileName,
    contentType: contentType || blob.type || 'application/octet-stream',
    byteSize: blob.size,
    purpose: 'MESSAGE',
    ...(isEncrypted ? { isEncrypted } : {}),
  }
  const { data, errors } = await host.execute(createUpload, { input })
  if (errors) throw refusal(errors)
  const { attachment, upload } = (data as UploadAnswer).createUpload
  const { url, resumableUrl, headers, expiresAt } = upload
  return { attachmentId: attachment.id, url, resumableUrl, headers, expiresAtMs: Date.parse(expiresAt), sentBytes: 0 }
}

/** @returns the complete upload; null if the server has forgotten it */
async function putWhole(host: UploadHost, { blob }: OutgoingFile, upload: FileUpload): Promise<FileUpload | null> {
  const response = await host.send(upload.url, { method: 'PUT', headers: upload.headers, body: blob }, blob.size)
  if (isForgotten(response) || isUnsigned(response)) return null
  if (!response.ok) throw await failureIn(response)
  return { ...upload, sentBytes: blob.size }
}

/** @returns the complete upload; null if the server has forgotten it */
async function sendParts(
  host: UploadHost,
  { blob }: OutgoingFile,
  begun: FileUpload,
  keep: (upload: FileUpload, isLasting: boolean) => Promise<void>,
): Promise<FileUpload | null> {
  const url = begun.resumableUrl ?? begun.url
  const head = await host.send(url, { method: 'HEAD', headers: tus }, 0)
  if (isForgotten(head)) return null
  if (!head.ok) throw await failureIn(head)
  let upload = { ...begun, sentBytes: offsetIn(head) }
  while (upload.sentBytes < blob.size) {
    const headers = { ...tus, 'upload-offset': String(upload.sentBytes), 'content-type': 'application/offset+octet-stream' }
    const body = blob.slice(upload.sentBytes, upload.sentBytes + partBytes)
    const response = await host.send(url, { method: 'PATCH', headers, body }, body.size)
    if (isForgotten(response)) return null
    if (!response.ok) throw await failureIn(response)
    upload = { ...upload, sentBytes: offsetIn(response) }
    await keep(upload, false)
  }
  return upload
}

function offsetIn(response: Response): number {
  const offset = Number(response.headers.get('upload-offset') ?? Number.NaN)
  if (Number.isSafeInteger(offset) && offset >= 0) return offset
  throw noAnswer('The answer to the upload does not come from Parley.')
}

const isForgotten = ({ status }: Response) => status === 404 || status === 410
/** A bucket does not accept the URL, or not any more: buckets say so in several ways. */
const isUnsigned = ({ status }: Response) => status === 400 || status === 401 || status === 403

async function failureIn(response: Response): Promise<ParleyFailure> {
  const result = await (response.json() as Promise<Result>).catch(() => null)
  if (result?.errors) return refusal(result.errors)
  if (response.status === 507) return new ParleyFailure('STORAGE_FULL', 'There is no room for the file.', false)
  if (response.status >= 400 && response.status < 500 && !passing.has(response.status)) {
    return new ParleyFailure('FILE_REFUSED', `The storage refused the file with HTTP ${response.status}.`, false)
  }
  // A conflict of offsets, a lock, a proxy: asking for the offset again helps.
  return failureOf(noAnswer(`The upload was answered with HTTP ${response.status}.`))
}
