// Serves a node: one HTTP server for GraphQL over HTTP and WebSocket, the page at `/`, and health checks.

import {
  createServer,
  type Server as HttpServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { OpenApp } from '../app.ts'
import { openEventData } from '../graphql/event-data.ts'
import { Subscriptions } from '../graphql/subscriptions.ts'
import type { App } from '../parts.ts'
import { webhookDocument } from '../platform/webhook-document.ts'
import { openWebhooks } from '../platform/webhook-workers.ts'
import { schema } from '../schema.ts'
import { AddressCounts, type AddressOf, addressFinder } from './addresses.ts'
import { openConnections } from './connections.ts'
import { openExports } from './exports.ts'
import { openFileDoor } from './files.ts'
import { answerHealth } from './health.ts'
import { answerAtOnce, answerNoRequest, pathOf, requestIdOf, setHeaders } from './http.ts'
import { listen } from './listen.ts'
import { type MetricsServer, serveMetrics } from './metrics-server.ts'
import { openPage } from './page.ts'
import { openRates } from './rates.ts'
import { openSockets } from './socket.ts'
import { openStallWatch, type StallWatch } from './stalls.ts'
import { openTraces } from './traces.ts'
import { openWriteWatch, type WriteWatch } from './writable.ts'
import { createGraphqlHandler, type Yoga } from './yoga.ts'

const requestMs = 5_000
const idleMs = 50
/** How long the body of a request to GraphQL may take to arrive. */
const bodyMs = 30_000

/** The open server of a node. */
export type Server = {
  /** The port on which it listens: the configured one, or a free one for port 0. */
  readonly port: number
  readonly host: string
  /** The port of the metrics; null if they are not served. */
  readonly metricsPort: number | null
  /**
   * Shuts down. It is not ready from now on, but still serves for the configured time; over the second half of that time it
   * tells its sockets and event streams to resume elsewhere. Then it stops listening, and gives requests under way 5 s to end.
   */
  close(): Promise<void>
}

/**
 * Serves an app.
 * @throws StartError if it cannot listen on its ports
 */
export async function serve(app: OpenApp): Promise<Server> {
  const { guard, keyGuard } = app
  const guards = { guard, keyGuard }
  const traces = await openTraces(app)
  const connections = openConnections(app.clock, app.config.socket.perUser)
  const answerPage = await openPage(app.log)
  guard.onRevoked((sessionId) => connections.revoke(sessionId))
  keyGuard.onRevoked((keyId) => connections.revokeKey(keyId))
  keyGuard.onBarred((userId) => connections.bar(userId))
  keyGuard.onRestart(() => connections.checkKeys())
  const addressOf = addressFinder(app.config.http.trustedProxies)
  const places = new AddressCounts(app.config.socket.perAddress)
  const subscriptions = new Subscriptions(app, schema)
  const rates = openRates(app)
  const webhooks = openWebhooks(app, openEventData(app, schema, webhookDocument))
  const yoga = createGraphqlHandler(app, guards, connections, subscriptions, places, rates, traces)
  const sockets = openSockets(app, guards, connections, yoga, subscriptions, addressOf, places, rates)
  const stalls = openStallWatch(() => app.log.debug('a client stopped reading, and was cut'))
  const writes = openWriteWatch(app)
  const files = openFileDoor(app)
  const exports = openExports(app, keyGuard)
  let isLeaving = false
  const health: RequestHandler = (request, response) => answerHealth(request, response, () => findUnready(app, writes, isLeaving))
  const listener = openListener(app, addressOf, () => isLeaving, [health, answerPage, files.answer, exports.answer], yoga)
  const http = openHttp(app, listener, stalls)
  http.on('upgrade', (request, socket, head) => {
    socket.on('error', (error) => app.log.debug({ err: error }, 'an upgrade failed'))
    try {
      sockets.upgrade(request, socket, head)
    } catch (error) {
      app.log.error({ err: error }, 'an upgrade failed unexpectedly')
      socket.destroy()
    }
  })

  let metrics: MetricsServer | null = null
  const close = async () => {
    isLeaving = true
    app.nodes.drain()
    const halfMs = http.listening ? app.config.http.drainMs / 2 : 0
    await delay(halfMs)
    sockets.refuse()
    await connections.leave(halfMs)
    const stopped = http.listening ? new Promise((resolve) => http.close(resolve)) : Promise.resolve()
    connections.close()
    const limit = setTimeout(() => http.closeAllConnections(), requestMs)
    files.close()
    // A kept-alive connection becomes idle only after its last answer, so look for idle ones until all have closed.
    const idle = setInterval(() => http.closeIdleConnections(), idleMs)
    await sockets.close()
    await stopped
    clearTimeout(limit)
    clearInterval(idle)
    stalls.close()
    writes.close()
    await webhooks.close()
    await metrics?.close()
    await traces?.close()
  }
  const { host, port } = app.config.http
  const open = { sockets: () => sockets.count(), streams: () => connections.countStreams() }
  try {
    metrics = await serveMetrics(app, open)
    await listen(http, port, host, 'PORT')
  } catch (error) {
    await close()
    throw error
  }
  const { port: boundPort } = http.address() as AddressInfo
  const { publicUrl, region, capacity, version } = app.config.node
  app.nodes.announce({
    url: publicUrl ?? ownUrl(host, boundPort),
    region,
    capacity,
    version,
    connections: () => open.sockets() + open.streams(),
  })
  return { port: boundPort, metricsPort: metrics?.port ?? null, host, close }
}

/** The URL of a node that listens on one address; null if it listens on all, because it cannot know its name. */
function ownUrl(host: string, port: number): string | null {
  if (host === '0.0.0.0' || host === '::') return null
  return `ws://${host.includes(':') ? `[${host}]` : host}:${port}/graphql`
}

/** Why a node should not get traffic; null if it should. */
async function findUnready(app: App, writes: WriteWatch, isLeaving: boolean): Promise<string | null> {
  if (isLeaving) return 'the node is shutting down'
  if (!app.journal.isFollowing()) return 'Postgres does not answer'
  return (await writes.isWritable()) ? null : 'Postgres accepts no writes'
}

/** Creates the HTTP server of a node, not yet listening. It cuts slow clients, and refuses malformed requests. */
function openHttp(app: App, listener: RequestListener, stalls: StallWatch): HttpServer {
  const http = createServer({ requestTimeout: 0, headersTimeout: 10_000, keepAliveTimeout: 65_000 }, listener)
  http.on('connection', (socket) => stalls.add(socket))
  http.on('clientError', (error, socket) => {
    app.log.debug({ err: error, address: (socket as Socket).remoteAddress }, 'what came was no request, and was refused')
    answerNoRequest(error, socket)
  })
  return http
}

/** Refuses a request whose body has not arrived in time. Node's own limit would also hold for uploads. */
function limitBody(request: IncomingMessage, response: ServerResponse): void {
  const limit = setTimeout(() => {
    if (!request.complete) answerNoRequest({ name: '', message: '', code: 'ERR_HTTP_REQUEST_TIMEOUT' }, request.socket)
  }, bodyMs)
  limit.unref()
  response.once('close', () => clearTimeout(limit))
}

/** Answers the requests that concern it. @returns whether it answered this one */
type RequestHandler = (request: IncomingMessage, response: ServerResponse) => boolean

/** Creates the request listener of a node: tries `answers` in order, and then gives requests to /graphql to Yoga. */
function openListener(app: App, addressOf: AddressOf, isLeaving: () => boolean, answers: readonly RequestHandler[], yoga: Yoga) {
  const { allowedOrigins } = app.config.http
  return (request: IncomingMessage, response: ServerResponse): void => {
    const [requestId, address, path] = [requestIdOf(request), addressOf(request), pathOf(request)]
    response.setHeader('x-request-id', requestId)
    if (isLeaving()) response.setHeader('connection', 'close')
    response.once('finish', () => {
      const { statusCode: status } = response
      if (status >= 400) app.log.debug({ requestId, address, method: request.method, path, status }, 'a request was refused')
    })
    if (answers.some((answer) => answer(request, response))) return
    if (!/^\/graphql\/?$/.test(path)) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('Not found. GraphQL is at /graphql.\n')
      return
    }
    limitBody(request, response)
    setHeaders(request, response, allowedOrigins)
    if (answerAtOnce(request, response, allowedOrigins)) return
    Promise.resolve(yoga(request, response, { address })).catch((error: unknown) => {
      app.log.error({ err: error, requestId }, 'an HTTP request failed')
      response.destroy()
    })
  }
}
