// What the log tells an operator: JSON only, each refusal, attempts on passwords, and one line when a server goes away and one
// when it is back.

import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { redisWords } from '../../src/bus/redis-faults.ts'
import { findFreePort } from '../../src/local/postgres.ts'
import { postgresWords } from '../../src/store/availability.ts'
import { Address, Cluster } from '../support/cluster.ts'
import { Viewer } from '../support/documents.ts'
import { createDatabase } from '../support/node.ts'
import { findRedis } from '../support/servers.ts'
import { endings, logIn, Parley, type ServerAddress, until } from './parley.ts'

type Line = Record<string, unknown> & { level: number; msg: string }

const secret = 'hunter2 hunter2'
const settings = {
  PORT: '0',
  PARLEY_DATA_DIR: '/dev/null/none',
  PARLEY_TOKEN_SECRET: 'the token secret of this one process',
}
/** The lines of a log. A line that is not JSON fails. */
const linesOf = ({ stderr }: Parley) =>
  stderr
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line)
const post = (server: ServerAddress, query: string, headers: Record<string, string> = {}) =>
  postBody(server, JSON.stringify({ query }), headers)
const postBody = (server: ServerAddress, body: string, headers: Record<string, string> = {}) =>
  fetch(server.url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body })
const attempt = (username: string) =>
  `mutation { logIn(input: { username: "${username}", password: "${secret}", deviceName: "x" }) { expiresAt } }`
const codesOf = async (response: Response) =>
  ((await response.json()) as { errors: { extensions: { code: string } }[] }).errors.map(({ extensions }) => extensions.code)

test('every refusal leaves a line of JSON with its id, a failed log-in one at info, a flood one with its count', async () => {
  const parley = new Parley({
    ...settings,
    DATABASE_URL: await createDatabase(),
    PARLEY_SEED: 'true',
    PARLEY_LOG_LEVEL: 'debug',
    PARLEY_SIGN_UP: 'closed',
    PARLEY_TRUSTED_PROXIES: '127.0.0.1',
  })
  const server = await parley.ready()
  const from = { 'x-forwarded-for': '1.2.3.4' }
  for (let i = 0; i < 20; i += 1) await post(server, attempt('Alice'), { ...from, 'x-request-id': `try-${i}` })
  const forged = { authorization: 'Bearer a.b.c', ...from }
  await post(server, '{ viewer { id } }', { ...forged, 'x-request-id': 'forged' })
  await post(server, '{ conversation(id: "x") { id } }', { 'x-request-id': 'bad-input' })
  await post(server, '{ nothing }', { 'x-request-id': 'bad-document' })
  await post(server, '{', { 'x-request-id': 'no-document' })
  await post(server, `# ${'long '.repeat(10_000)}\n{ __typename }`, { 'x-request-id': 'large' })
  await post(server, '{ nodes(ids: "x") { ...F } } fragment F on Node { id ...F }', { 'x-request-id': 'endless' })
  const page = 'messages(first: 100) { nodes { sender { id username displayName bio } } }'
  const costly = `{ conversations(first: 100) { nodes { a: ${page} b: ${page} c: ${page} } } }`
  await post(server, costly, { 'x-request-id': 'costly' })
  await postBody(server, '{', { 'x-request-id': 'no-json' })
  await postBody(server, '[]', { 'x-request-id': 'batch' })
  const persisted = { extensions: { persistedQuery: { version: 1, sha256Hash: 'x' } } }
  await postBody(server, JSON.stringify(persisted), { 'x-request-id': 'persisted' })
  await post(server, 'subscription { events { cursor } }', { 'x-request-id': 'nobody', accept: 'text/event-stream' })
  await fetch(server.url, { method: 'POST', headers: { 'content-type': 'text/plain', 'x-request-id': 'bad-type' } })
  const bare = connect(Number(new URL(server.url).port), '127.0.0.1').resume()
  bare.end('rubbish\r\n\r\n')
  await once(bare, 'close')
  const input = `{ username: "new", password: "${secret}", displayName: "x", deviceName: "x" }`
  const closed = await post(server, `mutation { signUp(input: ${input}) { expiresAt } }`, { 'x-request-id': 'closed' })
  expect(await codesOf(closed)).toEqual(['FORBIDDEN'])
  await until('the last line', () => parley.stderr.includes('"closed"'))
  const failed = () => linesOf(parley).filter(({ msg }) => msg === 'a log-in failed')
  expect(failed()[0]).toMatchObject({ level: 30, username: 'alice', address: '1.2.3.4', requestId: 'try-0' })
  const refused = (requestId: string) => linesOf(parley).filter((line) => line.requestId === requestId)
  expect(refused('try-7')).toMatchObject([{ level: 20, code: 'INVALID_CREDENTIALS', address: '1.2.3.4' }])
  expect(refused('forged')).toMatchObject([
    { level: 30, msg: 'an access token was refused', address: '1.2.3.4' },
    { level: 20, code: 'UNAUTHENTICATED', path: 'viewer' },
  ])
  expect(refused('bad-input')).toMatchObject([{ level: 20, code: 'BAD_INPUT' }])
  for (const id of ['bad-document', 'no-document', 'large', 'endless', 'costly', 'no-json', 'batch', 'persisted']) {
    const first = { level: 20, code: 'OPERATION_REFUSED', msg: 'an operation was refused', address: '127.0.0.1' }
    expect([id, refused(id)[0]]).toEqual([id, expect.objectContaining(first)])
  }
  expect(refused('nobody')[0]).toMatchObject({ level: 20, code: 'UNAUTHENTICATED' })
  expect(refused('bad-type')).toMatchObject([{ level: 20, status: 415, method: 'POST', path: '/graphql' }])
  expect(refused('closed')).toMatchObject([{ level: 20, code: 'FORBIDDEN', path: 'signUp' }])
  expect(linesOf(parley).filter(({ msg }) => msg.startsWith('what came was no request'))).toMatchObject([{ level: 20 }])
  const before = linesOf(parley).length
  await post(server, '{ __typename }', { 'x-request-id': 'fine' })
  await codesOf(await post(server, '{ viewer { id } }', { 'x-request-id': 'after' }))
  await until('the line after it', () => refused('after').length === 1)
  const since = linesOf(parley).slice(before)
  expect(since.some(({ requestId }) => requestId === 'fine')).toBe(false)
  parley.kill('SIGTERM')
  expect(await parley.ended()).toEqual(endings.ok)
  expect(failed().map(({ repeats }) => repeats)).toEqual([undefined, 19])
  expect(parley.stderr).not.toContain(secret)
})

test('in production all output is the log: the start, warnings, the console, and uncaught errors', async () => {
  // What a library may do, triggered by a signal.
  const preload = `process.on('SIGUSR2', () => {
    process.emitWarning('a warning', { code: 'DEP0' })
    console.error('said %s', 'aloud')
    console.log('said')
    Promise.reject(new Error('left alone'))
  }).on('SIGHUP', () => { throw new Error('thrown') })`
  const parley = new Parley({
    ...settings,
    NODE_ENV: 'production',
    NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(preload)}`,
    DATABASE_URL: await createDatabase(),
  })
  await until('it to be ready', () => parley.ending !== null || parley.stderr.includes('Parley is ready'))
  parley.kill('SIGUSR2')
  await until('the rejected promise', () => parley.stderr.includes('nothing handled it'))
  parley.kill('SIGHUP')
  expect(await parley.ended()).toEqual(endings.failed)
  expect(parley.stdout).toBe('')
  expect(linesOf(parley)).toMatchObject([
    { level: 30, msg: 'Parley is ready', host: '127.0.0.1', port: expect.any(Number) },
    { level: 50, msg: 'said aloud', from: 'console' },
    { level: 30, msg: 'said', from: 'console' },
    { level: 40, msg: 'Node warns', err: { message: 'a warning', code: 'DEP0' } },
    { level: 50, msg: 'a promise was rejected and nothing handled it: a bug', err: { message: 'left alone' } },
    { level: 60, msg: 'nothing caught this error, so the process ends: a bug', err: { message: 'thrown' } },
  ])
})

/** Starts a Redis on a port. */
async function startRedis(port: number) {
  const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
  const child = spawn(await findRedis(), options, { stdio: 'ignore' })
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  onTestFinished(kill)
  return kill
}

test('D3 an outage of Redis or Postgres makes one line each when it begins and one when it ends', async () => {
  const [port, cluster] = [await findFreePort(), await Cluster.create()]
  const killRedis = await startRedis(port)
  const address = await Address.open(cluster)
  const urls = { DATABASE_URL: address.url, REDIS_URL: `redis://127.0.0.1:${port}` }
  const parley = new Parley({ ...settings, ...urls, PARLEY_SEED: 'true' })
  const server = await parley.ready()
  const [alice, bob] = [await logIn(server, 'alice'), await logIn(server, 'bob')]
  const id = await alice.direct(bob)
  const stream = await bob.events().live()
  const told = (msg: string) => until(msg, () => linesOf(parley).some((line) => line.msg === msg))

  await killRedis()
  await told(redisWords.away)
  for (const text of ['1', '2', '3']) await alice.send(id, text)
  await stream.text('3')
  await startRedis(port)
  await told(redisWords.back)

  await cluster.kill()
  await told(postgresWords.away)
  const isReady = async () => (await fetch(new URL('/health/ready', server.url))).status === 200
  await until('the node not to be ready', async () => !(await isReady()))
  // Requests meanwhile are refused, and leave no line.
  for (let i = 0; i < 10; i += 1) expect((await bob.refused(Viewer, {})).extensions.code).toBe('UNAVAILABLE')
  await cluster.start()
  const clientMessageId = randomUUID()
  await until('a send to be answered', () =>
    alice.send(id, '4', clientMessageId).then(
      () => true,
      () => false,
    ),
  )
  await stream.text('4')
  await told(postgresWords.back)
  await until('the node to be ready', isReady)
  parley.kill('SIGTERM')
  expect(await parley.ended()).toEqual(endings.ok)
  expect(linesOf(parley).map(({ level, msg }) => [level, msg])).toEqual([
    [40, redisWords.away],
    [30, redisWords.back],
    [40, postgresWords.away],
    [30, postgresWords.back],
  ])
}, 60_000)
