// Connects to Redis, whatever kind it is: a single one, a Redis Cluster, or the one that Sentinels name. What differs between the
// kinds stands here, and in the hash tags of topics and keys (slots.ts).

import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis'
import type { RedisSettings } from '../config/redis-settings.ts'
import { answerMs } from './heartbeat.ts'

/** A connection to a Redis, or those to the nodes of a Cluster. */
export type RedisConnection = Redis | Cluster

/** Options of a connection to one server, without those that would change the form of its answers. */
export type SingleOptions = Omit<RedisOptions, 'replyMapping' | 'scripts'>

/** What a part of this node needs of its connection. */
export type ConnectionUse = {
  /** Whether it subscribes: then its commands wait for Redis as long as it takes. Others fail while Redis is away. */
  readonly subscribes?: boolean
  /** How long a command may take, in milliseconds. By default a second. */
  readonly commandMs?: number
  readonly scripts?: Readonly<Record<string, { readonly lua: string }>>
}

const reconnectMs = { first: 50, longest: 2_000 } as const
/** How often a command follows a slot that has moved, or tries again after a failover. */
const redirectionsMax = 5
/** A Cluster tells its clients of moved slots only when they ask. */
const slotsRefreshMs = 5_000

/** Certificates hold names, so names stay names. */
const dnsLookup: NonNullable<ClusterOptions['dnsLookup']> = (name, found) => found(null, name)

/** How long to wait before the next attempt to connect. */
export const retryStrategy = (attempt: number) => Math.min(reconnectMs.first * 2 ** attempt, reconnectMs.longest)

/** The host and port of a URL. */
export function addressOf(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url)
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 6_379) }
}

/** How to log in to Redis, from its settings. */
export function loginOf({ urls, ca }: RedisSettings): SingleOptions {
  const { protocol, username, password, pathname } = new URL(urls[0])
  const login = {
    ...(username || password ? { username: decodeURIComponent(username), password: decodeURIComponent(password) } : {}),
    db: Number(pathname.slice(1) || 0),
  }
  return protocol === 'rediss:' ? { ...login, tls: ca === null ? {} : { ca } } : login
}

/** Opens a connection; does not wait for it. It reconnects for ever. */
export function connectRedis(settings: RedisSettings, use: ConnectionUse): RedisConnection {
  const { subscribes = false, commandMs = 1_000, scripts } = use
  const timeouts = { connectTimeout: 2_000, socketTimeout: answerMs, ...(subscribes ? {} : { commandTimeout: commandMs }) }
  const whileAway = { enableOfflineQueue: subscribes, maxRetriesPerRequest: subscribes ? null : 1 }
  if (settings.mode === 'cluster') return connectCluster(settings, use, timeouts)
  const options = { ...timeouts, ...whileAway, ...(scripts ? { scripts } : {}), retryStrategy }
  return settings.mode === 'sentinel'
    ? new Redis({ ...options, ...sentinelOptions(settings) })
    : new Redis(settings.urls[0], settings.ca === null ? options : { ...options, tls: { ca: settings.ca } })
}

function connectCluster(
  settings: RedisSettings,
  { scripts, subscribes = false }: ConnectionUse,
  timeouts: SingleOptions,
): Cluster {
  const { db: _only, ...login } = loginOf(settings)
  const options = {
    ...(scripts ? { scripts } : {}),
    ...(settings.urls[0].startsWith('rediss:') ? { dnsLookup } : {}),
    clusterRetryStrategy: retryStrategy,
    enableOfflineQueue: subscribes,
    maxRedirections: redirectionsMax,
    slotsRefreshInterval: slotsRefreshMs,
    shardedSubscribers: subscribes,
    redisOptions: { ...timeouts, ...login, maxRetriesPerRequest: subscribes ? null : 1 },
  } satisfies ClusterOptions
  const cluster = new Cluster(settings.urls.map(addressOf), options)
  // Otherwise a master is connected at its first command, and those that follow meanwhile go by other servers, in another order.
  cluster.on('+node', (node: Redis) => {
    if (!subscribes && !node.options.readOnly) node.connect().catch(() => undefined)
  })
  return cluster
}

/** The options of a connection to the primary that the Sentinels name. */
function sentinelOptions(settings: RedisSettings): SingleOptions {
  const login = loginOf(settings)
  return {
    ...login,
    ...(login.tls ? { sentinelTLS: login.tls, enableTLSForSentinelMode: true } : {}),
    ...(settings.sentinelPassword === null ? {} : { sentinelPassword: settings.sentinelPassword }),
    sentinels: settings.urls.map(addressOf),
    name: settings.master,
    sentinelRetryStrategy: retryStrategy,
  }
}

/** How many bytes wait in the sockets of a connection. */
export function unsentBytes(connection: RedisConnection): number {
  if (connection instanceof Cluster) return connection.nodes().reduce((sum, node) => sum + unsentBytes(node), 0)
  // Despite its type, the stream is undefined before the first connection.
  return (connection.stream as typeof connection.stream | undefined)?.writableLength ?? 0
}
