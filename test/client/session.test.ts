// The client library keeps its session: it refreshes tokens before they expire, once for all callers, and sockets outlive them.

import { beforeAll, expect, test } from 'vitest'
import { Device, signUpAll } from '../support/device.ts'
import { LogOut, RefreshSession, Snapshot, Viewer } from '../support/documents.ts'
import { type Node, openNode } from '../support/node.ts'
import { openProxy } from '../support/proxy.ts'
import { logIn, sharedStore, signUp, TestApp } from './app.ts'

const ttlS = 3
let node: Node
beforeAll(async () => {
  node = await openNode({ PARLEY_ACCESS_TOKEN_TTL_S: String(ttlS), PARLEY_TICK_INTERVAL_MS: '200' })
})

/** A `fetch` that counts operations. */
function counting() {
  const counts = new Map<string, number>()
  const carry: typeof fetch = (url, init) => {
    const name = /\b(?:query|mutation) (\w+)/.exec(String(init?.body))?.[1] ?? ''
    counts.set(name, (counts.get(name) ?? 0) + 1)
    return fetch(url, init)
  }
  return { carry, of: (name: string) => counts.get(name) ?? 0 }
}

test('D6 a socket outlives three tokens, renewed over itself, without a new subscription', async () => {
  const store = sharedStore(await signUp(node.url, 'renewed'))
  const app = await new TestApp({ url: node.url, session: store }).follow().live()
  const begun = Date.now()
  await app.until('three tokens to have ended', () => Date.now() - begun > 3 * ttlS * 1_000)
  expect(app.statuses).toEqual(['CONNECTING', 'CATCHING_UP', 'LIVE'])
  expect(app.seen.filter((event) => event.__typename === 'SyncStarted')).toHaveLength(1)
  expect(store.saved).toBeGreaterThanOrEqual(3)
  const { viewer } = await app.client.request(Viewer, {})
  expect(viewer.username).toBe('renewed')
}, 60_000)

test('twenty concurrent calls with an expired token make one refresh, and all get answers', async () => {
  const store = sharedStore({ ...(await signUp(node.url, 'twenty')), expiresAt: new Date(0).toISOString() })
  const { carry, of } = counting()
  const app = new TestApp({ url: node.url, session: store, fetch: carry })
  const answers = await Promise.all(Array.from({ length: 20 }, () => app.client.request(Viewer, {})))
  expect(answers.every(({ viewer }) => viewer.username === 'twenty')).toBe(true)
  expect(of('RefreshSession')).toBe(1)
  expect(store.saved).toBe(1)
})

test('a wrong clock does no harm: the server says when a token has expired', async () => {
  const far = new Date(Date.now() + 86_400_000).toISOString()
  const store = sharedStore({ ...(await signUp(node.url, 'behind')), expiresAt: far })
  const { carry, of } = counting()
  const app = new TestApp({ url: node.url, session: store, fetch: carry })
  const begun = Date.now()
  await app.until('the token to end', () => Date.now() - begun > ttlS * 1_000 + 200)
  await Promise.all(Array.from({ length: 20 }, () => app.client.request(Viewer, {})))
  expect(of('RefreshSession')).toBe(1)
  await app.follow().live()
})

test('D3 a token that is not refreshed costs a socket when it expires, and no event', async () => {
  const person = await logInAgain('expiring')
  const [friend] = (await signUpAll(node, 'sender')) as [Device]
  const id = await friend.direct(person)
  let given = 0
  const app = new TestApp({
    url: node.url,
    session: async (refused) => {
      given += refused === null ? 0 : 1
      if (refused !== null) await refresh(person)
      return person.accessToken
    },
  })
  await app.follow().live()
  await app.until('the end of the token', () => app.statuses.includes('WAITING'))
  await refresh(friend)
  await friend.send(id, 'after the token')
  await app.text('after the token')
  expect(given).toBe(1)
  expect(app.resets).toEqual([null])
})

async function refresh(device: Device): Promise<void> {
  const { refreshSession } = await device.run(RefreshSession, { input: { refreshToken: device.refreshToken } })
  Object.assign(device, { accessToken: refreshSession.accessToken, refreshToken: refreshSession.refreshToken })
}

const logInAgain = async (username: string) => new Device(node, await signUp(node.url, username))

test('a client takes the credentials that another one has refreshed, and uses no refresh token twice', async () => {
  const store = sharedStore(await signUp(node.url, 'two-tabs'))
  const { carry, of } = counting()
  const one = new TestApp({ url: node.url, session: store, fetch: carry })
  const two = new TestApp({ url: node.url, session: store, fetch: carry })
  await one.client.request(Viewer, {})
  await two.client.request(Viewer, {})
  const begun = Date.now()
  await one.until('the token to be about to end', () => Date.now() - begun > ttlS * 1_000)
  await one.client.request(Viewer, {})
  await two.client.request(Viewer, {})
  expect(of('RefreshSession')).toBe(1)
})

test('D6 an ended session signs the client out and clears its credentials', async () => {
  const store = sharedStore(await signUp(node.url, 'ended'))
  const app = await new TestApp({ url: node.url, session: store }).follow().live()
  const other = new TestApp({ url: node.url, session: sharedStore(store.current) })
  await other.client.request(LogOut, {})
  await app.until('to be signed out', () => app.client.state.status === 'SIGNED_OUT')
  expect(app.client.state).toEqual({ status: 'SIGNED_OUT', code: 'SESSION_REVOKED' })
  expect(store.current).toBeNull()
  await expect(app.client.request(Snapshot, {})).rejects.toMatchObject({ code: 'SESSION_REVOKED', isRetryable: false })
})

test('D6 logOut ends the session at the server, and locally at once even without a server', async () => {
  const store = sharedStore(await signUp(node.url, 'leaving'))
  const copy = sharedStore(store.current)
  await new TestApp({ url: node.url, session: store }).client.logOut()
  expect(store.current).toBeNull()
  await expect(new TestApp({ url: node.url, session: copy }).client.request(Viewer, {})).rejects.toMatchObject({
    code: 'SESSION_REVOKED',
  })

  const proxy = await openProxy(node.url)
  const away = sharedStore(await logIn(node.url, 'leaving'))
  const app = new TestApp({ url: proxy.url, session: away })
  proxy.cut()
  await app.client.logOut()
  expect(app.client.state).toEqual({ status: 'SIGNED_OUT', code: 'LOGGED_OUT' })
  expect(away.current).toBeNull()
})

test('a client with an ended session leaves alone the new log-in of another one', async () => {
  const store = sharedStore(await signUp(node.url, 'sleeper'))
  const other = sharedStore(store.current)
  const app = await new TestApp({ url: node.url, session: store }).follow().live()
  const next = await logIn(node.url, 'sleeper')
  store.current = next
  await new TestApp({ url: node.url, session: other }).client.logOut()
  await app.until('to be signed out', () => app.client.state.status === 'SIGNED_OUT')
  await app.client.close()
  expect(store.current).toEqual(next)
})

test.each([
  [
    'throws',
    () => {
      throw new Error('the disk is full')
    },
  ],
  ['fails', () => Promise.reject(new Error('the disk is full'))],
] as const)('a store that %s costs no session: the fresh token is used, and stored as soon as possible', async (how, refuse) => {
  const store = sharedStore({ ...(await signUp(node.url, `full-${how}`)), expiresAt: new Date(0).toISOString() })
  let isFull = true
  const full = { load: () => store.current, save: (given: typeof store.current) => (isFull ? refuse() : store.save(given)) }
  const { carry, of } = counting()
  const app = new TestApp({ url: node.url, session: full, fetch: carry })
  expect((await app.client.request(Viewer, {})).viewer.username).toBe(`full-${how}`)
  const begun = Date.now()
  await app.until('the token to end', () => Date.now() - begun > ttlS * 1_000)
  expect((await app.client.request(Viewer, {})).viewer.username).toBe(`full-${how}`)
  expect(of('RefreshSession')).toBe(2)
  expect(store.saved).toBe(0)
  isFull = false
  await app.client.request(Viewer, {})
  expect(store.saved).toBe(1)
  const next = new TestApp({ url: node.url, session: sharedStore(store.current) })
  expect((await next.client.request(Viewer, {})).viewer.username).toBe(`full-${how}`)
})

test('a refresh without a reachable server fails for now, and does not end the session', async () => {
  const proxy = await openProxy(node.url)
  const store = sharedStore({ ...(await signUp(node.url, 'patient')), expiresAt: new Date(0).toISOString() })
  const app = new TestApp({ url: proxy.url, session: store })
  proxy.cut()
  await expect(app.client.request(Viewer, {})).rejects.toMatchObject({ code: 'NO_ANSWER', isRetryable: true })
  proxy.restore()
  expect((await app.client.request(Viewer, {})).viewer.username).toBe('patient')
})
