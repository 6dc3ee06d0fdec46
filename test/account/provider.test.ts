// Tokens of an identity provider, with a real JWKS endpoint on loopback and real signatures.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { beforeAll, expect, test } from 'vitest'
import { resetPassword, suspendUser, unsuspendUser } from '../../src/account/operator-actions.ts'
import { parseId } from '../../src/id.ts'
import { openBackend, openBackendOf } from '../platform/backend.ts'
import { IssueSession, UpsertUsers, Users } from '../platform/documents.ts'
import { request, signUp } from '../support/device.ts'
import { Acknowledge, Devices, LogOut, StartDirectConversation, Viewer } from '../support/documents.ts'
import { closeAtEnd, type Node, openNode } from '../support/node.ts'
import { DeleteAccount } from './documents.ts'

const issuer = 'https://id.example.com/'
const audience = 'chat'
let node: Node
let provider: Server
let key: CryptoKey
let isDown = false

beforeAll(async () => {
  const pair = await generateKeyPair('RS256', { extractable: true })
  key = pair.privateKey
  const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'one', alg: 'RS256', use: 'sig' }
  provider = createServer((_request, response) => {
    response.writeHead(isDown ? 503 : 200, { 'content-type': 'application/json' }).end(JSON.stringify({ keys: [jwk] }))
  })
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve))
  closeAtEnd(() => new Promise((resolve) => provider.close(resolve)))
  node = await openNode(settings())
})

const settings = () => ({
  PARLEY_JWKS_URL: `http://127.0.0.1:${(provider.address() as AddressInfo).port}/jwks`,
  PARLEY_JWKS_ISSUER: issuer,
  PARLEY_JWKS_AUDIENCE: audience,
})

type Claims = {
  sub?: string
  iss?: string
  aud?: string
  exp?: string | number
  sid?: string
  preferred_username?: string
  name?: string
  org?: unknown
}

function sign(
  { sub = 'u-1', iss = issuer, aud = audience, exp = '10m', ...claims }: Claims,
  signer: CryptoKey = key,
): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'RS256', kid: 'one' })
    .setSubject(sub)
    .setIssuer(iss)
    .setAudience(aud)
    .setIssuedAt()
    .setExpirationTime(exp)
    .sign(signer)
}

test('a user appears with their first token and stays the same, also under concurrent requests', async () => {
  const token = await sign({ sub: 'u-7', preferred_username: 'Wanda@example.com', name: 'Wanda W.', sid: 's-1' })
  const answers = await Promise.all(Array.from({ length: 12 }, () => request(node.url, Viewer, {}, token)))
  expect(answers.flatMap(({ errors }) => errors)).toEqual([])
  expect(new Set(answers.map(({ data }) => data?.viewer.id)).size).toBe(1)
  expect(answers[0]?.data?.viewer).toMatchObject({ username: 'wanda', displayName: 'Wanda W.' })
  const later = await request(node.url, Viewer, {}, await sign({ sub: 'u-7', preferred_username: 'renamed', sid: 's-2' }))
  expect(later.data?.viewer).toEqual(answers[0]?.data?.viewer)
  expect(later.data?.sessions).toHaveLength(2)
})

test('an account of a provider is deleted without a password; a later token creates a new, empty one', async () => {
  const token = await sign({ sub: 'u-10', preferred_username: 'yves', name: 'Yves', sid: 's-1' })
  const before = await request(node.url, Viewer, {}, token)
  const guessed = await request(node.url, DeleteAccount, { input: { password: 'anything' } }, token)
  expect(guessed.errors[0]?.extensions.code).toBe('INVALID_CREDENTIALS')
  expect((await request(node.url, DeleteAccount, { input: {} }, token)).errors).toEqual([])
  expect((await request(node.url, Viewer, {}, token)).errors[0]?.extensions.code).toBe('SESSION_REVOKED')
  const later = await request(node.url, Viewer, {}, await sign({ sub: 'u-10', preferred_username: 'yves', sid: 's-2' }))
  expect(later.data?.viewer).toMatchObject({ username: 'yves', displayName: 'yves' })
  expect(later.data?.viewer.id).not.toBe(before.data?.viewer.id)
})

test('its devices acknowledge like others, and keep their cursor when the provider issues a new token', async () => {
  const [phone, laptop] = [await sign({ sub: 'u-12', sid: 'phone' }), await sign({ sub: 'u-12', sid: 'laptop' })]
  const cursor = await signUp(node, 'Peer').then(async (peer) => {
    const { data } = await request(node.url, Viewer, {}, phone)
    const { startDirectConversation } = await peer.run(StartDirectConversation, {
      input: { userId: data?.viewer.id ?? '' },
    })
    return (await peer.send(startDirectConversation.conversation.id, 'hello')).cursor
  })
  const { data } = await request(node.url, Acknowledge, { input: { cursor } }, phone)
  expect(data?.acknowledge.session).toMatchObject({ syncedUntil: expect.any(String), behindBy: 0 })
  const later = await request(node.url, Devices, {}, await sign({ sub: 'u-12', sid: 'phone' }))
  expect(later.data?.sessions.find(({ isCurrent }) => isCurrent)).toMatchObject({ behindBy: 0 })
  const seen = await request(node.url, Devices, {}, laptop)
  expect(seen.data?.sessions.map(({ behindBy }) => behindBy).toSorted()).toEqual([0, null])
})

test('a username that is taken gets a number appended', async () => {
  const [first, second] = [
    await sign({ sub: 'u-8', preferred_username: 'xena' }),
    await sign({ sub: 'u-9', preferred_username: 'xena' }),
  ]
  expect((await request(node.url, Viewer, {}, first)).data?.viewer.username).toBe('xena')
  expect((await request(node.url, Viewer, {}, second)).data?.viewer.username).toMatch(/^xena-\d{9}$/)
})

test.each<[string, Claims, string]>([
  ['for another audience', { aud: 'mail' }, 'UNAUTHENTICATED'],
  ['of another issuer', { iss: 'https://evil.example.com/' }, 'UNAUTHENTICATED'],
  ['that has expired', { exp: Math.floor(Date.now() / 1000) - 60 }, 'TOKEN_EXPIRED'],
])('a token %s is refused', async (_what, claims, code) => {
  const { errors } = await request(node.url, Viewer, {}, await sign(claims))
  expect(errors[0]?.extensions.code).toBe(code)
})

test('refuses a token signed by another key', async () => {
  const { privateKey } = await generateKeyPair('RS256')
  const { errors } = await request(node.url, Viewer, {}, await sign({}, privateKey))
  expect(errors[0]?.extensions.code).toBe('UNAUTHENTICATED')
})

test('a token of the provider, old or new, does not admit a suspended user', async () => {
  const old = await sign({ sub: 'u-11', sid: 'old' })
  const { data } = await request(node.url, Viewer, {}, old)
  const userId = parseId('User', data?.viewer.id ?? '', 'id')
  await suspendUser(userId, { reason: null, until: null }, node.app)
  expect((await request(node.url, Viewer, {}, old)).errors[0]?.extensions.code).toBe('SESSION_REVOKED')
  const fresh = await sign({ sub: 'u-11', sid: 'new' })
  expect((await request(node.url, Viewer, {}, fresh)).errors[0]?.extensions.code).toBe('ACCOUNT_SUSPENDED')
  await unsuspendUser(userId, node.app)
  expect((await request(node.url, Viewer, {}, fresh)).errors).toEqual([])
  expect((await request(node.url, Viewer, {}, old)).errors[0]?.extensions.code).toBe('SESSION_REVOKED')
})

test('an operator gives no password to an account of the provider', async () => {
  const token = await sign({ sub: 'u-13', sid: 'one' })
  const { data } = await request(node.url, Viewer, {}, token)
  const userId = parseId('User', data?.viewer.id ?? '', 'id')
  await expect(resetPassword(userId, 'correct horse battery', node.app)).rejects.toMatchObject({ code: 'FORBIDDEN' })
  expect((await request(node.url, Viewer, {}, token)).errors).toEqual([])
  expect((await request(node.url, DeleteAccount, { input: {} }, token)).errors).toEqual([])
})

test('D6 an ended session stays ended, although the provider issues new tokens for it', async () => {
  const token = await sign({ sub: 'u-10', sid: 'family' })
  expect((await request(node.url, LogOut, {}, token)).errors).toEqual([])
  const again = await request(node.url, Viewer, {}, await sign({ sub: 'u-10', sid: 'family' }))
  expect(again.errors[0]?.extensions.code).toBe('SESSION_REVOKED')
  const other = await request(node.url, Viewer, {}, await sign({ sub: 'u-10', sid: 'another' }))
  expect(other.data?.viewer.id).toBeDefined()
})

test('while the provider is unreachable, its users are told to retry, and known tokens keep working', async () => {
  const fresh = await openNode(settings())
  isDown = true
  const token = await sign({ sub: 'u-11', sid: 'x' })
  expect((await request(fresh.url, Viewer, {}, token)).errors).toMatchObject([
    { extensions: { code: 'UNAVAILABLE', retryable: true } },
  ])
  isDown = false
  expect((await request(fresh.url, Viewer, {}, token)).errors).toEqual([])
  isDown = true
  expect((await request(fresh.url, Viewer, {}, token)).errors).toEqual([])
  isDown = false
})

test('a user that the backend makes by the sub of the tokens is the user of those tokens', async () => {
  const backend = await openBackend(node, 'USERS')
  const users = [{ externalId: 'u-20', username: 'twenty', displayName: 'Twenty' }]
  const [made] = (await backend.run(UpsertUsers, { input: { users } })).upsertUsers.users
  const { data } = await request(node.url, Viewer, {}, await sign({ sub: 'u-20', preferred_username: 'other', sid: 's-1' }))
  expect(data?.viewer).toMatchObject({ id: made?.id, username: 'twenty' })
  // And the other way round.
  const first = await request(node.url, Viewer, {}, await sign({ sub: 'u-21', sid: 's-1' }))
  const { issueSession } = await backend.run(IssueSession, { input: { userId: 'u-21' } })
  expect(issueSession.viewer.id).toBe(first.data?.viewer.id)
})

test('a user that the backend made before there was a provider is found by the sub, too', async () => {
  const alone = await openNode()
  const backend = await openBackend(alone, 'USERS')
  const [made] = (await backend.run(UpsertUsers, { input: { users: [{ externalId: 'u-22' }] } })).upsertUsers.users
  await alone.close()
  const later = await openNode({ ...settings(), DATABASE_URL: alone.databaseUrl })
  const { data } = await request(later.url, Viewer, {}, await sign({ sub: 'u-22', sid: 's-1' }))
  expect(data?.viewer.id).toBe(made?.id)
})

test('the claim that the settings name is the tenant of a user, for ever', async () => {
  const tenants = await openNode({ ...settings(), PARLEY_JWKS_TENANT_CLAIM: 'org' })
  const ask = async (claims: Claims) => request(tenants.url, Viewer, {}, await sign({ sid: 's-1', ...claims }))
  const { data } = await ask({ sub: 'u-30', org: 'acme', preferred_username: 'thirty' })
  expect((await ask({ sub: 'u-30', org: 'acme' })).data?.viewer.id).toBe(data?.viewer.id)
  const refusals = [
    await ask({ sub: 'u-30', org: 'other' }),
    await ask({ sub: 'u-30' }),
    await ask({ sub: 'u-31', org: 'two words' }),
    await ask({ sub: 'u-31', org: 7 }),
  ]
  expect(refusals.map(({ errors }) => errors[0]?.extensions.code)).toEqual([
    ...['FORBIDDEN', 'FORBIDDEN', 'UNAUTHENTICATED', 'UNAUTHENTICATED'],
  ])
  expect((await ask({ sub: 'u-32' })).errors).toEqual([])
  const listed = async (tenant: string) =>
    (await (await openBackendOf(tenant, tenants, 'USERS')).run(Users, {})).users.nodes?.map((user) => user?.externalId)
  expect([await listed('acme'), await listed('other')]).toEqual([['u-30'], []])
})
