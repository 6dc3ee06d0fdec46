// The options of a client and its time limits.

import type { Print } from './document.ts'
import type { AccessTokens } from './session.ts'
import type { WebSocketClass } from './socket.ts'
import type { CredentialsStore, OutboxStorage } from './storage.ts'

/** The options of `createParleyClient`. */
export type ParleyClientOptions = {
  /** The GraphQL endpoint over HTTP: `https://chat.example.com/graphql`. */
  readonly url: string
  /** The credentials of the session. Without them, the client can only run operations that need no login. */
  readonly session?: CredentialsStore | AccessTokens
  /** Stores unsent messages; by default in memory. The client closes it. */
  readonly outbox?: OutboxStorage
  /** The region of the user, by which the gateway chooses a node. */
  readonly region?: string
  /**
   * Tabs of one origin whose clients give the same name share one socket: use one name for each session. If its tab is closed, another one
   * takes over. It needs Web Locks and BroadcastChannel: without them, as on pages from plain http, each tab has its own socket.
   */
  readonly tabs?: string
  /** `WebSocket` of the package ws. Not needed in browsers and in Node from version 22. */
  readonly webSocketImpl?: WebSocketClass
  readonly fetch?: typeof globalThis.fetch
  /** `print` of the package graphql, if the documents are syntax trees. */
  readonly print?: Print
  readonly limits?: Partial<Limits>
}

/** Time limits in milliseconds. The defaults fit the server's promises. */
export type Limits = {
  /** How long to wait for an answer over HTTP or the socket: 15,000. */
  readonly requestMs: number
  /** How long a socket may take to open: 10,000. */
  readonly connectMs: number
  /** A stream of events is dead after this much silence: 30,000. The server sends something at least every 25 s (D8). */
  readonly silenceMs: number
  /** The bound of the first back-off: 1,000, so that the clients of a lost node return over a second. It doubles each time. */
  readonly firstMs: number
  /** The greatest bound of a back-off: 30,000. */
  readonly maxMs: number
}

/** The default limits. */
export const defaults: Limits = { requestMs: 15_000, connectMs: 10_000, silenceMs: 30_000, firstMs: 1_000, maxMs: 30_000 }
