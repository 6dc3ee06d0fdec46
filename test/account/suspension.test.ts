// Suspended accounts: all sessions end on every node, no new one opens, and nobody else notices.

import { expect, test } from 'vitest'
import { suspendUser, unsuspendUser } from '../../src/account/operator-actions.ts'
import { parseId } from '../../src/id.ts'
import { type Device, password, request, signUpAll } from '../support/device.ts'
import { LogIn, RefreshSession, Viewer } from '../support/documents.ts'
import { openPair } from '../support/node.ts'

const idOf = ({ userId }: Device) => parseId('User', userId, 'userId')
const logIn = async (url: string, { username }: Device, secret = password) => {
  const input = { username, password: secret, deviceName: 'x' }
  const { data, errors } = await request(url, LogIn, { input })
  return data ? { code: 'LOGGED_IN' } : { code: errors[0]?.extensions.code, message: errors[0]?.message }
}

test('ends every session on every node, refuses new ones with the reason until it is lifted', async () => {
  const [here, there] = await openPair()
  const [ann, ben] = (await signUpAll(here, 'Ann', 'Ben')) as [Device, Device]
  const annThere = await ann.another(there)
  const conversationId = await ann.direct(ben)
  const { message } = await ann.send(conversationId, 'before')
  const logs = [await ann.events().live(), await annThere.events().live()]
  const watching = await ben.events().live()

  await suspendUser(idOf(ann), { reason: 'spam', until: null }, here.app)
  for (const log of logs) {
    expect(await log.ending()).toMatchObject({ code: 4603 })
  }
  for (const device of [ann, annThere]) {
    expect((await device.refused(Viewer, {})).extensions.code).toBe('SESSION_REVOKED')
    const { errors } = await request(device.node.url, RefreshSession, { input: { refreshToken: device.refreshToken } })
    expect(errors[0]?.extensions).toMatchObject({ code: 'ACCOUNT_SUSPENDED', retryable: false })
  }
  for (const { url } of [here, there]) {
    expect(await logIn(url, ann)).toEqual({ code: 'ACCOUNT_SUSPENDED', message: 'This account is suspended: spam' })
    expect((await logIn(url, ann, 'a wrong password')).code).toBe('INVALID_CREDENTIALS')
    expect((await logIn(url, ben)).code).toBe('LOGGED_IN')
  }
  const { cursor } = await ben.send(conversationId, 'still here')
  await watching.until('the own message', ({ seen }) => seen.some((event) => event.cursor === cursor))
  expect(message.text).toBe('before')

  await unsuspendUser(idOf(ann), here.app)
  expect((await ann.refused(Viewer, {})).extensions.code).toBe('SESSION_REVOKED')
  const back = await ann.another(there)
  expect((await back.run(Viewer, {})).viewer.username).toBe(ann.username)
  watching.stop()
})

test('ends by itself, and can be changed', async () => {
  const [here] = await openPair()
  const [ann] = (await signUpAll(here, 'Ann')) as [Device]
  const until = new Date(Date.now() + 86_400_000)
  await suspendUser(idOf(ann), { reason: null, until }, here.app)
  expect((await logIn(here.url, ann)).message).toBe(`This account is suspended until ${until.toISOString()}.`)
  await suspendUser(idOf(ann), { reason: null, until: new Date(Date.now() - 1) }, here.app)
  expect((await logIn(here.url, ann)).code).toBe('LOGGED_IN')
})

test('a right password of a suspended account is no failed log-in', async () => {
  const [here] = await openPair({ PARLEY_FAILED_LOG_INS_MAX: '2' })
  const [ann] = (await signUpAll(here, 'Ann')) as [Device]
  await suspendUser(idOf(ann), { reason: null, until: null }, here.app)
  for (let i = 0; i < 5; i += 1) expect((await logIn(here.url, ann)).code).toBe('ACCOUNT_SUSPENDED')
  await unsuspendUser(idOf(ann), here.app)
  expect((await logIn(here.url, ann)).code).toBe('LOGGED_IN')
})

test('no log-in slips through while an account is being suspended', async () => {
  const [here, there] = await openPair()
  const [ann] = (await signUpAll(here, 'Ann')) as [Device]
  const input = { username: ann.username, password, deviceName: 'x' }
  const logIns = Array.from({ length: 10 }, (_, i) => request(i % 2 ? here.url : there.url, LogIn, { input }))
  await suspendUser(idOf(ann), { reason: null, until: null }, there.app)
  const opened = (await Promise.all(logIns)).flatMap(({ data }) => (data ? [data.logIn.accessToken] : []))
  for (const token of opened) {
    const { errors } = await request(there.url, Viewer, {}, token)
    expect(errors[0]?.extensions.code).toBe('SESSION_REVOKED')
  }
})
