// A lost connection to Postgres, at each point and on each way of the store, is recognised as temporary: a repeat may succeed,
// and nobody gets INTERNAL. An error that a repeat cannot repair is not temporary.

import { spawnSync } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { createServer, type Server, type Socket } from 'node:net'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { beforeAll, describe, expect, test } from 'vitest'
import { conversationKinds } from '../../src/conversation/events.ts'
import { openLog } from '../../src/log/log.ts'
import { isTransient, sqlStateOf, transientInPg } from '../../src/store/postgres.ts'
import { statement } from '../../src/store/reader.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import { Address, Cluster } from '../support/cluster.ts'
import { request, signUp } from '../support/device.ts'
import { CreateGroup } from '../support/documents.ts'
import { FaultyProxy } from '../support/faulty-proxy.ts'
import { closeAtEnd, connect, createDatabase, openNode } from '../support/node.ts'
import { until } from '../support/until.ts'

const log = openLog('fatal', 'test')
const nap = statement<object>('nap', 'select pg_sleep(30)')
const one = statement<object>('one', 'select 1')

let databaseUrl: string
let proxy: FaultyProxy
let store: Store

beforeAll(async () => {
  databaseUrl = await createDatabase()
  proxy = await FaultyProxy.open(databaseUrl)
  store = openStore(proxy.url, 1, log)
  closeAtEnd(() => store.close())
})

type QueryPath = (sql: 'nap' | 'one') => Promise<unknown>
const textOf = { nap: 'select pg_sleep(30)::text', one: 'select 1' } as const
const statementOf = { nap, one } as const

/** Every way in which Parley uses Postgres. */
const queryPaths: Record<string, QueryPath> = {
  'a read': (sql) => store.reader.rows(statementOf[sql], []),
  'the journal': (sql) => store.journalPool.query(textOf[sql]),
  'a job': (sql) => store.jobs.transaction((reader) => reader.rows(statementOf[sql], [])),
  'a snapshot': (sql) => store.snapshot((reader) => reader.rows(statementOf[sql], [])),
  'a raw query of Prisma': (sql) => store.prisma.$queryRawUnsafe(textOf[sql]),
  'a command of Prisma': (sql) => store.prisma.$executeRawUnsafe(textOf[sql]),
  'a model of Prisma': async (sql) => {
    // A Prisma model has no slow query: beside it, one waits that the same break ends.
    if (sql === 'one') return store.prisma.user.count()
    return store.prisma.$transaction([store.prisma.$queryRawUnsafe(textOf.nap), store.prisma.user.count()])
  },
  'a transaction of Prisma': (sql) => store.prisma.$transaction((tx) => tx.$queryRawUnsafe(textOf[sql])),
}

const failureOf = async (run: Promise<unknown>) =>
  run.then(
    () => null,
    (error: unknown) => error,
  )
const passes = (error: unknown) =>
  expect(isTransient(error) || (error as { code?: string }).code === 'UNAVAILABLE', String((error as Error)?.stack)).toBe(true)

/** Terminates the sleeping backends. */
const terminate = async () => {
  const admin = await connect(databaseUrl)
  await admin.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
  )
}

describe.each(Object.keys(queryPaths))('by %s', (name) => {
  const query = queryPaths[name] as QueryPath

  test.each([
    ['a reset', () => proxy.cut('RESET')],
    ['the end of the stream', () => proxy.cut('END')],
    ['the end of its backend', terminate],
  ] as const)('in the middle of a query: %s', async (_how, lose) => {
    const running = failureOf(query('nap'))
    await proxy.waitFor('pg_sleep')
    await lose()
    passes(await running)
    await query('one').catch(() => undefined)
  })

  test('while it is opened: refused, reset, or ended', async () => {
    for (const how of ['RESET', 'END', 'REFUSED'] as const) {
      await proxy.cut('RESET')
      await proxy.refuse(how)
      // The open connections break first; the next query must open one.
      for (let i = 0; i < 3; i += 1) {
        const error = await failureOf(query('one'))
        if (error) passes(error)
        if (i === 2) expect(error).not.toBeNull()
      }
      await proxy.accept()
    }
    await expect.poll(() => failureOf(query('one')), { timeout: 8_000 }).toBeNull()
  })
})

test.each([
  ['a reset', () => proxy.cut('RESET')],
  ['the end of the stream', () => proxy.cut('END')],
  ['the end of its backend', terminate],
] as const)('between the work of a transaction and its COMMIT: %s', async (_how, lose) => {
  const works = [
    () =>
      store.prisma.$transaction(async (tx) => {
        await tx.$queryRawUnsafe('select 1')
        await lose()
      }),
    () =>
      store.jobs.transaction(async (reader) => {
        await reader.rows(one, [])
        await lose()
      }),
    () =>
      store.snapshot(async (reader) => {
        await reader.rows(one, [])
        await lose()
      }),
  ]
  for (const work of works) passes(await failureOf(work()))
})

test('a full pool, a slow query, and a transaction that takes too long are temporary', async () => {
  const naps = Array.from({ length: 10 }, () => failureOf(store.reader.rows(nap, [])))
  await proxy.waitFor('pg_sleep')
  const waits = await Promise.all([
    failureOf(store.reader.rows(one, [])),
    failureOf(store.prisma.user.count()),
    failureOf(store.prisma.$transaction((tx) => tx.user.count())),
  ])
  for (const error of waits) passes(error)
  await proxy.cut('RESET')
  for (const error of await Promise.all(naps)) passes(error)
  const slow = `set local statement_timeout = '20ms'`
  passes(
    await failureOf(
      store.prisma.$transaction(async (tx) => {
        await tx.$executeRawUnsafe(slow)
        await tx.$queryRawUnsafe(textOf.nap)
      }),
    ),
  )
  passes(
    await failureOf(store.prisma.$transaction((tx) => tx.$queryRawUnsafe('select 1').then(() => delay(60)), { timeout: 20 })),
  )
  passes(
    await failureOf(
      store.prisma.$transaction(async (tx) => {
        await tx.$executeRawUnsafe('set transaction read only')
        await tx.user.create({ data: { username: 'read-only', displayName: 'x' } })
      }),
    ),
  )
})

test.each([
  ['while it connects', 'user'],
  ['while it waits for its turn to migrate', 'pg_advisory_lock'],
  ['while it migrates', '_prisma_migrations'],
  ['while the tables of the jobs are made', 'graphile_worker'],
  ['while it sets its time-outs', 'alter role'],
  ['while it reads the journal', 'journal_head'],
] as const)('D9 a node that loses Postgres %s says so in one sentence, or comes up', async (_when, text) => {
  const admin = await connect(databaseUrl)
  const database = new URL(databaseUrl).pathname.slice(1)
  for (const how of ['RESET', 'END'] as const) {
    // A start that came up all the same has set the time-outs, and the next one would not set them again.
    await admin.query(`alter role current_user in database ${database} reset all`)
    const starting = failureOf(openNode({ DATABASE_URL: proxy.url }).then((node) => node.close()))
    await proxy.waitFor(text)
    await proxy.cut(how)
    const error = await starting
    if (error) expect(String(error)).toMatch(/^StartError: DATABASE_URL: [^\n]+ in a moment$/)
  }
})

/** A server that speaks enough of the protocol to refuse every client, as Postgres does when it is full. */
async function refusing(code: string): Promise<Server> {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => {
      const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0Mrefused for a test\0\0`)
      const head = Buffer.alloc(5)
      head.write('E')
      head.writeInt32BE(fields.length + 4, 1)
      socket.end(Buffer.concat([head, fields]))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closeAtEnd(async () => server.close())
  return server
}

test.each([
  ['53300', 'too many connections', true],
  ['53400', 'a limit of the configuration', true],
  ['57P01', 'shutting down', true],
  ['57P02', 'another process crashed', true],
  ['57P03', 'starting', true],
  ['57P05', 'idle for too long', true],
  ['08006', 'a pooler without its server', true],
  ['58030', 'trouble with the disk', true],
  ['3D000', 'no such database', false],
  ['28P01', 'a wrong password', false],
  ['42501', 'no right', false],
] as const)('SQLSTATE %s (%s) from pg and from Prisma: temporary is %s', async (code, _what, isPassing) => {
  const server = await refusing(code)
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const refused = openStore(`postgres://u:p@127.0.0.1:${port}/x`, 1, log)
  const failures = await Promise.all([
    failureOf(refused.reader.rows(one, [])),
    failureOf(refused.prisma.user.count()),
    failureOf(refused.prisma.$queryRawUnsafe('select 1')),
    failureOf(refused.prisma.$transaction((tx) => tx.user.count())),
  ])
  for (const error of failures) expect(isTransient(error), String(error)).toBe(isPassing)
  await refused.close()
})

test('a request that comes while a node closes gets a retryable error', async () => {
  const closed = openStore(databaseUrl, 1, log)
  await closed.reader.rows(one, [])
  await closed.close()
  for (const act of [
    () => closed.reader.rows(one, []),
    () => closed.prisma.user.count(),
    () => closed.prisma.$transaction((tx) => tx.user.count()),
    () => closed.jobs.transaction((reader) => reader.rows(one, [])),
    () => closed.snapshot((reader) => reader.rows(one, [])),
  ]) {
    const error = await failureOf(act())
    expect(isTransient(error) || (error as { code?: string }).code === 'UNAVAILABLE', String(error)).toBe(true)
  }
})

test('an error that a repeat cannot repair is not temporary, and its SQLSTATE is found', async () => {
  const raw = (text: string) => failureOf(store.prisma.$queryRawUnsafe(text))
  for (const [error, state] of [
    [await raw('select 1 / 0'), '22012'],
    [await raw('select nothing'), '42703'],
    [await raw(`do $$ begin raise exception 'no' using errcode = 'PY403'; end $$`), 'PY403'],
    [await failureOf(store.reader.rows(statement('bad', 'select * from nowhere'), [])), '42P01'],
  ] as const) {
    expect(isTransient(error), String(error)).toBe(false)
    expect(sqlStateOf(error)).toBe(state)
  }
  expect(isTransient(new Error('the user wrote: Connection terminated, and more'))).toBe(false)
})

test('every message of the driver that counts as temporary is still one of the driver', async () => {
  const require = createRequire(import.meta.url)
  const lib = path.dirname(require.resolve('pg'))
  const files = [path.join(lib, 'client.js'), path.join(lib, 'query.js'), require.resolve('pg-pool')]
  const texts = (await Promise.all(files.map((file) => readFile(file, 'utf8')))).join('\n')
  expect([...transientInPg].filter((message) => !texts.includes(message))).toEqual([])
})

/** Removes the facts of one append while the node stands still, like a crash before their flush. */
function takeBack(url: string, tag: number): void {
  const program = `
    import pg from 'pg'
    const client = new pg.Client({ connectionString: process.argv[1] })
    await client.connect()
    await client.query('delete from fact where tag = $1', [process.argv[2]])
    await client.end()`
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program, url, String(tag)])
  expect(status, String(stderr)).toBe(0)
}

test('B1 a rare write whose commit is undone by a crash before its flush is UNAVAILABLE, and a repeat does it', async () => {
  const node = await openNode({ PARLEY_LOG_LEVEL: 'silent' })
  const alice = await signUp(node, 'Alice')
  const onCommitted = (step: unknown) => {
    unsubscribe('parley:write.committed', onCommitted)
    takeBack(node.databaseUrl, (step as { tag: number }).tag)
  }
  subscribe('parley:write.committed', onCommitted)
  const refusal = await alice.refused(CreateGroup, { input: { title: 'Lost', memberIds: [] } })
  expect(refusal.extensions).toMatchObject({ code: 'UNAVAILABLE', retryable: true })
  expect((await alice.run(CreateGroup, { input: { title: 'Kept', memberIds: [] } })).createGroup.conversation.title).toBe('Kept')
})

test('B1 a rare write at whose commit Postgres dies is UNAVAILABLE or done, and never INTERNAL', {
  timeout: 60_000,
}, async () => {
  const cluster = await Cluster.create()
  const address = await Address.open(cluster)
  const node = await openNode({ DATABASE_URL: address.url, PARLEY_LOG_LEVEL: 'silent' })
  const alice = await signUp(node, 'Alice')
  const died = new Promise<void>((resolve) => {
    const onCommitted = () => {
      unsubscribe('parley:write.committed', onCommitted)
      cluster.killNow()
      resolve()
    }
    subscribe('parley:write.committed', onCommitted)
  })
  const creating = request(node.url, CreateGroup, { input: { title: 'At the commit', memberIds: [] } }, alice.accessToken)
  await died
  await cluster.stop()
  await cluster.start()
  const { errors } = await creating
  expect(errors.map(({ extensions }) => extensions.code)).toEqual(errors.length === 0 ? [] : ['UNAVAILABLE'])
  await until('Postgres to answer the node', async () => {
    const again = await request(node.url, CreateGroup, { input: { title: 'After it', memberIds: [] } }, alice.accessToken)
    return again.errors.length === 0
  })
  // What is there is what the journal says: one event for each group.
  const sql = new pg.Client({ connectionString: cluster.url })
  await sql.connect()
  const { rows } = await sql.query(
    'select (select count(*) from conversation) as groups, (select count(*) from fact where kind = $1) as facts',
    [conversationKinds.ConversationAdded.number],
  )
  await sql.end()
  expect(rows[0].groups).toBe(rows[0].facts)
})
