// Detects a connection to Redis that is open but dead, because its other end was frozen or a firewall forgot it. Neither end
// notices that by itself, so each connection pings Redis twice a second, and is replaced if Redis is silent.

import type { Redis } from 'ioredis'
import type { Outage } from '../log/outage.ts'

const beatMs = 500
/** If Redis sends nothing at all for this long after a command, the connection is closed and replaced. */
export const answerMs = 1_500

/** Pings Redis over a connection made with `socketTimeout: answerMs`. @returns a function to stop it */
export function keepPinging(connection: Redis): () => void {
  const beat = setInterval(() => {
    if (connection.status === 'ready') connection.ping().catch(() => undefined)
  }, beatMs)
  return () => clearInterval(beat)
}

/** Reports to an outage when one of a node's connections to Redis is lost and ready again. */
export function reportTo(connection: Redis, part: string, outage: Outage): void {
  connection.on('error', (error) => outage.lost(part, error))
  connection.on('close', () => outage.lost(part, new Error('the connection was closed')))
  connection.on('ready', () => outage.regained(part))
}
