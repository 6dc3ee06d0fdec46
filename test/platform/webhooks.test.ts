// Webhooks: events are sent to a backend, signed, in order for each conversation, again until it has taken them, and by another node
// if one goes.

import { beforeAll, expect, test } from 'vitest'
import { type Device, signUpAll } from '../support/device.ts'
import { connect, type Node, openNode, openPair } from '../support/node.ts'
import { until } from '../support/until.ts'
import { type Backend, deviceOf, openBackend, openBackendOf } from './backend.ts'
import { CreateWebhook, DeleteWebhook, ReplayWebhook, UpdateWebhook, Webhooks } from './documents.ts'
import { Receiver } from './receiver.ts'

const allowed = { PARLEY_WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8' }
let here: Node
let there: Node
let alice: Device
let bob: Device
let backend: Backend

beforeAll(async () => {
  ;[here, there] = await openPair(allowed)
  ;[alice, bob] = (await signUpAll(here, 'Alice', 'Bob')) as [Device, Device]
  backend = await openBackend(here, 'WEBHOOKS')
})

/** A receiver with a webhook. */
async function follow(more: { kinds?: string[]; after?: string } = {}, by: Backend = backend) {
  const receiver = await Receiver.open()
  const { createWebhook } = await by.run(CreateWebhook, { input: { url: receiver.url, ...more } })
  receiver.secret = createWebhook.secret
  return Object.assign(receiver, { webhook: createWebhook.webhook })
}
const shown = async (id: string, by: Backend = backend) => {
  const found = (await by.run(Webhooks, {})).webhooks.find((webhook) => webhook.id === id)
  if (!found) throw new Error('there is no such webhook')
  return found
}
/** Lets the next attempt come now. */
const hurry = async (id: string) => {
  const sql = await connect(here.databaseUrl)
  await until('the failure', async () => (await shown(id)).retryAt !== null)
  await sql.query('update webhook set retry_at = now() where retry_at is not null')
}

test('events are sent as they happen, signed, with their data, and stay in order', async () => {
  const receiver = await follow()
  const group = await alice.group('Webhooks', bob)
  for (let i = 0; i < 20; i += 1) await alice.send(group, `text ${i}`)
  await receiver.text('text 19')
  expect(receiver.texts).toEqual(Array.from({ length: 20 }, (_, i) => `text ${i}`))
  expect(receiver.forged).toEqual([])
  const sent = receiver.taken.find(({ type }) => type === 'MessageSent')
  expect(sent).toMatchObject({
    id: expect.stringMatching(/^whk_\d+_\d+_-?\d+$/),
    timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
    data: {
      cursor: expect.any(String),
      message: { seq: 1, kind: 'USER', text: 'text 0', data: null, sender: { id: alice.userId, username: alice.username } },
      conversation: { id: group, title: 'Webhooks', externalId: null },
    },
  })
  expect(receiver.taken.map(({ type }) => type)).toEqual(
    expect.arrayContaining(['ConversationAdded', 'MemberJoined', 'MessageSent']),
  )
  await until('its place', async () => (await shown(receiver.webhook.id)).behindBy === 0)
})

test('only the chosen kinds are sent', async () => {
  const receiver = await follow({ kinds: ['MemberJoined'] })
  const group = await alice.group('Kinds', bob)
  await alice.send(group, 'not sent')
  await until('the joins', () => receiver.taken.length === 2)
  await until('its place', async () => (await shown(receiver.webhook.id)).behindBy === 0)
  expect(receiver.taken.map(({ type }) => type)).toEqual(['MemberJoined', 'MemberJoined'])
})

test('what a receiver does not take comes again with the same id and in order, and delays nobody else', async () => {
  const [failing, other] = [await follow({ kinds: ['MessageSent'] }), await follow({ kinds: ['MessageSent'] })]
  const group = await alice.group('Failing')
  failing.answer = () => 500
  for (const text of ['one', 'two', 'three']) await alice.send(group, text)
  await other.text('three')
  const { id } = failing.webhook
  await until('the failure', async () => (await shown(id)).lastError !== null)
  expect(await shown(id)).toMatchObject({
    lastError: 'the service answered 500',
    failingSince: expect.any(String),
    retryAt: expect.any(String),
    pausedAt: null,
  })
  failing.answer = ({ data }) => (data.message?.text === 'two' ? 503 : 200)
  await hurry(id)
  await until('the second failure', () => failing.texts.includes('one'))
  failing.answer = () => 200
  await hurry(id)
  await failing.text('three')
  expect(failing.texts).toEqual(['one', 'two', 'three'])
  const ids = new Map<string | undefined, Set<string>>()
  for (const { data, id: eventId } of failing.came) {
    const text = data.message?.text
    ids.set(text, (ids.get(text) ?? new Set()).add(eventId))
  }
  expect([...ids.values()].map(({ size }) => size)).toEqual([1, 1, 1])
  await until('its place', async () => (await shown(id)).lastError === null)
  expect(await shown(id)).toMatchObject({ failingSince: null, retryAt: null })
})

test('conversations do not wait for each other', async () => {
  const receiver = await follow({ kinds: ['MessageSent'] })
  const [slow, fast] = [await alice.group('Slow'), await alice.group('Fast')]
  let release = () => {}
  const held = new Promise<number>((resolve) => {
    release = () => resolve(200)
  })
  receiver.answer = ({ data }) => (data.conversation?.id === slow ? held : 200)
  await alice.send(slow, 'held')
  await alice.send(slow, 'after it')
  await alice.send(fast, 'at once')
  await receiver.text('at once')
  expect(receiver.texts).toEqual(['at once'])
  release()
  await receiver.text('after it')
  expect(receiver.texts).toEqual(['at once', 'held', 'after it'])
})

test('after three days of failures it is paused, until it is told to go on', async () => {
  const receiver = await follow({ kinds: ['MessageSent'] })
  const { id } = receiver.webhook
  const group = await alice.group('Paused')
  receiver.answer = () => 500
  await alice.send(group, 'one')
  await until('the failure', async () => (await shown(id)).lastError !== null)
  const sql = await connect(here.databaseUrl)
  await sql.query("update webhook set failing_since = now() - interval '73 hours' where failing_since is not null")
  await hurry(id)
  await until('the pause', async () => (await shown(id)).pausedAt !== null)
  receiver.answer = () => 200
  await alice.send(group, 'two')
  const { updateWebhook } = await backend.run(UpdateWebhook, { input: { webhookId: id, paused: false } })
  expect(updateWebhook.webhook).toMatchObject({ pausedAt: null, failingSince: null })
  await receiver.text('two')
  expect(receiver.texts).toEqual(['one', 'two'])
})

test('one is paused, moved to another address and another choice, replayed, and deleted', async () => {
  const [first, second] = [await follow({ kinds: ['MessageSent'] }), await Receiver.open()]
  const webhookId = first.webhook.id
  const group = await alice.group('Moved')
  await alice.send(group, 'first')
  await first.text('first')
  second.secret = first.secret
  await until('its place', async () => (await shown(webhookId)).behindBy === 0)
  await backend.run(UpdateWebhook, { input: { webhookId, paused: true } })
  expect((await shown(webhookId)).pausedAt).not.toBeNull()
  await alice.send(group, 'while paused')
  await backend.run(UpdateWebhook, { input: { webhookId, url: second.url, kinds: [], paused: false } })
  await second.text('while paused')
  expect(second.texts).toEqual(['while paused'])
  await backend.run(ReplayWebhook, { input: { webhookId, after: first.webhook.cursor } })
  await until('all of it again', () => second.texts.length === 3, 30_000)
  expect(second.texts).toEqual(['while paused', 'first', 'while paused'])
  expect(second.forged).toEqual([])
  const ids = second.came.filter(({ data }) => data.message?.text === 'while paused').map(({ id }) => id)
  expect(new Set(ids).size).toBe(1)
  await backend.run(DeleteWebhook, { input: { webhookId } })
  expect((await backend.refused(UpdateWebhook, { input: { webhookId, paused: true } })).extensions.code).toBe('NOT_FOUND')
})

test('when the node that sends goes, another one continues, and nothing is missing', async () => {
  const [one, two] = await openPair(allowed)
  const [carol] = (await signUpAll(one, 'Carol')) as [Device]
  const own = await openBackend(one, 'WEBHOOKS')
  const receiver = await follow({ kinds: ['MessageSent'] }, own)
  const group = await carol.group('Handed over')
  await carol.send(group, 'before')
  await receiver.text('before')
  const sql = await connect(one.databaseUrl)
  const holder = async () => (await sql.query('select worker from webhook')).rows[0].worker
  const before = await holder()
  await one.close()
  carol.node = two
  await carol.send(group, 'after')
  await receiver.text('after')
  expect(new Set(receiver.texts)).toEqual(new Set(['before', 'after']))
  expect(await holder()).not.toBe(before === null ? 'nobody' : undefined)
})

test('a receiver is told when events are missing, because the journal has another epoch', async () => {
  const node = await openNode(allowed)
  const own = await openBackend(node, 'WEBHOOKS')
  const receiver = await follow({ kinds: ['MessageSent'] }, own)
  await node.close()
  const sql = await connect(node.databaseUrl)
  await sql.query('update journal set epoch = gen_random_uuid()')
  await sql.query('update webhook set held_until = null')
  const again = await openNode({ ...allowed, DATABASE_URL: node.databaseUrl })
  await until('the reset', () => receiver.taken.length > 0, 30_000)
  expect(receiver.taken[0]).toMatchObject({ type: 'SyncStarted', data: { mode: 'RESET', reason: 'OTHER_EPOCH' } })
  const [dora] = (await signUpAll(again, 'Dora')) as [Device]
  await dora.send(await dora.group('After'), 'after')
  await receiver.text('after')
})

test('a key for one tenant has its own webhooks, with its own events', async () => {
  const red = await openBackendOf('red', here, 'WEBHOOKS', 'USERS')
  const rosa = await deviceOf(red, { externalId: 'rosa' })
  const receiver = await follow({ kinds: ['MessageSent'] }, red)
  await alice.send(await alice.group('None'), 'of none')
  await rosa.send(await rosa.group('Red'), 'red')
  await receiver.text('red')
  expect(receiver.texts).toEqual(['red'])
  expect((await red.run(Webhooks, {})).webhooks.map(({ id }) => id)).toEqual([receiver.webhook.id])
  const { id: webhookId } = (await follow()).webhook
  for (const document of [DeleteWebhook, UpdateWebhook]) {
    const refused = await red.refused(document as typeof DeleteWebhook, { input: { webhookId } })
    expect(refused.extensions.code).toBe('NOT_FOUND')
  }
})

test.each([
  ['no URL', { url: 'nonsense' }, 'input.url'],
  ['another scheme', { url: 'ftp://example.com/' }, 'input.url'],
  ['a password in it', { url: 'http://u:p@127.0.0.1/' }, 'input.url'],
  ['a private address', { url: 'https://10.0.0.1/' }, 'input.url'],
  ['a private address behind brackets', { url: 'https://[::1]/' }, 'input.url'],
  ['plain http on the internet', { url: 'http://93.184.215.14/' }, 'input.url'],
  ['an unknown kind', { url: 'http://127.0.0.1:9/', kinds: ['Nonsense'] }, 'input.kinds.0'],
  ['a cursor of another server', { url: 'http://127.0.0.1:9/', after: 'x' }, 'input.after'],
])('a webhook with %s is refused with the argument at fault', async (_what, input, argument) => {
  expect((await backend.refused(CreateWebhook, { input })).extensions).toMatchObject({ code: 'BAD_INPUT', argument })
})

test('without the setting, webhooks may not go to this machine; without the scope, there are none', async () => {
  const node = await openNode()
  const own = await openBackend(node, 'WEBHOOKS')
  const input = { url: 'http://127.0.0.1:9/' }
  expect((await own.refused(CreateWebhook, { input })).extensions).toMatchObject({ code: 'BAD_INPUT', argument: 'input.url' })
  const bare = await openBackend(here, 'ACT')
  expect((await bare.refused(CreateWebhook, { input })).extensions.code).toBe('FORBIDDEN')
  expect((await bare.refused(Webhooks, {})).extensions.code).toBe('FORBIDDEN')
  expect(there.url).not.toBe(here.url)
})
