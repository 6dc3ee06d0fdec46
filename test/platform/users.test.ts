// Users of a product: its backend makes and changes them by its own ids, opens sessions for them, suspends and deletes them.

import { randomUUID } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import { parseId } from '../../src/id.ts'
import { type Device, type RequestResult, request, signUpAll } from '../support/device.ts'
import { LogIn, SendMessage } from '../support/documents.ts'
import type { UpsertUserInput } from '../support/generated/graphql.ts'
import { connect, type Node, openNode, openPair } from '../support/node.ts'
import { Backend, deviceOf, openBackend } from './backend.ts'
import { DeleteUser, FindExternalId, IssueSession, Myself, SuspendUser, UnsuspendUser, UpsertUsers, Users } from './documents.ts'

let here: Node
let there: Node
let backend: Backend

beforeAll(async () => {
  ;[here, there] = await openPair()
  backend = await openBackend(here, 'USERS', 'ACT', 'MODERATE')
})

const upsert = async (...users: UpsertUserInput[]) => (await backend.run(UpsertUsers, { input: { users } })).upsertUsers.users
const codeOf = ({ errors }: RequestResult<unknown>) => errors[0]?.extensions.code

test('a backend makes its users, opens sessions for them, and they chat on any node', async () => {
  const [ana, ben] = await upsert(
    { externalId: 'ana@shop', username: 'Ana_Shop', displayName: 'Ana', bio: 'sells shoes' },
    { externalId: '17' },
  )
  expect(ana).toMatchObject({ externalId: 'ana@shop', username: 'ana_shop', displayName: 'Ana', bio: 'sells shoes' })
  expect(ben?.username).toMatch(/^user-\d{9}$/)
  expect(ben?.displayName).toBe(ben?.username)
  const [first, second] = [
    await deviceOf(backend, { externalId: 'ana@shop' }),
    await deviceOf(backend, { externalId: '17' }, there),
  ]
  const conversationId = await first.group('Shoes', second)
  const log = await second.events().live()
  await first.send(conversationId, 'your size is here')
  expect((await log.first('MessageSent')).message).toMatchObject({ text: 'your size is here', sender: { id: ana?.id } })
  // The backend acts for a user by its own id, too.
  const { sendMessage } = await backend.run(
    SendMessage,
    { input: { conversationId, text: 'shipped', clientMessageId: randomUUID() } },
    'ana@shop',
  )
  await log.text('shipped')
  expect(sendMessage.message.sender?.id ?? null).toBe(ana?.id)
})

test('repeating an upsert changes nothing; another one changes only what it gives, and everybody hears of it', async () => {
  const input = { externalId: 'cleo', username: 'cleo', displayName: 'Cleo', bio: 'hello' }
  const [made] = await upsert(input)
  const [dora] = (await signUpAll(here, 'Dora')) as [Device]
  const cleo = await deviceOf(backend, { externalId: 'cleo' })
  await dora.group('Friends', cleo)
  const log = await dora.events().live()
  expect(await upsert(input)).toEqual([made])
  expect(await upsert({ externalId: 'cleo' })).toEqual([made])
  expect(await upsert({ externalId: 'cleo', displayName: 'Cleo C.', bio: null })).toEqual([{ ...made, displayName: 'Cleo C.' }])
  expect(await upsert({ externalId: 'cleo', username: 'cleopatra', bio: '' })).toEqual([
    { ...made, displayName: 'Cleo C.', username: 'cleopatra', bio: '' },
  ])
  const heard = () => log.seen.flatMap((event) => (event.__typename === 'UserUpdated' ? [event.user] : []))
  await log.until('two changes', () => heard().length === 2)
  expect(heard()).toMatchObject([{ displayName: 'Cleo C.' }, { username: 'cleopatra' }])
})

test('custom data of a user is kept as it was given, and everybody hears of a change', async () => {
  const data = { tier: 'gold', since: [2020, 1] }
  const [made] = await upsert({ externalId: 'ida', data })
  expect(made?.data).toEqual(data)
  const [emil] = (await signUpAll(here, 'Emil')) as [Device]
  const ida = await deviceOf(backend, { externalId: 'ida' })
  await emil.group('Friends', ida)
  const log = await emil.events().live()
  expect(await upsert({ externalId: 'ida', displayName: made?.displayName ?? '' })).toEqual([made])
  expect(await upsert({ externalId: 'ida', data: { since: [2020, 1], tier: 'gold' } })).toMatchObject([{ data }])
  expect((await upsert({ externalId: 'ida', data: 'vip' }))[0]?.data).toBe('vip')
  await log.first('UserUpdated')
  expect((await upsert({ externalId: 'ida', data: null }))[0]?.data).toBeNull()
  await upsert({ externalId: 'ida', data })
  await backend.run(DeleteUser, { input: { userId: 'ida' } })
  const sql = await connect(here.databaseUrl)
  expect((await sql.query('select data from "user" where id = $1', [parseId('User', ida.userId, '')])).rows).toEqual([
    { data: null },
  ])
})

test('two nodes that make the same users at once make each of them once', async () => {
  const users = Array.from({ length: 100 }, (_, i) => ({ externalId: `crowd-${i}`, username: i % 2 ? `crowd-${i}` : null }))
  const elsewhere = new Backend(there, backend.token, backend.keyId)
  const [one, two] = await Promise.all([backend, elsewhere].map((at) => at.run(UpsertUsers, { input: { users } })))
  expect(one?.upsertUsers.users.map(({ externalId }) => externalId)).toEqual(users.map(({ externalId }) => externalId))
  expect(two?.upsertUsers.users.map(({ id }) => id)).toEqual(one?.upsertUsers.users.map(({ id }) => id))
})

test('a taken or reserved username is refused by name, and the users before it are done', async () => {
  await signUpAll(here, 'Edda')
  const before = { externalId: 'before', username: 'before-it' }
  const refusals = []
  for (const username of ['edda', 'EDDA', 'admin', 'before-it']) {
    const users = [before, { externalId: `like ${username}`, username }, { externalId: 'after' }]
    const { code, argument } = (await backend.refused(UpsertUsers, { input: { users } })).extensions
    refusals.push([code, argument])
  }
  expect(refusals).toEqual(Array(4).fill(['USERNAME_TAKEN', 'input.users.1.username']))
  const [found, missing] = await Promise.all(['before', 'after'].map((query) => backend.run(Users, { query })))
  expect(found?.users.nodes?.map((user) => user?.externalId)).toEqual(['before'])
  expect(missing?.users.nodes).toEqual([])
})

test.each<[string, UpsertUserInput[], string]>([
  ['no users', [], 'input.users'],
  ['too many', Array.from({ length: 101 }, (_, i) => ({ externalId: String(i) })), 'input.users'],
  ['one twice', [{ externalId: 'x' }, { externalId: 'x' }], 'input.users'],
  ['an empty id', [{ externalId: '' }], 'input.users.0.externalId'],
  ['a long id', [{ externalId: 'x'.repeat(256) }], 'input.users.0.externalId'],
  ['a global id', [{ externalId: 'usr_0000000000001' }], 'input.users.0.externalId'],
  ['a line break', [{ externalId: 'a\nb' }], 'input.users.0.externalId'],
  ['half a character', [{ externalId: '\ud800' }], 'input.users.0.externalId'],
  ['a bad username', [{ externalId: 'x', username: 'a b' }], 'input.users.0.username'],
  ['an empty name', [{ externalId: 'x', displayName: ' ' }], 'input.users.0.displayName'],
  ['large custom data', [{ externalId: 'x', data: 'x'.repeat(4_095) }], 'input.users.0.data'],
  ['a long bio', [{ externalId: 'y' }, { externalId: 'x', bio: 'x'.repeat(501) }], 'input.users.1.bio'],
])('an upsert of %s is refused with the argument at fault', async (_what, users, argument) => {
  expect((await backend.refused(UpsertUsers, { input: { users } })).extensions).toMatchObject({ code: 'BAD_INPUT', argument })
})

test('users are listed in pages, and found by external id and by name', async () => {
  const node = await openNode()
  const lister = await openBackend(node, 'USERS')
  await lister.run(UpsertUsers, {
    input: {
      users: ['a', 'b', 'c'].map((name) => ({ externalId: name, username: `user_${name}`, displayName: `Ürsula 100% ${name}` })),
    },
  })
  await signUpAll(node, 'Userxd')
  const names = async (query: string) => (await lister.run(Users, { query })).users.nodes?.map((user) => user?.username)
  const all = ['user_a', 'user_b', 'user_c', expect.stringContaining('userxd')]
  expect(await names('')).toEqual(all)
  expect(await names('b')).toEqual(['user_b'])
  expect(await names('user_')).toEqual(all.slice(0, 3))
  expect(await names('ursula 100%')).toEqual(all.slice(0, 3))
  expect(await names('nobody')).toEqual([])
  const { users: first } = await lister.run(Users, { first: 2 })
  const { users: rest } = await lister.run(Users, { first: 2, after: first.pageInfo.endCursor ?? null })
  expect([...(first.nodes ?? []), ...(rest.nodes ?? [])].map((user) => user?.username)).toEqual(all)
  expect([first.pageInfo.hasNextPage, rest.pageInfo.hasNextPage]).toEqual([true, false])
  expect(codeOf(await lister.ask(Users, { query: 'x'.repeat(256) }))).toBe('BAD_INPUT')
})

test('a suspension ends the sessions and lets none open until it is lifted or over', async () => {
  await upsert({ externalId: 'finn' })
  const finn = await deviceOf(backend, { externalId: 'finn' })
  const userId = 'finn'
  const { suspendUser } = await backend.run(SuspendUser, { input: { userId, reason: 'spam', until: tomorrow() } })
  expect(suspendUser.user.id).toBe(finn.userId)
  expect((await finn.refused(Myself, {})).extensions.code).toBe('SESSION_REVOKED')
  const refusals = [await backend.refused(IssueSession, { input: { userId } }), await backend.refused(Myself, {}, userId)]
  for (const { extensions, message } of refusals) {
    expect(extensions.code).toBe('ACCOUNT_SUSPENDED')
    expect(message).toContain('spam')
  }
  for (let i = 0; i < 2; i += 1) await backend.run(UnsuspendUser, { input: { userId } })
  expect((await (await deviceOf(backend, { externalId: userId })).run(Myself, {})).viewer.username).toBe(finn.username)
  const past = { userId, until: '2020-01-01T00:00:00Z' }
  expect((await backend.refused(SuspendUser, { input: past })).extensions).toMatchObject({
    code: 'BAD_INPUT',
    argument: 'input.until',
  })
})

test('a deleted user is gone, and the external id is free for another one', async () => {
  const [gil] = await upsert({ externalId: 'gil', username: 'gil' })
  const device = await deviceOf(backend, { externalId: 'gil' })
  expect((await backend.run(DeleteUser, { input: { userId: 'gil' } })).deleteUser.userId).toBe(gil?.id)
  expect((await device.refused(Myself, {})).extensions.code).toBe('SESSION_REVOKED')
  for (const userId of ['gil', gil?.id ?? '']) {
    expect((await backend.refused(DeleteUser, { input: { userId } })).extensions.code).toBe('NOT_FOUND')
    expect((await backend.refused(IssueSession, { input: { userId } })).extensions.code).toBe('NOT_FOUND')
    expect((await backend.refused(SuspendUser, { input: { userId } })).extensions.code).toBe('NOT_FOUND')
    expect((await backend.refused(Myself, {}, userId)).extensions.code).toBe('NOT_FOUND')
  }
  const [again] = await upsert({ externalId: 'gil' })
  expect(again?.id).not.toBe(gil?.id)
})

test('only a key with the scope sees external ids, and a user of the backend has no password', async () => {
  const [hal] = await upsert({ externalId: 'secret number', username: 'hal-9000' })
  const device = await deviceOf(backend, { externalId: 'secret number' })
  const seen = await backend.run(IssueSession, { input: { userId: 'secret number' } })
  expect(seen.issueSession.viewer.externalId).toBe('secret number')
  expect(seen.issueSession.session).toMatchObject({ deviceName: 'test USERS,ACT,MODERATE', deviceKind: 'OTHER' })
  expect((await device.run(FindExternalId, { id: hal?.id ?? '' })).node).toEqual({ __typename: 'User', externalId: null })
  expect((await backend.run(FindExternalId, { id: hal?.id ?? '' }, 'secret number')).node).toMatchObject({ externalId: null })
  const input = { username: 'hal-9000', password: 'a long password', deviceName: 'x' }
  expect(codeOf(await request(here.url, LogIn, { input }))).toBe('INVALID_CREDENTIALS')
  const limited = await openBackend(here, 'ACT')
  for (const [document, variables] of [
    [UpsertUsers, { input: { users: [{ externalId: 'x' }] } }],
    [IssueSession, { input: { userId: 'secret number' } }],
    [SuspendUser, { input: { userId: 'secret number' } }],
    [DeleteUser, { input: { userId: 'secret number' } }],
  ] as const) {
    expect(codeOf(await limited.ask(document as typeof UpsertUsers, variables as never))).toBe('FORBIDDEN')
  }
})

const tomorrow = () => new Date(Date.now() + 86_400_000).toISOString()
