// The headers of every answer over HTTP, and the refusals before GraphQL: pages of other origins, and bodies that are not JSON.
// Yoga refuses the rest (yoga.ts).

import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { type ErrorCode, ParleyError } from '../errors.ts'

/** How long a browser may remember the answer to a preflight, in seconds. */
const preflightS = 600
const requestIdForm = /^[\w.:+/=@-]{1,128}$/
const headerNamesForm = /^[\w\-, ]{1,1000}$/
const jsonType = /^application\/(json|graphql-response\+json|graphql\+json)\s*(;|$)/i

/** The path of a request, without its query. */
export const pathOf = ({ url }: IncomingMessage): string => (url ?? '').split('?', 1)[0] ?? ''

/**
 * A new request id. `randomUUID` returns a string that V8 keeps as a tree of some thirty pieces, a kilobyte for as long as a
 * subscription holds it; the copy is one piece.
 */
export function newRequestId(): string {
  return Buffer.from(randomUUID(), 'latin1').toString('latin1')
}

/** The id of a request: the one from a proxy or a client if it has a plain form, otherwise a new one. */
export function requestIdOf({ headers }: IncomingMessage): string {
  const given = headers['x-request-id']
  return typeof given === 'string' && requestIdForm.test(given) ? given : newRequestId()
}

/** Sets the headers of an answer of the GraphQL endpoint: no cache may keep it, and listed origins may read it. */
export function setHeaders({ headers }: IncomingMessage, response: ServerResponse, allowedOrigins: readonly string[]): void {
  response.setHeader('vary', 'Origin')
  response.setHeader('cache-control', 'no-store')
  response.setHeader('x-content-type-options', 'nosniff')
  const { origin } = headers
  if (origin === undefined || !allowedOrigins.includes(origin)) return
  response.setHeader('access-control-allow-origin', origin)
  response.setHeader('access-control-expose-headers', 'x-request-id, retry-after')
}

const statusOfCode: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
}

/** Answers a malformed or slow HTTP request, as Node would do without a listener. */
export function answerNoRequest({ code = '' }: NodeJS.ErrnoException, socket: Duplex): void {
  if (code === 'ECONNRESET' || !socket.writable) socket.destroy()
  else socket.end(`HTTP/1.1 ${statusOfCode[code] ?? '400 Bad Request'}\r\nConnection: close\r\n\r\n`, () => socket.destroy())
}

/** Answers requests to the GraphQL endpoint that GraphQL need not see: preflights and unusable bodies. @returns whether it did */
export function answerAtOnce(request: IncomingMessage, response: ServerResponse, allowedOrigins: readonly string[]): boolean {
  const { method, headers } = request
  if (method === 'OPTIONS') {
    answerPreflight(request, response, allowedOrigins)
    return true
  }
  if (method !== 'POST') return false
  if (!jsonType.test(headers['content-type'] ?? '')) {
    refuse(response, 415, 'Send the operation as JSON, with the header content-type: application/json.')
    return true
  }
  const encoding = headers['content-encoding'] ?? 'identity'
  if (encoding.toLowerCase() === 'identity') return false
  refuse(response, 415, 'Send the body unencoded, without content-encoding.')
  return true
}

function answerPreflight(request: IncomingMessage, response: ServerResponse, allowedOrigins: readonly string[]): void {
  const { origin } = request.headers
  if (!isWelcomeOrigin(request, allowedOrigins)) {
    refuse(response, 403, originRefusal(origin))
    return
  }
  response.setHeader('allow', 'GET, POST, OPTIONS')
  if (origin !== undefined) {
    const headerNames = String(request.headers['access-control-request-headers'] ?? '')
    response.setHeader('vary', 'Origin, Access-Control-Request-Headers')
    response.setHeader('access-control-allow-methods', 'GET, POST')
    response.setHeader(
      'access-control-allow-headers',
      headerNamesForm.test(headerNames) ? headerNames : 'content-type, authorization',
    )
    response.setHeader('access-control-max-age', String(preflightS))
  }
  response.writeHead(204).end()
}

/** Whether the origin of a request may use this server: programs send none, Parley's pages their own, others must be listed. */
export function isWelcomeOrigin({ headers }: IncomingMessage, allowed: readonly string[]): boolean {
  const { origin, host } = headers
  if (origin === undefined || allowed.includes(origin)) return true
  return URL.canParse(origin) && new URL(origin).host === host
}

/** The refusal of a page from another origin. */
export function originRefusal(origin: string | undefined): string {
  return `Pages from ${String(origin).slice(0, 200)} may not use this server. To allow them, add the origin to PARLEY_ALLOWED_ORIGINS.`
}

/** Refuses a request in the form of a GraphQL error, so that clients show the message. */
export function refuse(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(refusalBody(message))
}

/** The body of such a refusal. */
export function refusalBody(message: string, code: ErrorCode = 'OPERATION_REFUSED'): string {
  const { isRetryable: retryable } = new ParleyError(code, message)
  return JSON.stringify({ errors: [{ message, extensions: { code, retryable } }] })
}
