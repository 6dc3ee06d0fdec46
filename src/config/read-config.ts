// Reads the environment; no other file does. It checks each variable by itself, then the variables against each other, and
// reports all faults at once, before the node opens anything.

import { readFileSync } from 'node:fs'
import process from 'node:process'
import { z } from 'zod'
import { type Config, ConfigError, type PersistedOperations, type S3Settings } from './config.ts'
import { isPair, readPersisted, tooSmallForTexts } from './faults.ts'
import { type Environment, isInjected } from './injected.ts'
import { readRedis } from './read-redis.ts'
import type { RedisSettings } from './redis-settings.ts'
import { type EnvironmentVariables, secretNames, variableNames, variables } from './variables.ts'

const together: readonly (readonly (keyof EnvironmentVariables)[])[] = [
  ['PARLEY_JWKS_URL', 'PARLEY_JWKS_ISSUER', 'PARLEY_JWKS_AUDIENCE'],
  ['PARLEY_VAPID_PUBLIC_KEY', 'PARLEY_VAPID_PRIVATE_KEY'],
  ['PARLEY_PUSH_WEBHOOK_URL', 'PARLEY_PUSH_WEBHOOK_SECRET'],
  ['PARLEY_BEFORE_SEND_URL', 'PARLEY_BEFORE_SEND_SECRET'],
  ['PARLEY_APNS_KEY', 'PARLEY_APNS_KEY_ID', 'PARLEY_APNS_TEAM_ID', 'PARLEY_APNS_TOPIC'],
  ['PARLEY_S3_ACCESS_KEY_ID', 'PARLEY_S3_SECRET_ACCESS_KEY'],
]

/** The variables that name a file with a secret: `DATABASE_URL_FILE` for `DATABASE_URL`. */
const fileVariables: ReadonlySet<string> = new Set(secretNames.map((name) => `${name}_FILE`))

/** The value of a variable, from the environment or from the file that it names. Adds what is wrong to `faults`. */
function readVariable(name: string, environment: Environment, faults: string[]): string | undefined {
  const value = environment[name] || undefined
  const file = fileVariables.has(`${name}_FILE`) ? environment[`${name}_FILE`] || undefined : undefined
  if (file === undefined) return value
  if (value !== undefined) faults.push(`${name} and ${name}_FILE must not both be set`)
  try {
    const text = readFileSync(file, 'utf8').trim()
    if (text === '') faults.push(`${name}_FILE: ${file} is empty`)
    return text || undefined
  } catch (error) {
    faults.push(`${name}_FILE: ${file} cannot be read: ${(error as NodeJS.ErrnoException).code}`)
    return undefined
  }
}

/**
 * Reads the configuration from environment variables. An empty value counts as not set.
 * @throws ConfigError with every fault
 */
// biome-ignore lint/style/noProcessEnv: this is the one file that reads it
export function readConfig(environment: Environment = process.env): Config {
  const faults: string[] = []
  const given = Object.fromEntries(variableNames.map((name) => [name, readVariable(name, environment, faults)]))
  for (const name of Object.keys(environment)) {
    const isKnown = variableNames.includes(name) || fileVariables.has(name)
    const isMisspelt = name.startsWith('PARLEY_') && !isKnown && !isInjected(name, environment)
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
  const redis = parsed.success ? readRedis(parsed.data, faults) : null
  if (!parsed.success || faults.length > 0) throw new ConfigError(faults)
  return group(parsed.data, persisted, redis)
}

const { version } = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')))

/** The bytes of a signing secret. */
const bytesOf = (secret: string) => Buffer.from(secret.replace(/^whsec_/, ''), 'base64')

function readPhones(v: EnvironmentVariables): Pick<Config['push'], 'fcm' | 'apns'> {
  const { PARLEY_FCM_SERVICE_ACCOUNT: account } = v
  const { PARLEY_APNS_KEY: key, PARLEY_APNS_KEY_ID: keyId, PARLEY_APNS_TEAM_ID: teamId, PARLEY_APNS_TOPIC: topic } = v
  const { project_id: projectId, client_email: email, private_key: privateKey, token_uri: tokenUrl } = account ?? {}
  return {
    fcm:
      projectId && email && privateKey && tokenUrl
        ? { url: new URL(v.PARLEY_FCM_URL), account: { projectId, email, privateKey, tokenUrl } }
        : null,
    apns: key && keyId && teamId && topic ? { url: new URL(v.PARLEY_APNS_URL), key, keyId, teamId, topic } : null,
  }
}

function readHook(v: EnvironmentVariables): Config['beforeSend'] {
  const { PARLEY_BEFORE_SEND_URL: url, PARLEY_BEFORE_SEND_SECRET: secret } = v
  if (!url || !secret) return null
  const failsOpen = v.PARLEY_BEFORE_SEND_FAILURE === 'open'
  return { url: new URL(url), secret: bytesOf(secret), timeoutMs: v.PARLEY_BEFORE_SEND_TIMEOUT_MS, failsOpen }
}

function group(v: EnvironmentVariables, persisted: PersistedOperations | null, redis: RedisSettings | null): Config {
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
      metricsPort: v.PARLEY_METRICS_PORT ?? null,
      allowedOrigins: v.PARLEY_ALLOWED_ORIGINS,
      trustedProxies: v.PARLEY_TRUSTED_PROXIES,
      bodyBytesMax: v.PARLEY_HTTP_BODY_BYTES_MAX,
      drainMs: v.PARLEY_DRAIN_MS,
    },
    isTraced: v.PARLEY_TRACES,
    signUp: v.PARLEY_SIGN_UP,
    persisted,
    node: { publicUrl: v.PARLEY_PUBLIC_URL ?? null, region: v.PARLEY_REGION, capacity: v.PARLEY_CAPACITY, version },
    databaseUrl: v.DATABASE_URL ?? null,
    databaseReadUrl: v.DATABASE_READ_URL ?? null,
    redis,
    identityProvider:
      jwksUrl && issuer && audience
        ? { jwksUrl: new URL(jwksUrl), issuer, audience, tenantClaim: v.PARLEY_JWKS_TENANT_CLAIM ?? null }
        : null,
    secrets: {
      token: v.PARLEY_TOKEN_SECRET ?? null,
      vapid: publicKey && privateKey ? { publicKey, privateKey } : null,
    },
    push: {
      subject: v.PARLEY_VAPID_SUBJECT ?? 'mailto:nobody@localhost.invalid',
      delayMs: v.PARLEY_PUSH_DELAY_MS,
      allowsPrivate: v.PARLEY_PUSH_ALLOW_PRIVATE,
      ...readPhones(v),
      webhook: webhookUrl && webhookSecret ? { url: new URL(webhookUrl), secret: bytesOf(webhookSecret) } : null,
    },
    beforeSend: readHook(v),
    words: { refused: v.PARLEY_WORDS_REFUSED, masked: v.PARLEY_WORDS_MASKED, flagged: v.PARLEY_WORDS_FLAGGED },
    // A node that runs its own Postgres is for development: the backend is on the same machine.
    webhookNetworks:
      v.DATABASE_URL === undefined
        ? [...v.PARLEY_WEBHOOK_ALLOWED_NETWORKS, '127.0.0.0/8', '::1']
        : v.PARLEY_WEBHOOK_ALLOWED_NETWORKS,
    files: {
      baseUrl: v.PARLEY_FILES_URL ?? '',
      scanCommand: v.PARLEY_SCAN_COMMAND ?? null,
      s3: s3Of(v),
    },
    tokens: { accessTtlS: v.PARLEY_ACCESS_TOKEN_TTL_S, refreshTtlS: v.PARLEY_REFRESH_TOKEN_TTL_S },
    ...limitsOf(v),
    journal: {
      installation: v.PARLEY_INSTALLATION,
      follow: v.PARLEY_FOLLOW,
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

function s3Of(v: EnvironmentVariables): S3Settings | null {
  const { PARLEY_S3_BUCKET: bucket, PARLEY_S3_ACCESS_KEY_ID: accessKeyId, PARLEY_S3_SECRET_ACCESS_KEY: secretAccessKey } = v
  if (bucket === undefined) return null
  const credentials = accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : null
  return { bucket, endpoint: v.PARLEY_S3_ENDPOINT ?? null, region: v.PARLEY_S3_REGION, credentials }
}

/** The settings that limit what users do. */
function limitsOf(v: EnvironmentVariables): Pick<Config, 'limits' | 'attempts' | 'rates'> {
  return {
    limits: {
      messageTextMax: v.PARLEY_MESSAGE_TEXT_MAX,
      groupMembersMax: v.PARLEY_GROUP_MEMBERS_MAX,
      fileBytesMax: v.PARLEY_FILE_BYTES_MAX,
      fileBytesPerUserMax: v.PARLEY_FILE_BYTES_PER_USER_MAX,
      attachmentsPerMessageMax: v.PARLEY_ATTACHMENTS_PER_MESSAGE_MAX,
      operationsPerUserMax: v.PARLEY_OPERATIONS_PER_USER_MAX,
      profileChangesEveryMs: v.PARLEY_PROFILE_CHANGES_EVERY_MS,
    },
    attempts: {
      signUpsPerAddressMax: v.PARLEY_SIGN_UPS_PER_ADDRESS_MAX,
      failedLogInsMax: v.PARLEY_FAILED_LOG_INS_MAX,
      failedLogInsPerAccountMax: v.PARLEY_FAILED_LOG_INS_PER_ACCOUNT_MAX,
      strangersMax: v.PARLEY_STRANGERS_PER_H_MAX,
      unblocksMax: v.PARLEY_UNBLOCKS_PER_H_MAX,
      failedInvitesMax: v.PARLEY_FAILED_INVITES_MAX,
      usernameChangesMax: v.PARLEY_USERNAME_CHANGES_PER_DAY_MAX,
      uploadsMax: v.PARLEY_UPLOADS_PER_H_MAX,
    },
    rates: {
      sends: v.PARLEY_RATE_SENDS,
      mutations: v.PARLEY_RATE_MUTATIONS,
      queries: v.PARLEY_RATE_QUERIES,
      searches: v.PARLEY_RATE_SEARCHES,
      signals: v.PARLEY_RATE_SIGNALS,
      anonymous: v.PARLEY_RATE_ANONYMOUS,
      serverKeys: v.PARLEY_RATE_SERVER_KEYS,
    },
  }
}
