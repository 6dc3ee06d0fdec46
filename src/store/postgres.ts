// Connections to Postgres: how to open them, how to parse their values, and which of their errors are transient.

import type { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import pg from 'pg'
import type { Log } from '../log/log.ts'

const int8 = 20
const int8Array = 1016

/** Parses a bigint as a number. Positions and ids stay far below 2^53; beyond that it throws instead of rounding. */
function parseInt8(text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number)) throw new RangeError(`bigint ${text} is beyond 2^53`)
  return number
}

const parseInt8Array = pg.types.getTypeParser(int8Array as number, 'text') as (text: string) => (string | null)[]

/** The parsers of values from Postgres: bigint becomes a checked number, all other types are as in `pg`. */
const types: pg.CustomTypesConfig = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    if (oid === int8) return parseInt8
    if (oid === int8Array) return (text: string) => parseInt8Array(text).map((n) => (n === null ? null : parseInt8(n)))
    return format === 'binary' ? pg.types.getTypeParser(oid, 'binary') : pg.types.getTypeParser(oid, 'text')
  },
}

/**
 * Settings that Parley's SQL and the driver rely on. Every connection sets them, whatever the server, the database, the role or
 * the URL say. Time-outs are set on the role: see migrate.ts.
 */
const pins: readonly (readonly [name: string, value: string])[] = [
  ['search_path', 'public'],
  ['DateStyle', 'ISO, MDY'],
  ['IntervalStyle', 'postgres'],
  ['TimeZone', 'UTC'],
  ['standard_conforming_strings', 'on'],
  ['bytea_output', 'hex'],
  ['extra_float_digits', '1'],
  ['array_nulls', 'on'],
  ['transform_null_equals', 'off'],
  ['exit_on_error', 'off'],
  // Appends to the journal work in READ COMMITTED only.
  ['default_transaction_isolation', 'read committed'],
  // With a limit, a search would silently find less.
  ['gin_fuzzy_search_limit', '0'],
  // Idle connections are kept on purpose; statement_timeout already limits the wait for a lock.
  ['idle_session_timeout', '0'],
  ['lock_timeout', '0'],
]

/** The first statement of every connection. */
export const pinning = pins.map(([name, value]) => `set ${name} = ${name === 'search_path' ? value : `'${value}'`}`).join('; ')

/** The settings of every connection, whose first statement must be `pinning`. */
export function connectionSettings(databaseUrl: string, applicationName: string): pg.ClientConfig {
  return {
    // The driver writes a warning about modes that its next version treats differently. Today it treats them as verify-full.
    connectionString: databaseUrl.includes('uselibpqcompat=true')
      ? databaseUrl
      : databaseUrl.replace(/([?&]sslmode=)(prefer|require|verify-ca)(?=&|$)/, '$1verify-full'),
    application_name: applicationName,
    connectionTimeoutMillis: 5_000,
    query_timeout: 12_000,
    keepAlive: true,
    types,
  }
}

type Connected = Parameters<pg.Pool['connect']>[0]

/**
 * A pool whose connections may be released twice. graphile-worker does that if it stops while its LISTEN is under way and the
 * connection breaks; pg throws then, where nobody catches it.
 */
class Pool extends pg.Pool {
  override connect(): Promise<pg.PoolClient>
  override connect(callback: Connected): void
  override connect(callback?: Connected): Promise<pg.PoolClient> | undefined {
    if (!callback) return super.connect()
    super.connect((error, client, release) => {
      let isReleased = false
      callback(error, client, (failed) => {
        // There is none if the pool has ended.
        if (!isReleased) release?.(failed)
        isReleased = true
      })
    })
    return undefined
  }
}

/**
 * Opens a pool that logs lost connections, and never waits for a free one for longer than 5 s. `opening` is SQL that each
 * connection runs first, after `pinning`.
 */
export function openPool(databaseUrl: string, purpose: string, max: number, log: Log, opening?: string): pg.Pool {
  const settings = { ...connectionSettings(databaseUrl, `parley ${purpose}`), max, idleTimeoutMillis: 60_000 }
  const beginning = opening === undefined ? pinning : `${pinning}; ${opening}`
  const begin = { text: beginning, query_timeout: settings.connectionTimeoutMillis } as pg.QueryConfig
  const pool = new Pool({ ...settings, onConnect: (client) => client.query(begin) })
  pool.on('error', (error) => log.debug({ err: error, pool: purpose }, 'a Postgres connection was lost'))
  // A checked-out idle connection that dies emits its error only on itself; without a listener the process would end.
  pool.on('connect', (client) =>
    client.on('error', (error) => log.debug({ err: error, pool: purpose }, 'a connection in use was lost')),
  )
  return pool
}

/** Calls `listener` with every error that Postgres answers on the connections of a pool. Call it before the pool connects. */
export function listenToErrors(pool: pg.Pool, listener: (error: Error) => void): void {
  pool.on('connect', (client) => (client as unknown as { connection: EventEmitter }).connection.on('errorMessage', listener))
}

/** Makes a function that breaks all connections of a pool: its queries fail at once, and new connections fail soon. */
export function breakerOf(pool: pg.Pool): () => void {
  const open = new Set<pg.PoolClient>()
  pool.on('connect', (client) => open.add(client))
  pool.on('remove', (client) => open.delete(client))
  return () => {
    pool.options.connectionTimeoutMillis = 1
    for (const client of open) (client as unknown as { connection: { stream: Socket } }).connection.stream.destroy()
  }
}

/**
 * SQLSTATEs of transient errors: no connection (08), no resources (53), shutting down, starting or crashed (57P), system errors
 * (58), time-outs and cancellations, deadlocks, and a server that is read-only because another one was promoted.
 */
const transientStates = /^(08...|53...|57P..|58...|25P0[34]|25006|40001|40P01|55P03|57014)$/

/** Codes of Node for a socket that could not be opened, or broke. */
const transientSocketCodes = new Set([
  'EADDRNOTAVAIL',
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETRESET',
  'ENETUNREACH',
  'ENOTCONN',
  'ENOTFOUND',
  'EPIPE',
  'ERR_SOCKET_CLOSED',
  'ERR_SOCKET_CONNECTION_TIMEOUT',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_WRITE_AFTER_END',
  'ETIMEDOUT',
])

/** Prisma's codes for the same errors, and the kinds that its adapter for pg reports instead of a code. */
const transientInPrisma = new Set([
  ...['P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'P2028', 'P2034', 'P2037'],
  ...['ConnectionClosed', 'DatabaseNotReachable', 'SocketTimeout', 'TooManyConnections', 'TransactionWriteConflict'],
  'TransactionAlreadyClosed',
])

/** The messages of all transient errors of pg itself, about connections and pools: they have no codes. */
export const transientInPg: ReadonlySet<string> = new Set([
  // An operation waited for its turn until this node had closed.
  'Cannot use a pool after calling end on the pool',
  'Client has encountered a connection error and is not queryable',
  'Client was closed and is not queryable',
  'Connection terminated',
  'Connection terminated due to connection timeout',
  'Connection terminated unexpectedly',
  'Query read timeout',
  'timeout exceeded when trying to connect',
  'timeout expired',
])

/**
 * Whether an error says that Postgres was unreachable or did not answer (connection, time-out, shutting down, deadlock), so that
 * a retry may succeed. Looks through everything that wraps it: Prisma, its adapter, causes, and errors of several addresses.
 */
export function isTransient(error: unknown): boolean {
  return layersOf(error).some(
    ({ code, message }) =>
      transientStates.test(code) || transientSocketCodes.has(code) || transientInPrisma.has(code) || transientInPg.has(message),
  )
}

/** The SQLSTATE of an error from Postgres, also if Prisma has wrapped it; undefined for other errors. */
export function sqlStateOf(error: unknown): string | undefined {
  const codes = layersOf(error).map(({ code }) => code)
  return codes.find((code) => /^[0-9A-Z]{5}$/.test(code) && !/^P[12]0/.test(code) && !transientSocketCodes.has(code))
}

type Layer = { readonly code: string; readonly message: string }

const layersMax = 16

/** The codes and messages of an error and of the errors inside it, from the outside in: one layer for each code of an error. */
export function layersOf(error: unknown): Layer[] {
  const layers: Layer[] = []
  const next: unknown[] = [error]
  while (next.length > 0 && layers.length < layersMax) {
    const one = next.shift()
    if (typeof one !== 'object' || one === null) continue
    const { code, errorCode, originalCode, kind, message, cause, meta, driverAdapterError, errors } = one as Record<
      string,
      unknown
    >
    const codes = [originalCode, code, errorCode, kind].filter((value): value is string => typeof value === 'string')
    for (const each of codes.length > 0 ? codes : [''])
      layers.push({ code: each, message: typeof message === 'string' ? message : '' })
    next.push(cause, driverAdapterError, (meta as Record<string, unknown> | undefined)?.driverAdapterError)
    if (Array.isArray(errors)) next.push(...errors)
  }
  return layers
}

/**
 * Logs why background work failed. The journal already reports that Postgres is away, so a failure that only shows it again is
 * logged at debug level.
 */
export function reportFailure(log: Log, error: unknown, message: string): void {
  if (isTransient(error)) log.debug({ err: error }, message)
  else log.error({ err: error }, message)
}
