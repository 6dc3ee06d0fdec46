// Clients that stopped reading what they asked for. A node keeps what it wrote to them until they take it, and neither a
// request's time-outs nor TCP's keep-alive ever notice: so one clock looks whether something goes out (D7).

import type { Socket } from 'node:net'

/** The watch over a node's connections: HTTP, event streams and WebSockets alike. */
export type StallWatch = {
  /** Watches a connection until it closes. */
  add(socket: Socket): void
  close(): void
}

/** How long a connection may have bytes waiting of which not one goes out. */
const stallMs = 20_000
const lookMs = 2_000

type Progress = { sentBytes: number; since: number }

/** Opens the watch. `onStalled` hears of each connection that is cut. */
export function openStallWatch(onStalled: () => void): StallWatch {
  const watched = new Map<Socket, Progress>()
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
