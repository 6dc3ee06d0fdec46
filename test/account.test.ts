// Accounts: coming in, staying in, leaving; and everything that must not let anybody in.

import { decodeJwt, SignJWT } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { logIn, password, request, signUp } from './support/device.ts'
import { FindUser, LogIn, LogOut, RefreshSession, RevokeSession, SignUp, Viewer } from './support/documents.ts'
import { type Node, openNode } from './support/node.ts'

let node: Node
beforeAll(async () => {
  node = await openNode()
})

const account = (username: string, more: Record<string, string> = {}) => ({
  input: { username, password, displayName: 'Somebody', deviceName: 'Phone', ...more },
})

describe('signing up', () => {
  test('gives tokens that are good at once, and a session with the name of the device', async () => {
    const { data } = await request(node.url, SignUp, account('erin', { displayName: ' Erin Doe ' }))
    expect(data?.signUp.viewer).toMatchObject({ username: 'erin', displayName: 'Erin Doe' })
    const { data: seen } = await request(node.url, Viewer, {}, data?.signUp.accessToken)
    expect(seen?.viewer.id).toBe(data?.signUp.viewer.id)
    expect(seen?.sessions).toMatchObject([{ deviceName: 'Phone', isCurrent: true, revokedAt: null }])
  })

  test.each([
    ['input.username', account('ab')],
    ['input.username', account('has space')],
    ['input.username', account('-dash')],
    ['input.username', account('x'.repeat(33))],
    ['input.password', account('frank', { password: 'short' })],
    ['input.password', account('frank', { password: 'x'.repeat(257) })],
    ['input.displayName', account('frank', { displayName: '   ' })],
    ['input.displayName', account('frank', { displayName: 'x'.repeat(81) })],
    ['input.displayName', account('frank', { displayName: 'a\u0000b' })],
    ['input.displayName', account('frank', { displayName: 'a\nb' })],
    ['input.deviceName', account('frank', { deviceName: '' })],
  ])('refuses a bad %s and creates nothing', async (argument, variables) => {
    const { errors } = await request(node.url, SignUp, variables)
    expect(errors).toMatchObject([{ extensions: { code: 'BAD_INPUT', retryable: false, argument } }])
    const erin = await logIn(node, 'erin')
    expect(await erin.run(FindUser, { username: 'frank' })).toEqual({ user: null })
  })

  test('refuses a username that is taken, in any case and form, also when two ask at once', async () => {
    const both = await Promise.all(['Grace', 'ｇｒａｃｅ'].map((name) => request(node.url, SignUp, account(name))))
    expect(both.filter(({ data }) => data)).toHaveLength(1)
    expect(both.flatMap(({ errors }) => errors)).toMatchObject([
      { extensions: { code: 'USERNAME_TAKEN', argument: 'input.username' } },
    ])
  })
})

describe('logging in', () => {
  test('opens a session for each device', async () => {
    const phone = await signUp(node, 'Heidi')
    const laptop = await logIn(node, 'HEIDI', 'Laptop')
    const { sessions } = await phone.run(Viewer, {})
    expect(sessions.map(({ deviceName }) => deviceName).sort()).toEqual(['Laptop', 'Phone'])
    expect(laptop.userId).toBe(phone.userId)
  })

  test('answers a wrong password and an unknown user alike, in the same time', async () => {
    await signUp(node, 'Ivan')
    const attempt = async (username: string) => {
      const started = performance.now()
      const { errors } = await request(node.url, LogIn, { input: { username, password: 'not the password', deviceName: 'x' } })
      return { took: performance.now() - started, error: errors[0] }
    }
    const [known, unknown]: { took: number; error: unknown }[][] = [[], []]
    for (let i = 0; i < 12; i += 1) {
      known?.push(await attempt('ivan'))
      unknown?.push(await attempt(i % 2 ? 'nobody-of-this-name' : 'not a possible name'))
    }
    const median = (attempts: { took: number }[] = []) => attempts.map((a) => a.took).sort((a, b) => a - b)[6] ?? 0
    expect(known?.[0]?.error).toMatchObject({ extensions: { code: 'INVALID_CREDENTIALS' } })
    expect(unknown?.[0]?.error).toEqual(known?.[0]?.error)
    expect(unknown?.[1]?.error).toEqual(known?.[0]?.error)
    // A hash takes some 10 ms; an answer without one would take a fifth of the time.
    expect(median(unknown) / median(known)).toBeGreaterThan(0.6)
    expect(median(unknown) / median(known)).toBeLessThan(1.7)
  })

  test('refuses more than a short queue at once, and says when to come again', async () => {
    const attempts = await Promise.all(
      Array.from({ length: 400 }, () =>
        request(node.url, LogIn, { input: { username: 'ivan', password: 'wrong', deviceName: 'x' } }),
      ),
    )
    const codes = attempts.map(({ errors }) => errors[0]?.extensions)
    const limited = codes.filter((extensions) => extensions?.code === 'RATE_LIMITED')
    expect(limited.length).toBeGreaterThan(0)
    expect(limited[0]).toMatchObject({ retryable: true, retryAfterMs: 1000 })
    expect(codes.filter((extensions) => extensions?.code === 'INVALID_CREDENTIALS').length).toBeGreaterThan(50)
  })
})

describe('refreshing', () => {
  test('gives fresh tokens of the same session', async () => {
    const device = await signUp(node, 'Judy')
    const { data } = await request(node.url, RefreshSession, { input: { refreshToken: device.refreshToken } })
    expect(data?.refreshSession.session.id).toBe(device.sessionId)
    expect(data?.refreshSession.refreshToken).not.toBe(device.refreshToken)
    const { data: seen } = await request(node.url, Viewer, {}, data?.refreshSession.accessToken)
    expect(seen?.viewer.username).toBe('judy')
  })

  test('works beside an expired access token in the header', async () => {
    const device = await signUp(node, 'Kim')
    const { data } = await request(node.url, RefreshSession, { input: { refreshToken: device.refreshToken } }, 'rubbish')
    expect(data?.refreshSession.viewer.id).toBe(device.userId)
  })

  test('takes a token once: its reuse ends the session for both who hold it', async () => {
    const device = await signUp(node, 'Leo')
    const first = await request(node.url, RefreshSession, { input: { refreshToken: device.refreshToken } })
    const again = await request(node.url, RefreshSession, { input: { refreshToken: device.refreshToken } })
    expect(again.errors[0]?.extensions.code).toBe('SESSION_REVOKED')
    const newest = first.data?.refreshSession
    const afterwards = await request(node.url, RefreshSession, { input: { refreshToken: newest?.refreshToken ?? '' } })
    expect(afterwards.errors[0]?.extensions.code).toBe('SESSION_REVOKED')
    expect((await request(node.url, Viewer, {}, newest?.accessToken)).errors[0]?.extensions.code).toBe('SESSION_REVOKED')
  })

  test('lets one of many win who use the same token at once', async () => {
    const device = await signUp(node, 'Mallory')
    const all = await Promise.all(
      Array.from({ length: 10 }, () => request(node.url, RefreshSession, { input: { refreshToken: device.refreshToken } })),
    )
    expect(all.filter(({ data }) => data)).toHaveLength(1)
  })

  test('refuses an access token, a forged and a damaged token', async () => {
    const device = await signUp(node, 'Nina')
    const { sub, sid } = decodeJwt(device.refreshToken)
    const forged = await new SignJWT({ sid, gen: 1 })
      .setProtectedHeader({ alg: 'HS256', typ: 'rt+jwt' })
      .setSubject(String(sub))
      .setIssuer('parley')
      .setAudience('parley')
      .setExpirationTime('1h')
      .sign(new TextEncoder().encode('another secret of thirty-two bytes or more'))
    for (const refreshToken of [device.accessToken, forged, `${device.refreshToken}x`, '']) {
      const { errors } = await request(node.url, RefreshSession, { input: { refreshToken } })
      expect(errors[0]?.extensions.code).toBe('UNAUTHENTICATED')
    }
    expect((await device.run(Viewer, {})).viewer.username).toBe('nina')
  })
})

describe('leaving', () => {
  test('D6 logOut ends the tokens and the sockets of that session, and of no other', async () => {
    const phone = await signUp(node, 'Olga')
    const laptop = await phone.another()
    const [onPhone, onLaptop] = await Promise.all([phone.events().live(), laptop.events().live()])
    const { logOut } = await phone.run(LogOut, {})
    expect(logOut.sessionId).toBe(phone.sessionId)
    expect(await onPhone.ending()).toMatchObject({ code: 4603 })
    expect((await phone.refused(Viewer, {})).extensions.code).toBe('SESSION_REVOKED')
    const { errors } = await request(node.url, RefreshSession, { input: { refreshToken: phone.refreshToken } })
    expect(errors[0]?.extensions.code).toBe('SESSION_REVOKED')
    expect((await onLaptop.first('SessionRevoked')).session).toMatchObject({ id: phone.sessionId, deviceName: 'Phone' })
    expect((await laptop.run(Viewer, {})).sessions.map(({ id }) => id)).toEqual([laptop.sessionId])
    expect(onLaptop.ended).toBeNull()
  })

  test('revokeSession ends another device; a stranger cannot, and nobody cannot', async () => {
    const [phone, stranger] = [await signUp(node, 'Peggy'), await signUp(node, 'Quentin')]
    const laptop = await phone.another()
    const input = { sessionId: laptop.sessionId }
    expect((await stranger.refused(RevokeSession, { input })).extensions.code).toBe('NOT_FOUND')
    expect((await request(node.url, RevokeSession, { input })).errors[0]?.extensions.code).toBe('UNAUTHENTICATED')
    expect((await laptop.run(Viewer, {})).viewer.username).toBe('peggy')
    const stream = await laptop.events().live()
    const { revokeSession } = await phone.run(RevokeSession, { input })
    expect(revokeSession.session.revokedAt).not.toBeNull()
    expect(await stream.ending()).toMatchObject({ code: 4603 })
    expect((await laptop.refused(Viewer, {})).extensions.code).toBe('SESSION_REVOKED')
    await phone.run(RevokeSession, { input })
  })
})

describe('tokens', () => {
  test.each([
    ['no token', undefined],
    ['rubbish', 'rubbish'],
    ['an unsigned token', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIiwic2lkIjoxLCJleHAiOjQxMDI0NDQ4MDB9.'],
  ])('%s is refused with UNAUTHENTICATED', async (_what, token) => {
    const { data, errors } = await request(node.url, Viewer, {}, token)
    expect(data).toBeNull()
    expect(errors).toMatchObject([{ extensions: { code: 'UNAUTHENTICATED', retryable: false } }])
  })

  test('one that has expired is refused with TOKEN_EXPIRED, and its socket closed with 4602', async () => {
    const short = await openNode({ PARLEY_ACCESS_TOKEN_TTL_S: '3' })
    const device = await signUp(short, 'Rita')
    const stream = device.events()
    expect(await stream.ending()).toMatchObject({ code: 4602 })
    expect((await device.refused(Viewer, {})).extensions.code).toBe('TOKEN_EXPIRED')
    const { data } = await request(short.url, RefreshSession, { input: { refreshToken: device.refreshToken } })
    device.accessToken = data?.refreshSession.accessToken ?? ''
    const resumed = await device.events({ after: stream.seen.at(-1)?.cursor ?? null }).live()
    expect(resumed.seen[0]).toMatchObject({ __typename: 'SyncStarted' })
  })

  test('a socket with a refused token is closed with 4601, one with an ended session with 4603', async () => {
    const device = await signUp(node, 'Sybil')
    const good = device.accessToken
    device.accessToken = 'rubbish'
    expect(await device.events().ending()).toMatchObject({ code: 4601 })
    device.accessToken = good
    await device.run(LogOut, {})
    expect(await device.events().ending()).toMatchObject({ code: 4603 })
  })

  test('sessions tell when they were last used', async () => {
    const phone = await signUp(node, 'Trent')
    const laptop = await phone.another()
    const lastUse = async () => {
      const { sessions } = await phone.run(Viewer, {})
      const session = sessions.find(({ id }) => id === laptop.sessionId)
      return { created: Date.parse(session?.createdAt ?? ''), used: Date.parse(session?.lastUsedAt ?? '') }
    }
    await laptop.run(Viewer, {})
    const deadline = Date.now() + 8_000
    let seen = await lastUse()
    while (seen.used <= seen.created + 20 && Date.now() < deadline) seen = await lastUse()
    expect(seen.used).toBeGreaterThan(seen.created + 20)
  })
})
