// Connections to Postgres: how they are opened, what their values become, which of their errors pass.

import pg from 'pg'
import type { Log } from '../log.ts'

const int8 = 20
const int8Array = 1016

/** A bigint column as a number. Positions and ids stay far below 2^53; beyond it this throws and never rounds. */
function parseInt8(text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number)) throw new RangeError(`bigint ${text} is beyond 2^53`)
  return number
}

const parseInt8Array = pg.types.getTypeParser(int8Array as number, 'text') as (text: string) => (string | null)[]

/** How values come out of Postgres: bigint as a checked number, all else as `pg` does it. */
const types: pg.CustomTypesConfig = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    if (oid === int8) return parseInt8
    if (oid === int8Array) return (text: string) => parseInt8Array(text).map((n) => (n === null ? null : parseInt8(n)))
    return format === 'binary' ? pg.types.getTypeParser(oid, 'binary') : pg.types.getTypeParser(oid, 'text')
  },
}

/** What every connection of ours asks for. Time-outs of the server's side are set on the role: see migrate.ts. */
export function connectionSettings(databaseUrl: string, applicationName: string): pg.ClientConfig {
  return {
    connectionString: databaseUrl,
    application_name: applicationName,
    connectionTimeoutMillis: 5_000,
    query_timeout: 12_000,
    keepAlive: true,
    types,
  }
}

/**
 * Opens a pool that logs what happens to its idle connections, and never waits for a slot for longer than 5 s. `opening` is what
 * each connection begins with.
 */
export function openPool(databaseUrl: string, purpose: string, max: number, log: Log, opening?: string): pg.Pool {
  const settings = { ...connectionSettings(databaseUrl, `parley ${purpose}`), max, idleTimeoutMillis: 60_000 }
  const pool = new pg.Pool(opening === undefined ? settings : { ...settings, onConnect: (client) => client.query(opening) })
  pool.on('error', (error) => log.warn({ err: error, pool: purpose }, 'a Postgres connection was lost'))
  // A connection that dies while it is checked out and idle tells its own listeners only; without one the process would end.
  pool.on('connect', (client) =>
    client.on('error', (error) => log.debug({ err: error, pool: purpose }, 'a connection in use was lost')),
  )
  return pool
}

const transientCodes =
  /^(08|53|57P|25P0[34]|25006|40001|40P01|55P03|57014|E(CONN|PIPE|TIMEDOUT|HOST|NOTFOUND|AI_AGAIN|NETUNREACH)|P1001|P1002|P1008|P1017|P2024|P2028|P2034)/
const transientMessages =
  /timeout exceeded|Connection terminated|Query read timeout|Client has encountered a connection error|not queryable/

/**
 * Whether an error says that Postgres could not be asked or did not answer (connection, time-out, shutting down, deadlock),
 * so that a repeat may succeed. Looks through Prisma's wrapping.
 */
export function isTransient(error: unknown): boolean {
  for (const layer of layersOf(error)) {
    if (transientCodes.test(layer.code) || transientMessages.test(layer.message)) return true
  }
  return false
}

/** The SQLSTATE of an error of Postgres, also beneath Prisma's wrapping; undefined for other errors. */
export function sqlStateOf(error: unknown): string | undefined {
  return layersOf(error).find((layer) => /^[0-9A-Z]{5}$/.test(layer.code) && !/^P[12]0/.test(layer.code))?.code
}

type Layer = { code: string; message: string }

function layersOf(error: unknown): Layer[] {
  const layers: Layer[] = []
  let next: unknown = error
  while (typeof next === 'object' && next !== null && layers.length < 8) {
    const { code, originalCode, message, cause, meta, driverAdapterError } = next as Record<string, unknown>
    layers.push({ code: String(originalCode ?? code ?? ''), message: String(message ?? '') })
    next = cause ?? driverAdapterError ?? (meta as Record<string, unknown> | undefined)?.driverAdapterError
  }
  return layers
}
