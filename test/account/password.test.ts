// A changed password ends all other sessions, on every node.

import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { parseId } from '../../src/id.ts'
import { type Device, logIn, password, request, signUp } from '../support/device.ts'
import { LogIn, Viewer } from '../support/documents.ts'
import { connect, type Node, openNode, openPair } from '../support/node.ts'
import { ChangePassword } from './documents.ts'

let node: Node
let ann: Device
let round = 0

beforeAll(async () => {
  node = await openNode()
})
beforeEach(async () => {
  round += 1
  ann = await signUp(node, `Ann${round}a`)
})

const newPassword = 'another horse another battery'
const change = { input: { currentPassword: password, newPassword } }
const loggingIn = (username: string, secret: string) => ({ input: { username, password: secret, deviceName: 'Later' } })

describe('changing the password', () => {
  test('D6 ends all other sessions, with their sockets, and keeps the current one', async () => {
    const [laptop, tablet] = [await ann.another(), await ann.another()]
    const streams = await Promise.all([laptop, tablet].map((device) => device.events().live()))
    const own = await ann.events().live()
    const stranger = await signUp(node, 'Stranger')
    const { changePassword } = await ann.run(ChangePassword, change)
    expect(changePassword.sessions).toEqual([{ id: ann.sessionId }])
    for (const stream of streams) expect(await stream.ending()).toMatchObject({ code: 4603 })
    expect((await laptop.refused(Viewer, {})).extensions.code).toBe('SESSION_REVOKED')
    await own.until('both ends', ({ seen }) => seen.filter((e) => e.__typename === 'SessionRevoked').length === 2)
    expect(own.ended).toBeNull()
    const old = await request(node.url, LogIn, loggingIn(ann.username, password))
    expect(old.errors[0]?.extensions.code).toBe('INVALID_CREDENTIALS')
    expect((await request(node.url, LogIn, loggingIn(ann.username, newPassword))).errors).toEqual([])
    expect((await stranger.run(Viewer, {})).sessions).toHaveLength(1)
  })

  test('D6 also ends sessions that have expired while their access token has not', async () => {
    const laptop = await ann.another()
    const client = await connect(node.databaseUrl)
    const expire = `update session set expires_at = now() - interval '1 minute' where id = $1`
    await client.query(expire, [parseId('Session', laptop.sessionId, 'id')])
    await laptop.run(Viewer, {})
    await ann.run(ChangePassword, change)
    expect((await laptop.refused(Viewer, {})).extensions.code).toBe('SESSION_REVOKED')
  })

  test('requires the old password and a valid new one', async () => {
    const attempt = async (input: { currentPassword: string; newPassword: string }) =>
      (await ann.refused(ChangePassword, { input })).extensions
    expect(await attempt({ currentPassword: 'wrong', newPassword })).toMatchObject({ code: 'INVALID_CREDENTIALS' })
    expect(await attempt({ currentPassword: password, newPassword: 'short' })).toMatchObject({
      code: 'BAD_INPUT',
      argument: 'input.newPassword',
    })
    expect((await request(node.url, ChangePassword, change)).errors[0]?.extensions.code).toBe('UNAUTHENTICATED')
    await logIn(node, ann.username)
  })

  test('D6 races log-ins with the old password on two nodes: none of them survives', async () => {
    const [here, there] = await openPair()
    const ben = await signUp(here, 'Ben')
    const logins = Promise.all(Array.from({ length: 12 }, () => request(there.url, LogIn, loggingIn('ben', password))))
    await ben.run(ChangePassword, change)
    await logins
    expect((await ben.run(Viewer, {})).sessions.map(({ id }) => id)).toEqual([ben.sessionId])
  })

  test('succeeds once if two devices do it at the same time', async () => {
    const laptop = await ann.another()
    const answers = await Promise.all(
      [ann, laptop].map((device) => request(node.url, ChangePassword, change, device.accessToken)),
    )
    expect(answers.filter(({ errors }) => errors.length === 0)).toHaveLength(1)
    const code = answers.flatMap(({ errors }) => errors)[0]?.extensions.code
    expect(['INVALID_CREDENTIALS', 'SESSION_REVOKED']).toContain(code)
  })
})
