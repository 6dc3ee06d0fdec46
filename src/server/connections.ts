// The open connections of this node by session, so that each ends when its session is revoked or its token expires (D6).
// One clock for all of them.

import { setTimeout as delay } from 'node:timers/promises'
import { closeCodes } from '../errors.ts'

/** A WebSocket or an event stream of a session. */
export type Connection = {
  readonly sessionId: number
  /** The end of the access token that opened it or renewed it last, in milliseconds since 1970. */
  expiresAt: number
  /** Ends it so that the client knows why. */
  end(code: number, reason: string): void
  /** Ends it because the node goes down: what is under way is answered first. */
  leave(): void
}

/** The register of a node's connections. */
export type Connections = {
  add(connection: Connection): void
  remove(connection: Connection): void
  /** Ends what belongs to a session that was revoked. */
  revoke(sessionId: number): void
  /** How many are open. */
  count(): number
  /** Says goodbye to those that are open now, evenly over a time, so that their clients do not come elsewhere all at once. */
  leave(overMs: number): Promise<void>
  /** Says goodbye to all that are left. */
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
  const all = () => [...bySession.values()].flatMap((connections) => [...connections])
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
    count: () => [...bySession.values()].reduce((sum, { size }) => sum + size, 0),
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
      clearInterval(sweep)
      for (const connection of all()) connection.leave()
    },
  }
}
