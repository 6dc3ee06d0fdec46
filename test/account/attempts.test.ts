// How often passwords are tried and accounts are made, on all nodes together (D7).

import { expect, inject, test } from 'vitest'
import { password, request, signUp } from '../support/device.ts'
import { LogIn, SignUp } from '../support/documents.ts'
import { createDatabase, openNode, openPair } from '../support/node.ts'
import { openProxy } from '../support/proxy.ts'
import { until } from '../support/until.ts'

type Outcome = { readonly code: string; readonly retryAfterMs?: number }

const logIn = (url: string, username: string, secret: string): Promise<Outcome> =>
  request(url, LogIn, { input: { username, password: secret, deviceName: 'x' } }).then(
    ({ errors }) => errors[0]?.extensions ?? { code: 'LOGGED_IN' },
  )
const open = (url: string, username: string): Promise<Outcome> =>
  request(url, SignUp, { input: { username, password, displayName: 'Somebody', deviceName: 'x' } }).then(
    ({ errors }) => errors[0]?.extensions ?? { code: 'SIGNED_UP' },
  )

test('D7 after too many failures an account refuses log-ins from that address, on every node, and other accounts do not', async () => {
  const [here, there] = await openPair({ PARLEY_FAILED_LOG_INS_MAX: '5' })
  const [ann, ben] = [await signUp(here, 'Ann'), await signUp(here, 'Ben')]
  for (const url of [here.url, there.url, here.url, there.url, here.url]) {
    expect((await logIn(url, ann.username, 'wrong')).code).toBe('INVALID_CREDENTIALS')
  }
  for (const { url } of [here, there]) {
    const refused = await logIn(url, ann.username.toUpperCase(), password)
    expect(refused).toMatchObject({ code: 'RATE_LIMITED', retryable: true })
    expect(refused.retryAfterMs).toBeGreaterThan(800_000)
    expect(refused.retryAfterMs).toBeLessThanOrEqual(900_000)
    expect((await logIn(url, ben.username, password)).code).toBe('LOGGED_IN')
  }
})

test('D7 many wrong passwords at once count as many, and a right one sets the address back to none', async () => {
  const node = await openNode({ PARLEY_FAILED_LOG_INS_MAX: '5' })
  const ann = await signUp(node, 'Ann')
  for (let round = 0; round < 3; round += 1) {
    for (let i = 0; i < 4; i += 1) expect((await logIn(node.url, ann.username, 'wrong')).code).toBe('INVALID_CREDENTIALS')
    expect((await logIn(node.url, ann.username, password)).code).toBe('LOGGED_IN')
  }
  const codes = await Promise.all(Array.from({ length: 20 }, () => logIn(node.url, ann.username, 'wrong')))
  expect(codes.filter(({ code }) => code === 'INVALID_CREDENTIALS')).toHaveLength(5)
  expect(codes.filter(({ code }) => code === 'RATE_LIMITED')).toHaveLength(15)
})

test('D7 an account bears only so many failures from all addresses together, and one address cannot use them up alone', async () => {
  const node = await openNode({
    PARLEY_FAILED_LOG_INS_MAX: '3',
    PARLEY_FAILED_LOG_INS_PER_ACCOUNT_MAX: '5',
    PARLEY_TRUSTED_PROXIES: '127.0.0.1',
  })
  const ann = await signUp(node, 'Ann')
  const from = async (address: string, secret: string) => {
    const query = 'mutation L($input: LogInInput!) { logIn(input: $input) { accessToken } }'
    const input = { username: ann.username, password: secret, deviceName: 'x' }
    const headers = { 'content-type': 'application/json', 'x-forwarded-for': address }
    const response = await fetch(node.url, { method: 'POST', headers, body: JSON.stringify({ query, variables: { input } }) })
    const { errors = [] } = (await response.json()) as { errors?: { extensions: { code: string } }[] }
    return { code: errors[0]?.extensions.code ?? 'LOGGED_IN', retryAfter: response.headers.get('retry-after') }
  }
  for (let i = 0; i < 3; i += 1) expect((await from('192.0.2.1', 'wrong')).code).toBe('INVALID_CREDENTIALS')
  for (let i = 0; i < 10; i += 1) expect((await from('192.0.2.1', 'wrong')).code).toBe('RATE_LIMITED')
  expect((await from('192.0.2.2', password)).code).toBe('LOGGED_IN')
  for (let i = 0; i < 2; i += 1) expect((await from('192.0.2.3', 'wrong')).code).toBe('INVALID_CREDENTIALS')
  const refused = await from('192.0.2.4', password)
  expect(refused.code).toBe('RATE_LIMITED')
  expect(Number(refused.retryAfter)).toBeGreaterThan(800)
})

test('D7 an address makes only so many accounts in an hour, on all nodes together; taken names do not count', async () => {
  const [here, there] = await openPair({ PARLEY_SIGN_UPS_PER_ADDRESS_MAX: '3' })
  expect((await open(here.url, 'one-1')).code).toBe('SIGNED_UP')
  for (let i = 0; i < 4; i += 1) expect((await open(there.url, 'one-1')).code).toBe('USERNAME_TAKEN')
  expect((await open(there.url, 'two-2')).code).toBe('SIGNED_UP')
  expect((await open(here.url, 'three-3')).code).toBe('SIGNED_UP')
  for (const { url } of [here, there]) {
    const refused = await open(url, 'four-4')
    expect(refused.code).toBe('RATE_LIMITED')
    expect(refused.retryAfterMs).toBeGreaterThan(3_500_000)
  }
})

test('D7 while Redis does not answer each node counts by itself, and nobody waits for it', async () => {
  const [first] = await openPair({ PARLEY_FAILED_LOG_INS_MAX: '3' })
  const proxy = await openProxy(inject('redisUrl'))
  const node = await openNode({
    DATABASE_URL: first.databaseUrl,
    REDIS_URL: proxy.url,
    PARLEY_FAILED_LOG_INS_MAX: '3',
  })
  const ann = await signUp(node, 'Ann')
  proxy.freeze()
  const started = performance.now()
  for (let i = 0; i < 3; i += 1) expect((await logIn(node.url, ann.username, 'wrong')).code).toBe('INVALID_CREDENTIALS')
  expect((await logIn(node.url, ann.username, password)).code).toBe('RATE_LIMITED')
  expect(performance.now() - started).toBeLessThan(5_000)
})

test('D7 a log-in whose password was not checked does not count as failed', async () => {
  const proxy = await openProxy(await createDatabase())
  const node = await openNode({ DATABASE_URL: proxy.url, PARLEY_FAILED_LOG_INS_MAX: '3', PARLEY_LOG_LEVEL: 'silent' })
  const ann = await signUp(node, 'Ann')
  proxy.cut()
  for (let i = 0; i < 5; i += 1) expect((await logIn(node.url, ann.username, 'wrong')).code).toBe('UNAVAILABLE')
  proxy.restore()
  await until('Postgres', async () => (await logIn(node.url, 'nobody-here', 'wrong')).code === 'INVALID_CREDENTIALS')
  for (let i = 0; i < 3; i += 1) expect((await logIn(node.url, ann.username, 'wrong')).code).toBe('INVALID_CREDENTIALS')
  expect((await logIn(node.url, ann.username, 'wrong')).code).toBe('RATE_LIMITED')
})
