// The settings of Redis: where it is, what kind of Redis it is, and whose certificates it has.

/** The kinds of Redis: a single one, a Redis Cluster, or a single one that Sentinels watch and name. */
export const redisModes = ['single', 'cluster', 'sentinel'] as const

/** Where Redis is, and how to log in. */
export type RedisSettings = {
  readonly mode: (typeof redisModes)[number]
  /** At least one. Several are nodes of one Cluster, or Sentinels. */
  readonly urls: readonly [string, ...string[]]
  /** The certificates of the authority that signed that of Redis, in PEM; null: those that Node trusts. */
  readonly ca: string | null
  /** The name under which the Sentinels know the primary. */
  readonly master: string
  /** The password of the Sentinels themselves. */
  readonly sentinelPassword: string | null
}

/** The URLs of a list. A comma may also be part of a password. */
export const urlsOf = (text: string) => text.split(/\s*,\s*(?=rediss?:\/\/)/)
