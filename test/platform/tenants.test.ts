// Tenants: people of different tenants neither find, see nor reach each other; a key for one tenant is for it alone. The matrix in
// test/graphql has every field of the schema.

import { beforeAll, expect, test } from 'vitest'
import { SearchUsers } from '../account/documents.ts'
import { CreateInvite, JoinWithInvite } from '../conversation/documents.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { type Node, openPair } from '../support/node.ts'
import { type Backend, deviceOf, openBackend, openBackendOf } from './backend.ts'
import {
  CreateServerKey,
  DeleteUser,
  IssueSession,
  Myself,
  RevokeServerKey,
  ServerKeys,
  SuspendUser,
  UnsuspendUser,
  UpsertUsers,
  Users,
} from './documents.ts'

const scopes = ['USERS', 'ACT', 'MODERATE', 'KEYS'] as const
let here: Node
let there: Node
let backend: Backend
/** Backends with a key for one tenant, and a user of each; the last user is in none. */
let red: Backend
let blue: Backend
let rosa: Device
let bert: Device
let nina: Device

beforeAll(async () => {
  ;[here, there] = await openPair()
  ;[backend, red, blue] = [
    await openBackend(here, ...scopes),
    await openBackendOf('red', here, ...scopes),
    await openBackendOf('blue', here, ...scopes),
  ]
  rosa = await deviceOf(red, { externalId: 'rosa', username: 'rosa' })
  bert = await deviceOf(blue, { externalId: 'bert', username: 'bert' })
  nina = (await signUpAll(here, 'Nina'))[0] as Device
})

const refusal = async (asking: Promise<{ extensions: { code: string; argument?: string } }>) => (await asking).extensions

test('a key for one tenant makes, finds and lists its users alone, and gives them its tenant', async () => {
  const { upsertUsers } = await red.run(UpsertUsers, {
    input: { users: [{ externalId: 'rudi' }, { externalId: 'ruth', tenant: 'red' }] },
  })
  expect(upsertUsers.users.map(({ tenant }) => tenant)).toEqual(['red', 'red'])
  const names = async (of: Backend, query = '') =>
    (await of.run(Users, { query })).users.nodes?.map((user) => [user?.externalId, user?.tenant])
  const ofRed = [
    ['rosa', 'red'],
    ['rudi', 'red'],
    ['ruth', 'red'],
  ]
  expect(await names(red)).toEqual(ofRed)
  expect(await names(red, 'bert')).toEqual([])
  expect(await names(blue, 'r')).toEqual([['bert', 'blue']])
  expect(await names(backend)).toEqual(expect.arrayContaining([...ofRed, ['bert', 'blue'], [null, null]]))
})

test('what a key for one tenant does to users of another answers as if they did not exist', async () => {
  for (const userId of ['bert', bert.userId, nina.userId]) {
    const input = { userId }
    for (const document of [IssueSession, SuspendUser, UnsuspendUser, DeleteUser]) {
      expect(await refusal(red.refused(document as typeof IssueSession, { input })), userId).toMatchObject({ code: 'NOT_FOUND' })
    }
    expect(await refusal(red.refused(Myself, {}, userId))).toMatchObject({ code: 'NOT_FOUND', argument: 'parley-act-as' })
  }
  expect((await bert.run(Myself, {})).viewer.username).toBe('bert')
  // What another key has made this node remember makes no difference.
  await backend.run(Myself, {}, 'bert')
  expect(await refusal(red.refused(Myself, {}, 'bert'))).toMatchObject({ code: 'NOT_FOUND' })
  expect((await red.run(Myself, {}, 'rosa')).viewer.username).toBe('rosa')
})

test('an external id of another tenant is taken, and a tenant never changes', async () => {
  const change = (of: Backend, user: object) =>
    refusal(of.refused(UpsertUsers, { input: { users: [user as { externalId: string }] } }))
  expect(await change(red, { externalId: 'bert', displayName: 'Mine' })).toMatchObject({
    code: 'EXTERNAL_ID_TAKEN',
    argument: 'input.users.0.externalId',
  })
  const argument = 'input.users.0.tenant'
  expect(await change(red, { externalId: 'new', tenant: 'blue' })).toMatchObject({ code: 'FORBIDDEN', argument })
  expect(await change(backend, { externalId: 'bert', tenant: 'red' })).toMatchObject({ code: 'BAD_INPUT', argument })
  for (const tenant of ['', 'two words', 'x'.repeat(101), 'a\u0007']) {
    expect(await change(backend, { externalId: 'new', tenant }), tenant).toMatchObject({ code: 'BAD_INPUT', argument })
  }
  const { upsertUsers } = await backend.run(UpsertUsers, { input: { users: [{ externalId: 'bert' }, { externalId: 'free' }] } })
  expect(upsertUsers.users.map(({ tenant }) => tenant)).toEqual(['blue', null])
})

test('a key for one tenant makes, lists and revokes keys of it alone', async () => {
  const make = (of: Backend, tenant: string | null) =>
    of.run(CreateServerKey, { input: { name: 'one more', scopes: ['USERS'], tenant } })
  const { createServerKey: own } = await make(red, null)
  const { createServerKey: general } = await make(backend, null)
  const { createServerKey: ofBlue } = await make(backend, 'blue')
  expect([own, general, ofBlue].map(({ serverKey }) => serverKey.tenant)).toEqual(['red', null, 'blue'])
  expect(await refusal(red.refused(CreateServerKey, { input: { name: 'x', scopes: ['USERS'], tenant: 'blue' } }))).toMatchObject({
    code: 'FORBIDDEN',
    argument: 'input.tenant',
  })
  const listed = async (of: Backend) => (await of.run(ServerKeys, {})).serverKeys.map(({ id }) => id)
  expect(await listed(red)).toContain(own.serverKey.id)
  for (const { serverKey } of [general, ofBlue]) {
    expect(await listed(red)).not.toContain(serverKey.id)
    expect(await listed(backend)).toContain(serverKey.id)
    expect(await refusal(red.refused(RevokeServerKey, { input: { serverKeyId: serverKey.id } }))).toMatchObject({
      code: 'NOT_FOUND',
    })
  }
  await red.run(RevokeServerKey, { input: { serverKeyId: own.serverKey.id } })
  expect(await listed(red)).not.toContain(own.serverKey.id)
})

test('a search for people finds those of the same tenant alone', async () => {
  await deviceOf(blue, { externalId: 'same', username: 'samey-blue' })
  await deviceOf(red, { externalId: 'same too', username: 'samey-red' })
  const found = async (device: Device) =>
    (await device.run(SearchUsers, { query: 'samey' })).searchUsers.edges?.map((edge) => edge?.node?.username)
  expect(await found(bert)).toEqual(['samey-blue'])
  expect(await found(rosa)).toEqual(['samey-red'])
  expect(await found(nina)).toEqual([])
})

test('an invite is for its own tenant, and people of one tenant chat on any node', async () => {
  const ruth = await deviceOf(red, { externalId: 'ruth' }, there)
  const group = await rosa.group('Red')
  const { createInvite } = await rosa.run(CreateInvite, { input: { conversationId: group } })
  const input = { token: createInvite.invite.token }
  for (const device of [bert, nina])
    expect(await refusal(device.refused(JoinWithInvite, { input }))).toMatchObject({ code: 'NOT_FOUND' })
  const log = await rosa.events().live()
  await ruth.run(JoinWithInvite, { input })
  await ruth.send(group, 'red at last')
  await log.text('red at last')
})
