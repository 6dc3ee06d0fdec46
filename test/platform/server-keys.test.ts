// Server keys: a backend calls with one, for itself or on behalf of a user, with no more rights than the key and the user have.

import { randomUUID } from 'node:crypto'
import { print } from 'graphql'
import { beforeAll, expect, test } from 'vitest'
import { suspendUser } from '../../src/account/operator-actions.ts'
import { encodeId, parseId } from '../../src/id.ts'
import { DeleteAccount } from '../account/documents.ts'
import { TestClock } from '../support/clock.ts'
import { type Device, password, signUpAll } from '../support/device.ts'
import { CreateGroup, LogOut, SendMessage } from '../support/documents.ts'
import { connect, type Node, openNode, openPair } from '../support/node.ts'
import { until } from '../support/until.ts'
import { Backend, openBackend } from './backend.ts'
import { Acknowledge, CreateServerKey, Heartbeat, Myself, RevokeServerKey, ServerKeys } from './documents.ts'

let here: Node
let there: Node
let alice: Device
let bob: Device

beforeAll(async () => {
  ;[here, there] = await openPair()
  ;[alice, bob] = (await signUpAll(here, 'Alice', 'Bob')) as [Device, Device]
})

const idOf = ({ keyId }: Backend) => encodeId('ServerKey', keyId as never)
const elsewhere = (backend: Backend) => new Backend(there, backend.token, backend.keyId)

test('a key acts on behalf of users, with their rights', async () => {
  const backend = await openBackend(here, 'ACT')
  const [carol] = (await signUpAll(here, 'Carol')) as [Device]
  const log = await bob.events().live()
  const { createGroup } = await backend.run(CreateGroup, { input: { title: 'Support', memberIds: [bob.userId] } }, alice.userId)
  const conversationId = createGroup.conversation.id
  await log.first('ConversationAdded')
  const message = { input: { conversationId, text: 'from the backend', clientMessageId: randomUUID() } }
  const { sendMessage } = await elsewhere(backend).run(SendMessage, message, alice.userId)
  const { message: heard } = await log.first('MessageSent')
  expect(heard).toMatchObject({ id: sendMessage.message.id, sender: { id: alice.userId } })
  expect((await backend.run(Myself, {}, bob.userId)).viewer.username).toBe(bob.username)
  const other = { input: { ...message.input, clientMessageId: randomUUID() } }
  expect((await backend.refused(SendMessage, other, carol.userId)).extensions.code).toBe('NOT_FOUND')
})

test('acting for a user makes nobody present, and uses none of their sessions', async () => {
  const clock = new TestClock()
  const node = await openNode({}, clock)
  const [dan] = (await signUpAll(node, 'Dan')) as [Device]
  const number = parseId('User', dan.userId, '')
  const sql = await connect(node.databaseUrl)
  const seen = async () => ({
    devices: (await node.app.presence.devices([number])).get(number) ?? [],
    session: (await sql.query('select last_used_at, last_active_at from session where user_id = $1', [number])).rows,
  })
  // What the sign-up itself noted is written.
  await clock.turn(120_000)
  const before = await seen()
  const client = (await openBackend(node, 'ACT')).socket(dan.userId)
  const ask = () =>
    new Promise((resolve, reject) => {
      client.subscribe({ query: print(Myself) }, { next: resolve, error: reject, complete: () => undefined })
    })
  expect(await ask()).toMatchObject({ data: { viewer: { username: dan.username } } })
  await clock.turn(5_000)
  await ask()
  expect(await seen()).toEqual(before)
  // A device of his own is seen, by the same look.
  await dan.another(node)
  const own = dan.events()
  await own.live()
  await clock.until('his device to be seen', async () => (await seen()).devices.length === 1)
})

test('what belongs to a device or needs the password is forbidden to a key', async () => {
  const backend = await openBackend(here, 'ACT')
  const refusals = [
    await backend.refused(LogOut, {}, alice.userId),
    await backend.refused(Acknowledge, { input: { cursor: 'x' } }, alice.userId),
    await backend.refused(Heartbeat, {}, alice.userId),
    await backend.refused(DeleteAccount, { input: { password } }, alice.userId),
  ]
  expect(refusals.map(({ extensions }) => extensions.code)).toEqual(Array(4).fill('FORBIDDEN'))
})

test('a key without the scope, an unknown key, a token that is no key, and an unknown user each get a clear code', async () => {
  const [acting, making] = [await openBackend(here, 'ACT'), await openBackend(here, 'KEYS')]
  const unknown = new Backend(here, `plk_${'A'.repeat(43)}`, 0)
  const user = new Backend(here, alice.accessToken, 0)
  const [erin] = (await signUpAll(here, 'Erin')) as [Device]
  await erin.run(DeleteAccount, { input: { password } })
  const cases = [
    [await making.refused(Myself, {}, alice.userId), 'FORBIDDEN'],
    [await acting.refused(Myself, {}), 'FORBIDDEN'],
    [await acting.refused(ServerKeys, {}), 'FORBIDDEN'],
    [await unknown.refused(Myself, {}, alice.userId), 'UNAUTHENTICATED'],
    [await user.refused(Myself, {}, bob.userId), 'FORBIDDEN'],
    [await acting.refused(Myself, {}, 'usr_00000zzzzzzzz'), 'NOT_FOUND'],
    [await acting.refused(Myself, {}, erin.userId), 'NOT_FOUND'],
    [await acting.refused(Myself, {}, 'nobody'), 'NOT_FOUND'],
    [await acting.refused(Myself, {}, 'x'.repeat(256)), 'BAD_INPUT'],
    [await acting.refused(ServerKeys, {}, alice.userId), 'FORBIDDEN'],
  ] as const
  expect(cases.map(([error]) => error.extensions.code)).toEqual(cases.map(([, code]) => code))
  expect((await alice.refused(ServerKeys, {})).extensions.code).toBe('FORBIDDEN')
})

test('a revoked key is refused on every node within a second, and its sockets are closed', async () => {
  const [backend, making] = [await openBackend(here, 'ACT'), await openBackend(here, 'KEYS')]
  const far = elsewhere(backend)
  await far.run(Myself, {}, alice.userId)
  const closed = new Promise<[number, string]>((resolve) => {
    const client = far.socket(alice.userId, (code, reason) => resolve([code, reason]))
    client.subscribe({ query: 'subscription { events { cursor } }' }, { next: () => open(), error: () => {}, complete: () => {} })
  })
  let open = () => {}
  await new Promise<void>((resolve) => {
    open = resolve
  })
  const begun = performance.now()
  const { revokeServerKey } = await making.run(RevokeServerKey, { input: { serverKeyId: idOf(backend) } })
  expect(revokeServerKey.serverKey.revokedAt).not.toBeNull()
  expect(await closed).toEqual([4601, 'The server key was revoked.'])
  expect(performance.now() - begun).toBeLessThan(1_000)
  expect((await far.refused(Myself, {}, alice.userId)).extensions.code).toBe('UNAUTHENTICATED')
  // Again changes nothing.
  const again = await making.run(RevokeServerKey, { input: { serverKeyId: idOf(backend) } })
  expect(again.revokeServerKey).toEqual(revokeServerKey)
  const missing = { input: { serverKeyId: 'key_00000zzzzzzzz' } }
  expect((await making.refused(RevokeServerKey, missing)).extensions.code).toBe('NOT_FOUND')
})

test('nobody acts for a suspended user, and what acts is ended', async () => {
  const backend = await openBackend(here, 'ACT')
  const [frank] = (await signUpAll(here, 'Frank')) as [Device]
  await elsewhere(backend).run(Myself, {}, frank.userId)
  const closed = new Promise<number>((resolve) => {
    const client = elsewhere(backend).socket(frank.userId, resolve)
    client.subscribe({ query: 'subscription { events { cursor } }' }, { next: () => open(), error: () => {}, complete: () => {} })
  })
  let open = () => {}
  await new Promise<void>((resolve) => {
    open = resolve
  })
  await suspendUser(parseId('User', frank.userId, ''), { reason: 'spam', until: null }, here.app)
  expect(await closed).toBe(4601)
  const error = await elsewhere(backend).refused(Myself, {}, frank.userId)
  expect(error).toMatchObject({ extensions: { code: 'ACCOUNT_SUSPENDED' }, message: expect.stringContaining('spam') })
})

test('a key with the right to it makes keys, with no more scopes than its own, and lists them', async () => {
  const making = await openBackend(here, 'KEYS')
  const escalation = { input: { name: 'more', scopes: ['KEYS', 'ACT'] as const } }
  expect((await making.refused(CreateServerKey, escalation)).extensions).toMatchObject({
    code: 'FORBIDDEN',
    argument: 'input.scopes',
  })
  const { createServerKey } = await making.run(CreateServerKey, { input: { name: ' deputy ', scopes: ['KEYS'] } })
  expect(createServerKey.serverKey).toMatchObject({ name: 'deputy', scopes: ['KEYS'], lastUsedAt: null, revokedAt: null })
  const deputy = new Backend(there, createServerKey.token, 0)
  const listed = async () => {
    const { serverKeys } = await deputy.run(ServerKeys, {})
    return serverKeys.find(({ id }) => id === createServerKey.serverKey.id)
  }
  await until('its use to be noted', async () => (await listed())?.lastUsedAt != null)
  const { rows } = await (await connect(here.databaseUrl)).query('select * from server_key')
  expect(JSON.stringify(rows)).not.toContain(createServerKey.token)
})

test.each([
  [{ name: '', scopes: ['KEYS'] as const }, 'input.name'],
  [{ name: 'x'.repeat(101), scopes: ['KEYS'] as const }, 'input.name'],
  [{ name: 'a\nb', scopes: ['KEYS'] as const }, 'input.name'],
  [{ name: 'none', scopes: [] }, 'input.scopes'],
])('a key that cannot be made is refused with the argument at fault: %j', async (input, argument) => {
  const making = await openBackend(here, 'KEYS')
  expect((await making.refused(CreateServerKey, { input })).extensions).toMatchObject({ code: 'BAD_INPUT', argument })
})

test('a key has a rate of its own, no matter which user it acts for', async () => {
  const [slow] = await openPair({ PARLEY_RATE_SERVER_KEYS: '1/3' })
  const [gina, hans] = (await signUpAll(slow, 'Gina', 'Hans')) as [Device, Device]
  const backend = await openBackend(slow, 'ACT')
  const codes: (string | undefined)[] = []
  for (let i = 0; i < 6; i += 1) {
    const { errors } = await backend.ask(Myself, {}, i % 2 === 0 ? gina.userId : hans.userId)
    codes.push(errors[0]?.extensions.code)
  }
  expect(codes.slice(0, 3)).toEqual([undefined, undefined, undefined])
  expect(codes).toContain('RATE_LIMITED')
  // The users themselves are not slowed down.
  expect((await gina.run(Myself, {})).viewer.username).toBe(gina.username)
})
