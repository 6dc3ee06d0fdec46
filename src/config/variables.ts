// The environment variables that Parley reads, each with its form and its default. What they mean together is in config.ts.

import { isIP } from 'node:net'
import { z } from 'zod'
import { findUrlFault } from './database-url.ts'
import { redisModes, urlsOf } from './redis-settings.ts'

const wholeNumber = (least: number, most: number) => z.coerce.number().int().min(least).max(most)
/** The parts of a comma-separated list. */
const listOf = (text: string) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
/** A rate: so many per second, and so many at once after a pause. */
const rate = (fallback: string) =>
  z
    .string()
    .regex(/^[1-9]\d{0,8}\/[1-9]\d{0,8}$/, 'must be "<per second>/<at once>", for example 10/30')
    .default(fallback)
    .transform((text) => {
      const [perSecond = 0, burst = 0] = text.split('/').map(Number)
      return { perSecond, burst }
    })
const flag = z.enum(['true', 'false']).transform((text) => text === 'true')

/** How many appends a node has under way at once, by default. */
export const appendLanesDefault = 2

/** The form of a region's name, and the rule in words. */
export const regionName = /^(?=.{1,64}$)[a-z0-9]+(-[a-z0-9]+)*$/
export const regionRule = 'must have at most 64 lower-case letters and digits, with single hyphens between parts'

/** The JSON file of a service account of Google, as text. */
const serviceAccount = z.string().transform((text, { issues }) => {
  const parsed = accountForm.safeParse(parseJson(text))
  if (parsed.success) return parsed.data
  issues.push({ code: 'custom', input: text, message: 'must be the JSON of a service account of Google' })
  return z.NEVER
})
const accountForm = z.object({
  project_id: z.string().min(1),
  client_email: z.string().min(1),
  private_key: z.string().includes('PRIVATE KEY'),
  token_uri: z.url({ protocol: /^https?$/ }),
})

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** A secret that signs requests by the Standard Webhooks specification. */
const signingSecret = z
  .string()
  .regex(/^(whsec_)?[A-Za-z0-9+/]{32,}={0,2}$/, 'must be at least 24 bytes in base64, optionally with the prefix whsec_')
  .optional()

/** A comma-separated list of IP addresses and networks in CIDR notation. */
const networks = z
  .string()
  .default('')
  .transform(listOf)
  .pipe(z.array(z.string().refine(isNetwork, 'must be IP addresses or networks (10.0.0.0/8), separated by commas')))

function isNetwork(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/')
  const family = isIP(address)
  return (
    family !== 0 &&
    rest.length === 0 &&
    (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)))
  )
}

/** The most words of a word rule, and the most characters of one. */
const [wordsMax, wordMax] = [1_000, 100]
/** A comma-separated list of words. */
const words = z
  .string()
  .default('')
  .transform(listOf)
  .pipe(
    z
      .array(
        z
          .string()
          .max(wordMax)
          .regex(/^[\p{L}\p{M}\p{N}]+$/u, 'must be words of letters and digits, separated by commas'),
      )
      .max(wordsMax, `must have at most ${wordsMax} words`),
  )

/** The longest life of an access token, in seconds. */
export const accessTtlMaxS = 86_400

/** Each variable with its form and its default. A test compares `.env.example` with this list. */
export const variables = z.object({
  NODE_ENV: z.enum(['development', 'test', 'production']).default('development'),
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: wholeNumber(0, 65_535).default(4000),
  DATABASE_URL: z
    .string()
    .superRefine((text, { addIssue }) => {
      const fault = findUrlFault(text)
      if (fault !== null) addIssue(fault)
    })
    .optional(),
  DATABASE_READ_URL: z
    .string()
    .superRefine((text, { addIssue }) => {
      const fault = findUrlFault(text)
      if (fault !== null) addIssue(fault)
    })
    .optional(),
  REDIS_URL: z
    .string()
    .transform(urlsOf)
    .pipe(z.array(z.url({ protocol: /^rediss?$/ })))
    .optional(),
  PARLEY_REDIS_MODE: z.enum(redisModes).default('single'),
  PARLEY_REDIS_MASTER: z.string().min(1).optional(),
  PARLEY_REDIS_SENTINEL_PASSWORD: z.string().min(1).optional(),
  PARLEY_REDIS_CA_FILE: z.string().min(1).optional(),
  PARLEY_METRICS_PORT: wholeNumber(0, 65_535).optional(),
  PARLEY_TRACES: flag.default(false),
  PARLEY_DATA_DIR: z.string().min(1).default('.parley'),
  PARLEY_SEED: flag.optional(),
  PARLEY_LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  PARLEY_ALLOWED_ORIGINS: z
    .string()
    .default('')
    .transform(listOf)
    .pipe(z.array(z.url({ protocol: /^https?$/ }).transform((url) => new URL(url).origin))),
  PARLEY_TRUSTED_PROXIES: networks,
  PARLEY_WEBHOOK_ALLOWED_NETWORKS: networks,
  PARLEY_BEFORE_SEND_URL: z.url({ protocol: /^https?$/ }).optional(),
  PARLEY_BEFORE_SEND_SECRET: signingSecret,
  PARLEY_BEFORE_SEND_TIMEOUT_MS: wholeNumber(50, 10_000).default(1_000),
  PARLEY_BEFORE_SEND_FAILURE: z.enum(['closed', 'open']).default('closed'),
  PARLEY_WORDS_REFUSED: words,
  PARLEY_WORDS_MASKED: words,
  PARLEY_WORDS_FLAGGED: words,
  PARLEY_SIGN_UP: z.enum(['open', 'closed', 'invited']).default('open'),
  PARLEY_HTTP_BODY_BYTES_MAX: wholeNumber(16_384, 16_777_216).default(262_144),
  PARLEY_PERSISTED_OPERATIONS: z.string().min(1).optional(),
  PARLEY_PERSISTED_OPERATIONS_MODE: z.enum(['allow', 'only']).default('allow'),
  PARLEY_PUBLIC_URL: z.url({ protocol: /^wss?$/ }).optional(),
  PARLEY_REGION: z.string().regex(regionName, regionRule).default('local'),
  PARLEY_CAPACITY: wholeNumber(1, 1_000_000).default(10_000),
  PARLEY_DRAIN_MS: wholeNumber(0, 600_000).default(0),
  PARLEY_INSTALLATION: z.string().regex(regionName, regionRule).default('parley'),
  PARLEY_TOKEN_SECRET: z
    .string()
    .transform(listOf)
    .pipe(z.array(z.string().min(32, 'must have at least 32 characters')).min(1, 'must have at least 32 characters'))
    .optional(),
  PARLEY_ACCESS_TOKEN_TTL_S: wholeNumber(1, accessTtlMaxS).default(900),
  PARLEY_REFRESH_TOKEN_TTL_S: wholeNumber(60, 31_536_000).default(2_592_000),
  PARLEY_VAPID_PUBLIC_KEY: z
    .string()
    .regex(/^[\w-]{87}$/, 'must be a P-256 public key in base64url: 87 characters')
    .optional(),
  PARLEY_VAPID_PRIVATE_KEY: z
    .string()
    .regex(/^[\w-]{43}$/, 'must be a P-256 private key in base64url: 43 characters')
    .optional(),
  PARLEY_VAPID_SUBJECT: z.url({ protocol: /^(https|mailto)$/ }).optional(),
  PARLEY_PUSH_DELAY_MS: wholeNumber(0, 600_000).default(5_000),
  PARLEY_PUSH_ALLOW_PRIVATE: flag.default(false),
  PARLEY_PUSH_WEBHOOK_URL: z.url({ protocol: /^https?$/ }).optional(),
  PARLEY_PUSH_WEBHOOK_SECRET: signingSecret,
  PARLEY_FCM_SERVICE_ACCOUNT: serviceAccount.optional(),
  PARLEY_FCM_URL: z.url({ protocol: /^https?$/ }).default('https://fcm.googleapis.com'),
  PARLEY_APNS_KEY: z.string().includes('PRIVATE KEY', 'must be a key in PEM, from a .p8 file').optional(),
  PARLEY_APNS_KEY_ID: z.string().min(1).optional(),
  PARLEY_APNS_TEAM_ID: z.string().min(1).optional(),
  PARLEY_APNS_TOPIC: z.string().min(1).optional(),
  PARLEY_APNS_URL: z.url({ protocol: /^https?$/ }).default('https://api.push.apple.com'),
  PARLEY_JWKS_URL: z.url({ protocol: /^https?$/ }).optional(),
  PARLEY_JWKS_ISSUER: z.string().min(1).optional(),
  PARLEY_JWKS_AUDIENCE: z.string().min(1).optional(),
  PARLEY_JWKS_TENANT_CLAIM: z.string().min(1).optional(),
  PARLEY_MESSAGE_TEXT_MAX: wholeNumber(1, 100_000).default(10_000),
  PARLEY_GROUP_MEMBERS_MAX: wholeNumber(2, 1_000).default(100),
  PARLEY_FILE_BYTES_MAX: wholeNumber(1_024, 2_147_483_647).default(26_214_400),
  PARLEY_FILE_BYTES_PER_USER_MAX: wholeNumber(1_024, 1_125_899_906_842_624).default(1_073_741_824),
  PARLEY_ATTACHMENTS_PER_MESSAGE_MAX: wholeNumber(1, 15).default(10),
  PARLEY_UPLOADS_PER_H_MAX: wholeNumber(1, 1_000_000_000).default(500),
  PARLEY_FILES_URL: z
    .url({ protocol: /^https?$/ })
    .transform((url) => url.replace(/\/+$/, ''))
    .optional(),
  PARLEY_SCAN_COMMAND: z.string().min(1).optional(),
  PARLEY_S3_BUCKET: z.string().min(1).optional(),
  PARLEY_S3_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  PARLEY_S3_REGION: z.string().min(1).default('us-east-1'),
  PARLEY_S3_ACCESS_KEY_ID: z.string().min(1).optional(),
  PARLEY_S3_SECRET_ACCESS_KEY: z.string().min(1).optional(),
  PARLEY_OPERATIONS_PER_USER_MAX: wholeNumber(1, 1_000).default(4),
  PARLEY_RATE_SENDS: rate('10/30'),
  PARLEY_RATE_MUTATIONS: rate('5/50'),
  PARLEY_RATE_QUERIES: rate('50/200'),
  PARLEY_RATE_SEARCHES: rate('5/20'),
  PARLEY_RATE_SIGNALS: rate('20/100'),
  PARLEY_RATE_ANONYMOUS: rate('100/1000'),
  PARLEY_RATE_SERVER_KEYS: rate('500/5000'),
  PARLEY_SIGN_UPS_PER_ADDRESS_MAX: wholeNumber(1, 1_000_000_000).default(10),
  PARLEY_FAILED_LOG_INS_MAX: wholeNumber(1, 1_000_000_000).default(10),
  PARLEY_FAILED_LOG_INS_PER_ACCOUNT_MAX: wholeNumber(1, 1_000_000_000).default(100),
  PARLEY_STRANGERS_PER_H_MAX: wholeNumber(1, 1_000_000_000).default(200),
  PARLEY_UNBLOCKS_PER_H_MAX: wholeNumber(1, 1_000_000_000).default(60),
  PARLEY_FAILED_INVITES_MAX: wholeNumber(1, 1_000_000_000).default(20),
  PARLEY_USERNAME_CHANGES_PER_DAY_MAX: wholeNumber(1, 1_000_000_000).default(10),
  PARLEY_PROFILE_CHANGES_EVERY_MS: wholeNumber(0, 60_000).default(3_000),
  PARLEY_FOLLOW: z.enum(['full', 'both', 'digest']).default('full'),
  PARLEY_WINDOW_FACTS_MAX: wholeNumber(100, 10_000_000).default(100_000),
  PARLEY_WINDOW_BYTES_MAX: wholeNumber(1_048_576, 17_179_869_184).default(67_108_864),
  PARLEY_APPEND_LANES: wholeNumber(1, 4).default(appendLanesDefault),
  PARLEY_JOURNAL_RETENTION_S: wholeNumber(1, 315_360_000).default(2_592_000),
  PARLEY_TICK_INTERVAL_MS: wholeNumber(100, 24_000).default(20_000),
  PARLEY_STREAM_BACKLOG_FACTS_MAX: wholeNumber(10, 1_000_000).default(1_000),
  PARLEY_STREAM_BACKLOG_BYTES_MAX: wholeNumber(10_000, 1_073_741_824).default(1_048_576),
  PARLEY_PRESENCE_TTL_S: wholeNumber(5, 600).default(30),
  PARLEY_SOCKET_MESSAGE_BYTES_MAX: wholeNumber(16_384, 16_777_216).default(262_144),
  PARLEY_SOCKET_SUBSCRIPTIONS_MAX: wholeNumber(1, 10_000).default(100),
  PARLEY_SOCKETS_PER_USER_MAX: wholeNumber(1, 1_000_000).default(20),
  PARLEY_EVENT_STREAMS_PER_USER_MAX: wholeNumber(1, 1_000_000).default(100),
  PARLEY_HANDSHAKES_PER_S_MAX: wholeNumber(1, 1_000_000).default(1_000),
  PARLEY_SOCKETS_PER_ADDRESS_MAX: wholeNumber(1, 1_000_000).default(5_000),
  PARLEY_SOCKETS_WITHOUT_SESSION_PER_ADDRESS_MAX: wholeNumber(1, 1_000_000).default(200),
})

/** The values of all variables. */
export type EnvironmentVariables = z.infer<typeof variables>

/** The names of all variables that Parley reads. */
export const variableNames: readonly string[] = Object.keys(variables.shape)

/** The variables that are secrets. Each may also come from a file, which the variable with the suffix `_FILE` names. */
export const secretNames = [
  'DATABASE_URL',
  'DATABASE_READ_URL',
  'REDIS_URL',
  'PARLEY_REDIS_SENTINEL_PASSWORD',
  'PARLEY_TOKEN_SECRET',
  'PARLEY_VAPID_PRIVATE_KEY',
  'PARLEY_PUSH_WEBHOOK_SECRET',
  'PARLEY_BEFORE_SEND_SECRET',
  'PARLEY_FCM_SERVICE_ACCOUNT',
  'PARLEY_APNS_KEY',
  'PARLEY_S3_SECRET_ACCESS_KEY',
] as const satisfies readonly (keyof EnvironmentVariables)[]
