// Receives the bytes of uploads: in one piece by PUT, or in parts by the tus protocol, at the same URL. Bytes go to the disk as they
// come, and never more than were announced. Many or slow uploads cost little, and hold up nobody.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { DataStore, ERRORS, Server as TusServer, Upload } from '@tus/server'
import { unavailable } from '../attachment/actions.ts'
import { StoreFailure } from '../attachment/file-store.ts'
import { type AttachmentRow, readAttachments } from '../attachment/row.ts'
import type { UploadLock } from '../attachment/upload-locks.ts'
import { completeLocked } from '../attachment/uploads.ts'
import { filesPath } from '../attachment/urls.ts'
import { type ErrorCode, ParleyError } from '../errors.ts'
import { type AttachmentId, attachmentIdOf } from '../id.ts'
import type { App } from '../parts.ts'
import { isTransient } from '../store/postgres.ts'
import { refuseFile } from './file-refusal.ts'
import { Transfers } from './transfers.ts'

/** How many uploads of one user, and in all, a node receives at once. A slow one may last as long as its URL. */
const limits = {
  perKey: 8,
  onNode: 500,
  silenceMs: 20_000,
  longestMs: 86_400_000,
  moved: ({ socket }: IncomingMessage) => socket.bytesRead,
  isDone: (request: IncomingMessage) => request.complete,
}
/** How long another request for the same upload may hold it up. */
const lockMs = 5_000
/** How long a part may go on that makes room for another. */
const drainMs = 500

/** What a node receives. */
export type Uploads = {
  /** Answers a request about the bytes of an attachment. Never throws. */
  receive(id: AttachmentId, request: IncomingMessage, response: ServerResponse): Promise<void>
  /** Cuts what is under way. */
  close(): void
}

/** Opens the reception of uploads. */
export function openUploads(app: App): Uploads {
  const transfers = new Transfers(limits)
  const tus = openTus(app)

  async function receive(id: AttachmentId, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [attachment] = await readAttachments(app.store.reader, [id])
    if (attachment?.store !== 'DISK') return refuseFile(response, 404, 'NOT_FOUND', 'There is no such upload.')
    if (request.method === 'HEAD') return tus.handle(request, response)
    if (request.method !== 'PUT' && request.method !== 'PATCH') {
      return refuseFile(response, 405, 'OPERATION_REFUSED', 'An upload takes PUT, or HEAD and PATCH of the tus protocol.')
    }
    if (!transfers.begin(attachment.ownerId, request, response)) {
      return refuseFile(response, 429, 'RATE_LIMITED', 'Too many uploads at once. Try again later.', 1)
    }
    if (request.destroyed) return undefined // its client has left meanwhile
    return request.method === 'PUT' ? put(app, attachment, request, response) : tus.handle(request, response)
  }

  return {
    async receive(id, request, response) {
      try {
        await receive(id, request, response)
      } catch (error) {
        if (request.destroyed && !request.complete) app.log.debug({ err: error }, 'an upload was broken off')
        else answerFault(app, response, error)
      }
    },
    close: () => transfers.close(),
  }
}

/** Receives a whole file. */
async function put(app: App, attachment: AttachmentRow, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const refusal = headerRefusal(attachment, request)
  if (refusal) return refuseFile(response, ...refusal)
  if (attachment.state === 'UPLOADING') {
    const stop = () => request.socket.destroy()
    const lock = await app.files.uploadLocks.take(attachment.fileId, lockMs, new AbortController().signal, stop)
    if (!lock) return refuseFile(response, 423, 'UNAVAILABLE', 'Another request sends this file.', 1)
    try {
      // It may have been completed or removed while this request waited for the lock.
      const [now] = await readAttachments(app.store.reader, [attachment.id])
      if (!now) return refuseFile(response, 404, 'NOT_FOUND', 'There is no such upload.')
      if (now.state === 'UPLOADING') {
        const { disk } = app.files
        const received = await disk.receive(now.storageKey, 0, now.byteSize, request)
        if (received !== now.byteSize) return request.socket.destroySoon()
        await complete(app, now)
      } else request.resume()
    } finally {
      await lock.release()
    }
  } else {
    // A repeat: the first answer may have been lost.
    request.resume()
  }
  response.writeHead(204).end()
}

/** Completes an upload all of whose bytes were received. @throws StoreFailure if they are gone */
async function complete(app: App, attachment: AttachmentRow): Promise<void> {
  const { state } = await completeLocked(app, attachment)
  if (state === 'UPLOADING') throw new StoreFailure('AWAY', new Error('what was just received is not there'))
}

type Refusal = readonly [status: number, code: ErrorCode, message: string]

function headerRefusal({ byteSize }: AttachmentRow, { headers }: IncomingMessage): Refusal | null {
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') {
    return [415, 'BAD_INPUT', 'Send the bytes as they are, without content-encoding.']
  }
  if (headers['content-length'] === undefined) return [411, 'BAD_INPUT', 'The request needs a content-length.']
  const length = Number(headers['content-length'])
  if (length > byteSize) return [413, 'LIMIT_EXCEEDED', `The upload was announced with ${byteSize} bytes.`]
  return length < byteSize ? [400, 'BAD_INPUT', `The upload was announced with ${byteSize} bytes.`] : null
}

function answerFault(app: App, response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  if (error instanceof StoreFailure && error.reason === 'FULL') {
    refuseFile(response, 507, 'STORAGE_FULL', 'The storage of the server is full.')
    return
  }
  if (error instanceof StoreFailure || isTransient(error)) app.log.debug({ err: error }, 'an upload failed')
  else app.log.error({ err: error }, 'an upload failed')
  refuseFile(response, 503, 'UNAVAILABLE', 'The file could not be stored now.', 1)
}

/** The server of the tus protocol, for uploads that `createUpload` has begun. */
function openTus(app: App): TusServer {
  const uploads = new TusUploads(app)
  return new TusServer({
    path: filesPath,
    datastore: uploads,
    lockDrainTimeout: drainMs,
    allowedOrigins: () => true, // the door has checked the origin
    getFileIdFromRequest(request) {
      const { pathname, search } = new URL(request.url)
      const asked = app.files.urls.read(`${pathname}${search}`)
      return asked?.type === 'upload' ? String(asked.attachmentId) : undefined
    },
    locker: { newLock: (id) => uploads.lockOf(id) },
    async onUploadFinish(_request, { id }) {
      await uploads.finish(id)
      return {}
    },
    onResponseError(_request, error) {
      if (!(error instanceof Error) || 'status_code' in error) return undefined
      const known = error instanceof StoreFailure ? asParleyError(error) : null
      if (known?.code === 'STORAGE_FULL') return { status_code: 507, body: `${known.message}\n` }
      if (known || isTransient(error)) app.log.debug({ err: error }, 'a part of an upload could not be stored')
      else app.log.error({ err: error }, 'a part of an upload could not be stored')
      return { status_code: 503, body: 'The bytes could not be stored now.\n' }
    },
  })
}

function asParleyError(error: StoreFailure): ParleyError | null {
  try {
    return unavailable(error)
  } catch (refusal) {
    return refusal instanceof ParleyError ? refusal : null
  }
}

/** The uploads as the tus protocol sees them. */
class TusUploads extends DataStore {
  readonly #app: App

  constructor(app: App) {
    super()
    this.#app = app
  }

  override async getUpload(id: string): Promise<Upload> {
    const attachment = await this.#find(id)
    return new Upload({ id, size: attachment.byteSize, offset: await this.#received(attachment) })
  }

  override async write(stream: Readable, id: string, offset: number): Promise<number> {
    const attachment = await this.#find(id)
    if (offset === attachment.byteSize) return offset
    return this.#app.files.disk.receive(attachment.storageKey, offset, attachment.byteSize, stream)
  }

  /** Completes an upload whose bytes have all arrived. */
  async finish(id: string): Promise<void> {
    const attachment = await this.#find(id)
    if (attachment.state === 'UPLOADING') await complete(this.#app, attachment)
  }

  lockOf(id: string) {
    let lock: UploadLock | null = null
    return {
      lock: async (signal: AbortSignal, stop: () => void) => {
        const { fileId } = await this.#find(id)
        lock = await this.#app.files.uploadLocks.take(fileId, lockMs, signal, stop)
        if (!lock) throw { status_code: 423, body: 'Another request sends this file.\n' }
      },
      unlock: async () => lock?.release(),
    }
  }

  async #received(attachment: AttachmentRow): Promise<number> {
    const { disk } = this.#app.files
    const { storageKey, byteSize, state } = attachment
    if (state !== 'UPLOADING') return byteSize
    // It may have its name, if a crash came before the row was changed.
    return (await disk.uploadedSize(storageKey)) ?? 0
  }

  async #find(id: string): Promise<AttachmentRow> {
    const [attachment] = await readAttachments(this.#app.store.reader, [attachmentIdOf(id)])
    if (!attachment) throw ERRORS.FILE_NOT_FOUND
    return attachment
  }
}
