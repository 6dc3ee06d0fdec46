// Detects a connection to Redis that is open but dead, because its other end was frozen or a firewall forgot it. Neither end
// notices that by itself, so each connection pings Redis twice a second, and is replaced if Redis is silent.

import { Cluster, type Redis } from 'ioredis'
import type { Outage } from '../log/outage.ts'

const beatMs = 500
/** If Redis sends nothing at all for this long after a command, the connection is closed and replaced. */
export const answerMs = 1_500

/**
 * Pings Redis over a connection made with `socketTimeout: answerMs`; in a Cluster, every node of it. The subscribers of a Cluster
 * have connections of their own, which only commands about a topic reach: `topics` are one on each of them, with no listener.
 * @returns a function to stop it
 */
export function keepPinging(connection: Redis | Cluster, topics: readonly string[] = []): () => void {
  const beat = setInterval(() => {
    for (const node of connection instanceof Cluster ? connection.nodes() : [connection]) {
      if (node.status === 'ready') node.ping().catch(() => undefined)
    }
    if (!(connection instanceof Cluster) || connection.status !== 'ready') return
    for (const topic of topics) connection.sunsubscribe(topic).catch(() => undefined)
  }, beatMs)
  return () => clearInterval(beat)
}

/** Reports to an outage when one of a node's connections to Redis is lost and ready again. */
export function reportTo(connection: Redis | Cluster, part: string, outage: Outage): void {
  connection.on('error', (error) => outage.lost(part, error))
  connection.on('close', () => outage.lost(part, new Error('the connection was closed')))
  connection.on('ready', () => outage.regained(part))
  connection.on('subscribersReady', () => outage.regained(part))
}
