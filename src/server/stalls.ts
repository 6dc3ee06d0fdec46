// Disconnects clients that have stopped reading. A node keeps unsent bytes in memory, and neither request time-outs nor TCP
// keep-alive notice such a client, so one timer checks whether bytes go out (D7).

import type { Socket } from 'node:net'

/** Watches a node's connections: HTTP, event streams and WebSockets. */
export type StallWatch = {
  /** Watches a connection until it closes. */
  add(socket: Socket): void
  close(): void
}

/** How long unsent bytes may wait on a connection without any of them going out. */
const stallMs = 20_000
const lookMs = 2_000

type WriteProgress = { sentBytes: number; since: number }

/** Opens the watch. It calls `onStalled` for each connection that it destroys. */
export function openStallWatch(onStalled: () => void): StallWatch {
  const watched = new Map<Socket, WriteProgress>()
  const look = setInterval(() => {
    const now = Date.now()
    for (const [socket, progress] of watched) {
      const sentBytes = socket.bytesWritten - socket.writableLength
      if (socket.writableLength === 0 || sentBytes !== progress.sentBytes) {
        watched.set(socket, { sentBytes, since: now })
      } else if (now - progress.since >= stallMs) {
        onStalled()
        socket.destroy()
      }
    }
  }, lookMs)
  return {
    add(socket) {
      watched.set(socket, { sentBytes: 0, since: Date.now() })
      socket.once('close', () => watched.delete(socket))
    },
    close: () => clearInterval(look),
  }
}
