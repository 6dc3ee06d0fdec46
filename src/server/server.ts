// The door of a node to the network: one HTTP server for GraphQL over HTTP and WebSocket, and for the questions of a load
// balancer.

import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { openGuard } from '../account/guard.ts'
import type { App } from '../app.ts'
import { StartError } from '../errors.ts'
import { Broadcast } from '../graphql/broadcast.ts'
import { openPush } from '../push/push.ts'
import { schema } from '../schema.ts'
import { openIndexer } from '../search/indexer.ts'
import { openConnections } from './connections.ts'
import { openPage } from './page.ts'
import { openSockets } from './socket.ts'
import { openStallWatch } from './stalls.ts'
import { createGraphqlHandler } from './yoga.ts'

const requestMs = 5_000
const idleMs = 50

/** A node that serves. */
export type Server = {
  /** Where it listens: the port that was asked for, or the free one that was found for port 0. */
  readonly port: number
  readonly host: string
  /**
   * Goes down: not ready at once, and still serving for the time that is configured, over whose second half it says goodbye to
   * streams. Then it stops listening, and lets what is under way end within 5 s.
   */
  close(): Promise<void>
}

/**
 * Serves an app.
 * @throws StartError where the port can't be had.
 */
export async function serve(app: App): Promise<Server> {
  const guard = await openGuard(app)
  const indexer = openIndexer(app)
  const push = openPush(app)
  const connections = openConnections()
  const answerPage = await openPage(app.log)
  guard.onRevoked((sessionId) => {
    connections.revoke(sessionId)
    app.visits.end(sessionId)
  })
  const broadcast = new Broadcast(app, schema)
  const yoga = createGraphqlHandler(app, guard, connections, broadcast)
  const sockets = openSockets(app, guard, connections, yoga, broadcast)
  const stalls = openStallWatch(() => app.log.debug('a client stopped reading, and was cut'))
  let isLeaving = false

  const http = createServer({ requestTimeout: 30_000, headersTimeout: 10_000, keepAliveTimeout: 65_000 }, (request, response) => {
    response.setHeader('x-request-id', randomUUID())
    if (isLeaving) response.setHeader('connection', 'close')
    const isAnswered =
      answerHealth(request, response, () => app.journal.isFollowing() && !isLeaving) || answerPage(request, response)
    if (!isAnswered) {
      Promise.resolve(yoga(request, response)).catch((error: unknown) => {
        app.log.error({ err: error }, 'an HTTP request failed')
        response.destroy()
      })
    }
  })
  http.on('connection', (socket) => stalls.add(socket))
  http.on('upgrade', (request, socket, head) => {
    socket.on('error', (error) => app.log.debug({ err: error }, 'an upgrade failed'))
    try {
      sockets.upgrade(request, socket, head)
    } catch (error) {
      app.log.error({ err: error }, 'an upgrade failed in a way nobody expected')
      socket.destroy()
    }
  })

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
    // A connection that is kept alive becomes idle when its last answer is out.
    const idle = setInterval(() => http.closeIdleConnections(), idleMs)
    await sockets.close()
    await stopped
    clearTimeout(limit)
    clearInterval(idle)
    stalls.close()
    await push.close()
    await indexer.close()
    await guard.close()
  }
  const { host, port } = app.config.http
  try {
    await new Promise<void>((resolve, reject) => {
      http.once('error', reject)
      http.listen(port, host, resolve)
    })
  } catch (error) {
    await close()
    const { code } = error as { code?: string }
    const because =
      code === 'EADDRINUSE' ? 'is in use: set PORT to another one, or stop what listens there' : `cannot be had (${code})`
    throw new StartError(`PORT: ${port} on ${host} ${because}`, { cause: error })
  }
  const { port: boundPort } = http.address() as AddressInfo
  const { publicUrl, region, capacity, version } = app.config.node
  app.nodes.announce({
    url: publicUrl ?? ownUrl(host, boundPort),
    region,
    capacity,
    version,
    connections: () => connections.count(),
  })
  return { port: boundPort, host, close }
}

/** Where a node is that was told to listen on one address; null where it listens on all, and cannot know its name. */
function ownUrl(host: string, port: number): string | null {
  if (host === '0.0.0.0' || host === '::') return null
  return `ws://${host.includes(':') ? `[${host}]` : host}:${port}/graphql`
}

/** Answers the questions of a load balancer: is the process alive, and shall it be sent traffic. */
function answerHealth({ url }: IncomingMessage, response: ServerResponse, isReady: () => boolean): boolean {
  if (url !== '/health/live' && url !== '/health/ready') return false
  const isWell = url === '/health/live' || isReady()
  response.writeHead(isWell ? 200 : 503, { 'content-type': 'text/plain' }).end(isWell ? 'ok\n' : 'not ready\n')
  return true
}
