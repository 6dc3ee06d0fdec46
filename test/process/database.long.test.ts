// An unusable database: one sentence that names the variable and says what to do, soon, and exit code 1. And databases with
// unusual settings that work.

import { randomBytes, randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { openLog } from '../../src/log/log.ts'
import { migrate } from '../../src/store/migrate.ts'
import { type Device, signUpAll } from '../support/device.ts'
import * as documents from '../support/documents.ts'
import { closeAtEnd, type Environment, openNode } from '../support/node.ts'
import { openPgbouncer } from '../support/pgbouncer.ts'
import { mountSmallDisk } from '../support/small-disk.ts'
import { openSystemPostgres, type SystemPostgres } from '../support/system-postgres.ts'
import { dataDirectory, endings, exists, logIn, Parley, takenPort, until } from './parley.ts'

const secret = { PARLEY_TOKEN_SECRET: 'a token secret of at least 32 characters', PORT: '0' }
let server: SystemPostgres
let host: string
/** The files of a certificate authority and of its server, `localhost`. */
let authority: string

beforeAll(async () => {
  server = await openSystemPostgres()
  host = `127.0.0.1:${server.port}`
  authority = await turnTlsOn()
  const statements = [
    'create role parley login password $$secret$$',
    'create role guest login',
    'create role locked nologin',
    'create role crowded login connection limit 0',
    'create role owner',
    'create role member login in role owner',
    'alter role member set role owner',
    ...['plain', 'tls', 'scram', 'owned', 'read_only', 'replica', 'odd', 'frozen'].map(
      (name) => `create database ${name} owner parley`,
    ),
    "create database latin owner parley encoding 'LATIN1' locale 'C' template template0",
    'create database closed allow_connections false',
    'create database private',
    'create database joined owner owner',
    'revoke connect on database private from public',
    'alter database read_only set default_transaction_read_only = on',
    'alter database replica set session_replication_role = replica',
    'alter role parley in database owned set statement_timeout = 0',
  ]
  for (const statement of statements) await server.query('postgres', statement)
  const trusted = ['plain', 'frozen', 'small', 'owned', 'read_only', 'replica', 'odd', 'latin', 'closed', 'private', 'joined']
  const rules = [
    'local all all trust',
    'host all super 127.0.0.1/32 trust',
    'hostssl tls all 127.0.0.1/32 trust',
    'host scram all 127.0.0.1/32 scram-sha-256',
    `host ${trusted.join(',')} all 127.0.0.1/32 trust`,
    'host nobody_made_this all 127.0.0.1/32 trust',
  ]
  await writeFile(path.join(server.directory, 'data/pg_hba.conf'), `${rules.join('\n')}\n`)
  await server.reload()
})

async function turnTlsOn(): Promise<string> {
  const at = (name: string) => path.join(server.directory, name)
  const script = [
    'openssl req -new -x509 -days 2 -nodes -subj /CN=authority -keyout authority.key -out authority.crt',
    'openssl req -new -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout server.key -out server.csr',
    'openssl x509 -req -in server.csr -CA authority.crt -CAkey authority.key -CAcreateserial -days 2 -copy_extensions copy -out server.crt',
    // It must belong to the user that Postgres runs as.
    'chown --reference=data server.key server.crt',
    'chmod 600 server.key',
  ]
  await server.run('sh', ['-e', '-c', script.join('\n')])
  for (const [name, value] of [
    ['ssl_cert_file', at('server.crt')],
    ['ssl_key_file', at('server.key')],
  ]) {
    await server.query('postgres', `alter system set ${name} = '${value}'`)
  }
  await server.query('postgres', 'alter system set ssl = on')
  await server.reload()
  return at('authority.crt')
}

/** The refusal of a start on this database; null if it is accepted. */
async function refusal(url: string): Promise<string | null> {
  const begun = Date.now()
  const error = await migrate(url, openLog('silent', 'test')).then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(Date.now() - begun).toBeLessThan(10_000)
  if (error === null) return null
  expect(error).toMatchObject({ name: 'StartError', message: expect.stringMatching(/^DATABASE_URL: [^\n]+$/) })
  return (error as Error).message.slice('DATABASE_URL: '.length)
}

/** A listener that does not behave like a Postgres. */
async function listener(greet: Parameters<typeof createServer>[1]): Promise<string> {
  const strange = createServer(greet)
  await new Promise<void>((resolve) => strange.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void strange.close())
  return `127.0.0.1:${(strange.address() as { port: number }).port}`
}

const tls = '; if it demands TLS, add ?sslmode=verify-full to the URL'
const rights = (user: string, database: string, message: string) =>
  `the user ${user} lacks rights in the database ${database} (${message}): make that user the owner, with "alter database ${database} owner to ${user}"; if another user has set the database up, connect as that user, or hand over its objects with "reassign owned by"`
const untrusted = (code: string) =>
  `the certificate of ${host} is not trusted (${code}): "TLS to Postgres" in docs/operations.md says how to trust it`

test('each obstacle to a connection gets one sentence that says what to do', async () => {
  const table: readonly (readonly [url: string, sentence: string])[] = [
    [
      `parley@${host}/tls`,
      `${host} rejects the user parley (no pg_hba.conf entry for host "127.0.0.1", user "parley", database "tls", no encryption): check the user, and pg_hba.conf there${tls}`,
    ],
    [`parley@${host}/tls?sslmode=require`, untrusted('UNABLE_TO_VERIFY_LEAF_SIGNATURE')],
    [
      `parley@${host}/tls?sslmode=verify-full&sslrootcert=${authority}`,
      `the certificate of ${host} is for another name: use the name in the certificate; "TLS to Postgres" in docs/operations.md says how to trust it`,
    ],
    [
      `parley@${host}/tls?sslrootcert=/none/ca.crt`,
      'the file /none/ca.crt that it names cannot be read (ENOENT): correct sslrootcert, sslcert or sslkey',
    ],
    [
      `parley@${host}/scram`,
      `${host} requires a password for the user parley, but the URL has none: write it as postgresql://parley:password@…`,
    ],
    [`parley:wrong@${host}/scram`, `${host} rejects the user parley or its password`],
    [
      `nobody@${host}/plain`,
      `${host} rejects the user nobody (role "nobody" does not exist): check the user, and pg_hba.conf there${tls}`,
    ],
    [
      `locked@${host}/plain`,
      `${host} rejects the user locked (role "locked" is not permitted to log in): check the user, and pg_hba.conf there${tls}`,
    ],
    [
      `crowded@${host}/plain`,
      `Postgres at ${host} has no free connections (too many connections for role "crowded"): raise max_connections, or stop the clients that hold them; a node needs up to 39`,
    ],
    [`guest@${host}/private`, rights('guest', 'private', 'permission denied for database "private"')],
    [
      `parley@${host}/closed`,
      `Postgres at ${host} rejects the connection (55000: database "closed" is not currently accepting connections)`,
    ],
    [`parley@${host}/nobody_made_this`, `there is no database nobody_made_this on ${host}: create it first`],
    [
      'parley@no-such-host.invalid/plain',
      'there is no host no-such-host.invalid (ENOTFOUND): check the name, and the DNS of this machine',
    ],
    [
      'parley:x@/plain?host=/none',
      'Postgres cannot be reached at the socket in /none (ENOENT): nothing listens there, or this user may not use it',
    ],
  ]
  const told = await Promise.all(table.map(([url]) => refusal(`postgresql://${url}`)))
  expect(told).toEqual(table.map(([, sentence]) => sentence))
})

test('a server that is not a Postgres, or says nothing, is named as such', async () => {
  const silent = await listener(() => undefined)
  expect(await refusal(`postgresql://parley@${silent}/x`)).toBe(
    `Postgres at ${silent} did not answer within 5 s: check the host, the port, and the firewalls in between`,
  )
  const web = await listener((socket) => socket.on('error', () => undefined).end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  expect(await refusal(`postgresql://parley@${web}/x`)).toMatch(
    new RegExp(`^the server at ${web} is not a Postgres that Parley can talk to \\(`),
  )
  const noTls = await listener((socket) => socket.on('error', () => undefined).once('data', () => socket.end('N')))
  expect(await refusal(`postgresql://parley@${noTls}/x?sslmode=require`)).toBe(
    `Postgres at ${noTls} does not support TLS: turn ssl on there, or remove sslmode from the URL if the network is safe`,
  )
})

test('refuses a database that Parley cannot work on before it changes anything', async () => {
  const table: readonly (readonly [url: string, sentence: string])[] = [
    [
      `parley@${host}/latin`,
      `the database latin has the encoding LATIN1, but Parley needs UTF8: create another one with "create database latin encoding 'UTF8' template template0"`,
    ],
    [
      `parley@${host}/read_only`,
      'the database read_only is read-only (default_transaction_read_only is on): turn it off; if your provider turned it on, find out why: often the disk is full',
    ],
    [
      `parley@${host}/replica`,
      'session_replication_role is replica there, which disables the triggers that Parley needs: set it back to origin',
    ],
    [`guest@${host}/plain`, rights('guest', 'plain', 'permission denied for schema public')],
  ]
  const told = await Promise.all(table.map(([url]) => refusal(`postgresql://${url}`)))
  expect(told).toEqual(table.map(([, sentence]) => sentence))
  for (const name of ['read_only', 'replica', 'plain']) {
    expect(await server.query(name, "select 1 from pg_tables where schemaname = 'public'")).toEqual([])
  }
  expect(await refusal(`postgresql://parley@${host}/owned`)).toBeNull()
  expect(await refusal(`postgresql://guest@${host}/owned`)).toBe(
    rights('guest', 'owned', 'permission denied for table _prisma_migrations'),
  )
})

test('TLS with a private certificate authority, a Unix socket, and a role that becomes another one work', async () => {
  const localhost = `localhost:${server.port}`
  expect(await refusal(`postgresql://parley@${localhost}/tls?sslmode=verify-full&sslrootcert=${authority}`)).toBeNull()
  expect(await refusal(`postgresql://parley@${host}/tls?sslmode=no-verify`)).toBeNull()
  expect(await refusal(`postgresql://parley:x@/plain?host=${server.directory}&port=${server.port}`)).toBeNull()
  expect(
    await refusal(`postgresql://parley@${encodeURIComponent(server.directory)}:${server.port}/plain?schema=public`),
  ).toBeNull()
  expect(await refusal(`postgresql://member@${host}/joined`)).toBeNull()
  const timeouts = `select r.rolname as role, array_to_string(setconfig, ' ') like '%statement_timeout=10s%' as "hasTimeouts"
    from pg_db_role_setting s join pg_roles r on r.oid = s.setrole join pg_database d on d.oid = s.setdatabase where d.datname = 'joined'`
  expect(await server.query('postgres', timeouts)).toEqual([{ role: 'member', hasTimeouts: true }])
})

test('a database with unusual settings works like any other, also at the second start', async () => {
  const settings = [
    "DateStyle = 'German, DMY'",
    "IntervalStyle = 'sql_standard'",
    "TimeZone = 'Asia/Kathmandu'",
    "search_path = 'elsewhere, pg_catalog'",
    'standard_conforming_strings = off',
    "bytea_output = 'escape'",
    'extra_float_digits = -15',
    'array_nulls = off',
    'transform_null_equals = on',
    "default_transaction_isolation = 'serializable'",
    'default_transaction_deferrable = on',
    "client_encoding = 'LATIN1'",
    "idle_session_timeout = '500ms'",
    'gin_fuzzy_search_limit = 1',
    "statement_timeout = '30ms'",
  ]
  for (const setting of settings) await server.query('postgres', `alter database odd set ${setting}`)
  const url = `postgresql://parley@${host}/odd`
  expect(await refusal(url)).toBeNull()
  const node = await openNode({ DATABASE_URL: url })
  const [alice, bob] = (await signUpAll(node, 'Alice', 'Bob')) as [Device, Device]
  const id = await alice.direct(bob)
  const stream = await bob.events().live()
  const { message } = await alice.send(id, 'Grüße \\ 安녕 🎉')
  await stream.text('Grüße \\ 安녕 🎉')
  expect(Math.abs(Date.parse(message.createdAt) - Date.now())).toBeLessThan(60_000)
  const { conversation } = await bob.run(documents.History, { id, last: 10 })
  expect(conversation?.messages.edges.map(({ node }) => node.text)).toEqual([message.text])
})

test('refuses a pooler that shares connections between clients; one in session mode works', async () => {
  const pooler = await openPgbouncer(server, 'plain', 'parley')
  const shared = `the pooler at ${pooler} shares one connection among several clients (transaction or statement mode): connect Parley to Postgres directly, or to a pool in session mode`
  expect(await refusal(`postgresql://parley@${pooler}/transaction`)).toBe(shared)
  expect(await refusal(`postgresql://parley@${pooler}/statement`)).toBe(shared)
  expect(await refusal(`postgresql://parley@${pooler}/one`)).toBe(
    `the pooler at ${pooler} has no second connection for Parley: raise its pool size, because a node needs up to 39`,
  )
  const node = await openNode({ DATABASE_URL: `postgresql://parley@${pooler}/session` })
  const [alice, bob] = (await signUpAll(node, 'Alice', 'Bob')) as [Device, Device]
  expect((await alice.send(await alice.direct(bob), 'hello')).message.seq).toBe(1)
})

test('D9 with Postgres frozen a send is answered after 10 s, and a stopping node exits within 13 s', async () => {
  const process = new Parley({ ...secret, DATABASE_URL: `postgresql://parley@${host}/frozen`, PARLEY_SEED: 'true' })
  const alice = await logIn(await process.ready(), 'alice')
  const conversationId = await alice.group('Alone')
  await alice.send(conversationId, 'before')
  await server.freeze()
  try {
    const send = async () => {
      const sentAt = Date.now()
      const input = { conversationId, text: 'frozen', clientMessageId: randomUUID() }
      const { extensions } = await alice.refused(documents.SendMessage, { input })
      expect(extensions.code).toBe('UNAVAILABLE')
      return Date.now() - sentAt
    }
    // The second one waits behind the first, in another call.
    const sends = [send(), delay(1_000).then(send)]
    await delay(7_000)
    const toldAt = Date.now()
    process.kill('SIGTERM')
    for (const tookMs of await Promise.all(sends)) expect(tookMs).toBeLessThan(11_500)
    expect(await process.ended()).toEqual(endings.ok)
    expect(Date.now() - toldAt).toBeLessThan(13_000)
  } finally {
    await server.thaw()
  }
}, 60_000)

const disk = await mountSmallDisk(64)
if (disk) closeAtEnd(disk.unmount)

test.runIf(disk)(
  'a node whose Postgres has a full disk is not ready and says so in one line, until there is room again',
  async () => {
    if (!disk) return
    const directory = await disk.directoryLike(path.join(server.directory, 'data'))
    await server.query('postgres', `create tablespace small location '${directory}'`)
    await server.query('postgres', 'create database small owner parley tablespace small')
    const parley = new Parley({ ...secret, DATABASE_URL: `postgresql://parley@${host}/small`, PARLEY_SEED: 'true' })
    const address = await parley.ready()
    const alice = await logIn(address, 'alice')
    const conversationId = await alice.group('Alone')
    const readiness = async () => (await fetch(new URL('/health/ready', address.url))).text()
    const told = (what: string) => parley.stderr.split(what).length - 1
    expect(await readiness()).toBe('ok\n')

    // Nobody writes: the node finds out when its readiness is checked.
    await disk.fill()
    await until('it not to be ready', async () => (await readiness()) === 'not ready: Postgres accepts no writes\n')
    expect(await alice.run(documents.Viewer, {})).toMatchObject({ viewer: { username: 'alice' } })
    await disk.free()
    await until('it to be ready', async () => (await readiness()) === 'ok\n')
    await until('that to be told', () => told('Postgres takes writes again') === 1)

    // Nobody checks its health: it learns from refused writes, and learns by itself that there is room again.
    await disk.fill()
    const sends = Promise.allSettled(
      Array.from({ length: 30 }, () => alice.send(conversationId, randomBytes(5_000).toString('hex'))),
    )
    await until('a write to be refused', () => told('Postgres takes no writes') === 2)
    expect(await readiness()).toBe('not ready: Postgres accepts no writes\n')
    await disk.free()
    await sends
    await until('it to have room', () => told('Postgres takes writes again') === 2)
    expect(await readiness()).toBe('ok\n')
    parley.kill('SIGTERM')
    expect(await parley.ended()).toEqual(endings.ok)
    expect(parley.complaints).toEqual(Array.from({ length: 2 }, () => expect.stringContaining('"cause":"its disk is full"')))
  },
  60_000,
)

test('a process without a usable database exits with one sentence within 10 s; so do the other commands', async () => {
  const { port, listener } = await takenPort()
  await new Promise((resolve) => listener.close(resolve))
  const nowhere = { ...secret, DATABASE_URL: `postgresql://parley:hidden@127.0.0.1:${port}/parley` }
  const sentence = `DATABASE_URL: Postgres at 127.0.0.1:${port} cannot be reached (ECONNREFUSED): nothing listens there; start it, or correct the host and port\n`
  const wrong = { ...secret, DATABASE_URL: `postgresql://parley:hidden@${host}/scram` }
  const told = await Promise.all([endOf(nowhere), endOf(wrong), endOf(nowhere, 'new-epoch'), endOf(nowhere, 'push-failures')])
  expect(told).toEqual([sentence, `DATABASE_URL: ${host} rejects the user parley or its password\n`, sentence, sentence])
})

/** The output of a refused process. */
async function endOf(environment: Environment, command?: 'new-epoch' | 'push-failures'): Promise<string> {
  const directory = await dataDirectory()
  const settings = { ...environment, PARLEY_DATA_DIR: directory }
  const parley = command ? new Parley(settings, onTestFinished, 'parley', [command]) : new Parley(settings, onTestFinished)
  expect(await parley.ended()).toEqual(endings.failed)
  expect(parley.stdout).toBe('')
  expect(await exists(directory)).toBe(false)
  return parley.stderr
}
