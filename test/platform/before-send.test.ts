// The hook before a message is stored: it allows, refuses and changes messages and edits, many at once, and a sender's stay in order.

import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { beforeEach, expect, test } from 'vitest'
import { EditMessage } from '../law/documents.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { History, SendMessage } from '../support/documents.ts'
import { closeAtEnd, type Node, openNode } from '../support/node.ts'
import { openBackend } from './backend.ts'
import { SendSystemMessage } from './documents.ts'

type Asked = {
  kind: string
  text: string
  id: string | null
  sender: { id: string }
  conversation: { id: string }
  clientMessageId: string
}
type Answer = { status?: number; body: unknown; afterMs?: number }

let requests: Asked[][] = []
let answer: (messages: Asked[]) => Answer = allowAll
function allowAll(messages: Asked[]): Answer {
  return { body: { verdicts: messages.map(() => ({ action: 'ALLOW' })) } }
}

async function openHook(): Promise<string> {
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk) => {
      text += String(chunk)
    })
    request.on('end', () => {
      const { messages } = JSON.parse(text) as { messages: Asked[] }
      requests.push(messages)
      const { status = 200, body, afterMs = 0 } = answer(messages)
      setTimeout(() => response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body)), afterMs)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closeAtEnd(async () => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

const settings = async (more: object = {}) => ({
  PARLEY_BEFORE_SEND_URL: await openHook(),
  PARLEY_BEFORE_SEND_SECRET: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
  ...more,
})
const people = async (node: Node) => {
  const [alice, bob] = (await signUpAll(node, 'Alice', 'Bob')) as [Device, Device]
  return { alice, bob, group: await alice.group('Hooked', bob) }
}
const textsIn = async (device: Device, id: string) =>
  (await device.run(History, { id, last: 100 })).conversation?.messages.edges.map((edge) => edge?.node.text)

beforeEach(() => {
  requests = []
  answer = allowAll
})

test('it is asked about each message once, and allows, refuses and changes it', async () => {
  const node = await openNode(await settings())
  const { alice, bob, group } = await people(node)
  answer = (messages) => ({
    body: {
      verdicts: messages.map(({ text }) => {
        if (text === 'rude') return { action: 'REFUSE', reason: 'Please stay polite.' }
        return text === 'secret' ? { action: 'CHANGE', text: '******', data: { masked: true } } : { action: 'ALLOW' }
      }),
    },
  })
  const key = randomUUID()
  const first = await alice.send(group, 'hello', key)
  expect(requests).toMatchObject([
    [{ kind: 'SEND', text: 'hello', id: null, clientMessageId: key, sender: { id: alice.userId }, conversation: { id: group } }],
  ])
  expect(await alice.send(group, 'hello', key)).toEqual(first)
  expect(requests).toHaveLength(1)
  const input = { conversationId: group, text: 'rude', clientMessageId: randomUUID() }
  const refusal = await alice.refused(SendMessage, { input })
  expect(refusal).toMatchObject({ message: 'Please stay polite.', extensions: { code: 'MESSAGE_REFUSED', retryable: false } })
  const heard = await bob.events().live()
  const secret = randomUUID()
  const changed = await alice.send(group, 'secret', secret)
  expect(changed.message.text).toBe('******')
  await heard.text('******')
  expect(heard.seen.find((event) => event.__typename === 'MessageSent')).toMatchObject({ message: { data: { masked: true } } })
  // The key stands for what was sent, not for what was made of it.
  expect((await alice.send(group, 'secret', secret)).message.id).toBe(changed.message.id)
  const other = { conversationId: group, text: '******', clientMessageId: secret }
  expect((await alice.refused(SendMessage, { input: other })).extensions.code).toBe('IDEMPOTENCY_CONFLICT')
  expect(await textsIn(bob, group)).toEqual(['hello', '******'])
})

test('it is asked about edits, and not about what would be refused anyway, nor about system messages', async () => {
  const node = await openNode(await settings())
  const { alice, bob, group } = await people(node)
  const { message } = await alice.send(group, 'one')
  requests = []
  answer = () => ({ body: { verdicts: [{ action: 'CHANGE', text: 'made better' }] } })
  const { editMessage } = await alice.run(EditMessage, { input: { messageId: message.id, text: 'worse' } })
  expect(editMessage.message.text).toBe('made better')
  expect(requests).toMatchObject([[{ kind: 'EDIT', id: message.id, text: 'worse' }]])
  answer = () => ({ body: { verdicts: [{ action: 'REFUSE', reason: 'no' }] } })
  expect((await alice.refused(EditMessage, { input: { messageId: message.id, text: 'x' } })).extensions.code).toBe(
    'MESSAGE_REFUSED',
  )
  requests = []
  expect((await bob.refused(EditMessage, { input: { messageId: message.id, text: 'x' } })).extensions.code).toBe('FORBIDDEN')
  const [stranger] = (await signUpAll(node, 'Stranger')) as [Device]
  const input = { conversationId: group, text: 'x', clientMessageId: randomUUID() }
  expect((await stranger.refused(SendMessage, { input })).extensions.code).toBe('NOT_FOUND')
  await (await openBackend(node, 'SEND')).run(SendSystemMessage, { input })
  expect(requests).toEqual([])
})

test('messages that wait together are asked about together, and those of one sender stay in order', async () => {
  const node = await openNode(await settings())
  const { alice, bob, group } = await people(node)
  let late = 0
  answer = (messages) => {
    late += 1
    // Later requests are answered first.
    return { ...allowAll(messages), afterMs: late % 2 ? 200 : 0 }
  }
  await Promise.all(Array.from({ length: 40 }, (_, i) => (i % 2 ? alice : bob).send(group, `${i % 2 ? 'a' : 'b'}${i}`)))
  expect(requests.length).toBeLessThan(40)
  const stored = (await textsIn(bob, group)) ?? []
  for (const who of ['a', 'b']) {
    const own = stored.filter((text) => text.startsWith(who)).map((text) => Number(text.slice(1)))
    expect(own).toEqual(own.toSorted((x, y) => x - y))
    expect(own).toHaveLength(20)
  }
})

const wrong: [string, () => Answer][] = [
  ['hangs', () => ({ body: '', afterMs: 5_000 })],
  ['answers 500', () => ({ status: 500, body: '' })],
  ['answers no JSON', () => ({ body: 'nonsense' })],
  ['answers another form', () => ({ body: { verdicts: [{ action: 'MAYBE' }] } })],
  ['leaves a verdict out', () => ({ body: { verdicts: [] } })],
  ['refuses without a reason', () => ({ body: { verdicts: [{ action: 'REFUSE', reason: '' }] } })],
  ['empties the text', () => ({ body: { verdicts: [{ action: 'CHANGE', text: ' ' }] } })],
  ['gives data that is too large', () => ({ body: { verdicts: [{ action: 'CHANGE', data: 'x'.repeat(5_000) }] } })],
  ['answers too much', () => ({ body: `${' '.repeat(1_100_000)}{}` })],
]
test.each(wrong)('if it %s, nothing is sent, or everything, as the operator chose', async (_what, how) => {
  const closed = await openNode(await settings({ PARLEY_BEFORE_SEND_TIMEOUT_MS: '300', PARLEY_LOG_LEVEL: 'silent' }))
  const { alice, bob, group } = await people(closed)
  answer = how
  const input = { conversationId: group, text: 'hello', clientMessageId: randomUUID() }
  expect((await alice.refused(SendMessage, { input })).extensions).toMatchObject({ code: 'UNAVAILABLE', retryable: true })
  expect(await textsIn(bob, group)).toEqual([])
  // It is sent when the hook is back, with the same key.
  answer = allowAll
  await alice.run(SendMessage, { input })
  expect(await textsIn(bob, group)).toEqual(['hello'])
  const open = await openNode(
    await settings({ PARLEY_BEFORE_SEND_TIMEOUT_MS: '300', PARLEY_BEFORE_SEND_FAILURE: 'open', PARLEY_LOG_LEVEL: 'silent' }),
  )
  const others = await people(open)
  answer = how
  await others.alice.send(others.group, 'passes')
  expect(await textsIn(others.bob, others.group)).toEqual(['passes'])
})

test('a hook that is not there refuses messages, and the node still starts', async () => {
  const node = await openNode({
    ...(await settings({ PARLEY_LOG_LEVEL: 'silent' })),
    PARLEY_BEFORE_SEND_URL: 'http://127.0.0.1:9/',
  })
  const { alice, group } = await people(node)
  const input = { conversationId: group, text: 'hello', clientMessageId: randomUUID() }
  expect((await alice.refused(SendMessage, { input })).extensions.code).toBe('UNAVAILABLE')
})
