// Sends files. Everybody with a valid URL gets the file, if it is still in use; the answer is the same for everybody, so a CDN may keep
// it until the URL ends. A browser never takes a file for a page of the app: its type is one of a few, it is sandboxed, and what is
// not a picture, sound or video is only saved.

import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import contentDisposition from 'content-disposition'
import parseRange from 'range-parser'
import { servedType } from '../attachment/content.ts'
import { type ByteRange, StoreFailure } from '../attachment/file-store.ts'
import { type AttachmentRow, attachmentColumns, attachmentsWithFiles, shownName } from '../attachment/row.ts'
import { type FileRequest, fullVariant } from '../attachment/urls.ts'
import type { App } from '../parts.ts'
import { isTransient } from '../store/postgres.ts'
import { statement } from '../store/reader.ts'
import { refuseFile } from './file-refusal.ts'
import { Transfers } from './transfers.ts'

/**
 * How often one file, and how many files in all, a node sends at once. A slow client may be silent for long: the kernel takes a
 * megabyte or more for it, and asks for the next bytes when a third of that has gone out.
 */
const limits = {
  perKey: 200,
  onNode: 1_000,
  silenceMs: 180_000,
  longestMs: 3_600_000,
  moved: ({ socket }: IncomingMessage) => socket.bytesWritten,
  isDone: () => false, // it ends with its response
}

/** A file that may be sent: ready, and not of a deleted message. */
const sendable = statement<AttachmentRow>(
  'attachment_sendable',
  `select ${attachmentColumns} from ${attachmentsWithFiles} where a.id = $1 and f.state = 'READY'
     and not exists (select 1 from message_attachment m where m.attachment_id = a.id and m.removed_at is not null)`,
)

/** What a node sends. */
export type Downloads = {
  /** Answers a request for a file. Never throws. */
  send(asked: FileRequest & { readonly type: 'download' }, request: IncomingMessage, response: ServerResponse): Promise<void>
  /** Cuts what is under way. */
  close(): void
}

/** Opens the sending of files. */
export function openDownloads(app: App): Downloads {
  const transfers = new Transfers(limits)
  return {
    async send(asked, request, response) {
      if (transfers.begin(asked.attachmentId, request, response)) return sendFile(app, asked, request, response)
      refuseFile(response, 429, 'RATE_LIMITED', 'Too many downloads at once. Try again later.', 1)
    },
    close: () => transfers.close(),
  }
}

async function sendFile(
  app: App,
  asked: FileRequest & { readonly type: 'download' },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const [attachment] = await app.store.reader.rows(sendable, [asked.attachmentId])
    const file = attachment && findObject(attachment, asked.variant)
    if (!file) return refuseFile(response, 404, 'NOT_FOUND', 'There is no such file.')
    await send(app, file, asked.expiresAt, request, response)
  } catch (error) {
    if (response.headersSent) {
      response.destroy()
      if (!response.writableEnded && !request.destroyed) app.log.debug({ err: error }, 'a file could not be sent to its end')
      return
    }
    if (!(error instanceof StoreFailure) && !isTransient(error)) app.log.error({ err: error }, 'a file could not be sent')
    else app.log.debug({ err: error }, 'a file could not be read')
    refuseFile(response, 503, 'UNAVAILABLE', 'The file cannot be read now.', 1)
  }
}

type FileObject = {
  readonly attachment: AttachmentRow
  readonly object: string
  readonly byteSize: number
  readonly contentType: string
  readonly fileName: string
}

/** The object of an attachment with this name in a URL. */
function findObject(attachment: AttachmentRow, variant: string): FileObject | null {
  const { storageKey, kind, fileName } = attachment
  if (variant === fullVariant) {
    const { byteSize, contentType } = attachment
    return {
      attachment,
      object: `${storageKey}/${shownName(attachment)}`,
      byteSize,
      contentType: servedType(kind, contentType),
      fileName,
    }
  }
  const found = attachment.variants.find(({ name }) => name === variant)
  if (!found) return null
  const { byteSize, contentType } = found
  return {
    attachment,
    object: `${storageKey}/${variant}`,
    byteSize,
    contentType,
    fileName: `${fileName.replace(/\.[^.]*$/, '')}.webp`,
  }
}

async function send(
  app: App,
  file: FileObject,
  expiresAt: number,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { attachment, object, byteSize, contentType, fileName } = file
  const tag = `"${createHash('sha256').update(object).digest('base64url').slice(0, 22)}"`
  const isShown = attachment.kind !== 'FILE'
  const leftS = Math.max(0, Math.floor((expiresAt - app.clock.now()) / 1_000))
  const headers: Record<string, string | number> = {
    'content-type': contentType,
    'content-disposition': contentDisposition(fileName, { type: isShown ? 'inline' : 'attachment' }),
    'cache-control': `public, max-age=${leftS}, immutable`,
    etag: tag,
    'accept-ranges': 'bytes',
  }
  if (request.headers['if-none-match']?.includes(tag)) {
    response.writeHead(304, headers).end()
    return
  }
  const range = rangeOf(request, byteSize, tag)
  if (range === 'UNSATISFIABLE') {
    response.writeHead(416, { 'content-range': `bytes */${byteSize}` }).end()
    return
  }
  if (range) headers['content-range'] = `bytes ${range.first}-${range.last}/${byteSize}`
  headers['content-length'] = range ? range.last - range.first + 1 : byteSize
  if (request.method === 'HEAD') {
    response.writeHead(range ? 206 : 200, headers).end()
    return
  }
  const bytes = await app.files.storeOf(attachment).read(object, range ?? undefined)
  // Deleted between the two reads, or the database is older than the store.
  if (!bytes) return refuseFile(response, 404, 'NOT_FOUND', 'There is no such file.')
  response.writeHead(range ? 206 : 200, headers)
  await pipeline(bytes, response)
}

/** The part that a request asks for; null for all of it. Several ranges at once are answered with all of it (RFC 9110, 14.2). */
function rangeOf({ headers }: IncomingMessage, byteSize: number, tag: string): ByteRange | 'UNSATISFIABLE' | null {
  const { range, 'if-range': condition } = headers
  if (range === undefined || (condition !== undefined && condition !== tag)) return null
  const parsed = parseRange(byteSize, range)
  if (parsed === -1) return 'UNSATISFIABLE'
  if (parsed === -2 || parsed.type !== 'bytes' || parsed.length !== 1 || !parsed[0]) return null
  return { first: parsed[0].start, last: parsed[0].end }
}
