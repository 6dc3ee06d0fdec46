// Decides which HTTP requests become WebSockets, and answers those that do not.

import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { handleProtocols } from 'graphql-ws'
import type { App } from '../parts.ts'
import type { AddressCounts, AddressOf, AddressSlot } from './addresses.ts'
import { isWelcomeOrigin, originRefusal, pathOf } from './http.ts'
import { logCrowd } from './refused.ts'

/** The `Retry-After` of a refusal, in seconds. */
const retryS = 2
const protocolRefusal =
  'Use the subprotocol graphql-transport-ws, of the package graphql-ws. The subprotocol graphql-ws, of the older subscriptions-transport-ws, is not supported.'

/** A client that may have a WebSocket. */
export type Admitted = { readonly address: string; readonly slot: AddressSlot }

/** Decides on a request for a WebSocket, and answers it if it is refused. */
export type Admit = (request: IncomingMessage, socket: Duplex) => Admitted | null

/** Makes the decision for a node. `isRefusing` says whether the node refuses new sockets. */
export function openAdmission(app: App, addressOf: AddressOf, addresses: AddressCounts, isRefusing: () => boolean): Admit {
  const { allowedOrigins } = app.config.http
  const { handshakesPerSMax } = app.config.socket
  let [second, handshakes] = [0, 0]
  /** Counts a handshake. @returns whether this second already had too many: then this client comes back a little later */
  const isStorm = () => {
    const now = Math.floor(app.clock.monotonicMs() / 1_000)
    if (now !== second) [second, handshakes] = [now, 0]
    handshakes += 1
    return handshakes > handshakesPerSMax
  }
  return (request, socket) => {
    const address = addressOf(request)
    const refuse = (status: string, text: string) => {
      app.log.debug({ status, address, path: pathOf(request) }, 'a WebSocket was refused')
      answer(socket, status, text)
      return null
    }
    if (isRefusing()) return refuse('503 Service Unavailable', 'This node is shutting down. Connect again, to another node.')
    if (pathOf(request) !== '/graphql') return refuse('404 Not Found', 'WebSockets are at /graphql.')
    const { upgrade, origin } = request.headers
    if (upgrade?.toLowerCase() !== 'websocket') {
      return refuse('400 Bad Request', 'The only supported upgrade is websocket. Omit the Upgrade header (HTTP/2, h2c).')
    }
    if (!isWelcomeOrigin(request, allowedOrigins)) {
      const line = { origin, address }
      app.repeats.note('info', `${origin}`, line, 'a page whose origin is not in PARLEY_ALLOWED_ORIGINS was refused')
      return refuse('403 Forbidden', originRefusal(origin))
    }
    if (!offersProtocol(request)) return refuse('400 Bad Request', protocolRefusal)
    if (isStorm()) {
      app.repeats.note('info', 'handshakes', {}, 'too many WebSockets were opened in a second: some clients come back later')
      // Not 503: proxies take that for a node that is going down.
      return refuse('429 Too Many Requests', 'Too many clients are connecting. Connect again in a few seconds.')
    }
    const slot = addresses.enter(address, 'withoutSession')
    if (!slot) {
      logCrowd(app, address, 'withoutSession')
      return refuse('429 Too Many Requests', 'Too many WebSockets without a session from this address. Connect again later.')
    }
    socket.once('close', slot.leave)
    return { address, slot }
  }
}

/** Whether a client offers the right subprotocol. If it offers none, `ws` and graphql-ws close the socket with a code. */
function offersProtocol({ headers }: IncomingMessage): boolean {
  const offered = headers['sec-websocket-protocol']
  return offered === undefined || handleProtocols(offered) !== false
}

/** Answers a request for a WebSocket with a refusal, and closes its connection. */
function answer(socket: Duplex, status: string, text: string): void {
  const body = `${text}\n`
  const headers = [
    'Connection: close',
    ...(/^(429|503)/.test(status) ? [`Retry-After: ${retryS}`] : []),
    'Cache-Control: no-store',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ]
  socket.once('finish', () => socket.destroy()).end(`HTTP/1.1 ${status}\r\n${headers.join('\r\n')}\r\n\r\n${body}`)
}
