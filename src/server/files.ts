// The door for files: `/files/`. A signed URL is all that a request needs, so it carries no token.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { filesPath } from '../attachment/urls.ts'
import type { App } from '../parts.ts'
import { openDownloads } from './downloads.ts'
import { refuseFile } from './file-refusal.ts'
import { isWelcomeOrigin, originRefusal, pathOf } from './http.ts'
import { openUploads } from './uploads.ts'

/** What a page of another origin may send, and read, when it uploads. */
const uploadMethods = 'GET, HEAD, PUT, PATCH'
const uploadHeaders = 'content-type, tus-resumable, upload-offset, upload-length, x-request-id'
const shownHeaders = 'tus-resumable, upload-offset, upload-length, upload-expires, x-request-id, retry-after'
const preflightS = 600

/** The open door for files. */
export type FileDoor = {
  /** Answers a request for a file. @returns false for any other request */
  answer(request: IncomingMessage, response: ServerResponse): boolean
  /** Cuts what is under way. */
  close(): void
}

/** Opens the door. */
export function openFileDoor(app: App): FileDoor {
  const [uploads, downloads] = [openUploads(app), openDownloads(app)]
  return {
    answer(request, response) {
      if (!pathOf(request).startsWith(filesPath)) return false
      setFileHeaders(app, request, response)
      if (request.method === 'OPTIONS') {
        answerPreflight(app, request, response)
        return true
      }
      const asked = app.files.urls.read(request.url ?? '')
      const { origin } = request.headers
      if (asked?.type === 'upload' && !isWelcomeOrigin(request, app.config.http.allowedOrigins)) {
        refuseFile(response, 403, 'OPERATION_REFUSED', originRefusal(origin))
        return true
      }
      if (!asked) refuseFile(response, 404, 'NOT_FOUND', 'There is no such file, or its URL has expired.')
      else if (asked.type === 'upload') void uploads.receive(asked.attachmentId, request, response)
      else if (request.method === 'GET' || request.method === 'HEAD') void downloads.send(asked, request, response)
      else refuseFile(response, 405, 'OPERATION_REFUSED', 'A file can only be read: GET or HEAD.')
      return true
    },
    close() {
      uploads.close()
      downloads.close()
    },
  }
}

/** Sets the headers of every answer: no page of any origin runs what is in a file. */
function setFileHeaders({ config }: App, request: IncomingMessage, response: ServerResponse): void {
  response.setHeader('x-content-type-options', 'nosniff')
  response.setHeader('content-security-policy', "default-src 'none'; sandbox")
  response.setHeader('cross-origin-resource-policy', 'cross-origin')
  response.setHeader('referrer-policy', 'no-referrer')
  response.setHeader('cache-control', 'no-store')
  // Downloads are the same for everybody. Uploads are for the pages that may use this server.
  const isDownload = request.method === 'GET' && !pathOf(request).startsWith(`${filesPath}uploads/`)
  const { origin } = request.headers
  if (isDownload) response.setHeader('access-control-allow-origin', '*')
  else if (origin !== undefined && isWelcomeOrigin(request, config.http.allowedOrigins)) {
    response.setHeader('vary', 'Origin')
    response.setHeader('access-control-allow-origin', origin)
    response.setHeader('access-control-expose-headers', shownHeaders)
  }
}

function answerPreflight({ config }: App, request: IncomingMessage, response: ServerResponse): void {
  if (!isWelcomeOrigin(request, config.http.allowedOrigins)) {
    refuseFile(response, 403, 'OPERATION_REFUSED', originRefusal(request.headers.origin))
    return
  }
  response.setHeader('access-control-allow-methods', uploadMethods)
  response.setHeader('access-control-allow-headers', uploadHeaders)
  response.setHeader('access-control-max-age', String(preflightS))
  response.writeHead(204).end()
}
