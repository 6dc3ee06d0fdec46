// examples/backend as a new user runs it, beside a real Parley; and the lines of code in the README.

import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { findFreePort } from '../../src/local/postgres.ts'
import { Device } from '../support/device.ts'
import { SendMessage } from '../support/documents.ts'
import { closeAtEnd, openNode } from '../support/node.ts'
import { until } from '../support/until.ts'
import { openBackend } from './backend.ts'
import { ConversationByExternalId, Users } from './documents.ts'

const example = fileURLToPath(new URL('../../examples/backend/server.js', import.meta.url))

type Answer = {
  parley: { accessToken: string; refreshToken: string; viewer: { id: string } }
  conversationId: string
}

/** Starts the shop beside a Parley that asks it before it stores messages. */
async function openShop() {
  const port = await findFreePort()
  const secret = `whsec_${Buffer.alloc(32, 5).toString('base64')}`
  const node = await openNode({
    PARLEY_WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8',
    PARLEY_BEFORE_SEND_URL: `http://127.0.0.1:${port}/hooks/before-send`,
    PARLEY_BEFORE_SEND_SECRET: secret,
  })
  const { token } = await openBackend(node, 'USERS', 'SEND', 'CHANGES', 'WEBHOOKS')
  const env = {
    // biome-ignore lint/style/noProcessEnv: a process needs the path to programs
    PATH: process.env.PATH ?? '',
    PORT: String(port),
    PARLEY_URL: node.url,
    PARLEY_KEY: token,
    PARLEY_BEFORE_SEND_SECRET: secret,
  }
  const shop = spawn(process.execPath, [example], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [shop.stdout, shop.stderr]) {
    stream.on('data', (chunk) => {
      said += String(chunk)
    })
  }
  closeAtEnd(async () => {
    shop.kill('SIGKILL')
  })
  await until(`the shop, which said ${said}`, () => said.includes('The shop is ready'), 20_000)
  const ask = async (path: string, body?: object) => {
    const init = body ? { method: 'POST', body: JSON.stringify(body) } : {}
    const response = await fetch(`http://127.0.0.1:${port}${path}`, init)
    return { status: response.status, json: (await response.json()) as Answer }
  }
  const logIn = async (username: string, password: string) => {
    const { json } = await ask('/login', { username, password })
    const { accessToken, refreshToken, viewer } = json.parley as {
      accessToken: string
      refreshToken: string
      viewer: { id: string }
    }
    return new Device(node, { accessToken, refreshToken, session: { id: '' }, viewer: { ...viewer, username } })
  }
  return { node, ask, logIn }
}

test('the users of the shop chat in the chat of an order, and the shop hears it and has a say', async () => {
  const { ask, logIn } = await openShop()
  expect((await ask('/login', { username: 'ana', password: 'wrong' })).status).toBe(401)
  const [ana, ben] = [await logIn('ana', 'correct horse'), await logIn('ben', 'battery staple')]
  const log = await ben.events().live()
  const order = { id: 17, state: 'PACKED', people: ['ana', 'ben'] }
  const { conversationId } = (await ask('/orders', order)).json
  await log.text('Your order is PACKED.')
  await ana.send(conversationId, 'great!')
  await log.text('great!')
  const input = { conversationId, text: 'my card number is 1', clientMessageId: randomUUID() }
  expect(await ana.refused(SendMessage, { input })).toMatchObject({
    message: 'Never send card numbers in a chat.',
    extensions: { code: 'MESSAGE_REFUSED' },
  })
  const heard = async () => JSON.stringify((await ask('/heard')).json)
  await until('the webhook and the changes', async () => (await heard()).split('great!').length >= 3, 20_000)
  // The same again: no second chat.
  expect((await ask('/orders', { ...order, state: 'SENT' })).json.conversationId).toBe(conversationId)
  await log.text('Your order is SENT.')
})

test('the lines of code in the README work', async () => {
  const node = await openNode()
  const backend = await openBackend(node, 'USERS', 'SEND')
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8')
  const code = /## In your product[\s\S]*?```js\n([\s\S]*?)```/.exec(readme)?.[1]
  if (!code) throw new Error('the README has no such lines')
  const run = code
    .replace('https://chat.example.com/graphql', node.url)
    .replace('process.env.PARLEY_KEY', JSON.stringify(backend.token))
  const AsyncFunction = Object.getPrototypeOf(async () => undefined).constructor as new (text: string) => () => Promise<unknown>
  const session = (await new AsyncFunction(`${run}\nreturn session`)()) as { data?: { issueSession: { accessToken: string } } }
  expect(session.data?.issueSession.accessToken).toMatch(/^ey/)
  expect((await backend.run(Users, {})).users.nodes?.map((user) => user?.externalId)).toEqual(['4711', '4712'])
  const { conversationByExternalId } = await backend.run(ConversationByExternalId, { externalId: 'order-17' })
  expect(conversationByExternalId).toMatchObject({ title: 'Order 17', memberCount: 2 })
})
