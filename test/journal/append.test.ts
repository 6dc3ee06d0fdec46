// The lanes of src/journal/append.ts and the function beneath them: order, cost, repeats, and sends while connections die or
// the queue is full.

import { randomUUID } from 'node:crypto'
import { setImmediate as immediate } from 'node:timers/promises'
import { print } from 'graphql'
import type { Client as SocketClient } from 'graphql-ws'
import type pg from 'pg'
import { expect, test } from 'vitest'
import { ParleyError } from '../../src/errors.ts'
import type { ConversationId, UserId } from '../../src/id.ts'
import { messageIdOf, parseId } from '../../src/id.ts'
import { changeProcedure } from '../../src/message/change.ts'
import type { SendInput, SendOutcome } from '../../src/message/send.ts'
import { type Device, signUpAll } from '../support/device.ts'
import * as documents from '../support/documents.ts'
import { type Environment, type Node, openNode } from '../support/node.ts'
import { appendSend, connectAs, createGroup, createJournal, createUsers, eventually, input, row, sendBatch } from './setup.ts'

type AppendSetup = {
  node: Node
  alice: Device
  bob: Device
  conversationId: string
  client: pg.Client
  conversation: ConversationId
  sender: UserId
}

async function openTalk(environment: Environment = {}): Promise<AppendSetup> {
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

/** Holds the lock of the journal during `act` (for less than 2 s: see A3), so that sends gather behind it. */
async function whileLocked<T>(client: pg.Client, run: () => Promise<T>): Promise<T> {
  await client.query('begin')
  await client.query('select journal_lock()')
  const result = await run()
  await client.query('commit')
  return result
}

test('A10 pipelined sends of one sender keep their order, also beside other senders', async () => {
  const { node, bob, client, conversation, sender } = await openTalk()
  const other = parseId('User', bob.userId, '')
  const noise = numbered(500, 'noise').map((text) => appendSend(node, input(conversation, other, text)))
  const texts = numbered(500)
  const outcomes = await Promise.all(texts.map((text) => appendSend(node, input(conversation, sender, text))))
  await Promise.all(noise)
  expect(outcomes.every(({ status }) => status === 'SENT')).toBe(true)
  const stored = await storedTexts(client, conversation)
  expect(stored.filter((text) => text.startsWith('number'))).toEqual(texts)
  expect(stored.filter((text) => text.startsWith('noise'))).toEqual(numbered(500, 'noise'))
})

/** Runs a mutation over a socket; resolves when it completes. */
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

test('A10 sends that a device pipelines over its socket keep their order', async () => {
  const { alice, client, conversationId, conversation } = await openTalk()
  const socket = alice.socket()
  const texts = numbered(500)
  for (let i = 0; i < texts.length; i += 50) {
    await Promise.all(texts.slice(i, i + 50).map((text) => mutate(socket, conversationId, text)))
  }
  expect(await storedTexts(client, conversation)).toEqual(texts)
})

test('A10 senders take turns within a batch, so a busy sender delays only themselves', async () => {
  const { node, bob, client, conversation, sender } = await openTalk({ PARLEY_APPEND_LANES: '1' })
  const sends = await whileLocked(client, async () => {
    const first = appendSend(node, input(conversation, sender, 'first'))
    await eventually('the first send waits', async () => (await waiting(client)) > 0, 1_500)
    const much = numbered(600).map((text) => appendSend(node, input(conversation, sender, text)))
    return [first, ...much, appendSend(node, input(conversation, parseId('User', bob.userId, ''), 'little'))]
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
  // The fastest of ten: other load makes some of them slower, and none faster.
  const [first, last] = [Math.min(...times.slice(1, 11)), Math.min(...times.slice(-10))]
  expect(last / first, `of the first ten ${first.toFixed(1)} ms, of the last ten ${last.toFixed(1)} ms`).toBeLessThan(3)
})

test('D2 fifty concurrent copies of a send make one message, and each gets it', async () => {
  const { alice, client, conversationId, conversation } = await openTalk()
  const key = randomUUID()
  const answers = await Promise.all(Array.from({ length: 50 }, () => alice.send(conversationId, 'only once', key)))
  const [first] = answers
  for (const answer of answers) expect(answer).toEqual(first)
  expect(await storedTexts(client, conversation)).toEqual(['only once'])
})

test('D2 a known key with different content is a conflict, at once and later, and changes nothing', async () => {
  const { node, alice, bob, client, conversationId, conversation, sender } = await openTalk()
  const send = input(conversation, sender, 'first')
  const outcomes = await Promise.all([send, send, { ...send, text: 'second' }].map((s) => appendSend(node, s)))
  expect(outcomes.map(({ status }) => status)).toEqual(['SENT', 'REPEATED', 'CONFLICT'])
  const again = { input: { conversationId, text: 'third', clientMessageId: send.clientMessageId } }
  expect((await alice.refused(documents.SendMessage, again)).extensions).toMatchObject({
    code: 'IDEMPOTENCY_CONFLICT',
    retryable: false,
    argument: 'input.clientMessageId',
  })
  // Keys of different senders are independent.
  expect((await bob.send(conversationId, 'the key of another', send.clientMessageId)).message.seq).toBe(2)
  expect(await storedTexts(client, conversation)).toEqual(['first', 'the key of another'])
})

test('A6 a removed sender still gets the first message for a repeat, and can send nothing new', async () => {
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
  // The API refuses U+0000; this input bypasses the API, as an unforeseen error.
  const broken = texts.map((text, i) => (i === 20 || i === 41 ? `${text}\u0000` : text))
  const outcomes = await Promise.allSettled(broken.map((text) => appendSend(node, input(conversation, sender, text))))
  expect(outcomes.flatMap(({ status }, i) => (status === 'rejected' ? [i] : []))).toEqual([20, 41])
  expect(await storedTexts(client, conversation)).toEqual(texts.filter((_, i) => i !== 20 && i !== 41))
})

/** Sends until it is told to stop, eight at a time for each sender, always in order. */
async function sendOn(
  node: Node,
  conversation: number,
  senderId: number,
  isOver: () => boolean,
): Promise<Map<string, SendOutcome>> {
  const acknowledged = new Map<string, SendOutcome>()
  for (let turn = 0; !isOver(); turn += 1) {
    const sends = Array.from({ length: 8 }, (_, i) => input(conversation, senderId, `${senderId} ${turn * 8 + i}`))
    const outcomes = await Promise.all(sends.map((send) => appendSend(node, send)))
    for (const [i, outcome] of outcomes.entries()) acknowledged.set(sends[i]?.text ?? '', outcome)
  }
  return acknowledged
}

test('D1 D2 connections killed under load lose and double nothing, and orders hold', async () => {
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
    // Every other time during a CALL; otherwise every connection of the journal.
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

test('D7 refuses a sender with a full share with RATE_LIMITED, and no other; what it accepted is sent', async () => {
  const { node, alice, bob, client, conversation, conversationId, sender } = await openTalk({ PARLEY_APPEND_LANES: '1' })
  const share = 1_000
  const taken = await whileLocked(client, async () => {
    const first = appendSend(node, input(conversation, sender, 'first'))
    await eventually('the first send waits', async () => (await waiting(client)) > 0, 1_500)
    const others = numbered(share).map((text) => appendSend(node, input(conversation, sender, text)))
    const refused = await appendSend(node, input(conversation, sender, 'one too many')).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(ParleyError)
    const change = { messageId: messageIdOf(1), actorId: sender, change: 'react', emoji: '👍' } as const
    expect(await node.app.journal.append(changeProcedure, change.actorId, change).catch((error: unknown) => error)).toMatchObject(
      { code: 'RATE_LIMITED' },
    )
    const variables = { input: { conversationId, text: 'one too many', clientMessageId: randomUUID() } }
    const { extensions } = await alice.refused(documents.SendMessage, variables)
    expect(extensions).toMatchObject({ code: 'RATE_LIMITED', retryable: true, retryAfterMs: expect.any(Number) })
    return [first, ...others, appendSend(node, input(conversation, parseId('User', bob.userId, ''), 'by somebody else'))]
  })
  const outcomes = await Promise.all(taken)
  expect(outcomes.every(({ status }) => status === 'SENT')).toBe(true)
  const stored = await storedTexts(client, conversation)
  expect(stored.filter((text) => text !== 'by somebody else')).toEqual(['first', ...numbered(share)])
  expect(stored.indexOf('by somebody else')).toBeLessThan(4)
  await alice.send(conversationId, 'there is room again')
})

test('D7 in a full queue the senders with the most make room for others, and long texts fill a share as well', async () => {
  const { node, client, conversation, sender } = await openTalk({ PARLEY_APPEND_LANES: '2' })
  const send = (one: SendInput) => appendSend(node, one)
  const strangers = Array.from({ length: 10 }, (_, i) => sender + 1_000 + 2 * i)
  const { settled } = await whileLocked(client, async () => {
    const first = send(input(conversation, sender, 'first'))
    await eventually('the first send waits', async () => (await waiting(client)) > 0, 1_500)
    // The journal refuses these senders later; here only the queues of the two lanes matter.
    const full = strangers.flatMap((stranger) => numbered(1_000).map((text) => send(input(conversation, stranger, text))))
    const newcomer = numbered(20, 'newcomer').map((text) => send(input(conversation, sender, text)))
    const long = numbered(60).map(() => send(input(conversation, sender + 1_001, 'x'.repeat(100_000))))
    return { settled: Promise.allSettled([first, ...newcomer, ...long, ...full]) }
  })
  const outcomes = await settled
  const newcomer = outcomes.slice(0, 21).map((outcome) => outcome.status === 'fulfilled' && outcome.value.status)
  expect(newcomer).toEqual(Array(21).fill('SENT'))
  const refused = (from: number, to: number) =>
    outcomes.slice(from, to).flatMap((outcome, i) => (outcome.status === 'rejected' ? [{ i, reason: outcome.reason }] : []))
  const tooLong = refused(21, 81)
  const inShare = Math.floor(4_194_304 / 100_100)
  expect(tooLong.map(({ i }) => i)).toEqual(Array.from({ length: 60 - inShare }, (_, i) => inShare + i))
  // The senders with the most give up their newest ones, in turns.
  const evicted = refused(81, outcomes.length)
  expect(evicted.map(({ i }) => i % 1_000).sort()).toEqual([...Array(10).fill(998), ...Array(10).fill(999)])
  for (const { reason } of [...tooLong, ...evicted]) expect(reason).toMatchObject({ code: 'RATE_LIMITED', isRetryable: true })
})

test('A10 while one sender floods a lane, the sends of another wait for two batches at most', async () => {
  const { node, bob, conversation, sender } = await openTalk({ PARLEY_APPEND_LANES: '1' })
  let isOver = false
  const flood = Array.from({ length: 1_500 }, async () => {
    while (!isOver) await appendSend(node, input(conversation, sender, 'flood')).catch(() => immediate())
  })
  for (let i = 0; i < 20; i += 1) {
    const before = node.app.journal.head().position
    const outcome = await appendSend(node, input(conversation, parseId('User', bob.userId, ''), `little ${i}`))
    if (outcome.status !== 'SENT') throw new Error(outcome.status)
    // The batch under way, and the one with this send: 200 inputs each.
    expect(outcome.place.position - before).toBeLessThanOrEqual(400)
  }
  isOver = true
  await Promise.all(flood)
})
