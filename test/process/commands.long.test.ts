// `parley`: what operators do on the command line, as processes beside running nodes.

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { beforeAll, expect, inject, onTestFinished, test } from 'vitest'
import { Backend } from '../platform/backend.ts'
import { Myself } from '../platform/documents.ts'
import { type Device, password, request, signUp, signUpAll } from '../support/device.ts'
import { LogIn, RefreshSession, SignUp, Viewer } from '../support/documents.ts'
import { connect, createDatabase, createEmptyDatabase, type Environment, type Node, openNode } from '../support/node.ts'
import { until } from '../support/until.ts'
import { dataDirectory, Parley } from './parley.ts'

const secret = { PARLEY_TOKEN_SECRET: 'the token secret of the nodes in this test' }
let node: Node
let ann: Device
let ben: Device

beforeAll(async () => {
  node = await openNode({ ...secret, PARLEY_SIGN_UP: 'open' })
  ;[ann, ben] = (await signUpAll(node, 'Ann', 'Ben')) as [Device, Device]
})

async function run(args: readonly string[], environment: Environment = { ...secret, DATABASE_URL: node.databaseUrl }) {
  const command = new Parley(environment, onTestFinished, 'parley', args)
  const { code } = await command.ended()
  return { code, out: command.stdout.trimEnd(), complaint: command.stderr.trimEnd() }
}
const logIn = async ({ username }: Device, secretWord = password) => {
  const { data, errors } = await request(node.url, LogIn, { input: { username, password: secretWord, deviceName: 'x' } })
  return data ? 'LOGGED_IN' : errors[0]?.extensions.code
}

test('lists its commands, and exits with 2 for invalid arguments', async () => {
  const help = await run(['--help'], {})
  expect(help.code).toBe(0)
  for (const name of [
    'serve',
    'migrate',
    'doctor',
    'users',
    'invitations',
    'secrets',
    'server-keys',
    'import',
    'export',
    'new-epoch',
    'push-failures',
  ]) {
    expect(help.out).toContain(`  ${name} `)
  }
  const own = await run(['users', '--help'], {})
  expect([own.code, own.out]).toEqual([
    0,
    expect.stringContaining('Usage: parley users list [TEXT]\n       parley users suspend'),
  ])
  for (const args of [[], ['nonsense'], ['users', 'suspend'], ['doctor', 'x']]) {
    const { code, out, complaint } = await run(args, {})
    expect([args, code, out]).toEqual([args, 2, ''])
    expect(complaint).toContain('Usage: parley')
  }
})

test('suspends a user, whose sessions end on a running node within a second, and lifts it', async () => {
  const carol = await signUp(node, 'Carol')
  const log = await carol.events().live()
  const suspended = await run(['users', 'suspend', carol.username, '--until', '2d', '--reason', 'too loud'])
  expect(suspended).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^carol is suspended until .*All sessions have ended\.$/),
  })
  expect(await log.ending()).toMatchObject({ code: 4603 })
  expect(await logIn(carol)).toBe('ACCOUNT_SUSPENDED')
  const [listed] = (await run(['users', 'list', 'carol'])).out.split('\n')
  expect(JSON.parse(listed ?? '')).toMatchObject({ username: 'carol', isSuspended: true, reason: 'too loud', sessions: 0 })
  expect((await run(['users', 'unsuspend', carol.username])).code).toBe(0)
  expect(await logIn(carol)).toBe('LOGGED_IN')
})

test('resets a password, sets a role, and deletes a user', async () => {
  const reset = await run(['users', 'reset-password', ben.username])
  const [, fresh = ''] = /The new password of ben is (\S+)/.exec(reset.out) ?? []
  expect(await logIn(ben)).toBe('INVALID_CREDENTIALS')
  expect(await logIn(ben, fresh)).toBe('LOGGED_IN')
  expect((await run(['users', 'role', ann.username, 'MODERATOR'])).out).toBe('ann is MODERATOR now.')
  expect((await run(['users', 'role', ann.username, 'KING'])).code).toBe(2)
  expect((await run(['users', 'list'])).out).toContain('"role":"MODERATOR"')

  const dan = await signUp(node, 'Dan')
  await dan.group('His own', ann)
  expect((await run(['users', 'delete', dan.username])).code).toBe(2)
  expect((await run(['users', 'delete', dan.username, '--yes'])).code).toBe(0)
  expect(await logIn(dan)).toBe('INVALID_CREDENTIALS')
  expect(await run(['users', 'suspend', dan.username])).toMatchObject({ code: 1, complaint: 'There is no user dan.' })
})

test('a command trims no facts, whatever its own retention is', async () => {
  const carl = await signUp(node, 'Carl')
  await carl.send(await carl.direct(ann), 'kept')
  const client = await connect(node.databaseUrl)
  await client.query("update fact set occurred_at = now() - interval '1 day'")
  const oldest = async () => (await client.query('select min(position) as position from fact')).rows
  const before = await oldest()
  const environment = { ...secret, DATABASE_URL: node.databaseUrl, PARLEY_JOURNAL_RETENTION_S: '1' }
  expect((await run(['users', 'suspend', carl.username], environment)).code).toBe(0)
  expect(await oldest()).toEqual(before)
})

test('serve exits with 1 if the node cannot start', async () => {
  const nowhere = { ...secret, DATABASE_URL: 'postgresql://u:p@127.0.0.1:9/x' }
  expect(await run(['serve'], nowhere)).toMatchObject({ code: 1, complaint: expect.stringContaining('cannot be reached') })
})

test('makes invitations that let people sign up', async () => {
  const closed = await openNode({ ...secret, DATABASE_URL: node.databaseUrl, PARLEY_SIGN_UP: 'invited' })
  const { out: invitation } = await run(['invitations', 'create', '--uses', '2', '--expires', '1h'])
  const input = { username: 'eve-1', password, displayName: 'Eve', deviceName: 'x' }
  expect((await request(closed.url, SignUp, { input })).errors[0]?.extensions.code).toBe('FORBIDDEN')
  expect((await request(closed.url, SignUp, { input: { ...input, invitation } })).errors).toEqual([])
  const [first = ''] = (await run(['invitations', 'list'])).out.split('\n')
  expect(first).toContain('used 1 of 2 times')
  expect((await run(['invitations', 'revoke', first.split(' ')[0] ?? ''])).code).toBe(0)
  const again = { ...input, username: 'eve-2', invitation }
  expect((await request(closed.url, SignUp, { input: again })).errors[0]?.extensions.code).toBe('FORBIDDEN')
})

test('makes a server key, lists it without its secret, and revokes it on a running node', async () => {
  const frank = await signUp(node, 'Frank')
  const { code, out: token } = await run(['server-keys', 'create', 'our backend', '--scopes', 'act,keys'])
  expect([code, token]).toEqual([0, expect.stringMatching(/^plk_[\w-]{43}$/)])
  const backend = new Backend(node, token, 0)
  expect((await backend.run(Myself, {}, frank.userId)).viewer.username).toBe(frank.username)
  const [listed = ''] = (await run(['server-keys', 'list'])).out.split('\n')
  expect(listed).toMatch(/^key_[0-9a-z]{13} {2}our backend {2}act,keys {2}(last used 20|never used)/)
  expect(listed).not.toContain(token)
  expect((await run(['server-keys', 'revoke', listed.slice(0, 17)])).code).toBe(0)
  await until('the node to refuse it', async () => {
    const { errors } = await backend.ask(Myself, {}, frank.userId)
    return errors[0]?.extensions.code === 'UNAUTHENTICATED'
  })
  const wrong = [['create', 'x'], ['create', 'x', '--scopes', 'all'], ['create', '', '--scopes', 'act'], ['list', 'x'], []]
  for (const args of wrong) expect([args, (await run(['server-keys', ...args])).code]).toEqual([args, 2])
  for (const id of ['key_00000zzzzzzzz', 'key_1']) expect([id, (await run(['server-keys', 'revoke', id])).code]).toEqual([id, 1])
})

test('migrates an empty database, and says that a current one is up to date', async () => {
  const environment = { ...secret, DATABASE_URL: await createEmptyDatabase() }
  expect((await run(['doctor'], environment)).out).toContain(
    'warn  Schema: parley migrate, or the next node that starts, will apply',
  )
  expect(await run(['migrate'], environment)).toMatchObject({ code: 0, out: 'The database was set up.' })
  expect(await run(['migrate'], environment)).toMatchObject({ code: 0, out: 'The database is up to date.' })
})

test('the doctor finds nothing wrong with a good installation, and says what is wrong with a bad one', async () => {
  const good = { ...secret, DATABASE_URL: await createDatabase(), REDIS_URL: inject('redisUrl') }
  const healthy = await run(['doctor'], good)
  expect(healthy).toMatchObject({ code: 0, complaint: '' })
  for (const what of ['Configuration', 'Postgres', 'Clock', 'Schema', 'Notifications', 'Audit log', 'Encryption', 'Redis'])
    expect(healthy.out).toContain(`ok    ${what}: `)
  // As if it was trimmed, and stayed.
  await (await connect(good.DATABASE_URL)).query(
    "insert into welcome(position, conversation_id, user_id, device_id, epoch, welcome) values (0, 1, 1, 1, 1, '')",
  )
  const overdue = 'warn  Encryption: 0 devices without a session, 0 key packages and 1 Welcomes should be gone'
  expect((await run(['doctor'], good)).out).toContain(overdue)

  const bad = await run(['doctor'], { ...good, REDIS_URL: 'redis://127.0.0.1:9', DATABASE_URL: 'postgresql://u:p@127.0.0.1:9/x' })
  expect(bad.code).toBe(1)
  expect(bad.out).toContain('FAIL  Postgres: DATABASE_URL: Postgres at 127.0.0.1:9 cannot be reached')
  expect(bad.out).toContain('FAIL  Redis: it does not answer')
  const misspelt = await run(['doctor'], { PARLEY_REGOIN: 'x', PORT: 'http' })
  expect(misspelt.code).toBe(1)
  expect(misspelt.out).toContain('FAIL  Configuration: PARLEY_REGOIN is not a variable that Parley knows')
  expect(misspelt.out).toContain('FAIL  Configuration: PORT:')
  const open = await run(['doctor'], { ...good, NODE_ENV: 'production', HOST: '0.0.0.0' })
  expect(open.out).toContain('warn  PARLEY_TRUSTED_PROXIES: not set')
  expect(open.out).toContain('warn  PARLEY_SIGN_UP: open')
})

test('rotates the secret of a data directory in three steps, and nobody is logged out', async () => {
  const directory = await dataDirectory()
  await mkdir(directory, { recursive: true })
  const databaseUrl = await createDatabase()
  const environment = { PARLEY_DATA_DIR: directory, DATABASE_URL: databaseUrl }
  const vapid = { publicKey: 'x', privateKey: 'x' }
  // As 0.1.0 wrote it.
  await writeFile(
    path.join(directory, 'secrets.json'),
    JSON.stringify({ token: 'a token secret that 0.1.0 has made', database: 'x'.repeat(16), vapid }),
  )
  const tokens = async () =>
    [(JSON.parse(await readFile(path.join(directory, 'secrets.json'), 'utf8')) as { token: string[] }).token].flat()
  const open = async () => openNode({ DATABASE_URL: databaseUrl, PARLEY_TOKEN_SECRET: (await tokens()).join() })
  const first = await open()
  const eve = await signUp(first, 'Eve')
  let { refreshToken } = eve
  for (const step of ['1 of 3', '2 of 3', '3 of 3']) {
    if (step === '3 of 3') {
      const early = await run(['secrets', 'rotate'], environment)
      expect(early).toMatchObject({ code: 1, complaint: expect.stringContaining('The old secret is still needed') })
      const kept = JSON.parse(await readFile(path.join(directory, 'secrets.json'), 'utf8')) as object
      const aMonthAgo = new Date(Date.now() - 31 * 86_400_000).toISOString()
      await writeFile(path.join(directory, 'secrets.json'), JSON.stringify({ ...kept, rotatedAt: aMonthAgo }))
    }
    expect((await run(['secrets', 'rotate'], environment)).out).toContain(step)
    const restarted = await open()
    const { data } = await request(restarted.url, RefreshSession, { input: { refreshToken } })
    expect(data, step).not.toBeNull()
    refreshToken = data?.refreshSession.refreshToken ?? ''
    const { errors } = await request(restarted.url, Viewer, {}, data?.refreshSession.accessToken ?? '')
    expect(errors, step).toEqual([])
  }
  expect(await tokens()).toHaveLength(1)
  expect(await tokens()).not.toContain('a token secret that 0.1.0 has made')
  expect((await run(['secrets', 'rotate'])).out).toMatch(/^A new secret: [\w-]{43}\n1\. Add it at the end/)
})
