// FCM and APNs, played by doubles that refuse what the documents of the two services do not allow.

import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { importSPKI, jwtVerify } from 'jose'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { MarkRead } from '../law/documents.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { closeAtEnd, connect, type Node, openNode } from '../support/node.ts'
import { until } from '../support/until.ts'
import { PushDevices, RegisterPushToken, SendTestNotification } from './documents.ts'
import { decided, hurried } from './support.ts'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const pem = (key: typeof rsa.privateKey) => key.export({ type: 'pkcs8', format: 'pem' }).toString()
const spki = (key: typeof rsa.publicKey) => key.export({ type: 'spki', format: 'pem' }).toString()

/** A message as FCM takes it: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages#Message */
const fcmMessage = z.strictObject({
  message: z.strictObject({
    token: z.string().min(1),
    data: z.record(z.string().regex(/^(?!from$|google|gcm|message_type$)/), z.string()),
    notification: z.strictObject({ title: z.string().min(1), body: z.string() }).optional(),
    android: z.strictObject({
      priority: z.enum(['NORMAL', 'HIGH']),
      ttl: z.string().regex(/^\d+(\.\d+)?s$/),
      collapse_key: z.string().min(1).optional(),
      notification: z.strictObject({ tag: z.string().optional(), notification_count: z.number().int() }).optional(),
    }),
  }),
})
type FcmMessage = z.output<typeof fcmMessage>['message']

type Answer = { status: number; body?: object; headers?: Record<string, string> }
const fcmError = (status: number, errorCode: string, more: object = {}): Answer => ({
  status,
  body: { error: { code: status, status: errorCode, details: [{ errorCode, ...more }] } },
})

/** FCM, and the server that gives tokens to service accounts. */
async function openFcmDouble() {
  const double = {
    url: '',
    taken: [] as FcmMessage[],
    came: [] as FcmMessage[],
    faults: [] as string[],
    tokens: 0,
    answers: [] as Answer[],
  }
  const issued = new Set<string>()
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk) => {
      text += String(chunk)
    })
    request.on('end', () => void (request.url === '/token' ? giveToken(text) : take(text)))
    const answer = (status: number, body: object = {}, headers: Record<string, string> = {}) =>
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
    async function giveToken(form: string) {
      const asked = new URLSearchParams(form)
      const key = await importSPKI(spki(rsa.publicKey), 'RS256')
      const checks = {
        issuer: 'parley@project.example',
        audience: `${double.url}/token`,
        algorithms: ['RS256'],
        maxTokenAge: '1h',
      }
      try {
        const { payload } = await jwtVerify(asked.get('assertion') ?? '', key, checks)
        if (asked.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer') throw new Error('the grant type')
        if (payload.scope !== 'https://www.googleapis.com/auth/firebase.messaging') throw new Error('the scope')
        if ((payload.exp ?? 0) - (payload.iat ?? 0) > 3_600) throw new Error('longer than an hour')
      } catch (error) {
        double.faults.push(String(error))
        answer(400)
        return
      }
      double.tokens += 1
      issued.add(`token-${double.tokens}`)
      answer(200, { access_token: `token-${double.tokens}`, expires_in: 3_599, token_type: 'Bearer' })
    }
    function take(body: string) {
      const isKnown = issued.has(String(request.headers.authorization).replace('Bearer ', ''))
      if (request.url !== '/v1/projects/project/messages:send' || !isKnown) {
        answer(isKnown ? 404 : 401)
        return
      }
      const parsed = fcmMessage.safeParse(JSON.parse(body))
      if (!parsed.success || Buffer.byteLength(body) > 4_096) {
        double.faults.push(parsed.error?.message ?? 'too long')
        answer(400)
        return
      }
      double.came.push(parsed.data.message)
      const next = double.answers.shift() ?? { status: 200, body: { name: 'projects/project/messages/1' } }
      if (next.status === 200) double.taken.push(parsed.data.message)
      answer(next.status, next.body, next.headers)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closeAtEnd(async () => {
    server.closeAllConnections()
    server.close()
  })
  double.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const account = {
    type: 'service_account',
    project_id: 'project',
    client_email: 'parley@project.example',
    private_key: pem(rsa.privateKey),
    token_uri: `${double.url}/token`,
  }
  const settings = { PARLEY_FCM_SERVICE_ACCOUNT: JSON.stringify(account), PARLEY_FCM_URL: double.url, PARLEY_PUSH_DELAY_MS: '0' }
  return Object.assign(double, { settings, forget: () => issued.clear() })
}

type ApnsBody = { aps: Record<string, unknown>; parley: Record<string, unknown> }
type ApnsRequest = { headers: http2.IncomingHttpHeaders; body: ApnsBody }

/** APNs: https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns */
async function openApnsDouble() {
  const double = {
    url: '',
    taken: [] as ApnsRequest[],
    came: [] as ApnsRequest[],
    faults: [] as string[],
    answers: [] as Answer[],
  }
  const tokens = new Set<string>()
  const sessions = new Set<http2.ServerHttp2Session>()
  const server = http2.createServer()
  server.on('session', (session) => sessions.add(session))
  server.on('stream', (stream, headers) => {
    let text = ''
    stream.setEncoding('utf8')
    stream.on('data', (chunk) => {
      text += chunk
    })
    stream.on('end', () => void take())
    const answer = ({ status, body }: Answer) => {
      stream.respond({ ':status': status })
      stream.end(body ? JSON.stringify(body) : undefined)
    }
    async function take() {
      const fault = await faultOf(headers, text).catch((error: unknown) => String(error))
      if (fault !== null) {
        double.faults.push(fault)
        answer({ status: 400, body: { reason: 'BadMessage' } })
        return
      }
      const request = { headers, body: JSON.parse(text) as ApnsBody }
      double.came.push(request)
      const next = double.answers.shift() ?? { status: 200 }
      if (next.status === 200) double.taken.push(request)
      answer(next)
    }
  })
  async function faultOf(headers: http2.IncomingHttpHeaders, text: string): Promise<string | null> {
    const token = String(headers.authorization).replace('bearer ', '')
    const key = await importSPKI(spki(ec.publicKey), 'ES256')
    const { protectedHeader } = await jwtVerify(token, key, { issuer: 'TEAM', algorithms: ['ES256'], maxTokenAge: '1h' })
    if (protectedHeader.kid !== 'KEY') return 'the key id'
    tokens.add(token)
    if (tokens.size > 1) return 'TooManyProviderTokenUpdates'
    if (!/^\/3\/device\/[0-9a-f]+$/.test(String(headers[':path']))) return `the path ${headers[':path']}`
    if (headers['apns-topic'] !== 'com.example.chat') return 'the topic'
    if (!/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(String(headers['apns-id']))) return 'the id'
    if (!/^\d+$/.test(String(headers['apns-expiration']))) return 'the expiration'
    if (!['5', '10'].includes(String(headers['apns-priority']))) return 'the priority'
    if (Buffer.byteLength(String(headers['apns-collapse-id'] ?? '')) > 64) return 'the collapse id'
    if (Buffer.byteLength(text) > 4_096) return 'the length'
    const { aps } = JSON.parse(text) as ApnsBody
    const shows = 'alert' in aps || 'badge' in aps || 'sound' in aps
    if ((headers['apns-push-type'] === 'alert') !== shows) return 'the push type'
    return null
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closeAtEnd(async () => {
    for (const session of sessions) session.destroy()
    server.close()
  })
  double.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const settings = {
    PARLEY_APNS_URL: double.url,
    PARLEY_APNS_KEY: pem(ec.privateKey),
    PARLEY_APNS_KEY_ID: 'KEY',
    PARLEY_APNS_TEAM_ID: 'TEAM',
    PARLEY_APNS_TOPIC: 'com.example.chat',
    PARLEY_PUSH_DELAY_MS: '0',
  }
  const cut = () => {
    for (const session of sessions) session.destroy()
  }
  return Object.assign(double, { settings, cut })
}

async function openTalk(settings: Record<string, string>, platform: string, token: string) {
  const node = await openNode(settings)
  const [alice, bob] = (await signUpAll(node, 'Alice', 'Bob')) as [Device, Device]
  const { registerPushToken } = await bob.run(RegisterPushToken, { input: { platform, token } })
  const group = await alice.group('Phones', bob)
  return { node, alice, bob, group, push: registerPushToken.session.push }
}
const registrations = async (device: Device) =>
  (await device.run(PushDevices, {})).sessions.flatMap(({ push }) => (push ? [push.provider] : []))
const sqlOf = ({ databaseUrl }: Node) => connect(databaseUrl)

test('N13 FCM gets messages with title, text, badge and what they replace, and clears them when they are read', async () => {
  const fcm = await openFcmDouble()
  const { alice, bob, group, push } = await openTalk(fcm.settings, 'fcm', 'device-1')
  expect(push).toEqual({ provider: 'FCM', platform: 'fcm' })
  const { message } = await alice.send(group, 'hello')
  await decided(bob, message.id, 'SENT')
  const { message: second } = await alice.send(group, 'again')
  await decided(bob, second.id, 'SENT')
  expect(fcm.faults).toEqual([])
  const [sent, next] = fcm.taken as [FcmMessage, FcmMessage]
  const tag = sent.android.collapse_key
  expect(sent).toEqual({
    token: 'device-1',
    data: {
      kind: 'message',
      id: expect.stringMatching(/^ntf_\d+$/),
      title: 'Phones',
      body: 'Alice: hello',
      conversationId: group,
      messageId: message.id,
      badge: '1',
      tag,
    },
    notification: { title: 'Phones', body: 'Alice: hello' },
    android: {
      priority: 'HIGH',
      ttl: expect.stringMatching(/^\d+s$/),
      collapse_key: tag,
      notification: { tag, notification_count: 1 },
    },
  })
  expect(next).toMatchObject({ android: { collapse_key: tag, notification: { notification_count: 2 } } })
  expect(fcm.tokens).toBe(1)
  await bob.another()
  await bob.run(MarkRead, { input: { conversationId: group, seq: 2 } })
  await until('the clearing', () => fcm.taken.some(({ data }) => data.kind === 'clear'))
  const clear = fcm.taken.find(({ data }) => data.kind === 'clear')
  expect(clear).toMatchObject({ data: { conversationId: group, badge: '0', tag }, android: { priority: 'NORMAL' } })
  expect(clear?.notification).toBeUndefined()
})

test('N13 FCM: what cannot be sent now comes again, a refused token is fetched again, and a device that is gone is forgotten', async () => {
  const fcm = await openFcmDouble()
  const { node, alice, bob, group } = await openTalk(fcm.settings, 'fcm', 'device-2')
  const sql = await sqlOf(node)
  fcm.answers.push(fcmError(503, 'UNAVAILABLE'), fcmError(429, 'QUOTA_EXCEEDED'))
  const { message } = await alice.send(group, 'later')
  await hurried(sql, 'the third attempt', () => fcm.taken.length === 1)
  expect(new Set(fcm.came.map(({ data }) => data.id)).size).toBe(1)
  await decided(bob, message.id, 'SENT')
  fcm.forget()
  await alice.send(group, 'with a new token')
  await hurried(sql, 'the next one', () => fcm.taken.length === 2)
  expect(fcm.tokens).toBe(2)
  fcm.answers.push(fcmError(404, 'UNREGISTERED'))
  await alice.send(group, 'to nobody')
  await until('it to be forgotten', async () => (await registrations(bob)).length === 0)
  for (const answer of [
    fcmError(403, 'SENDER_ID_MISMATCH'),
    fcmError(400, 'INVALID_ARGUMENT', { fieldViolations: [{ field: 'message.token' }] }),
  ]) {
    await bob.run(RegisterPushToken, { input: { platform: 'fcm', token: 'device-3' } })
    fcm.answers.push(answer)
    await alice.send(group, 'to nobody')
    await until('it to be forgotten', async () => (await registrations(bob)).length === 0)
  }
  expect(fcm.faults).toEqual([])
})

test('N13 APNs gets messages with title, text, badge and what they replace, and a new badge when they are read', async () => {
  const apns = await openApnsDouble()
  const { alice, bob, group, push } = await openTalk(apns.settings, 'apns', 'ab12cd')
  expect(push).toEqual({ provider: 'APNS', platform: 'apns' })
  const { message } = await alice.send(group, 'hello')
  await decided(bob, message.id, 'SENT')
  await bob.run(SendTestNotification, {})
  await until('the test', () => apns.taken.length === 2)
  const [{ headers, body }] = apns.taken as [ApnsRequest]
  expect(headers).toMatchObject({
    ':path': '/3/device/ab12cd',
    'apns-push-type': 'alert',
    'apns-priority': '10',
    'apns-collapse-id': expect.stringMatching(/^.{32}$/),
  })
  expect(body).toEqual({
    aps: {
      alert: { title: 'Phones', body: 'Alice: hello' },
      badge: 1,
      sound: 'default',
      'mutable-content': 1,
      'thread-id': group,
    },
    parley: { kind: 'message', id: expect.any(String), conversationId: group, messageId: message.id },
  })
  await bob.another()
  await bob.run(MarkRead, { input: { conversationId: group, seq: 1 } })
  await until('the clearing', () => apns.taken.length === 3)
  expect(apns.taken.at(-1)).toMatchObject({
    headers: { 'apns-priority': '5' },
    body: { aps: { 'content-available': 1, badge: 0 }, parley: { kind: 'clear', conversationId: group } },
  })
  expect(apns.taken.at(-1)?.headers['apns-collapse-id']).toBeUndefined()
  expect(apns.faults).toEqual([])
})

test('N13 APNs: what cannot be sent now comes again, also after a cut, and a device that is gone is forgotten', async () => {
  const apns = await openApnsDouble()
  const { node, alice, bob, group } = await openTalk(apns.settings, 'apns', 'ab12cd')
  const sql = await sqlOf(node)
  apns.answers.push({ status: 503, body: { reason: 'ServiceUnavailable' } }, { status: 429, body: { reason: 'TooManyRequests' } })
  await alice.send(group, 'later')
  await hurried(sql, 'the third attempt', () => apns.taken.length === 1)
  expect(new Set(apns.came.map(({ headers }) => headers['apns-id'])).size).toBe(1)
  apns.cut()
  await alice.send(group, 'after the cut')
  await hurried(sql, 'the next one', () => apns.taken.length === 2)
  for (const answer of [
    { status: 410, body: { reason: 'Unregistered', timestamp: 1 } },
    { status: 400, body: { reason: 'BadDeviceToken' } },
  ]) {
    await bob.run(RegisterPushToken, { input: { platform: 'apns', token: 'ab12ce' } })
    apns.answers.push(answer)
    await alice.send(group, 'to nobody')
    await until('it to be forgotten', async () => (await registrations(bob)).length === 0)
  }
  expect(apns.faults).toEqual([])
})

test('N13 without credentials a phone is refused, unless there is a webhook', async () => {
  const node = await openNode()
  const [bob] = (await signUpAll(node, 'Bob')) as [Device]
  for (const platform of ['fcm', 'apns']) {
    expect((await bob.refused(RegisterPushToken, { input: { platform, token: 'x' } })).extensions.code).toBe('FORBIDDEN')
  }
})
