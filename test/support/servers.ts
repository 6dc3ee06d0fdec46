// The servers that all tests share: a Postgres with a migrated template database, and a Redis. Started once for each run, on
// free ports of the loopback interface, and ended with it.

import { execFile, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { findFreePort, startPostgres } from '../../src/local/postgres.ts'
import { openLog } from '../../src/log/log.ts'
import { migrate } from '../../src/store/migrate.ts'
import { buildPrograms } from './programs.ts'

const run = promisify(execFile)

declare module 'vitest' {
  export interface ProvidedContext {
    /** A superuser's URL of the Postgres of this run, at its maintenance database. */
    postgresUrl: string
    redisUrl: string
    /** What nodes follow unless a test says otherwise: PARLEY_FOLLOW. */
    follow: string
  }
}

/** The template of each test's own database. */
export const templateDatabase = 'parley_template'

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(path.join(tmpdir(), 'parley-test-'))
  const log = openLog('warn', 'test')
  await buildPrograms()
  // A file keeps all of its nodes open until it ends, and each may hold 32 connections. Nobody reads this Postgres after a
  // crash: tests that crash one have their own. The vacuum launcher would visit each test's database every minute.
  const settings = ['max_connections=600', 'fsync=off', 'full_page_writes=off', 'max_wal_size=4GB', 'autovacuum=off']
  const postgres = await startPostgres(path.join(directory, 'postgres'), 'a password for the tests', log, settings)
  const redis = await startRedis(directory)
  const url = new URL(postgres.url)
  url.pathname = '/postgres'
  const client = new pg.Client({ connectionString: url.href })
  await client.connect()
  await client.query(`create database ${templateDatabase}`)
  await client.end()
  await migrate(Object.assign(new URL(url), { pathname: `/${templateDatabase}` }).href, log)
  project.provide('postgresUrl', url.href)
  project.provide('redisUrl', redis.url)
  // biome-ignore lint/style/noProcessEnv: npm run test:digest says it here
  project.provide('follow', process.env.TEST_FOLLOW ?? 'full')
  return async () => {
    await redis.stop()
    await postgres.stop()
    await rm(directory, { recursive: true, force: true })
  }
}

/** The Redis that REDIS_URL names, or else our own from a binary that is found or, on Debian as root, installed. */
async function startRedis(directory: string): Promise<{ url: string; stop(): Promise<void> }> {
  // biome-ignore lint/style/noProcessEnv: tests are told here which Redis to use
  const given = process.env.REDIS_URL
  if (given) return { url: given, stop: async () => undefined }
  const binary = await findRedis()
  const port = await findFreePort()
  const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', directory]
  const child = spawn(binary, options, { stdio: 'ignore' })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const url = `redis://127.0.0.1:${port}`
  await answer(url)
  return {
    url,
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

/** The binary of a Redis or Valkey; on Debian, as root, it is installed if missing. */
export async function findRedis(): Promise<string> {
  for (const name of ['redis-server', 'valkey-server']) {
    const found = await run('which', [name]).then(
      ({ stdout }) => stdout.trim(),
      () => '',
    )
    if (found) return found
  }
  return installRedis()
}

async function installRedis(): Promise<string> {
  const canInstall = process.getuid?.() === 0 && (await run('which', ['apt-get']).catch(() => null)) !== null
  if (!canInstall) {
    throw new Error(
      'The tests need a Redis. Install one (apt install redis-server, or brew install redis), or start one (docker compose up redis) and set REDIS_URL.',
    )
  }
  process.stdout.write('The tests need a Redis: installing the Debian package redis-server.\n')
  const quiet = { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' } }
  await run('apt-get', ['update', '-q'], quiet)
  await run('apt-get', ['install', '-y', '-q', '--no-install-recommends', 'redis-server'], quiet)
  return 'redis-server'
}

async function answer(url: string): Promise<void> {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 })
  client.on('error', () => undefined)
  for (let attempt = 0; attempt < 200; attempt += 1) {
    try {
      await client.connect()
      await client.ping()
      client.disconnect()
      return
    } catch {
      await delay(25)
    }
  }
  throw new Error(`Redis does not answer at ${url}`)
}
