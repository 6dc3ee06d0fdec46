// The backend of a shop that embeds Parley. It has its own users, and knows nothing of Parley's ids.

import { randomUUID, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'
import { createWebhook, followChanges, isSigned, openOrderChat, openSession, upsertUsers } from './parley.js'

const port = Number(process.env.PORT ?? 5000)
const hookSecret = process.env.PARLEY_BEFORE_SEND_SECRET ?? ''
/** The users of the shop, with their passwords. A real shop has a database, and hashes. */
const users = new Map([
  ['ana', { id: '4711', name: 'Ana', password: 'correct horse' }],
  ['ben', { id: '4712', name: 'Ben', password: 'battery staple' }],
])
/** What this backend has heard. */
const heard = { webhooks: [], changes: [], ids: new Set() }
let webhookSecret = ''

const routes = {
  /** The app logs in at the shop, and gets tokens for Parley with its answer. */
  async 'POST /login'({ json }) {
    const user = users.get(json.username)
    if (!user || !isSame(json.password, user.password)) return [401, { error: 'wrong name or password' }]
    await upsertUsers([user])
    return [200, { name: user.name, parley: await openSession(user) }]
  },
  /** An order changes: its chat has exactly its people, and says what happened. */
  async 'POST /orders'({ json }) {
    const people = json.people.map((name) => users.get(name))
    await upsertUsers(people)
    const order = { id: json.id, state: json.state, people: people.map(({ id }) => id) }
    return [200, { conversationId: await openOrderChat(order, `Your order is ${order.state}.`, randomUUID()) }]
  },
  /** Parley tells what happened. An event may come twice, with the same id. */
  async 'POST /hooks/parley'({ headers, body, json }) {
    if (!isSigned(headers, body, webhookSecret)) return [401, {}]
    const id = headers['webhook-id']
    if (!heard.ids.has(id)) {
      heard.ids.add(id)
      heard.webhooks.push(json)
    }
    return [200, {}]
  },
  /** Parley asks before it stores messages. */
  async 'POST /hooks/before-send'({ headers, body, json }) {
    if (!isSigned(headers, body, hookSecret)) return [401, {}]
    const verdicts = json.messages.map(({ text }) =>
      /\bcard number\b/i.test(text) ? { action: 'REFUSE', reason: 'Never send card numbers in a chat.' } : { action: 'ALLOW' },
    )
    return [200, { verdicts }]
  },
  async 'GET /heard'() {
    return [200, { webhooks: heard.webhooks, changes: heard.changes }]
  },
}

const server = createServer(async (request, response) => {
  const answer = (status, value) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
  try {
    const route = routes[`${request.method} ${request.url}`]
    if (!route) return answer(404, {})
    const body = await readBody(request)
    const [status, value] = await route({ headers: request.headers, body, json: body.length > 0 ? JSON.parse(body) : {} })
    answer(status, value)
  } catch (error) {
    answer(500, { error: error.message })
  }
})

async function readBody(request) {
  const chunks = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += chunk.length
    if (bytes > 1_000_000) throw new Error('the body is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function isSame(given, expected) {
  const [a, b] = [Buffer.from(String(given)), Buffer.from(expected)]
  return a.length === b.length && timingSafeEqual(a, b)
}

server.listen(port, '127.0.0.1', async () => {
  const own = `http://127.0.0.1:${server.address().port}`
  webhookSecret = await createWebhook(`${own}/hooks/parley`, ['MessageSent'])
  void followChanges('shop', async (event) => {
    if (event.__typename === 'MessageSent') heard.changes.push(event.message)
  })
  process.stdout.write(`The shop is ready: ${own}\n`)
})
