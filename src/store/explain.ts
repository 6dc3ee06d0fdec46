// Explains a database failure at start to the operator: one sentence that says what to do.

import { addressOf } from '../config/database-url.ts'
import { StartError } from '../errors.ts'
import { nodeConnectionsMax } from './pool-sizes.ts'
import { layersOf } from './postgres.ts'

type DriverError = { readonly code: string; readonly message: string; readonly syscall: string; readonly path: string }
type Address = ReturnType<typeof addressOf> & { readonly hasTls: boolean; readonly hasPassword: boolean }

const password = /^\w+:\/\/[^/?#@]*:[^/?#@]+@|[?&]password=./
const asksForTls = /[?&](ssl=(true|1)|sslmode=(?!disable)|sslrootcert=|sslnegotiation=direct)/

const noPassword = ({ host, user }: Address) =>
  `${host} requires a password for the user ${user}, but the URL has none: write it as postgresql://${user}:password@…`
const certificate = '"TLS to Postgres" in docs/operations.md says how to trust it'

const ended = ({ host }: Address, { code, message }: DriverError) =>
  `Postgres at ${host} ended the connection while Parley started (${code || message}): start Parley again in a moment`

/** Sentences by SQLSTATE or by the code of Node. Each continues "DATABASE_URL: ". */
const byCode: readonly (readonly [code: RegExp, sentence: (address: Address, failure: DriverError) => string])[] = [
  [/^3D000$/, ({ database, host }) => `there is no database ${database} on ${host}: create it first`],
  [
    /^28P01$/,
    (address) => (address.hasPassword ? `${address.host} rejects the user ${address.user} or its password` : noPassword(address)),
  ],
  [
    /^28000$/,
    ({ host, user, hasTls }, { message }) =>
      `${host} rejects the user ${user} (${message}): check the user, and pg_hba.conf there${hasTls ? '' : '; if it demands TLS, add ?sslmode=verify-full to the URL'}`,
  ],
  [
    /^42501$/,
    ({ database, user }, { message }) =>
      `the user ${user} lacks rights in the database ${database} (${message}): make that user the owner, with "alter database ${database} owner to ${user}"; if another user has set the database up, connect as that user, or hand over its objects with "reassign owned by"`,
  ],
  [
    /^25006$/,
    ({ host }) =>
      `Postgres at ${host} accepts no writes: point DATABASE_URL to the primary, and turn default_transaction_read_only off`,
  ],
  [/^57P03$/, ({ host }, { message }) => `Postgres at ${host} is not ready yet (${message}): start Parley again in a moment`],
  [
    /^53[34]00$/,
    ({ host }, { message }) =>
      `Postgres at ${host} has no free connections (${message}): raise max_connections, or stop the clients that hold them; a node needs up to ${nodeConnectionsMax}`,
  ],
  [/^57P0[12]$|^0800[136]$|^ECONNRESET$|^EPIPE$|^ERR_(SOCKET_CLOSED|STREAM_DESTROYED)$/, ended],
  [/^08P01$/, ({ host }, { message }) => `the pooler at ${host} rejects the connection: ${message}`],
  [
    /^ENOTFOUND$|^EAI_/,
    ({ host }, { code }) => `there is no host ${host} (${code}): check the name, and the DNS of this machine`,
  ],
  [
    /^ECONNREFUSED$/,
    ({ host }) =>
      `Postgres at ${host} cannot be reached (ECONNREFUSED): nothing listens there; start it, or correct the host and port`,
  ],
  [
    /^(ENOENT|EACCES|ENOTDIR|EISDIR)$/,
    ({ host }, { code, syscall, path }) =>
      syscall === 'connect'
        ? `Postgres cannot be reached at the socket in ${host} (${code}): nothing listens there, or this user may not use it`
        : `the file ${path || 'of a certificate'} that it names cannot be read (${code}): correct sslrootcert, sslcert or sslkey`,
  ],
  [
    /^(SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_|CERT_)/,
    ({ host }, { code }) => `the certificate of ${host} is not trusted (${code}): ${certificate}`,
  ],
  [
    /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    ({ host }) => `the certificate of ${host} is for another name: use the name in the certificate; ${certificate}`,
  ],
  [
    /^ERR_(OSSL|SSL)_|^EPROTO$/,
    ({ host }, { message }) => `TLS with ${host} failed (${message}): check sslrootcert, sslcert and sslkey`,
  ],
]

/** Sentences by message: the driver's own errors have no codes. */
const byMessage: readonly (readonly [message: RegExp, sentence: (address: Address, failure: DriverError) => string])[] = [
  [
    /does not support SSL/,
    ({ host }) =>
      `Postgres at ${host} does not support TLS: turn ssl on there, or remove sslmode from the URL if the network is safe`,
  ],
  [/^Connection terminated|is not queryable$/, ended],
  [/password must be a string|password must be a non-empty string/, noPassword],
  [
    /timeout expired|connection timeout|timeout exceeded|Query read timeout/i,
    ({ host }) => `Postgres at ${host} did not answer within 5 s: check the host, the port, and the firewalls in between`,
  ],
]

function failuresOf(error: unknown): DriverError[] {
  const failures: DriverError[] = []
  const inner = error instanceof AggregateError ? error.errors : []
  for (const each of [error, ...inner]) {
    for (const layer of layersOf(each)) failures.push({ syscall: '', path: '', ...layer })
    const { syscall, path } = each as Partial<DriverError>
    const [first] = failures
    if (first && typeof syscall === 'string') failures[0] = { ...first, syscall, path: typeof path === 'string' ? path : '' }
  }
  return failures
}

/** Whether an error only says that a connection was lost, not that a statement failed. */
export function isConnectionLost(error: unknown): boolean {
  return failuresOf(error).some(({ code, message }) =>
    [...byCode, ...byMessage].some(([form, sentence]) => sentence === ended && form.test(code || message)),
  )
}

/** Explains in a sentence why a database cannot be used; null if the failure is not one that an operator can fix. */
export function explain(error: unknown, databaseUrl: string): StartError | null {
  const address = { ...addressOf(databaseUrl), hasTls: asksForTls.test(databaseUrl), hasPassword: password.test(databaseUrl) }
  for (const failure of failuresOf(error)) {
    const sentence =
      byCode.find(([code]) => code.test(failure.code))?.[1] ?? byMessage.find(([words]) => words.test(failure.message))?.[1]
    if (sentence) return new StartError(`DATABASE_URL: ${sentence(address, failure)}`, { cause: error })
  }
  return null
}

/** Explains why a connection could not be opened. Unlike `explain`, it has a sentence for every error. */
export function explainConnection(error: unknown, databaseUrl: string): StartError {
  const [{ code, message } = { code: '', message: String(error) }] = failuresOf(error)
  const what = [code, message].filter((text) => text !== '').join(': ')
  const { host } = addressOf(databaseUrl)
  const isRefusal = /^[0-9A-Z]{5}$/.test(code)
  const isLost = !isRefusal && isConnectionLost(error)
  const perhaps = isLost ? '; if it is one that is shutting down or starting, start Parley again in a moment' : ''
  const sentence = isRefusal
    ? `Postgres at ${host} rejects the connection (${what})`
    : `the server at ${host} is not a Postgres that Parley can talk to (${what})${perhaps}`
  return (isLost ? null : explain(error, databaseUrl)) ?? new StartError(`DATABASE_URL: ${sentence}`, { cause: error })
}
