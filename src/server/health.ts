// The health checks of a load balancer: whether the process is alive, and whether it should get traffic.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { pathOf } from './http.ts'

/** Why a node should not get traffic, in words for its operator; null if it should. */
export type Readiness = () => Promise<string | null>

/** Answers a health check. @returns false for any other request */
export function answerHealth(request: IncomingMessage, response: ServerResponse, readiness: Readiness): boolean {
  const match = /^\/health(?:\/(live|ready))?\/?$/.exec(pathOf(request))
  if (!match) return false
  response.setHeader('cache-control', 'no-store')
  response.setHeader('content-type', 'text/plain')
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end('Use GET or HEAD.\n')
    return true
  }
  const answer = (because: string | null) => {
    if (response.writableEnded) return
    response.writeHead(because === null ? 200 : 503).end(because === null ? 'ok\n' : `not ready: ${because}\n`)
  }
  if (match[1] === 'live') answer(null)
  else readiness().then(answer, (error: unknown) => answer(String(error)))
  return true
}
