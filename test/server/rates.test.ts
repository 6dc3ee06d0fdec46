// The rates: a user who is too fast is refused, loses nothing, and disturbs nobody.

import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { UpdateProfile } from '../account/documents.ts'
import { MarkRead } from '../law/documents.ts'
import { SearchMessages } from '../search/documents.ts'
import { type ClientError, type Device, request, signUpAll } from '../support/device.ts'
import { Keys, LogIn, SendMessage, SetTyping, Unread, Viewer } from '../support/documents.ts'
import { type Node, openNode } from '../support/node.ts'
import { unlimited } from '../support/rates.ts'
import { until } from '../support/until.ts'

let node: Node
let ann: Device
let ben: Device
let conversationId: string

beforeAll(async () => {
  node = await openNode({
    PARLEY_RATE_SENDS: '2/4',
    PARLEY_RATE_MUTATIONS: '2/3',
    PARLEY_RATE_QUERIES: '2/6',
    PARLEY_RATE_SEARCHES: '1/2',
    PARLEY_RATE_SIGNALS: '2/5',
  })
  ;[ann, ben] = (await signUpAll(node, 'Ann', 'Ben')) as [Device, Device]
  conversationId = await ann.direct(ben)
})

const message = (id: string, clientMessageId = randomUUID()) => ({
  input: { conversationId: id, text: 'fast', clientMessageId },
})

/** Does something many times at once. @returns how often it was done, and the refusals */
async function burst(times: number, act: () => Promise<{ errors: readonly ClientError[] }>) {
  const results = await Promise.all(Array.from({ length: times }, act))
  const refusals = results.flatMap(({ errors }) => errors)
  return { done: results.length - refusals.length, refusals }
}

const refusedAll = (refusals: readonly ClientError[]) => {
  for (const { extensions } of refusals) {
    expect(extensions).toMatchObject({ code: 'RATE_LIMITED', retryable: true })
    expect(extensions.retryAfterMs).toBeGreaterThan(0)
    expect(extensions.retryAfterMs).toBeLessThanOrEqual(1_000)
  }
}

describe('D7 beyond a rate a user is refused, and another user is not', () => {
  type Act = (device: Device, id: string) => Promise<{ errors: readonly ClientError[] }>
  const cases: Record<string, [atOnce: number, act: Act]> = {
    sends: [4, (device, id) => request(node.url, SendMessage, message(id), device.accessToken)],
    mutations: [3, (device) => request(node.url, UpdateProfile, { input: { bio: randomUUID() } }, device.accessToken)],
    queries: [6, (device) => request(node.url, Viewer, {}, device.accessToken)],
    searches: [2, (device) => request(node.url, SearchMessages, { query: 'fast' }, device.accessToken)],
    signals: [
      5,
      (device, id) => request(node.url, SetTyping, { input: { conversationId: id, typing: true } }, device.accessToken),
    ],
  }
  test.each(Object.entries(cases))('%s', async (kind, [atOnce, act]) => {
    const [host, fast, calm] = (await signUpAll(node, `Host-${kind}`, `Fast-${kind}`, `Calm-${kind}`)) as [Device, Device, Device]
    const group = await host.group('Rates', fast, calm)
    const { done, refusals } = await burst(atOnce + 10, () => act(fast, group))
    // A second may have begun meanwhile, which allows some more.
    expect(done).toBeGreaterThanOrEqual(atOnce)
    expect(done).toBeLessThan(atOnce + 8)
    refusedAll(refusals)
    expect((await act(calm, group)).errors).toEqual([])
  })
})

test('D2 D7 a send that was refused is accepted later under the same key, and is one message', async () => {
  const key = randomUUID()
  const refused: ClientError[] = []
  await until('a refusal', async () => {
    const { errors } = await request(node.url, SendMessage, message(conversationId), ann.accessToken)
    return errors.length > 0
  })
  await until('the message', async () => {
    const { errors } = await request(node.url, SendMessage, message(conversationId, key), ann.accessToken)
    refused.push(...errors)
    return errors.length === 0
  })
  refusedAll(refused)
  await until('the repeat', async () => {
    const { data } = await request(node.url, SendMessage, message(conversationId, key), ann.accessToken)
    return data !== null
  })
  const { conversation } = await ben.run(Keys, { id: conversationId })
  expect(conversation?.lastMessage?.clientMessageId).toBe(key)
})

test('D7 each send of a document counts, also in a fragment, and over a WebSocket', async () => {
  const document = `mutation M($input: SendMessageInput!) { ...F }
    fragment F on Mutation { ${Array.from({ length: 30 }, (_, i) => `a${i}: sendMessage(input: $input) { message { id } }`).join(' ')} }`
  const response = await fetch(node.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${ben.accessToken}` },
    body: JSON.stringify({ query: document, variables: message(conversationId) }),
  })
  expect(response.headers.get('retry-after')).toBe('1')
  const { errors } = (await response.json()) as { errors: ClientError[] }
  refusedAll(errors)
  expect(errors).toHaveLength(1)
  const socket = ben.socket()
  const seen = await new Promise<unknown>((resolve, reject) => {
    socket.subscribe(
      { query: document, variables: message(conversationId) },
      { next: resolve, error: reject, complete: () => undefined },
    )
  })
  refusedAll((seen as { errors: ClientError[] }).errors)
})

test('D7 operations without a session are counted by address', async () => {
  const other = await openNode({ PARLEY_RATE_ANONYMOUS: '2/5' })
  const input = { username: 'nobody-here', password: 'wrong password', deviceName: 'x' }
  const { refusals } = await burst(20, () => request(other.url, LogIn, { input }))
  const limited = refusals.filter(({ extensions }) => extensions.code === 'RATE_LIMITED')
  expect(limited.length).toBeGreaterThanOrEqual(10)
  refusedAll(limited)
})

test('markRead and other signals take nothing from the rate of changes', async () => {
  const other = await openNode({ ...unlimited, PARLEY_RATE_MUTATIONS: '1/1' })
  const [cyd, dan] = (await signUpAll(other, 'Cyd', 'Dan')) as [Device, Device]
  const id = await cyd.direct(dan)
  for (let seq = 0; seq < 5; seq += 1) await dan.run(MarkRead, { input: { conversationId: id, seq } })
  expect((await dan.run(Unread, { id })).conversation?.unreadCount).toBe(0)
})

test('D7 a query that reads much counts as several', async () => {
  const other = await openNode({ PARLEY_RATE_QUERIES: '4/12' })
  const [fay] = (await signUpAll(other, 'Fay')) as [Device]
  const query = '{ conversations(first: 100) { nodes { messages(last: 30) { nodes { id seq text version } } } } }'
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${fay.accessToken}` }
  const ask = async () => {
    const response = await fetch(other.url, { method: 'POST', headers, body: JSON.stringify({ query }) })
    return { errors: ((await response.json()) as { errors?: ClientError[] }).errors ?? [] }
  }
  const { done, refusals } = await burst(12, ask)
  // It counts as four, the most that one may: the rate of one second, and two more of the burst.
  expect(done).toBeGreaterThanOrEqual(3)
  expect(done).toBeLessThanOrEqual(5)
  refusedAll(refusals)
})

test('D7 subscriptions that are opened count as queries, over a WebSocket too', async () => {
  const other = await openNode({ PARLEY_RATE_QUERIES: '1/3' })
  const [eve] = (await signUpAll(other, 'Eve')) as [Device]
  const socket = eve.socket()
  const results = await Promise.all(
    Array.from({ length: 10 }, () => {
      return new Promise<unknown>((resolve) => {
        const query = 'subscription { events { __typename } }'
        socket.subscribe({ query }, { next: resolve, error: resolve, complete: () => undefined })
      })
    }),
  )
  const refused = results.filter((result) => JSON.stringify(result).includes('RATE_LIMITED'))
  expect(refused.length).toBeGreaterThanOrEqual(5)
  expect(refused.length).toBeLessThanOrEqual(7)
})
