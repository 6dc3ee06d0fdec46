// Reads the environment; no other file does. It checks each variable by itself, then the variables against each other, and
// reports all faults at once, before the node opens anything.

import { createECDH } from 'node:crypto'
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { z } from 'zod'
import { isInjected } from './injected.ts'
import { type EnvironmentVariables, variableNames, variables } from './variables.ts'

/** An identity provider whose tokens are accepted. */
export type IdentityProvider = { jwksUrl: URL; issuer: string; audience: string }

/** The key pair that identifies this installation to push services (RFC 8292), in base64url. */
export type VapidKeys = { publicKey: string; privateKey: string }

/** So many per second, and so many at once after a pause. */
export type Rate = { readonly perSecond: number; readonly burst: number }

/** Documents that clients may name by their id. */
export type PersistedOperations = {
  readonly documents: ReadonlyMap<string, string>
  /** Whether this node runs no other documents. */
  readonly isOnly: boolean
}

/** Settings grouped by the part that uses them. A setting without a value and a default is null. */
export type Config = {
  isProduction: boolean
  /** The directory of the embedded Postgres and of the secrets that the installation makes itself. */
  dataDirectory: string
  /** Whether to create alice, bob, carol and dan: by default only in the embedded database. */
  isSeeded: boolean
  logLevel: string
  http: {
    host: string
    port: number
    allowedOrigins: readonly string[]
    /** Addresses and networks whose X-Forwarded-For is trusted. */
    trustedProxies: readonly string[]
    bodyBytesMax: number
    drainMs: number
  }
  isSignUpOpen: boolean
  /** null: there is no manifest. */
  persisted: PersistedOperations | null
  /** What the gateway knows of this node: its WebSocket URL (null: none of its own), its region, its capacity in connections. */
  node: { publicUrl: string | null; region: string; capacity: number; version: string }
  /** null: start the embedded Postgres. */
  databaseUrl: string | null
  /** null: this is the only node, and the bus is in memory. */
  redisUrl: string | null
  identityProvider: IdentityProvider | null
  /** The first token secret signs, all of them verify. null: the installation makes one and keeps it in the data directory. */
  secrets: { token: readonly string[] | null; vapid: VapidKeys | null }
  push: {
    /** The operator's contact address for push services: an https: or mailto: URL. */
    subject: string
    delayMs: number
    /** Whether push services may have private addresses and, outside production, use plain HTTP. */
    allowsPrivate: boolean
    webhook: { url: URL; secret: Buffer } | null
  }
  tokens: { accessTtlS: number; refreshTtlS: number }
  limits: {
    messageTextMax: number
    groupMembersMax: number
    /** How many queries and mutations of one user may be under way at once on this node. */
    operationsPerUserMax: number
  }
  /** Sign-ups from one address in an hour, and failed log-ins to an account in 15 minutes: from one address, and from all of them. */
  attempts: { signUpsPerAddressMax: number; failedLogInsMax: number; failedLogInsPerAccountMax: number }
  /**
   * How often each user may do what on a node, and, for `anonymous`, how many operations without a session one address may send.
   */
  rates: { readonly [kind in 'sends' | 'mutations' | 'queries' | 'searches' | 'signals' | 'anonymous']: Rate }
  journal: {
    /** The name of this installation, which separates it from others on the same Redis. */
    installation: string
    recentFactsMax: number
    recentBytesMax: number
    appendLanes: number
    retentionS: number
    tickIntervalMs: number
    backlogFactsMax: number
    backlogBytesMax: number
  }
  /** How long a device stays present after its last sign of life. */
  presence: { ttlMs: number }
  socket: {
    messageBytesMax: number
    subscriptionsMax: number
    /** How many WebSockets and event streams one user may have open on this node. */
    perUser: { socket: number; stream: number }
    /** How many WebSockets this node opens in a second. */
    handshakesPerSMax: number
    /** How many sockets one address may have open on this node. */
    perAddress: { withSession: number; withoutSession: number }
  }
}

/** An invalid configuration. Each of `faults` is a sentence that names its variable. */
export class ConfigError extends Error {
  readonly faults: readonly string[]
  constructor(faults: readonly string[]) {
    super(
      `The configuration has ${faults.length === 1 ? 'an error' : `${faults.length} errors`}:\n${faults.map((f) => `  - ${f}`).join('\n')}`,
    )
    this.name = 'ConfigError'
    this.faults = faults
  }
}

const together: readonly (readonly (keyof EnvironmentVariables)[])[] = [
  ['PARLEY_JWKS_URL', 'PARLEY_JWKS_ISSUER', 'PARLEY_JWKS_AUDIENCE'],
  ['PARLEY_VAPID_PUBLIC_KEY', 'PARLEY_VAPID_PRIVATE_KEY'],
  ['PARLEY_PUSH_WEBHOOK_URL', 'PARLEY_PUSH_WEBHOOK_SECRET'],
]

/**
 * Reads the configuration from environment variables. An empty value counts as not set.
 * @throws ConfigError with every fault
 */
// biome-ignore lint/style/noProcessEnv: this is the one file that reads it
export function readConfig(environment: Record<string, string | undefined> = process.env): Config {
  const given = Object.fromEntries(variableNames.map((name) => [name, environment[name] === '' ? undefined : environment[name]]))
  const faults: string[] = []
  for (const name of Object.keys(environment)) {
    const isMisspelt = name.startsWith('PARLEY_') && !variableNames.includes(name) && !isInjected(name, environment)
    if (isMisspelt) faults.push(`${name} is not a variable that Parley knows`)
  }
  for (const names of together) {
    const missing = names.filter((name) => given[name] === undefined)
    if (missing.length > 0 && missing.length < names.length) {
      faults.push(`${missing.join(' and ')} must be set together with ${names.filter((n) => !missing.includes(n)).join(' and ')}`)
    }
  }
  if (given.NODE_ENV === 'production') {
    for (const name of ['DATABASE_URL', 'PARLEY_TOKEN_SECRET'] as const) {
      if (given[name] === undefined) faults.push(`${name} must be set in production, to the same value on every node`)
    }
  }
  if (
    given.NODE_ENV === 'production' &&
    given.PARLEY_VAPID_PUBLIC_KEY !== undefined &&
    given.PARLEY_VAPID_SUBJECT === undefined
  ) {
    faults.push('PARLEY_VAPID_SUBJECT must be set in production: push services need a contact address')
  }
  const parsed = variables.safeParse(given)
  if (!parsed.success) {
    for (const issue of parsed.error.issues) faults.push(`${String(issue.path[0])}: ${issue.message}`)
  }
  if (parsed.success) faults.push(...tooSmallForTexts(parsed.data))
  const { PARLEY_VAPID_PUBLIC_KEY: publicKey, PARLEY_VAPID_PRIVATE_KEY: privateKey } = parsed.data ?? {}
  if (publicKey && privateKey && !isPair(publicKey, privateKey)) {
    faults.push('PARLEY_VAPID_PRIVATE_KEY is not the private key of PARLEY_VAPID_PUBLIC_KEY')
  }
  if (parsed.success && parsed.data.PARLEY_REFRESH_TOKEN_TTL_S < parsed.data.PARLEY_ACCESS_TOKEN_TTL_S) {
    faults.push('PARLEY_REFRESH_TOKEN_TTL_S must be at least PARLEY_ACCESS_TOKEN_TTL_S: a session must outlive its access tokens')
  }
  const persisted = parsed.success ? readPersisted(parsed.data, faults) : null
  if (!parsed.success || faults.length > 0) throw new ConfigError(faults)
  return group(parsed.data, persisted)
}

const manifestForm = z.record(z.string(), z.string())

/** Reads the manifest of persisted operations. Adds what is wrong to `faults`. */
function readPersisted(v: EnvironmentVariables, faults: string[]): PersistedOperations | null {
  const { PARLEY_PERSISTED_OPERATIONS: file, PARLEY_PERSISTED_OPERATIONS_MODE: mode } = v
  if (file === undefined) {
    if (mode === 'only') faults.push('PARLEY_PERSISTED_OPERATIONS must be set: PARLEY_PERSISTED_OPERATIONS_MODE is only')
    return null
  }
  try {
    const manifest = manifestForm.parse(JSON.parse(readFileSync(file, 'utf8')))
    return { documents: new Map(Object.entries(manifest)), isOnly: mode === 'only' }
  } catch (error) {
    const why =
      (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : 'is no JSON object of document texts by their ids'
    faults.push(`PARLEY_PERSISTED_OPERATIONS: ${file} ${why}`)
    return null
  }
}

/** A character takes up to 12 bytes, as two \u escapes; the document and the other input get 16 KiB. */
const bytesPerCharacter = 12
const bytesBesideText = 16_384

/** The faults of size limits that are too small for a message with the longest text. */
function tooSmallForTexts(v: EnvironmentVariables): string[] {
  const needed = bytesPerCharacter * v.PARLEY_MESSAGE_TEXT_MAX + bytesBesideText
  const names = ['PARLEY_HTTP_BODY_BYTES_MAX', 'PARLEY_SOCKET_MESSAGE_BYTES_MAX'] as const
  return names
    .filter((name) => v[name] < needed)
    .map(
      (name) =>
        `${name} must be at least ${needed}, so that a text of ${v.PARLEY_MESSAGE_TEXT_MAX} characters fits (PARLEY_MESSAGE_TEXT_MAX)`,
    )
}

/** Whether two keys of P-256, in base64url, belong together. */
function isPair(publicKey: string, privateKey: string): boolean {
  const ecdh = createECDH('prime256v1')
  try {
    ecdh.setPrivateKey(privateKey, 'base64url')
  } catch {
    return false
  }
  return ecdh.getPublicKey('base64url') === publicKey
}
const { version } = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')))

function group(v: EnvironmentVariables, persisted: PersistedOperations | null): Config {
  const { PARLEY_JWKS_URL: jwksUrl, PARLEY_JWKS_ISSUER: issuer, PARLEY_JWKS_AUDIENCE: audience } = v
  const { PARLEY_VAPID_PUBLIC_KEY: publicKey, PARLEY_VAPID_PRIVATE_KEY: privateKey } = v
  const { PARLEY_PUSH_WEBHOOK_URL: webhookUrl, PARLEY_PUSH_WEBHOOK_SECRET: webhookSecret } = v
  return {
    isProduction: v.NODE_ENV === 'production',
    dataDirectory: v.PARLEY_DATA_DIR,
    isSeeded: v.PARLEY_SEED ?? v.DATABASE_URL === undefined,
    logLevel: v.PARLEY_LOG_LEVEL,
    http: {
      host: v.HOST,
      port: v.PORT,
      allowedOrigins: v.PARLEY_ALLOWED_ORIGINS,
      trustedProxies: v.PARLEY_TRUSTED_PROXIES,
      bodyBytesMax: v.PARLEY_HTTP_BODY_BYTES_MAX,
      drainMs: v.PARLEY_DRAIN_MS,
    },
    isSignUpOpen: v.PARLEY_SIGN_UP === 'open',
    persisted,
    node: { publicUrl: v.PARLEY_PUBLIC_URL ?? null, region: v.PARLEY_REGION, capacity: v.PARLEY_CAPACITY, version },
    databaseUrl: v.DATABASE_URL ?? null,
    redisUrl: v.REDIS_URL ?? null,
    identityProvider: jwksUrl && issuer && audience ? { jwksUrl: new URL(jwksUrl), issuer, audience } : null,
    secrets: {
      token: v.PARLEY_TOKEN_SECRET ?? null,
      vapid: publicKey && privateKey ? { publicKey, privateKey } : null,
    },
    push: {
      subject: v.PARLEY_VAPID_SUBJECT ?? 'mailto:nobody@localhost.invalid',
      delayMs: v.PARLEY_PUSH_DELAY_MS,
      allowsPrivate: v.PARLEY_PUSH_ALLOW_PRIVATE,
      webhook:
        webhookUrl && webhookSecret
          ? { url: new URL(webhookUrl), secret: Buffer.from(webhookSecret.replace(/^whsec_/, ''), 'base64') }
          : null,
    },
    tokens: { accessTtlS: v.PARLEY_ACCESS_TOKEN_TTL_S, refreshTtlS: v.PARLEY_REFRESH_TOKEN_TTL_S },
    limits: {
      messageTextMax: v.PARLEY_MESSAGE_TEXT_MAX,
      groupMembersMax: v.PARLEY_GROUP_MEMBERS_MAX,
      operationsPerUserMax: v.PARLEY_OPERATIONS_PER_USER_MAX,
    },
    attempts: {
      signUpsPerAddressMax: v.PARLEY_SIGN_UPS_PER_ADDRESS_MAX,
      failedLogInsMax: v.PARLEY_FAILED_LOG_INS_MAX,
      failedLogInsPerAccountMax: v.PARLEY_FAILED_LOG_INS_PER_ACCOUNT_MAX,
    },
    rates: {
      sends: v.PARLEY_RATE_SENDS,
      mutations: v.PARLEY_RATE_MUTATIONS,
      queries: v.PARLEY_RATE_QUERIES,
      searches: v.PARLEY_RATE_SEARCHES,
      signals: v.PARLEY_RATE_SIGNALS,
      anonymous: v.PARLEY_RATE_ANONYMOUS,
    },
    journal: {
      installation: v.PARLEY_INSTALLATION,
      recentFactsMax: v.PARLEY_WINDOW_FACTS_MAX,
      recentBytesMax: v.PARLEY_WINDOW_BYTES_MAX,
      appendLanes: v.PARLEY_APPEND_LANES,
      retentionS: v.PARLEY_JOURNAL_RETENTION_S,
      tickIntervalMs: v.PARLEY_TICK_INTERVAL_MS,
      backlogFactsMax: v.PARLEY_STREAM_BACKLOG_FACTS_MAX,
      backlogBytesMax: v.PARLEY_STREAM_BACKLOG_BYTES_MAX,
    },
    presence: { ttlMs: v.PARLEY_PRESENCE_TTL_S * 1_000 },
    socket: {
      messageBytesMax: v.PARLEY_SOCKET_MESSAGE_BYTES_MAX,
      subscriptionsMax: v.PARLEY_SOCKET_SUBSCRIPTIONS_MAX,
      perUser: { socket: v.PARLEY_SOCKETS_PER_USER_MAX, stream: v.PARLEY_EVENT_STREAMS_PER_USER_MAX },
      handshakesPerSMax: v.PARLEY_HANDSHAKES_PER_S_MAX,
      perAddress: {
        withSession: v.PARLEY_SOCKETS_PER_ADDRESS_MAX,
        withoutSession: v.PARLEY_SOCKETS_WITHOUT_SESSION_PER_ADDRESS_MAX,
      },
    },
  }
}
