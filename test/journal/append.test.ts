// The lanes of src/journal/append.ts and the function beneath them: order, cost, repeats, and what happens to sends while
// connections die or the queue is full.

import { randomUUID } from 'node:crypto'
import { print } from 'graphql'
import type { Client as SocketClient } from 'graphql-ws'
import type pg from 'pg'
import { expect, test } from 'vitest'
import { ParleyError } from '../../src/errors.ts'
import { parseId } from '../../src/id.ts'
import type { SendOutcome } from '../../src/journal/send.ts'
import { type Device, signUpAll } from '../support/device.ts'
import * as documents from '../support/documents.ts'
import { type Environment, type Node, openNode } from '../support/node.ts'
import { connectAs, createGroup, createJournal, createUsers, eventually, input, row, sendBatch } from './ground.ts'

type Talk = {
  node: Node
  alice: Device
  bob: Device
  conversationId: string
  client: pg.Client
  conversation: number
  sender: number
}

async function openTalk(environment: Environment = {}): Promise<Talk> {
  const node = await openNode(environment)
  const [alice, bob] = await signUpAll(node, 'Alice', 'Bob')
  if (!alice || !bob) throw new Error('nobody came')
  const conversationId = await alice.group('A talk', bob)
  const client = await connectAs(node.databaseUrl, 'test append')
  const numbers = { conversation: parseId('Conversation', conversationId, ''), sender: parseId('User', alice.userId, '') }
  return { node, alice, bob, conversationId, client, ...numbers }
}

/** The texts of a conversation in order of `seq`. */
async function storedTexts(client: pg.Client, conversation: number): Promise<string[]> {
  const { rows } = await client.query<{ text: string; seq: number }>(
    'select text, seq from message where conversation_id = $1 order by seq',
    [conversation],
  )
  expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, i) => i + 1))
  return rows.map(({ text }) => text)
}

const numbered = (count: number, prefix = 'number') => Array.from({ length: count }, (_, i) => `${prefix} ${i + 1}`)

/** Holds the lock of the journal while something is done (for less than 2 s: see A3), so that sends gather behind it. */
async function whileLocked<T>(client: pg.Client, run: () => Promise<T>): Promise<T> {
  await client.query('begin')
  await client.query('select journal_lock()')
  const result = await run()
  await client.query('commit')
  return result
}

test('A10 the sends that one sender pipelines keep their order, while others send too', async () => {
  const { node, bob, client, conversation, sender } = await openTalk()
  const other = parseId('User', bob.userId, '')
  const noise = numbered(500, 'noise').map((text) => node.app.journal.send(input(conversation, other, text)))
  const texts = numbered(500)
  const outcomes = await Promise.all(texts.map((text) => node.app.journal.send(input(conversation, sender, text))))
  await Promise.all(noise)
  expect(outcomes.every(({ status }) => status === 'SENT')).toBe(true)
  const stored = await storedTexts(client, conversation)
  expect(stored.filter((text) => text.startsWith('number'))).toEqual(texts)
  expect(stored.filter((text) => text.startsWith('noise'))).toEqual(numbered(500, 'noise'))
})

/** Runs a mutation over a socket; resolves when it is complete. */
function mutate(socket: SocketClient, conversationId: string, text: string): Promise<void> {
  const payload = {
    query: print(documents.SendMessage),
    variables: { input: { conversationId, text, clientMessageId: randomUUID() } },
  }
  return new Promise((resolve, reject) => {
    socket.subscribe(payload, {
      next: ({ errors }) => errors && reject(new Error(JSON.stringify(errors))),
      error: (error) => reject(new Error(JSON.stringify(error))),
      complete: resolve,
    })
  })
}

test('A10 the sends that one device pipelines over its socket keep their order', async () => {
  const { alice, client, conversationId, conversation } = await openTalk()
  const socket = alice.socket()
  const texts = numbered(500)
  for (let i = 0; i < texts.length; i += 50) {
    await Promise.all(texts.slice(i, i + 50).map((text) => mutate(socket, conversationId, text)))
  }
  expect(await storedTexts(client, conversation)).toEqual(texts)
})

test('A10 within one batch the senders take turns, so that who sends much delays only himself', async () => {
  const { node, bob, client, conversation, sender } = await openTalk({ PARLEY_APPEND_LANES: '1' })
  const sends = await whileLocked(client, async () => {
    const first = node.app.journal.send(input(conversation, sender, 'first'))
    await eventually('the first send waits', async () => (await waiting(client)) > 0, 1_500)
    const much = numbered(600).map((text) => node.app.journal.send(input(conversation, sender, text)))
    return [first, ...much, node.app.journal.send(input(conversation, parseId('User', bob.userId, ''), 'little'))]
  })
  await Promise.all(sends)
  const stored = await storedTexts(client, conversation)
  expect(stored.indexOf('little')).toBeLessThan(4)
  expect(stored.filter((text) => text.startsWith('number'))).toEqual(numbered(600))
})

/** How many of the node's connections wait for the lock. */
async function waiting(client: pg.Client): Promise<number> {
  const { n } = await row<{ n: number }>(
    client,
    `select count(*) as n from pg_stat_activity where datname = current_database() and application_name = 'parley journal'
        and wait_event_type = 'Lock' and wait_event = 'advisory'`,
  )
  return n
}

test('B3 in a new database the hundredth batch of 200 costs no more than the first ones', async () => {
  const client = await connectAs(await createJournal(), 'test append')
  const users = Array.from({ length: 50 }, (_, i) => 100 + i)
  await createUsers(client, users)
  for (let id = 1; id <= 20; id += 1) await createGroup(client, id, users)
  const times: number[] = []
  for (let batch = 0; batch < 101; batch += 1) {
    const inputs = Array.from({ length: 200 }, (_, i) => input(1 + (i % 20), 100 + (i % 50), `batch ${batch}, message ${i}`))
    const start = performance.now()
    const { statuses } = await sendBatch(client, inputs)
    times.push(performance.now() - start)
    expect(statuses.every((status) => status === 0)).toBe(true)
  }
  // The quickest of ten: what else the machine does makes some of them slower, and none quicker.
  const [first, last] = [Math.min(...times.slice(1, 11)), Math.min(...times.slice(-10))]
  expect(last / first, `of the first ten ${first.toFixed(1)} ms, of the last ten ${last.toFixed(1)} ms`).toBeLessThan(3)
})

test('D2 fifty copies of a send at once are one message, and each gets it', async () => {
  const { alice, client, conversationId, conversation } = await openTalk()
  const key = randomUUID()
  const answers = await Promise.all(Array.from({ length: 50 }, () => alice.send(conversationId, 'only once', key)))
  const [first] = answers
  for (const answer of answers) expect(answer).toEqual(first)
  expect(await storedTexts(client, conversation)).toEqual(['only once'])
})

test('D2 a known key with other content is a conflict, at once and later, and changes nothing', async () => {
  const { node, alice, bob, client, conversationId, conversation, sender } = await openTalk()
  const send = input(conversation, sender, 'first')
  const outcomes = await Promise.all([send, send, { ...send, text: 'second' }].map((s) => node.app.journal.send(s)))
  expect(outcomes.map(({ status }) => status)).toEqual(['SENT', 'REPEATED', 'CONFLICT'])
  const again = { input: { conversationId, text: 'third', clientMessageId: send.clientMessageId } }
  expect((await alice.refused(documents.SendMessage, again)).extensions).toMatchObject({
    code: 'IDEMPOTENCY_CONFLICT',
    retryable: false,
    argument: 'input.clientMessageId',
  })
  // A key is its sender's own.
  expect((await bob.send(conversationId, 'the key of another', send.clientMessageId)).message.seq).toBe(2)
  expect(await storedTexts(client, conversation)).toEqual(['first', 'the key of another'])
})

test('A6 who was removed since still gets the first message for a repeat, and can send nothing new', async () => {
  const { alice, bob, client, conversationId, conversation } = await openTalk()
  const key = randomUUID()
  const first = await bob.send(conversationId, 'before I go', key)
  await alice.run(documents.RemoveMember, { input: { conversationId, userId: bob.userId } })
  const outcome = await sendBatch(client, [
    input(conversation, parseId('User', bob.userId, ''), 'before I go', key),
    input(conversation, parseId('User', bob.userId, ''), 'after I went'),
  ])
  expect(outcome.statuses).toEqual([1, 3])
  const { sendMessage } = await bob.run(documents.SendMessage, {
    input: { conversationId, text: 'before I go', clientMessageId: key },
  })
  expect(sendMessage).toEqual(first)
  const fresh = { input: { conversationId, text: 'after I went', clientMessageId: randomUUID() } }
  expect((await bob.refused(documents.SendMessage, fresh)).extensions.code).toBe('NOT_FOUND')
})

test('A6 an input that breaks its whole batch is refused alone', async () => {
  const { node, client, conversation, sender } = await openTalk()
  const texts = numbered(64)
  // The door refuses U+0000; here it comes in behind the door, as something unforeseen.
  const broken = texts.map((text, i) => (i === 20 || i === 41 ? `${text}\u0000` : text))
  const outcomes = await Promise.allSettled(broken.map((text) => node.app.journal.send(input(conversation, sender, text))))
  expect(outcomes.flatMap(({ status }, i) => (status === 'rejected' ? [i] : []))).toEqual([20, 41])
  expect(await storedTexts(client, conversation)).toEqual(texts.filter((_, i) => i !== 20 && i !== 41))
})

/** Sends until told to stop, eight at a time for each sender, always in order. */
async function sendOn(
  node: Node,
  conversation: number,
  senderId: number,
  isOver: () => boolean,
): Promise<Map<string, SendOutcome>> {
  const acknowledged = new Map<string, SendOutcome>()
  for (let turn = 0; !isOver(); turn += 1) {
    const sends = Array.from({ length: 8 }, (_, i) => input(conversation, senderId, `${senderId} ${turn * 8 + i}`))
    const outcomes = await Promise.all(sends.map((send) => node.app.journal.send(send)))
    for (const [i, outcome] of outcomes.entries()) acknowledged.set(sends[i]?.text ?? '', outcome)
  }
  return acknowledged
}

test('D1 D2 connections that are killed under load lose nothing and double nothing, and orders hold', async () => {
  const { node, alice, bob, client, conversation, sender } = await openTalk()
  const log = await bob.events().live()
  let isOver = false
  const running = [sender, parseId('User', bob.userId, '')].map((id) => sendOn(node, conversation, id, () => isOver))
  let killed = 0
  const kill = `select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and application_name = 'parley journal'`
  const killBusy = `${kill} and state = 'active' and query like 'call%'`
  const stored = async () => (await row<{ n: number }>(client, 'select count(*) as n from message')).n
  for (let round = 0; round < 12; round += 1) {
    const before = await stored()
    // Every other time while a CALL is under way; else every connection of the journal, whatever it does.
    await eventually('a connection to kill', async () => {
      const { rowCount } = await client.query(round % 2 === 0 ? killBusy : kill)
      killed += rowCount ?? 0
      return rowCount !== 0
    })
    await eventually('sends go on', async () => (await stored()) > before + 8)
  }
  isOver = true
  const acknowledged = new Map((await Promise.all(running)).flatMap((one) => [...one]))
  expect(killed).toBeGreaterThanOrEqual(12)
  const { rows } = await client.query<{ id: number; text: string }>('select id, text from message order by seq')
  expect(rows.length).toBe(acknowledged.size)
  for (const { id, text } of rows) {
    const outcome = acknowledged.get(text)
    if (outcome?.status === 'SENT') expect(outcome.message.id).toBe(id)
    else expect(outcome).toEqual({ status: 'REPEATED', messageId: id })
  }
  for (const id of [sender, parseId('User', bob.userId, '')]) {
    const turns = rows.filter(({ text }) => text.startsWith(`${id} `)).map(({ text }) => Number(text.split(' ')[1]))
    expect(turns).toEqual(turns.map((_, i) => i))
  }
  await alice.send((await log.first('MessageSent')).conversation.id, 'the end')
  await log.text('the end')
  expect(log.texts).toEqual([...rows.map(({ text }) => text), 'the end'])
})

test('D7 a full queue refuses with UNAVAILABLE, retryable, and what was taken is sent', async () => {
  const { node, alice, client, conversation, conversationId, sender } = await openTalk()
  const room = 10_000
  const taken = await whileLocked(client, async () => {
    const first = node.app.journal.send(input(conversation, sender, 'first'))
    await eventually('the first send waits', async () => (await waiting(client)) > 0, 1_500)
    const others = numbered(room).map((text) => node.app.journal.send(input(conversation, sender, text)))
    const refused = await node.app.journal.send(input(conversation, sender, 'one too many')).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(ParleyError)
    expect(refused).toMatchObject({ code: 'UNAVAILABLE', isRetryable: true, retryAfterMs: expect.any(Number) })
    const variables = { input: { conversationId, text: 'one too many', clientMessageId: randomUUID() } }
    const { extensions } = await alice.refused(documents.SendMessage, variables)
    expect(extensions).toMatchObject({ code: 'UNAVAILABLE', retryable: true, retryAfterMs: expect.any(Number) })
    return [first, ...others]
  })
  const outcomes = await Promise.all(taken)
  expect(outcomes.every(({ status }) => status === 'SENT')).toBe(true)
  expect(await storedTexts(client, conversation)).toEqual(['first', ...numbered(room)])
  await alice.send(conversationId, 'there is room again')
})
