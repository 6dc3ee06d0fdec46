// A connection to Redis that is open and dead: the other end was stopped, or something between forgot it. Nobody is told of
// that. So each connection asks for an answer twice a second, and is broken when none comes; it is then made anew.

import type { Redis } from 'ioredis'

const beatMs = 500
/** Asked for something, Redis has to say anything at all within this time, or its connection is broken. */
export const answerMs = 1_500

/** Asks a connection (made with `socketTimeout: answerMs`) for a sign of life again and again; ends with the returned call. */
export function keepAsking(connection: Redis): () => void {
  const beat = setInterval(() => {
    if (connection.status === 'ready') connection.ping().catch(() => undefined)
  }, beatMs)
  return () => clearInterval(beat)
}
