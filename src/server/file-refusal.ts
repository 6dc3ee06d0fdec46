// Refuses requests for files, in the form of GraphQL errors.

import type { ServerResponse } from 'node:http'
import type { ErrorCode } from '../errors.ts'
import { refusalBody } from './http.ts'

/** How long a client that is still sending may go on, so that it reads the refusal instead of a broken connection. */
const lingerMs = 5_000

/** Refuses a request for a file. What its client still sends is thrown away, for a short while. */
export function refuseFile(
  response: ServerResponse,
  status: number,
  code: ErrorCode,
  message: string,
  retryAfterS?: number,
): void {
  const { req: request } = response
  const body = refusalBody(message, code)
  if (retryAfterS !== undefined) response.setHeader('retry-after', String(retryAfterS))
  response.setHeader('cache-control', 'no-store')
  response.setHeader('content-length', Buffer.byteLength(body))
  if (request.complete || request.destroyed) {
    response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(body)
    return
  }
  // The end of the answer closes the connection; closing it with bytes unread would take the answer from the client.
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', connection: 'close' }).write(body)
  const end = () => response.end()
  const limit = setTimeout(end, lingerMs)
  request.once('close', () => {
    clearTimeout(limit)
    end()
  })
  request.resume()
}
