// Files on their way between clients and a node, in one direction. Their number is bounded, and one that stands still, crawls or lasts
// too long is cut, so that nobody can hold the node's connections and memory with them.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { slowestBytesPerS } from '../attachment/actions.ts'

/** A transfer is cut that moves less than `slowestBytesPerS` on the whole after so long. */
const slowAfterMs = 60_000
const lookMs = 5_000

/** The bounds of transfers in one direction. */
export type TransferLimits = {
  /** How many there may be at once with the same key, and on the node. */
  readonly perKey: number
  readonly onNode: number
  /** How long one may move nothing, and how long it may last, in milliseconds. */
  readonly silenceMs: number
  readonly longestMs: number
  /** The bytes that a connection has moved in this direction. */
  readonly moved: (request: IncomingMessage) => number
  /** Whether all bytes have moved. */
  readonly isDone: (request: IncomingMessage) => boolean
}

/** The transfers of a node in one direction. */
export class Transfers {
  readonly #limits: TransferLimits
  readonly #active = new Map<IncomingMessage, number>()

  constructor(limits: TransferLimits) {
    this.#limits = limits
  }

  /**
   * Counts a transfer and watches it until its response closes, whatever becomes of what is done for it.
   * @param key the user or the file that it counts for
   * @returns false if there are too many
   */
  begin(key: number, request: IncomingMessage, response: ServerResponse): boolean {
    const { perKey, onNode } = this.#limits
    let same = 0
    for (const each of this.#active.values()) if (each === key) same += 1
    if (same >= perKey || this.#active.size >= onNode) return false
    if (response.closed) return true // its client has left meanwhile
    this.#active.set(request, key)
    const stopWatching = this.#watch(request)
    response.once('close', () => {
      stopWatching()
      this.#active.delete(request)
    })
    return true
  }

  /** Cuts all of them. */
  close(): void {
    for (const request of this.#active.keys()) request.socket.destroy()
  }

  #watch(request: IncomingMessage): () => void {
    const { silenceMs, longestMs, moved, isDone } = this.#limits
    const begun = performance.now()
    const first = moved(request)
    let [bytes, at] = [first, begun]
    const timer = setInterval(() => {
      if (isDone(request)) return
      const now = performance.now()
      if (moved(request) > bytes) [bytes, at] = [moved(request), now]
      const isSlow = now - begun > slowAfterMs && (bytes - first) / ((now - begun) / 1_000) < slowestBytesPerS
      if (isSlow || now - at > silenceMs || now - begun > longestMs) request.socket.destroy()
    }, lookMs)
    timer.unref()
    return () => clearInterval(timer)
  }
}
