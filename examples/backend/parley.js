// What this backend asks of Parley, with its server key.

import { createHmac, timingSafeEqual } from 'node:crypto'
import { createClient } from 'graphql-ws'
import WebSocket from 'ws'

const url = process.env.PARLEY_URL ?? 'http://localhost:4000/graphql'
const key = process.env.PARLEY_KEY ?? ''

/** Sends an operation. A clientMessageId makes it safe to repeat a send after a lost answer. */
export async function parley(query, variables) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({ query, variables }),
    signal: AbortSignal.timeout(10_000),
  })
  const { data, errors } = await response.json()
  if (errors) throw Object.assign(new Error(errors[0].message), { code: errors[0].extensions?.code })
  return data
}

/** Makes users in Parley, or brings their names up to date. They need not log in for that. */
export async function upsertUsers(users) {
  await parley('mutation U($input: UpsertUsersInput!) { upsertUsers(input: $input) { users { id } } }', {
    input: { users: users.map(({ id, name }) => ({ externalId: id, displayName: name })) },
  })
}

/** Opens a session for a device of a user that this backend has authenticated. */
export async function openSession({ id }) {
  const { issueSession } = await parley(
    'mutation S($input: IssueSessionInput!) { issueSession(input: $input) { accessToken refreshToken expiresAt viewer { id } } }',
    { input: { userId: id, deviceName: 'Shop' } },
  )
  return issueSession
}

/** Makes the chat of an order with exactly these people, and says something in it. */
export async function openOrderChat(order, text, clientMessageId) {
  const { upsertConversation } = await parley(
    'mutation C($input: UpsertConversationInput!) { upsertConversation(input: $input) { conversation { id } } }',
    {
      input: { externalId: `order-${order.id}`, title: `Order ${order.id}`, data: { order: order.id }, memberIds: order.people },
    },
  )
  const conversationId = upsertConversation.conversation.id
  await parley('mutation M($input: SendSystemMessageInput!) { sendSystemMessage(input: $input) { message { id } } }', {
    input: { conversationId, clientMessageId, text, data: { state: order.state } },
  })
  return conversationId
}

/** Sends the events of these types to an address of this backend, and no longer as before. @returns the secret that signs them */
export async function createWebhook(address, kinds) {
  const { webhooks } = await parley('{ webhooks { id url } }')
  for (const { id } of webhooks.filter(({ url }) => url === address)) {
    await parley('mutation D($input: DeleteWebhookInput!) { deleteWebhook(input: $input) { webhookId } }', {
      input: { webhookId: id },
    })
  }
  const { createWebhook: made } = await parley(
    'mutation W($input: CreateWebhookInput!) { createWebhook(input: $input) { secret } }',
    { input: { url: address, kinds } },
  )
  return made.secret
}

/** Whether a request is signed with this secret, by the Standard Webhooks specification, in the last five minutes. */
export function isSigned(headers, body, secret) {
  const timestamp = Number(headers['webhook-timestamp'])
  if (!(Math.abs(Date.now() / 1_000 - timestamp) < 300)) return false
  const expected = createHmac('sha256', Buffer.from(secret.replace('whsec_', ''), 'base64'))
    .update(`${headers['webhook-id']}.${timestamp}.`)
    .update(body)
    .digest()
  return String(headers['webhook-signature'])
    .split(' ')
    .map((one) => Buffer.from(one.replace(/^v1,/, ''), 'base64'))
    .some((given) => given.length === expected.length && timingSafeEqual(given, expected))
}

/**
 * Follows everything that happens, from where `consumer` is. `take` stores an event before the next one comes. What came after the last
 * acknowledgement comes again after a restart.
 */
export async function followChanges(consumer, take) {
  const client = createClient({
    url: url.replace(/^http/, 'ws'),
    webSocketImpl: WebSocket,
    connectionParams: { accessToken: key },
    retryAttempts: Number.POSITIVE_INFINITY,
    shouldRetry: () => true,
  })
  const query = `subscription F($consumer: String!) {
    changes(consumer: $consumer) { __typename cursor ... on MessageSent { message { id text sender { externalId } } } }
  }`
  let acknowledgedAt = 0
  for await (const { data, errors } of client.iterate({ query, variables: { consumer } })) {
    if (errors) throw new Error(errors[0].message)
    await take(data.changes)
    if (Date.now() - acknowledgedAt < 1_000) continue
    acknowledgedAt = Date.now()
    await parley(
      'mutation A($input: AcknowledgeChangesInput!) { acknowledgeChanges(input: $input) { changeConsumer { behindBy } } }',
      {
        input: { consumer, cursor: data.changes.cursor },
      },
    )
  }
}
