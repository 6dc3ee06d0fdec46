// The operator's webhook: signed as the Standard Webhooks specification says, and repeated under the same id.

import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { DeleteMessage, MarkRead } from '../law/documents.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { closeAtEnd, openNode } from '../support/node.ts'
import { until } from '../support/until.ts'
import { PushDevices, RegisterPushToken, VapidPublicKey } from './documents.ts'
import { decided, pushing } from './support.ts'

const secret = Buffer.from('a secret of the tests for their webhook')

type Call = { headers: IncomingHttpHeaders; body: string; isSigned: boolean }

/** An operator's endpoint; answers with these statuses, then with 204. */
async function openEndpoint(...statuses: number[]): Promise<{ url: string; calls: Call[] }> {
  const calls: Call[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { headers } = request
      const body = Buffer.concat(chunks).toString()
      const [version, signature = ''] = String(headers['webhook-signature']).split(',')
      const content = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`
      const expected = createHmac('sha256', secret).update(content).digest()
      const given = Buffer.from(signature, 'base64')
      const isSigned = version === 'v1' && given.length === expected.length && timingSafeEqual(given, expected)
      calls.push({ headers, body, isSigned })
      response.writeHead(statuses.shift() ?? 204).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closeAtEnd(async () => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/notifications`, calls }
}

const hooked = (url: string) => ({
  PARLEY_PUSH_WEBHOOK_URL: url,
  PARLEY_PUSH_WEBHOOK_SECRET: `whsec_${secret.toString('base64')}`,
  PARLEY_PUSH_DELAY_MS: '0',
})

test('N12 a registered token is notified through the webhook, signed, and forgotten when the webhook says so', async () => {
  const { url, calls } = await openEndpoint(500, 204, 410)
  const node = await openNode(hooked(url))
  const [alice, bob] = (await signUpAll(node, 'Alice', 'Bob')) as [Device, Device]
  expect((await bob.run(VapidPublicKey, {})).vapidPublicKey).toBeNull()
  const input = { platform: 'apns', token: 'token of the phone' }
  const { registerPushToken } = await bob.run(RegisterPushToken, { input })
  expect(registerPushToken.session.push).toEqual({ provider: 'WEBHOOK', platform: 'apns' })
  const conversationId = await alice.direct(bob)
  const { message } = await alice.send(conversationId, 'hello')
  await until('two attempts', () => calls.length === 2)
  const [first, second] = calls as [Call, Call]
  expect(calls.map(({ isSigned }) => isSigned)).toEqual([true, true])
  expect(first.headers['webhook-id']).toBe(second.headers['webhook-id'])
  expect(Math.abs(Number(second.headers['webhook-timestamp']) - Date.now() / 1_000)).toBeLessThan(5)
  expect(JSON.parse(second.body)).toEqual({
    type: 'notification',
    ...input,
    topic: expect.any(String),
    ttlS: expect.any(Number),
    urgency: 'high',
    notification: {
      kind: 'message',
      id: second.headers['webhook-id'],
      title: 'Alice',
      body: 'hello',
      conversationId,
      messageId: message.id,
      badge: 1,
    },
  })
  await decided(bob, message.id, 'SENT')
  const last = await alice.send(conversationId, 'uninstalled')
  await decided(bob, last.message.id, 'FAILED GONE')
  expect((await bob.run(PushDevices, {})).sessions.map(({ push }) => push)).toEqual([null])
})

test('N8 N12 the webhook is told to clear a read or deleted message, for the device that showed it', async () => {
  const { url, calls } = await openEndpoint()
  const node = await openNode(hooked(url))
  const [alice, bob] = (await signUpAll(node, 'Alice', 'Bob')) as [Device, Device]
  const input = { platform: 'fcm', token: 'token of the tablet' }
  await bob.run(RegisterPushToken, { input })
  const conversationId = await alice.direct(bob)
  const clearings = [
    (messageId: string) => alice.run(DeleteMessage, { input: { messageId } }),
    () => bob.run(MarkRead, { input: { conversationId, seq: 2 } }),
  ]
  for (const [i, clear] of clearings.entries()) {
    const { message } = await alice.send(conversationId, `text ${i}`)
    await until('the notification', () => calls.length === 2 * i + 1)
    await clear(message.id)
    await until('the clearing', () => calls.length === 2 * i + 2)
    const [shown, cleared] = calls.slice(2 * i) as [Call, Call]
    expect([shown.isSigned, cleared.isSigned]).toEqual([true, true])
    expect(JSON.parse(cleared.body)).toMatchObject({
      type: 'notification',
      ...input,
      topic: JSON.parse(shown.body).topic,
      notification: { kind: 'clear', id: cleared.headers['webhook-id'], conversationId, badge: 0 },
    })
    expect(cleared.body).not.toContain('text')
  }
})

test('N12 a server without a webhook accepts no tokens, and one with both accepts both', async () => {
  const node = await openNode(pushing)
  const [alice] = (await signUpAll(node, 'Alice')) as [Device]
  const input = { platform: 'fcm', token: 'x' }
  expect((await alice.refused(RegisterPushToken, { input })).extensions.code).toBe('FORBIDDEN')
  const both = await openNode({ ...pushing, ...hooked((await openEndpoint()).url), DATABASE_URL: node.databaseUrl })
  alice.node = both
  expect((await alice.run(RegisterPushToken, { input })).registerPushToken.session.push).toMatchObject({ platform: 'fcm' })
  for (const wrong of [{ token: '' }, { platform: ' ' }, { token: 'x'.repeat(2_001) }])
    expect((await alice.refused(RegisterPushToken, { input: { ...input, ...wrong } })).extensions.code).toBe('BAD_INPUT')
})
