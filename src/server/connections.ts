// Registers the open connections of this node by session, and ends each when its session is revoked or its token expires (D6).
// One timer serves all of them.

import { setTimeout as delay } from 'node:timers/promises'
import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import { closeCodes } from '../errors.ts'
import type { SessionId, UserId } from '../id.ts'

/** A WebSocket or an event stream of a session. */
export type Connection = {
  readonly kind: 'socket' | 'stream'
  readonly userId: UserId
  readonly sessionId: SessionId
  /** When the access token that opened or last renewed it expires, in milliseconds since 1970. */
  expiresAt: number
  /** Ends it, with a reason for the client. */
  end(code: number, reason: string): void
  /** Ends it because the node shuts down, after operations under way have been answered. */
  leave(): void
}

/** The register of a node's connections. */
export type Connections = {
  add(connection: Connection): void
  /** Whether a user may have one more of this kind. */
  hasRoom(userId: UserId, kind: Connection['kind']): boolean
  remove(connection: Connection): void
  /** Ends the connections of a revoked session. */
  revoke(sessionId: SessionId): void
  /** How many event streams are open. */
  countStreams(): number
  /** Leaves all open connections, evenly over `overMs`, so that their clients do not reach other nodes all at once. */
  leave(overMs: number): Promise<void>
  /** Leaves all remaining connections. */
  close(): void
}

/** How often connections with expired tokens are ended. */
const sweepMs = 500
/** Time to answer a logOut that came over the socket that it ends. */
const revocationMs = 100

/** Opens the register. */
export function openConnections(clock: Clock, perUser: Config['socket']['perUser']): Connections {
  const byUser = new Map<UserId, Record<Connection['kind'], number>>()
  const bySession = new Map<SessionId, Connection[]>()
  let streams = 0
  const remove = (connection: Connection) => {
    const connections = bySession.get(connection.sessionId)
    const index = connections?.indexOf(connection) ?? -1
    if (!connections || index < 0) return
    connections.splice(index, 1)
    if (connection.kind === 'stream') streams -= 1
    if (connections.length === 0) bySession.delete(connection.sessionId)
    const counts = byUser.get(connection.userId)
    if (!counts) return
    counts[connection.kind] -= 1
    if (counts.socket + counts.stream === 0) byUser.delete(connection.userId)
  }
  const endSweeping = clock.every(sweepMs, () => {
    const now = clock.now()
    for (const connections of bySession.values()) {
      // Backwards, because it removes what it has looked at.
      for (let i = connections.length - 1; i >= 0; i -= 1) {
        const connection = connections[i]
        if (!connection || connection.expiresAt > now) continue
        remove(connection)
        connection.end(closeCodes.TOKEN_EXPIRED, 'The access token has expired.')
      }
    }
  })
  const all = () => [...bySession.values()].flatMap((connections) => [...connections])
  return {
    hasRoom: (userId, kind) => (byUser.get(userId)?.[kind] ?? 0) < perUser[kind],
    add(connection) {
      if (connection.kind === 'stream') streams += 1
      const counts = byUser.get(connection.userId) ?? { socket: 0, stream: 0 }
      counts[connection.kind] += 1
      byUser.set(connection.userId, counts)
      const connections = bySession.get(connection.sessionId)
      if (connections) connections.push(connection)
      else bySession.set(connection.sessionId, [connection])
    },
    remove,
    revoke(sessionId) {
      setTimeout(() => {
        for (const connection of [...(bySession.get(sessionId) ?? [])]) {
          connection.end(closeCodes.SESSION_REVOKED, 'The session has ended.')
        }
      }, revocationMs)
    },
    countStreams: () => streams,
    async leave(overMs) {
      const [leaving, begunAt] = [all(), Date.now()]
      for (const [i, connection] of leaving.entries()) {
        const waitMs = begunAt + (overMs * i) / leaving.length - Date.now()
        if (waitMs > 0) await delay(waitMs)
        connection.leave()
      }
      await delay(Math.max(0, begunAt + overMs - Date.now()))
    },
    close() {
      endSweeping()
      for (const connection of all()) connection.leave()
    },
  }
}
