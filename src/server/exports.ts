// Exports: `GET /export/users/<user>` gives all of a person's data as NDJSON, to a server key with the scope USERS.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { findNamed } from '../account/external-id.ts'
import { notFound, ParleyError } from '../errors.ts'
import { httpError } from '../graphql/errors.ts'
import { encodeId, type ServerKeyId, type UserId } from '../id.ts'
import type { App } from '../parts.ts'
import type { KeyGuard } from '../platform/key-guard.ts'
import { exportPerson } from '../platform/person-export.ts'
import { isFor } from '../platform/server-keys.ts'
import { reportFailure } from '../store/postgres.ts'
import { statement } from '../store/reader.ts'
import type { ServerKey } from '../viewer.ts'
import { bearerToken } from './callers.ts'
import { pathOf } from './http.ts'

const pathStart = '/export/users/'

const present = statement<{ tenant: string | null }>(
  'export_user',
  'select tenant from "user" where id = $1 and deleted_at is null',
)

/** The door for exports. */
export type ExportDoor = {
  /** Answers a request for an export. @returns false for any other request */
  answer(request: IncomingMessage, response: ServerResponse): boolean
}

/** Opens the door. One export of a key runs at a time on a node. */
export function openExports(app: App, keyGuard: KeyGuard): ExportDoor {
  const running = new Set<ServerKeyId>()
  async function send(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const key = await requireKey(request, keyGuard)
    if (running.has(key.id))
      throw new ParleyError('RATE_LIMITED', 'The server key is exporting somebody already.', { retryAfterMs: 5_000 })
    running.add(key.id)
    try {
      const userId = await requireUser(key, request, app)
      const subjects = [encodeId('User', userId)]
      await app.audit.record({ actor: 'KEY', keyId: key.id, userId: null, action: 'exportUser', subjects })
      response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' })
      await pipeline(Readable.from(exportPerson(userId, app)), response)
    } finally {
      running.delete(key.id)
    }
  }
  return {
    answer(request, response) {
      if (!pathOf(request).startsWith(pathStart)) return false
      void send(request, response).catch((error: unknown) => refuse(error, response, app))
      return true
    },
  }
}

async function requireKey(request: IncomingMessage, keyGuard: KeyGuard): Promise<ServerKey> {
  if (request.method !== 'GET') throw new ParleyError('OPERATION_REFUSED', 'An export can only be read: GET.')
  const token = bearerToken(request.headers.authorization)
  if (token instanceof ParleyError) throw token
  if (token === null || !keyGuard.isKey(token)) throw new ParleyError('UNAUTHENTICATED', 'An export needs a server key.')
  const { key } = await keyGuard.admit(token, null)
  if (!key.scopes.includes('USERS')) throw new ParleyError('FORBIDDEN', 'The server key does not have the scope USERS.')
  return key
}

async function requireUser(key: ServerKey, request: IncomingMessage, { config, store }: App): Promise<UserId> {
  const typed = pathOf(request).slice(pathStart.length)
  const name = /^(%[\da-f]{2}|[^%])*$/i.test(typed) ? decodeOrEmpty(typed) : ''
  const userId = await findNamed(store.reader, config, name, 'user')
  const [user] = userId === null ? [] : await store.reader.rows(present, [userId])
  if (userId === null || !user || !isFor(key, user)) throw notFound('User')
  return userId
}

function decodeOrEmpty(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}

const statuses: Readonly<Record<string, number>> = {
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  BAD_INPUT: 400,
  OPERATION_REFUSED: 405,
  RATE_LIMITED: 429,
  UNAVAILABLE: 503,
}

/** Answers with the error, or cuts what has begun: an export without its last line is not complete. */
function refuse(error: unknown, response: ServerResponse, app: App): void {
  if (response.headersSent) {
    if (!response.destroyed) reportFailure(app.log, error, 'an export was broken off')
    response.destroy()
    return
  }
  const { message, extensions } = httpError(error, '', app)
  const { code = 'INTERNAL', argument } = extensions as { code?: string; argument?: string }
  response.writeHead(statuses[code] ?? 500, { 'content-type': 'application/json' })
  response.end(`${JSON.stringify({ message, code, ...(argument ? { argument } : {}) })}\n`)
}
