// A node for a test: a real App with a real server, on a database of its own. Everything opened is closed when the test, or the
// file that opened it, ends.

import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { inject } from 'vitest'
import { type OpenApp, openApp } from '../../src/app.ts'
import { type Clock, systemClock } from '../../src/clock.ts'
import type { Config } from '../../src/config/config.ts'
import { readConfig } from '../../src/config/read-config.ts'
import { openLog } from '../../src/log/log.ts'
import { type Server, serve } from '../../src/server/server.ts'
import { unlimited } from './rates.ts'
import { templateDatabase } from './servers.ts'

/** A running node. */
export type Node = {
  readonly app: OpenApp
  readonly databaseUrl: string
  /** The address of its GraphQL endpoint over HTTP, and over WebSocket. */
  readonly url: string
  readonly socketUrl: string
  /** How many malformed messages the test itself puts on its bus. */
  malformedExpected: number
  /** The port of its metrics; null if it has none. */
  readonly metricsPort: number | null
  close(): Promise<void>
}

const tokenSecret = 'the token secret of all nodes of the tests'
const closers: (() => Promise<unknown>)[] = []

/** Closes what the test file opened, the last first. */
export async function closeAll(): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close()
}

/** Registers something to close when the test file ends. */
export function closeAtEnd(close: () => Promise<unknown>): void {
  closers.push(close)
}

/** A fresh database with Parley's schema and an epoch of its own. */
export async function createDatabase(): Promise<string> {
  const databaseUrl = await createFrom(templateDatabase)
  const client = await connect(databaseUrl)
  await client.query('update journal set epoch = gen_random_uuid()')
  return databaseUrl
}

/** A fresh, empty database. */
export const createEmptyDatabase = () => createFrom('template0')

async function createFrom(template: string): Promise<string> {
  const name = `test_${randomUUID().replaceAll('-', '')}`
  const url = inject('postgresUrl')
  const admin = new pg.Client({ connectionString: url })
  await admin.connect()
  // Takes half as long as the strategy wal_log, the default.
  await admin.query(`create database ${name} template ${template} strategy file_copy`)
  await admin.end()
  return Object.assign(new URL(url), { pathname: `/${name}` }).href
}

/** A connection for a test's own SQL. */
export async function connect(databaseUrl: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: databaseUrl })
  client.on('error', () => undefined)
  await client.connect()
  closeAtEnd(() => client.end())
  return client
}

/** Settings of a node, as environment variables. */
export type Environment = Record<string, string>

/** The configuration of these variables. */
export function configOf(environment: Environment): Config {
  return readConfig({
    NODE_ENV: 'test',
    PORT: '0',
    PARLEY_LOG_LEVEL: 'error',
    PARLEY_FOLLOW: inject('follow'),
    ...unlimited,
    ...environment,
  })
}

/** Opens a node, on a fresh database unless one is given. With `REDIS_URL` it shares its bus with other nodes. */
export async function openNode(environment: Environment = {}, clock: Clock = systemClock): Promise<Node> {
  const databaseUrl = environment.DATABASE_URL ?? (await createDatabase())
  // Nodes on one database have one directory for their files.
  const dataDirectory = path.join(tmpdir(), 'parley-tests', new URL(databaseUrl).pathname)
  const config = configOf({ PARLEY_DATA_DIR: dataDirectory, ...environment, DATABASE_URL: databaseUrl })
  closeAtEnd(() => rm(dataDirectory, { recursive: true, force: true }))
  const log = openLog(config.logLevel, 'test')
  const { token, vapid } = config.secrets
  const app = await openApp(config, { databaseUrl, tokenSecrets: token ?? tokenSecret, vapid }, log, undefined, clock)
  let server: Server
  try {
    server = await serve(app)
  } catch (error) {
    await app.close()
    throw error
  }
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= server.close().then(async () => {
      await app.close()
      const malformed = app.bus.malformed()
      if (malformed !== node.malformedExpected) throw new Error(`${malformed} messages between nodes were dropped as malformed`)
    })
    return closing
  }
  closeAtEnd(close)
  const host = `127.0.0.1:${server.port}`
  const node: Node = {
    app,
    databaseUrl,
    url: `http://${host}/graphql`,
    socketUrl: `ws://${host}/graphql`,
    metricsPort: server.metricsPort,
    malformedExpected: 0,
    close,
  }
  return node
}

/** Two nodes on one database and one Redis. */
export async function openPair(environment: Environment = {}, clock: Clock = systemClock): Promise<[Node, Node]> {
  const shared = { ...environment, DATABASE_URL: await createDatabase(), REDIS_URL: inject('redisUrl') }
  return [await openNode(shared, clock), await openNode(shared, clock)]
}
