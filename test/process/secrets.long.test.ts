// No secret reaches the log, at its most talkative level: a run does what users and attackers do, and everything secret in it is
// then looked for in the output of the process.

import { createECDH, randomBytes, randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import WebSocket from 'ws'
import { vapid } from '../push/support.ts'
import { createDatabase } from '../support/node.ts'
import { endings, Parley, type ServerAddress, until } from './parley.ts'

/** A text that is found wherever it turns up. */
const canary = (what: string) => `canary-${what}-${randomBytes(6).toString('hex')}`

const texts = {
  tokenSecret: canary('token-secret-of-the-installation'),
  password: canary('password'),
  wrongPassword: canary('wrong-password'),
  message: canary('message'),
  edit: canary('edit'),
  misplaced: canary('misplaced'),
  search: canary('search'),
  invite: canary('invite'),
  bearer: canary('bearer'),
  socketToken: canary('socket-token'),
  refresh: canary('refresh'),
  endpoint: canary('endpoint'),
  bio: canary('bio'),
}
const p256dh = createECDH('prime256v1').generateKeys().toString('base64url')
const auth = randomBytes(16).toString('base64url')

type Answer = { data?: Record<string, Record<string, unknown>> | null; errors?: { message: string }[] }

/** A value in an answer, by its path. */
function valueIn({ data }: Answer, ...path: readonly string[]): string {
  let value: unknown = data
  for (const key of path) value = (value as Record<string, unknown> | null | undefined)?.[key]
  return String(value)
}

async function send(server: ServerAddress, query: string, variables: object = {}, token?: string): Promise<Answer> {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const headers = { 'content-type': 'application/json', accept: 'application/json', ...authorization }
  return (await (
    await fetch(server.url, { method: 'POST', headers, body: JSON.stringify({ query, variables }) })
  ).json()) as Answer
}

/** Opens a WebSocket with this token, sends an operation, and waits until it is answered or closed. */
function overSocket(server: ServerAddress, accessToken: unknown, query: string, variables: object): Promise<void> {
  const socket = new WebSocket(server.socketUrl, 'graphql-transport-ws')
  return new Promise((resolve) => {
    socket.on('open', () => socket.send(JSON.stringify({ type: 'connection_init', payload: { accessToken } })))
    socket.on('close', () => resolve())
    socket.on('error', () => resolve())
    socket.on('message', (data) => {
      const { type } = JSON.parse(String(data)) as { type: string }
      if (type === 'connection_ack') socket.send(JSON.stringify({ id: 'x', type: 'subscribe', payload: { query, variables } }))
      else if (type === 'next' || type === 'error') socket.close()
    })
  })
}

/** What goes wrong in a request, with a secret in the wrong place. */
async function misuse(server: ServerAddress, token: string, conversationId: string): Promise<void> {
  const sendText = 'mutation S($input: SendMessageInput!) { sendMessage(input: $input) { cursor } }'
  const { misplaced } = texts
  const logIn = 'mutation L($input: LogInInput!) { logIn(input: $input) { expiresAt } }'
  const device = { deviceName: 'x' }
  await send(server, logIn, { input: { ...device, username: 'anna', password: texts.wrongPassword } })
  await send(server, logIn, { input: { ...device, username: 'anna', password: [misplaced], more: misplaced } })
  await send(server, logIn, { input: { ...device, username: { nested: misplaced }, password: 7 } })
  await send(server, logIn, { input: misplaced })
  await send(server, `mutation { logIn(input: { username: "anna", password: "${misplaced}", deviceName: 7 }) { expiresAt } }`)
  await send(server, `mutation { logIn(input: { username: "anna", password: "${misplaced}`)
  await send(server, `mutation { logIn(input: { password: "${misplaced}" }) { expiresAt ${misplaced} } }`)
  const open = `mutation L($d: String = "x") { logIn(input: { username: "anna", password: "${misplaced}", deviceName: $d }) { expiresAt } }`
  await send(server, open, { d: null })
  for (const text of [{ nested: misplaced }, [misplaced, misplaced]])
    await send(server, sendText, { input: { conversationId, text, clientMessageId: randomUUID() } }, token)
  await send(server, sendText, { input: { conversationId, text: misplaced, clientMessageId: 'no uuid' } }, token)
  await send(server, sendText, { input: { conversationId: misplaced, text: 'x', clientMessageId: randomUUID() } }, token)
  await send(server, '{ viewer { id } }', {}, texts.bearer)
  await send(server, 'mutation R($input: RefreshSessionInput!) { refreshSession(input: $input) { expiresAt } }', {
    input: { refreshToken: texts.refresh },
  })
  await send(
    server,
    'mutation J($input: JoinWithInviteInput!) { joinWithInvite(input: $input) { cursor } }',
    { input: { token: texts.invite } },
    token,
  )
  await send(server, '{ searchMessages(query: 7) { nodes { id } } }', {}, token)
  await fetch(`${server.url}?access_token=${misplaced}`, {
    method: 'POST',
    headers: { 'content-type': 'text/plain' },
    body: misplaced,
  })
  await overSocket(server, texts.socketToken, '{ viewer { id } }', {})
  await overSocket(server, { nested: misplaced }, '{ viewer { id } }', {})
  await overSocket(server, token, sendText, { input: { conversationId, text: [misplaced], clientMessageId: randomUUID() } })
}

test('no token, password, key or text of a user is in the log of a whole run, at the level trace', {
  timeout: 60_000,
}, async () => {
  const databaseUrl = await createDatabase()
  const parley = new Parley({
    ...vapid,
    PORT: '0',
    PARLEY_DATA_DIR: '/dev/null/none',
    PARLEY_TOKEN_SECRET: texts.tokenSecret,
    DATABASE_URL: databaseUrl,
    PARLEY_LOG_LEVEL: 'trace',
    PARLEY_PUSH_DELAY_MS: '0',
    PARLEY_PUSH_ALLOW_PRIVATE: 'true',
  })
  const server = await parley.ready()
  const signUp = 'mutation S($input: SignUpInput!) { signUp(input: $input) { accessToken refreshToken viewer { id } } }'
  const people = []
  for (const username of ['anna', 'bert']) {
    const input = { username, password: texts.password, displayName: username, deviceName: 'x' }
    const { data } = await send(server, signUp, { input })
    people.push(data?.signUp as { accessToken: string; refreshToken: string; viewer: { id: string } })
  }
  const [anna, bert] = people as [(typeof people)[0] & object, (typeof people)[0] & object]
  const as = (query: string, variables: object = {}) => send(server, query, variables, anna.accessToken)
  // Nothing listens there: the notification fails, again and again.
  const registration = { endpoint: `http://127.0.0.1:9/${texts.endpoint}`, p256dh, auth }
  const register = 'mutation R($input: RegisterPushSubscriptionInput!) { registerPushSubscription(input: $input) { __typename } }'
  expect((await send(server, register, { input: registration }, bert.accessToken)).errors).toBeUndefined()
  const group = 'mutation G($input: CreateGroupInput!) { createGroup(input: $input) { conversation { id } } }'
  const created = await as(group, { input: { title: 'x', memberIds: [bert.viewer.id] } })
  const conversationId = valueIn(created, 'createGroup', 'conversation', 'id')
  const sending = 'mutation S($input: SendMessageInput!) { sendMessage(input: $input) { message { id } } }'
  const sent = await as(sending, { input: { conversationId, text: texts.message, clientMessageId: randomUUID() } })
  const messageId = valueIn(sent, 'sendMessage', 'message', 'id')
  await as('mutation E($input: EditMessageInput!) { editMessage(input: $input) { cursor } }', {
    input: { messageId, text: texts.edit },
  })
  await as('mutation P($input: UpdateProfileInput!) { updateProfile(input: $input) { cursor } }', { input: { bio: texts.bio } })
  await as('query Q($query: String!) { searchMessages(query: $query) { nodes { id } } }', { query: texts.search })
  const invited = await as('mutation I($input: CreateInviteInput!) { createInvite(input: $input) { invite { token } } }', {
    input: { conversationId },
  })
  const inviteToken = valueIn(invited, 'createInvite', 'invite', 'token')
  await misuse(server, anna.accessToken, conversationId)
  await until('the notification to fail', () => parley.stderr.includes('not delivered'))
  parley.kill('SIGTERM')
  expect(await parley.ended()).toEqual(endings.ok)

  const secrets = {
    ...texts,
    ...{ p256dh, auth, inviteToken, databasePassword: new URL(databaseUrl).password, vapid: vapid.PARLEY_VAPID_PRIVATE_KEY },
    ...Object.fromEntries(
      people.flatMap((one, i) => [
        [`access ${i}`, one?.accessToken],
        [`refresh ${i}`, one?.refreshToken],
      ]),
    ),
  }
  const output = parley.stdout + parley.stderr
  expect(output.length).toBeGreaterThan(5_000) // it did say something
  const found = Object.entries(secrets).filter(
    ([, secret]) => secret !== undefined && secret.length > 5 && output.includes(secret),
  )
  expect(found.map(([what, secret]) => `${what}: ${output.split('\n').find((line) => line.includes(String(secret)))}`)).toEqual(
    [],
  )
})
