// The open connections of this node by session, so that each ends when its session is revoked or its token expires (D6).
// One clock for all of them.

import { closeCodes } from '../errors.ts'

/** A WebSocket or an event stream of a session. */
export type Connection = {
  readonly sessionId: number
  /** The end of the access token that opened it, in milliseconds since 1970. */
  readonly expiresAt: number
  /** Ends it so that the client knows why. */
  end(code: number, reason: string): void
}

/** The register of a node's connections. */
export type Connections = {
  add(connection: Connection): void
  remove(connection: Connection): void
  /** Ends what belongs to a session that was revoked. */
  revoke(sessionId: number): void
  /** Ends all that are left, so that their clients resume elsewhere. */
  close(): void
}

/** Time for the answer to a logOut that came over the very socket that it ends. */
const revocationMs = 100

/** Opens the register. */
export function openConnections(): Connections {
  const bySession = new Map<number, Set<Connection>>()
  const sweep = setInterval(() => {
    const now = Date.now()
    for (const connections of bySession.values()) {
      for (const connection of connections) {
        if (connection.expiresAt > now) continue
        connections.delete(connection)
        connection.end(closeCodes.TOKEN_EXPIRED, 'The access token has expired')
      }
    }
  }, 500)
  return {
    add(connection) {
      const connections = bySession.get(connection.sessionId)
      if (connections) connections.add(connection)
      else bySession.set(connection.sessionId, new Set([connection]))
    },
    remove(connection) {
      const connections = bySession.get(connection.sessionId)
      connections?.delete(connection)
      if (connections?.size === 0) bySession.delete(connection.sessionId)
    },
    revoke(sessionId) {
      setTimeout(() => {
        for (const connection of [...(bySession.get(sessionId) ?? [])]) {
          connection.end(closeCodes.SESSION_REVOKED, 'The session was ended')
        }
      }, revocationMs)
    },
    close() {
      clearInterval(sweep)
      for (const connection of [...bySession.values()].flatMap((connections) => [...connections])) {
        connection.end(closeCodes.RESUME, 'The server is going down')
      }
    },
  }
}
