// Accounts: signing up, logging in, staying logged in, logging out; and everything that must not let an attacker in.

import { hash } from '@node-rs/argon2'
import { decodeJwt, SignJWT } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import type { ParleyError } from '../../src/errors.ts'
import { FairQueue } from '../../src/graphql/fair-queue.ts'
import { parseId } from '../../src/id.ts'
import { TestClock } from '../support/clock.ts'
import { type Device, logIn, password, request, signUp } from '../support/device.ts'
import { FindUser, LogIn, LogOut, RefreshSession, RevokeSession, SignUp, Viewer } from '../support/documents.ts'
import { connect, type Node, openNode, openPair } from '../support/node.ts'
import { openProxy } from '../support/proxy.ts'
import { until } from '../support/until.ts'
import { FindUserBy, RevokeOtherSessions } from './documents.ts'

const clock = new TestClock()
let node: Node
beforeAll(async () => {
  node = await openNode({}, clock)
})

const account = (username: string, more: Record<string, string> = {}) => ({
  input: { username, password, displayName: 'Somebody', deviceName: 'Phone', ...more },
})

describe('signing up', () => {
  test('returns tokens that work at once, and a session named after the device', async () => {
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

  test('refuses a username that is taken, in any case and form, also for two requests at once', async () => {
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
})

describe('passwords', () => {
  const typed = (username: string, secret: string) => ({ input: { username, password: secret, deviceName: 'x' } })

  test('match however they are typed: composed or decomposed letters, any kind of space', async () => {
    const secret = 'Zo\u00eb caf\u00e9'
    expect((await request(node.url, SignUp, account('zoe-1', { password: secret }))).errors).toEqual([])
    for (const variant of [secret, secret.normalize('NFD'), 'Zo\u00eb\u00a0caf\u00e9', 'Zo\u00eb\u3000cafe\u0301'])
      expect((await request(node.url, LogIn, typed('zoe-1', variant))).errors).toEqual([])
    // Nothing else is normalised: case, width and compatibility forms make different passwords.
    for (const variant of ['zo\u00eb caf\u00e9', 'Zoe cafe', `${secret} `, '\uff3ao\u00eb caf\u00e9'])
      expect((await request(node.url, LogIn, typed('zoe-1', variant))).errors[0]?.extensions.code).toBe('INVALID_CREDENTIALS')
  })

  test('hashed before normalisation was introduced still match as they were typed', async () => {
    const [secret, device] = ['Zoe\u0308 cafe\u0301 \u0007', await signUp(node, 'Zoe-2')]
    const client = await connect(node.databaseUrl)
    const parameters = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }
    await client.query('update "user" set password_hash = $1 where username = $2', [
      await hash(secret, parameters),
      device.username,
    ])
    expect((await request(node.url, LogIn, typed('zoe-2', secret))).errors).toEqual([])
    expect((await request(node.url, LogIn, typed('zoe-2', password))).errors[0]?.extensions.code).toBe('INVALID_CREDENTIALS')
  })

  test.each([
    ['seven characters, which are more when decomposed', 'é'.repeat(7).normalize('NFD')],
    ['seven emoji, which are fourteen UTF-16 units', '🐎'.repeat(7)],
    ['half of a surrogate pair', 'long enough \ud83d'],
    ['a control character', 'long enough \u0007'],
  ])('of %s are refused', async (_what, secret) => {
    const { errors } = await request(node.url, SignUp, account('zoe-3', { password: secret }))
    expect(errors).toMatchObject([{ extensions: { code: 'BAD_INPUT', argument: 'input.password' } }])
  })

  test('with half of a surrogate pair match nothing', async () => {
    await request(node.url, SignUp, account('zoe-4', { password: 'long enough \ufffd' }))
    for (const half of ['\ud83d', '\udc0e']) {
      const { errors } = await request(node.url, LogIn, typed('zoe-4', `long enough ${half}`))
      expect(errors).toMatchObject([{ extensions: { code: 'BAD_INPUT', argument: 'input.password' } }])
    }
  })
})

describe('the queue of passwords', () => {
  test('D7 takes turns level by level, refuses the newest request of the largest group when full, and never waits longer than the limit', async () => {
    const queue = new FairQueue({ atOnce: 1, waitingMax: 6, waitingPerPathMax: 5, waitMs: 300 }, 'no')
    const order: string[] = []
    let open = () => {}
    const first = queue.run(['x', 'x'], () => new Promise<void>((resolve) => (open = resolve)))
    const ask = (...path: string[]) =>
      queue
        .run(path, async () => void order.push(path.join('')))
        .then(
          () => 'done',
          (error: ParleyError) => `${path.join('')} ${error.code} ${error.retryAfterMs}`,
        )
    const greedy = Array.from({ length: 5 }, () => ask('a', '1'))
    expect(await ask('a', '1')).toBe('a1 RATE_LIMITED 1000') // as many as may wait already have this path
    const others = [ask('a', '2'), ask('b', '1'), ask('b', '2')]
    expect(await Promise.all(greedy.slice(3))).toEqual(Array(2).fill('a1 RATE_LIMITED 1000'))
    open()
    await Promise.all([first, ...greedy, ...others])
    expect(order).toEqual(['a1', 'b1', 'a2', 'b2', 'a1', 'a1'])
    const last = queue.run(['x'], () => new Promise<void>((resolve) => (open = resolve)))
    expect(await ask('late')).toBe('late RATE_LIMITED 1000')
    open()
    await last
    expect(await ask('next')).toBe('done')
  })
})

describe('refreshing', () => {
  test('returns fresh tokens of the same session', async () => {
    const device = await signUp(node, 'Judy')
    const { data } = await request(node.url, RefreshSession, { input: { refreshToken: device.refreshToken } })
    expect(data?.refreshSession.session.id).toBe(device.sessionId)
    expect(data?.refreshSession.refreshToken).not.toBe(device.refreshToken)
    const { data: seen } = await request(node.url, Viewer, {}, data?.refreshSession.accessToken)
    expect(seen?.viewer.username).toBe('judy')
  })

  test('works with an expired access token in the header', async () => {
    const device = await signUp(node, 'Kim')
    const { data } = await request(node.url, RefreshSession, { input: { refreshToken: device.refreshToken } }, 'rubbish')
    expect(data?.refreshSession.viewer.id).toBe(device.userId)
  })

  const refresh = async (refreshToken: string, at: Node = node) => {
    const { data, errors } = await request(at.url, RefreshSession, { input: { refreshToken } })
    return { fresh: data?.refreshSession, code: errors[0]?.extensions.code }
  }
  /** Lets time pass for a session: moves its newest refresh into the past. */
  const age = async ({ databaseUrl }: Node, { sessionId }: Device, seconds: number) => {
    const client = await connect(databaseUrl)
    const text = `update session set refreshed_at = refreshed_at - $2 * interval '1 second' where id = $1`
    await client.query(text, [parseId('Session', sessionId, 'id'), seconds])
  }

  test('returns one successor to all concurrent uses of a token, on two nodes, and it works for each of them', async () => {
    const [here, there] = await openPair()
    const device = await signUp(here, 'Mallory')
    const all = await Promise.all(Array.from({ length: 10 }, (_, i) => refresh(device.refreshToken, i % 2 ? here : there)))
    const [first] = all
    expect(new Set(all.map(({ fresh }) => fresh?.refreshToken)).size).toBe(1)
    for (const { fresh } of all) expect((await request(there.url, Viewer, {}, fresh?.accessToken)).errors).toEqual([])
    expect(first?.fresh?.refreshToken).not.toBe(device.refreshToken)
    expect((await refresh(first?.fresh?.refreshToken ?? '', there)).fresh?.session.id).toBe(device.sessionId)
  })

  test('returns the successor again after a lost answer, until 30 s after the first use and no longer', async () => {
    const device = await signUp(node, 'Leo')
    const { fresh } = await refresh(device.refreshToken)
    for (let round = 0; round < 2; round += 1) {
      await age(node, device, 14)
      expect((await refresh(device.refreshToken)).fresh?.refreshToken).toBe(fresh?.refreshToken)
    }
    await age(node, device, 3)
    expect((await refresh(device.refreshToken)).code).toBe('SESSION_REVOKED')
    expect((await refresh(fresh?.refreshToken ?? '')).code).toBe('SESSION_REVOKED')
    expect((await request(node.url, Viewer, {}, fresh?.accessToken)).errors[0]?.extensions.code).toBe('SESSION_REVOKED')
  })

  test('ends the session for all its holders if a token is used after its successor', async () => {
    const device = await signUp(node, 'Lou')
    const second = (await refresh(device.refreshToken)).fresh
    const third = (await refresh(second?.refreshToken ?? '')).fresh
    expect((await refresh(device.refreshToken)).code).toBe('SESSION_REVOKED')
    for (const token of [second?.refreshToken, third?.refreshToken])
      expect((await refresh(token ?? '')).code).toBe('SESSION_REVOKED')
    expect((await request(node.url, Viewer, {}, third?.accessToken)).errors[0]?.extensions.code).toBe('SESSION_REVOKED')
  })

  test('returns nothing once the session has ended', async () => {
    const device = await signUp(node, 'Luke')
    const { fresh } = await refresh(device.refreshToken)
    await device.run(LogOut, {})
    expect((await refresh(device.refreshToken)).code).toBe('SESSION_REVOKED')
    expect((await refresh(fresh?.refreshToken ?? '')).code).toBe('SESSION_REVOKED')
  })

  test('survives a short outage of Postgres: the same token works afterwards', async () => {
    const proxy = await openProxy(node.databaseUrl)
    const shaky = await openNode({ DATABASE_URL: proxy.url, PARLEY_LOG_LEVEL: 'silent' })
    const device = await signUp(node, 'Lena')
    proxy.cut()
    const [away] = await Promise.all([refresh(device.refreshToken, shaky)])
    expect(away?.code).toBe('UNAVAILABLE')
    proxy.restore()
    // The other node got the same token meanwhile: both get the same successor, whichever of them wrote it.
    const { fresh } = await refresh(device.refreshToken)
    await until('an answer', async () => (await refresh(device.refreshToken, shaky)).fresh?.refreshToken === fresh?.refreshToken)
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

describe('logging out', () => {
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

  test('revokeSession ends another device; strangers and anonymous callers cannot', async () => {
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

  test('revokeOtherSessions ends all others, and of two that do it at once one stays', async () => {
    const phone = await signUp(node, 'Oscar')
    const [laptop, tablet] = [await phone.another(), await phone.another()]
    const stream = await tablet.events().live()
    const { revokeOtherSessions } = await laptop.run(RevokeOtherSessions, {})
    expect(revokeOtherSessions.sessions).toEqual([{ id: laptop.sessionId }])
    expect(revokeOtherSessions.cursor).not.toBeNull()
    expect(await stream.ending()).toMatchObject({ code: 4603 })
    for (const device of [phone, tablet]) expect((await device.refused(Viewer, {})).extensions.code).toBe('SESSION_REVOKED')
    expect((await laptop.run(RevokeOtherSessions, {})).revokeOtherSessions.cursor).toBeNull()

    const rival = await laptop.another()
    const ends = await Promise.all([laptop, rival].map((d) => request(node.url, RevokeOtherSessions, {}, d.accessToken)))
    expect(ends.filter(({ errors }) => errors.length === 0)).toHaveLength(1)
    expect(ends.flatMap(({ errors }) => errors.map(({ extensions }) => extensions.code))).toEqual(['SESSION_REVOKED'])
  })

  test('user finds a person by username or by id, and asks for exactly one', async () => {
    const [seeker, found] = [await signUp(node, 'Yves'), await signUp(node, 'Ursula')]
    const expected = { user: { id: found.userId, username: 'ursula' } }
    expect(await seeker.run(FindUserBy, { id: found.userId })).toEqual(expected)
    expect(await seeker.run(FindUserBy, { username: 'URSULA' })).toEqual(expected)
    expect(await seeker.run(FindUserBy, { id: 'usr_000000000zzzz' })).toEqual({ user: null })
    for (const given of [{}, { id: found.userId, username: 'ursula' }, { id: 'nonsense' }]) {
      expect((await seeker.refused(FindUserBy, given)).extensions.code).toBe('BAD_INPUT')
    }
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

  test('an expired one is refused with TOKEN_EXPIRED, and its socket is closed with 4602', async () => {
    const short = await openNode({ PARLEY_ACCESS_TOKEN_TTL_S: '3' }, clock)
    const device = await signUp(short, 'Rita')
    const stream = await device.events().live()
    await clock.turn(3_500)
    expect(await stream.ending()).toMatchObject({ code: 4602 })
    expect((await device.refused(Viewer, {})).extensions.code).toBe('TOKEN_EXPIRED')
    const { data } = await request(short.url, RefreshSession, { input: { refreshToken: device.refreshToken } })
    device.accessToken = data?.refreshSession.accessToken ?? ''
    const resumed = await device.events({ after: stream.seen.at(-1)?.cursor ?? null }).live()
    expect(resumed.seen[0]).toMatchObject({ __typename: 'SyncStarted' })
  })

  test('a refused token closes the socket with 4601, the token of an ended session with 4603', async () => {
    const device = await signUp(node, 'Sybil')
    const good = device.accessToken
    device.accessToken = 'rubbish'
    expect(await device.events().ending()).toMatchObject({ code: 4601 })
    device.accessToken = good
    await device.run(LogOut, {})
    expect(await device.events().ending()).toMatchObject({ code: 4603 })
  })

  test('sessions show when they were last used', async () => {
    const phone = await signUp(node, 'Trent')
    const laptop = await phone.another()
    const lastUse = async () => {
      const { sessions } = await phone.run(Viewer, {})
      const session = sessions.find(({ id }) => id === laptop.sessionId)
      return { created: Date.parse(session?.createdAt ?? ''), used: Date.parse(session?.lastUsedAt ?? '') }
    }
    await laptop.run(Viewer, {})
    await clock.turn(2_000)
    await until('the use to be noted', async () => {
      const { created, used } = await lastUse()
      return used > created + 20
    })
  })
})
