// The environment, read in this one file. Two steps: single variables by their form, then cross-checks; every fault is
// told at once, and nothing is opened before all is well.

import { readFileSync } from 'node:fs'
import process from 'node:process'
import { z } from 'zod'

const wholeNumber = (least: number, most: number) => z.coerce.number().int().min(least).max(most)
const flag = z.enum(['true', 'false']).transform((text) => text === 'true')

/** The form of a region's name, and what it is in words. */
export const regionName = /^(?=.{1,64}$)[a-z0-9]+(-[a-z0-9]+)*$/
export const regionRule = 'must be up to 64 small letters and digits, with hyphens between parts'

/** Each variable, with its form, its default and its meaning. `.env.example` is checked against this list. */
const variables = z.object({
  NODE_ENV: z.enum(['development', 'test', 'production']).default('development'),
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: wholeNumber(0, 65_535).default(4000),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  REDIS_URL: z.url({ protocol: /^rediss?$/ }).optional(),
  PARLEY_DATA_DIR: z.string().min(1).default('.parley'),
  PARLEY_SEED: flag.optional(),
  PARLEY_LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  PARLEY_ALLOWED_ORIGINS: z
    .string()
    .default('')
    .transform((text) => text.split(',').filter((origin) => origin.trim() !== ''))
    .pipe(z.array(z.url({ protocol: /^https?$/ }).transform((url) => new URL(url).origin))),
  PARLEY_PUBLIC_URL: z.url({ protocol: /^wss?$/ }).optional(),
  PARLEY_REGION: z.string().regex(regionName, regionRule).default('local'),
  PARLEY_CAPACITY: wholeNumber(1, 1_000_000).default(10_000),
  PARLEY_DRAIN_MS: wholeNumber(0, 600_000).default(0),
  PARLEY_TOKEN_SECRET: z.string().min(32, 'must have at least 32 characters').optional(),
  PARLEY_ACCESS_TOKEN_TTL_S: wholeNumber(1, 86_400).default(900),
  PARLEY_REFRESH_TOKEN_TTL_S: wholeNumber(60, 31_536_000).default(2_592_000),
  PARLEY_VAPID_PUBLIC_KEY: z.string().min(1).optional(),
  PARLEY_VAPID_PRIVATE_KEY: z.string().min(1).optional(),
  PARLEY_JWKS_URL: z.url({ protocol: /^https?$/ }).optional(),
  PARLEY_JWKS_ISSUER: z.string().min(1).optional(),
  PARLEY_JWKS_AUDIENCE: z.string().min(1).optional(),
  PARLEY_MESSAGE_TEXT_MAX: wholeNumber(1, 100_000).default(10_000),
  PARLEY_GROUP_MEMBERS_MAX: wholeNumber(2, 1_000).default(100),
  PARLEY_WINDOW_FACTS_MAX: wholeNumber(100, 10_000_000).default(100_000),
  PARLEY_WINDOW_BYTES_MAX: wholeNumber(1_048_576, 17_179_869_184).default(67_108_864),
  PARLEY_APPEND_LANES: wholeNumber(1, 4).default(2),
  PARLEY_JOURNAL_RETENTION_S: wholeNumber(1, 315_360_000).default(2_592_000),
  PARLEY_TICK_INTERVAL_MS: wholeNumber(100, 24_000).default(20_000),
  PARLEY_STREAM_BACKLOG_FACTS_MAX: wholeNumber(10, 1_000_000).default(1_000),
  PARLEY_STREAM_BACKLOG_BYTES_MAX: wholeNumber(10_000, 1_073_741_824).default(1_048_576),
  PARLEY_PRESENCE_TTL_S: wholeNumber(5, 600).default(30),
  PARLEY_SOCKET_MESSAGE_BYTES_MAX: wholeNumber(1_024, 16_777_216).default(65_536),
  PARLEY_SOCKET_SUBSCRIPTIONS_MAX: wholeNumber(1, 10_000).default(100),
})

/** The names of all variables that Parley reads. */
export const variableNames: readonly string[] = Object.keys(variables.shape)

/** An identity provider whose tokens are accepted. */
export type IdentityProvider = { jwksUrl: URL; issuer: string; audience: string }

/** Settings grouped by who uses them. What is not set and has no default is null. */
export type Config = {
  isProduction: boolean
  /** Where this installation keeps what it makes itself: the embedded Postgres and its secrets. */
  dataDirectory: string
  /** Whether alice, bob, carol and dan are created: by default only where the database is the embedded one. */
  isSeeded: boolean
  logLevel: string
  http: { host: string; port: number; allowedOrigins: readonly string[]; drainMs: number }
  /** How clients find this node: where its WebSocket is (null: not told), where it stands, how many connections it is meant for. */
  node: { publicUrl: string | null; region: string; capacity: number; version: string }
  /** null: start the embedded Postgres. */
  databaseUrl: string | null
  /** null: this is the only node, topics stay in memory. */
  redisUrl: string | null
  identityProvider: IdentityProvider | null
  /** null where the environment gives none: they are then made once and kept in the data directory. */
  secrets: { token: string | null; vapid: { publicKey: string; privateKey: string } | null }
  tokens: { accessTtlS: number; refreshTtlS: number }
  limits: { messageTextMax: number; groupMembersMax: number }
  journal: {
    windowFactsMax: number
    windowBytesMax: number
    appendLanes: number
    retentionS: number
    tickIntervalMs: number
    backlogFactsMax: number
    backlogBytesMax: number
  }
  /** How long a device is there after its last sign of life. */
  presence: { ttlMs: number }
  socket: { messageBytesMax: number; subscriptionsMax: number }
}

/** A configuration that cannot be used: `faults` are sentences, each naming its variable. */
export class ConfigError extends Error {
  readonly faults: readonly string[]
  constructor(faults: readonly string[]) {
    super(
      `The configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${faults.map((f) => `  - ${f}`).join('\n')}`,
    )
    this.name = 'ConfigError'
    this.faults = faults
  }
}

const together: readonly (readonly (keyof z.infer<typeof variables>)[])[] = [
  ['PARLEY_JWKS_URL', 'PARLEY_JWKS_ISSUER', 'PARLEY_JWKS_AUDIENCE'],
  ['PARLEY_VAPID_PUBLIC_KEY', 'PARLEY_VAPID_PRIVATE_KEY'],
]

/**
 * Reads the configuration from environment variables. An empty value counts as not set.
 * @throws ConfigError with every fault.
 */
// biome-ignore lint/style/noProcessEnv: this is the one file that reads it
export function readConfig(environment: Record<string, string | undefined> = process.env): Config {
  const given = Object.fromEntries(variableNames.map((name) => [name, environment[name] === '' ? undefined : environment[name]]))
  const faults: string[] = []
  for (const name of Object.keys(environment)) {
    if (name.startsWith('PARLEY_') && !variableNames.includes(name)) faults.push(`${name} is not a variable of Parley`)
  }
  for (const names of together) {
    const missing = names.filter((name) => given[name] === undefined)
    if (missing.length > 0 && missing.length < names.length) {
      faults.push(`${missing.join(' and ')} must be set too, beside ${names.filter((n) => !missing.includes(n)).join(' and ')}`)
    }
  }
  if (given.NODE_ENV === 'production') {
    for (const name of ['DATABASE_URL', 'PARLEY_TOKEN_SECRET'] as const) {
      if (given[name] === undefined) faults.push(`${name} must be set in production, to the same value on every node`)
    }
  }
  const parsed = variables.safeParse(given)
  if (!parsed.success) {
    for (const issue of parsed.error.issues) faults.push(`${String(issue.path[0])}: ${issue.message}`)
  }
  if (!parsed.success || faults.length > 0) throw new ConfigError(faults)
  return group(parsed.data)
}

const { version } = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')))

function group(v: z.infer<typeof variables>): Config {
  const { PARLEY_JWKS_URL: jwksUrl, PARLEY_JWKS_ISSUER: issuer, PARLEY_JWKS_AUDIENCE: audience } = v
  const { PARLEY_VAPID_PUBLIC_KEY: publicKey, PARLEY_VAPID_PRIVATE_KEY: privateKey } = v
  return {
    isProduction: v.NODE_ENV === 'production',
    dataDirectory: v.PARLEY_DATA_DIR,
    isSeeded: v.PARLEY_SEED ?? v.DATABASE_URL === undefined,
    logLevel: v.PARLEY_LOG_LEVEL,
    http: { host: v.HOST, port: v.PORT, allowedOrigins: v.PARLEY_ALLOWED_ORIGINS, drainMs: v.PARLEY_DRAIN_MS },
    node: { publicUrl: v.PARLEY_PUBLIC_URL ?? null, region: v.PARLEY_REGION, capacity: v.PARLEY_CAPACITY, version },
    databaseUrl: v.DATABASE_URL ?? null,
    redisUrl: v.REDIS_URL ?? null,
    identityProvider: jwksUrl && issuer && audience ? { jwksUrl: new URL(jwksUrl), issuer, audience } : null,
    secrets: {
      token: v.PARLEY_TOKEN_SECRET ?? null,
      vapid: publicKey && privateKey ? { publicKey, privateKey } : null,
    },
    tokens: { accessTtlS: v.PARLEY_ACCESS_TOKEN_TTL_S, refreshTtlS: v.PARLEY_REFRESH_TOKEN_TTL_S },
    limits: { messageTextMax: v.PARLEY_MESSAGE_TEXT_MAX, groupMembersMax: v.PARLEY_GROUP_MEMBERS_MAX },
    journal: {
      windowFactsMax: v.PARLEY_WINDOW_FACTS_MAX,
      windowBytesMax: v.PARLEY_WINDOW_BYTES_MAX,
      appendLanes: v.PARLEY_APPEND_LANES,
      retentionS: v.PARLEY_JOURNAL_RETENTION_S,
      tickIntervalMs: v.PARLEY_TICK_INTERVAL_MS,
      backlogFactsMax: v.PARLEY_STREAM_BACKLOG_FACTS_MAX,
      backlogBytesMax: v.PARLEY_STREAM_BACKLOG_BYTES_MAX,
    },
    presence: { ttlMs: v.PARLEY_PRESENCE_TTL_S * 1_000 },
    socket: { messageBytesMax: v.PARLEY_SOCKET_MESSAGE_BYTES_MAX, subscriptionsMax: v.PARLEY_SOCKET_SUBSCRIPTIONS_MAX },
  }
}
