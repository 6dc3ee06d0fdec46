// Registers the open connections of this node by session or server key, and ends each when that is revoked or its token expires (D6).
// One timer serves all of them.

import { setTimeout as delay } from 'node:timers/promises'
import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import { closeCodes } from '../errors.ts'
import type { ServerKeyId, SessionId, UserId } from '../id.ts'

/** Whose a connection is: of a session, or of a server key, which acts for the user unless that is null. */
export type ConnectionOwner =
  | { readonly userId: UserId; readonly sessionId: SessionId; readonly keyId: null }
  | { readonly userId: UserId | null; readonly sessionId: null; readonly keyId: ServerKeyId }

/** Whether two connections have the same owner. */
export const isSameOwner = (one: ConnectionOwner, other: ConnectionOwner) =>
  one.sessionId === other.sessionId && one.keyId === other.keyId && one.userId === other.userId

/** A WebSocket or an event stream. */
export type Connection = {
  readonly kind: 'socket' | 'stream'
  readonly owner: ConnectionOwner
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
  /** Whether a user, or a server key, may have one more of this kind. */
  hasRoom(owner: ConnectionOwner, kind: Connection['kind']): boolean
  remove(connection: Connection): void
  /** Ends the connections of a revoked session. */
  revoke(sessionId: SessionId): void
  /** Ends the connections of a revoked server key. */
  revokeKey(keyId: ServerKeyId): void
  /** Ends the connections on which server keys act for a user who was suspended or deleted. */
  bar(userId: UserId): void
  /** Ends all connections of server keys: they connect again, and are checked then. */
  checkKeys(): void
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
/** How many connections of each kind a server key may have on a node. */
const perKey = 1_000

/** Those that count and end together: of one session, or of one server key. */
const groupOf = ({ sessionId, keyId }: ConnectionOwner): number => sessionId ?? -(keyId ?? 0)
/** Those that share a limit: of one user's sessions, or of one server key. */
const payerOf = ({ userId, keyId }: ConnectionOwner): number => (keyId === null ? (userId ?? 0) : -keyId)

/** Opens the register. */
export function openConnections(clock: Clock, perUser: Config['socket']['perUser']): Connections {
  const byPayer = new Map<number, Record<Connection['kind'], number>>()
  const groups = new Map<number, Connection[]>()
  let streams = 0
  const remove = (connection: Connection) => {
    const [group, payer] = [groupOf(connection.owner), payerOf(connection.owner)]
    const connections = groups.get(group)
    const index = connections?.indexOf(connection) ?? -1
    if (!connections || index < 0) return
    connections.splice(index, 1)
    if (connection.kind === 'stream') streams -= 1
    if (connections.length === 0) groups.delete(group)
    const counts = byPayer.get(payer)
    if (!counts) return
    counts[connection.kind] -= 1
    if (counts.socket + counts.stream === 0) byPayer.delete(payer)
  }
  const end = (connections: readonly Connection[] | undefined, code: number, reason: string) => {
    for (const connection of [...(connections ?? [])]) connection.end(code, reason)
  }
  const endSweeping = clock.every(sweepMs, () => {
    const now = clock.now()
    for (const connections of groups.values()) {
      // Backwards, because it removes what it has looked at.
      for (let i = connections.length - 1; i >= 0; i -= 1) {
        const connection = connections[i]
        if (!connection || connection.expiresAt > now) continue
        remove(connection)
        connection.end(closeCodes.TOKEN_EXPIRED, 'The access token has expired.')
      }
    }
  })
  const all = () => [...groups.values()].flatMap((connections) => [...connections])
  return {
    hasRoom: (owner, kind) => (byPayer.get(payerOf(owner))?.[kind] ?? 0) < (owner.keyId === null ? perUser[kind] : perKey),
    add(connection) {
      if (connection.kind === 'stream') streams += 1
      const [group, payer] = [groupOf(connection.owner), payerOf(connection.owner)]
      const counts = byPayer.get(payer) ?? { socket: 0, stream: 0 }
      counts[connection.kind] += 1
      byPayer.set(payer, counts)
      const connections = groups.get(group)
      if (connections) connections.push(connection)
      else groups.set(group, [connection])
    },
    remove,
    revoke(sessionId) {
      setTimeout(() => end(groups.get(sessionId), closeCodes.SESSION_REVOKED, 'The session has ended.'), revocationMs)
    },
    revokeKey(keyId) {
      setTimeout(() => end(groups.get(-keyId), closeCodes.TOKEN_REFUSED, 'The server key was revoked.'), revocationMs)
    },
    bar(userId) {
      const acting = all().filter(({ owner }) => owner.keyId !== null && owner.userId === userId)
      end(acting, closeCodes.TOKEN_REFUSED, 'Nobody can act for this user any more.')
    },
    checkKeys() {
      const ofKeys = all().filter(({ owner }) => owner.keyId !== null)
      end(ofKeys, closeCodes.RESUME, 'The server key has to be checked. Connect again, and resume.')
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
