// The configuration of a node. read-config.ts reads it from the environment.

import type { RedisSettings } from './redis-settings.ts'

/** An identity provider whose tokens are accepted. */
export type IdentityProvider = {
  jwksUrl: URL
  issuer: string
  audience: string
  /** The claim that names the tenant of a user. null: its users are in none. */
  tenantClaim: string | null
}

/** Firebase Cloud Messaging: where it is, and the service account. */
export type FcmSettings = {
  readonly url: URL
  readonly account: {
    readonly projectId: string
    readonly email: string
    /** PEM, PKCS #8. */
    readonly privateKey: string
    readonly tokenUrl: string
  }
}

/** The Apple Push Notification service: where it is, the key of the team (PEM, PKCS #8), and the bundle id of the app. */
export type ApnsSettings = {
  readonly url: URL
  readonly key: string
  readonly keyId: string
  readonly teamId: string
  readonly topic: string
}

/** The hook that is asked before a message is stored. */
export type BeforeSendSettings = {
  readonly url: URL
  /** Signs the requests. */
  readonly secret: Buffer
  readonly timeoutMs: number
  /** Whether messages pass if the hook does not answer. Otherwise none is sent. */
  readonly failsOpen: boolean
}

/** The key pair that identifies this installation to push services (RFC 8292), in base64url. */
export type VapidKeys = { publicKey: string; privateKey: string }

/** A bucket of an S3-compatible store. */
export type S3Settings = {
  readonly bucket: string
  /** null: that of AWS. */
  readonly endpoint: string | null
  readonly region: string
  /** null: the SDK looks for credentials where AWS's own programs do. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | null
}

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
    /** null: there are no metrics. */
    metricsPort: number | null
    allowedOrigins: readonly string[]
    /** Addresses and networks whose X-Forwarded-For is trusted. */
    trustedProxies: readonly string[]
    bodyBytesMax: number
    drainMs: number
  }
  /** Whether this node records traces with OpenTelemetry. */
  isTraced: boolean
  /** Who may sign up: everybody, nobody, or people with an operator's invitation. */
  signUp: 'open' | 'closed' | 'invited'
  /** null: there is no manifest. */
  persisted: PersistedOperations | null
  /** What the gateway knows of this node: its WebSocket URL (null: none of its own), its region, its capacity in connections. */
  node: { publicUrl: string | null; region: string; capacity: number; version: string }
  /** null: start the embedded Postgres. */
  databaseUrl: string | null
  /** A standby of that database; null: the primary answers all reads. */
  databaseReadUrl: string | null
  /** null: this is the only node, and the bus is in memory. */
  redis: RedisSettings | null
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
    fcm: FcmSettings | null
    apns: ApnsSettings | null
  }
  /** null: nobody is asked before a message is stored. */
  beforeSend: BeforeSendSettings | null
  /** Words that refuse a message, that are masked in it, and that report it to the moderators. */
  words: { refused: readonly string[]; masked: readonly string[]; flagged: readonly string[] }
  /** The networks to which webhooks may go besides the public internet. */
  webhookNetworks: readonly string[]
  files: {
    /** The beginning of the URLs of files, without a slash at its end: a CDN's. Empty: they begin with a slash, on every node. */
    baseUrl: string
    /** Checks each file before it is shown; gets its path as the last argument. null: files are not checked. */
    scanCommand: string | null
    /** null: files are in the data directory. */
    s3: S3Settings | null
  }
  tokens: { accessTtlS: number; refreshTtlS: number }
  limits: {
    messageTextMax: number
    groupMembersMax: number
    /** The largest upload, in bytes. */
    fileBytesMax: number
    /** What all files of one user may take together, in bytes. */
    fileBytesPerUserMax: number
    attachmentsPerMessageMax: number
    /** How many queries and mutations of one user may be under way at once on this node. */
    operationsPerUserMax: number
    /** How often a node writes changes to one user's profile, at most. */
    profileChangesEveryMs: number
  }
  /** How often something may happen in a period, on all nodes together. */
  attempts: {
    /** Sign-ups from one address in an hour. */
    signUpsPerAddressMax: number
    /** Failed log-ins to an account in 15 minutes, from one address. */
    failedLogInsMax: number
    /** Failed log-ins to an account in 15 minutes, from all addresses. */
    failedLogInsPerAccountMax: number
    /** Strangers that a user reaches in an hour. */
    strangersMax: number
    /** How often a user unblocks somebody in an hour. */
    unblocksMax: number
    /** How many invites that are not open a user tries in 15 minutes. */
    failedInvitesMax: number
    /** How often a user changes the username in a day. */
    usernameChangesMax: number
    /** How many uploads a user begins in an hour. */
    uploadsMax: number
  }
  /**
   * How often a user may do each thing on a node; for `anonymous`, how many operations without a session one address may send.
   */
  rates: { readonly [kind in 'sends' | 'mutations' | 'queries' | 'searches' | 'signals' | 'anonymous' | 'serverKeys']: Rate }
  journal: {
    /** The name of this installation, which separates it from others on the same Redis. */
    installation: string
    /** What this node publishes and follows: see FollowMode. */
    follow: 'full' | 'both' | 'digest'
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
