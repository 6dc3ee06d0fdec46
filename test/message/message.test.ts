// Messages: sent once, kept to the character, read by page in both directions.

import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Device, request, signUpAll } from '../support/device.ts'
import { Conversations, History, Keys, Node as NodeById, RemoveMember, SendMessage, Snapshot } from '../support/documents.ts'
import { type Node, openNode, openPair } from '../support/node.ts'

let node: Node
let alice: Device
let bob: Device
let stranger: Device
let pair: string

beforeAll(async () => {
  node = await openNode()
  ;[alice, bob, stranger] = (await signUpAll(node, 'Alice', 'Bob', 'Stranger')) as [Device, Device, Device]
  pair = await alice.direct(bob)
})

const textsOf = async (device: Device, id: string) => {
  const { conversation } = await device.run(History, { id, last: 100 })
  return conversation?.messages.edges.map((edge) => edge?.node.text)
}

describe('sending', () => {
  test('keeps the text to the character', async () => {
    const group = await alice.group('Texts', bob)
    const texts = [
      '  spaces around  ',
      'two\nlines\tand a tab',
      '안녕하세요 👩‍👩‍👧‍👦 e\u0301',
      '%_\\\'"$1',
      'x'.repeat(10_000),
      '🦜'.repeat(10_000),
    ]
    for (const text of texts) expect((await alice.send(group, text)).message.text).toBe(text)
    expect(await textsOf(bob, group)).toEqual(texts)
  })

  const bad: [string, Record<string, string>, string, string][] = [
    ['an empty text', { text: '' }, 'BAD_INPUT', 'input.text'],
    ['white space alone', { text: ' \n\t ' }, 'BAD_INPUT', 'input.text'],
    ['10,001 characters', { text: 'x'.repeat(10_001) }, 'BAD_INPUT', 'input.text'],
    ['10,001 characters of two units each', { text: '🦜'.repeat(10_001) }, 'BAD_INPUT', 'input.text'],
    ['the character U+0000', { text: 'a\u0000b' }, 'BAD_INPUT', 'input.text'],
    ['half of a surrogate pair', { text: 'a\ud800b' }, 'BAD_INPUT', 'input.text'],
    ['a clientMessageId that is not a UUID', { clientMessageId: 'one' }, 'BAD_INPUT', 'input.clientMessageId'],
    ['an invalid conversation id', { conversationId: 'rubbish' }, 'BAD_INPUT', 'input.conversationId'],
    ["a user's id for the conversation", { conversationId: 'usr_0000000000001' }, 'BAD_INPUT', 'input.conversationId'],
    ['an unknown conversation', { conversationId: 'cnv_00000000zzzzz' }, 'NOT_FOUND', ''],
    ['a conversation id out of range', { conversationId: 'cnv_zzzzzzzzzzzzz' }, 'BAD_INPUT', 'input.conversationId'],
  ]
  test.each(bad)('refuses %s, and stores nothing', async (_what, change, code, argument) => {
    const before = await textsOf(alice, pair)
    const input = { conversationId: pair, clientMessageId: randomUUID(), text: 'hello', ...change }
    const { extensions } = await alice.refused(SendMessage, { input })
    expect(extensions).toMatchObject({ code, retryable: false, ...(argument ? { argument } : {}) })
    expect(await textsOf(alice, pair)).toEqual(before)
  })

  test('is refused to a stranger and to an anonymous caller', async () => {
    const input = { conversationId: pair, clientMessageId: randomUUID(), text: 'let me in' }
    expect((await stranger.refused(SendMessage, { input })).extensions.code).toBe('NOT_FOUND')
    expect((await request(node.url, SendMessage, { input })).errors[0]?.extensions.code).toBe('UNAUTHENTICATED')
    expect(await textsOf(alice, pair)).not.toContain('let me in')
  })

  test('A6 a refused input does not affect the others of its batch', async () => {
    const group = await alice.group('Batch', bob)
    const key = randomUUID()
    await alice.send(group, 'first', key)
    const send = (device: Device, text: string, clientMessageId = randomUUID()) =>
      request(node.url, SendMessage, { input: { conversationId: group, clientMessageId, text } }, device.accessToken)
    const answers = await Promise.all([
      ...Array.from({ length: 10 }, (_, i) => send(alice, `good ${i}`)),
      send(stranger, 'bad'),
      send(alice, 'other content', key),
      send(alice, 'first', key),
      ...Array.from({ length: 10 }, (_, i) => send(bob, `good too ${i}`)),
    ])
    expect(answers.map(({ data, errors }) => (data ? 'sent' : errors[0]?.extensions.code))).toEqual([
      ...Array(10).fill('sent'),
      'NOT_FOUND',
      'IDEMPOTENCY_CONFLICT',
      'sent',
      ...Array(10).fill('sent'),
    ])
    expect(await textsOf(bob, group)).toHaveLength(21)
  })
})

describe('a repeated send', () => {
  test('D2 returns the first message, to the character and the cursor, and changes nothing', async () => {
    const key = randomUUID()
    const first = await alice.send(pair, 'once', key)
    const again = await alice.send(pair, 'once', key.toUpperCase())
    expect(again).toEqual(first)
    const spelt = randomUUID().toUpperCase()
    const heard = await bob.events().live()
    const { message } = await alice.send(pair, 'in upper case', spelt)
    const repeated = await alice.send(pair, 'in upper case', spelt.toLowerCase())
    expect(repeated.message.id).toBe(message.id)
    await heard.text('in upper case')
    const { conversation } = await bob.run(Keys, { id: pair })
    expect(conversation?.lastMessage?.clientMessageId).toBe(spelt)
    const told = heard.seen.find((event) => event.__typename === 'MessageSent')
    expect(JSON.stringify(told)).toContain(message.id)
    expect((await textsOf(bob, pair))?.filter((text) => text === 'once')).toHaveLength(1)
  })

  test('D2 with different content is refused', async () => {
    const key = randomUUID()
    await alice.send(pair, 'one thing', key)
    const group = await alice.group('Elsewhere')
    for (const input of [
      { conversationId: pair, clientMessageId: key, text: 'another thing' },
      { conversationId: group, clientMessageId: key, text: 'one thing' },
    ]) {
      expect((await alice.refused(SendMessage, { input })).extensions).toMatchObject({
        code: 'IDEMPOTENCY_CONFLICT',
        argument: 'input.clientMessageId',
        retryable: false,
      })
    }
  })

  test('D2 the same key of another sender is independent', async () => {
    const key = randomUUID()
    const [a, b] = [await alice.send(pair, 'mine', key), await bob.send(pair, 'mine', key)]
    expect(a.message.id).not.toBe(b.message.id)
  })

  test('D2 50 copies that race on two nodes make one message, one id, one fact for each device', async () => {
    const [here, there] = await openPair()
    const [ann, ben] = (await signUpAll(here, 'Ann', 'Ben')) as [Device, Device]
    const id = await ann.direct(ben)
    const onThere = await ann.another(there)
    const heard = [await ben.events().live(), await (await ben.another(there)).events().live()]
    const key = randomUUID()
    const copies = await Promise.all(Array.from({ length: 50 }, (_, i) => (i % 2 ? ann : onThere).send(id, 'copied', key)))
    expect(new Set(copies.map((copy) => JSON.stringify(copy))).size).toBe(1)
    await onThere.send(id, 'the next one')
    for (const log of heard) expect((await log.text('the next one')).texts).toEqual(['copied', 'the next one'])
    expect(await textsOf(ben, id)).toEqual(['copied', 'the next one'])
  })

  test('D2 A6 a sender who was removed meanwhile still gets the first message', async () => {
    const group = await alice.group('Gone', bob)
    const key = randomUUID()
    const first = await bob.send(group, 'my last words', key)
    await alice.run(RemoveMember, { input: { conversationId: group, userId: bob.userId } })
    expect((await bob.send(group, 'my last words', key)).message.id).toBe(first.message.id)
    const input = { conversationId: group, clientMessageId: randomUUID(), text: 'one more' }
    expect((await bob.refused(SendMessage, { input })).extensions.code).toBe('NOT_FOUND')
  })
})

describe('seq and ids', () => {
  test('seq has no gaps and ids grow with it under concurrent sends', async () => {
    const group = await alice.group('Dense', bob)
    await Promise.all(Array.from({ length: 60 }, (_, i) => (i % 2 ? alice : bob).send(group, `${i}`)))
    const { conversation } = await bob.run(History, { id: group, last: 100 })
    const messages = conversation?.messages.edges.flatMap((edge) => (edge ? [edge.node] : [])) ?? []
    expect(messages.map(({ seq }) => seq)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1))
    const ids = messages.map(({ id }) => id)
    expect([...ids].sort()).toEqual(ids)
  })
})

describe('history', () => {
  let group: string
  beforeAll(async () => {
    group = await alice.group('History', bob)
    for (let i = 1; i <= 25; i += 1) await alice.send(group, `${i}`)
  })
  const page = async (variables: { first?: number; after?: string | null; last?: number; before?: string | null }) => {
    const { conversation } = await bob.run(History, { id: group, ...variables })
    if (!conversation) throw new Error('no conversation')
    return { ...conversation.messages.pageInfo, seqs: conversation.messages.edges.map((edge) => edge?.node.seq) }
  }

  test('pages forward without a gap or a repeat', async () => {
    const one = await page({ first: 10 })
    expect(one).toMatchObject({ hasNextPage: true, hasPreviousPage: false })
    const two = await page({ first: 10, after: one.endCursor ?? null })
    const three = await page({ first: 10, after: two.endCursor ?? null })
    expect([...one.seqs, ...two.seqs, ...three.seqs]).toEqual(Array.from({ length: 25 }, (_, i) => i + 1))
    expect(three).toMatchObject({ hasNextPage: false, hasPreviousPage: true })
  })

  test('pages backward from the newest message', async () => {
    const one = await page({ last: 10 })
    expect(one.seqs).toEqual([16, 17, 18, 19, 20, 21, 22, 23, 24, 25])
    expect(one).toMatchObject({ hasPreviousPage: true, hasNextPage: false })
    const two = await page({ last: 20, before: one.startCursor ?? null })
    expect(two.seqs).toEqual(Array.from({ length: 15 }, (_, i) => i + 1))
    expect(two).toMatchObject({ hasPreviousPage: false, hasNextPage: true })
  })

  test('pages do not shift when new messages arrive', async () => {
    const other = await alice.group('Moving', bob)
    for (let i = 1; i <= 6; i += 1) await alice.send(other, `${i}`)
    const read = async (before: string | null) => (await bob.run(History, { id: other, last: 3, before })).conversation?.messages
    const newest = await read(null)
    await alice.send(other, 'meanwhile')
    const older = await read(newest?.pageInfo.startCursor ?? null)
    expect(older?.edges.map((edge) => edge?.node.text)).toEqual(['1', '2', '3'])
  })

  test.each([
    ['first', { first: 0 }],
    ['first', { first: 101 }],
    ['last', { last: -1 }],
    ['last', { last: 101 }],
    ['last', { first: 1, last: 1 }],
    ['after', { first: 1, after: 'rubbish' }],
    ['before', { last: 1, before: '!!' }],
  ])('refuses invalid paging and names %s', async (argument, variables) => {
    const refusal = await bob.refused(History, { id: group, ...variables })
    expect(refusal.extensions).toMatchObject({ code: 'BAD_INPUT', argument })
  })

  test('is visible to members only: for a stranger the conversation does not exist', async () => {
    expect((await stranger.run(History, { id: group, last: 10 })).conversation).toBeNull()
    expect((await request(node.url, History, { id: group, last: 10 })).errors[0]?.extensions.code).toBe('UNAUTHENTICATED')
  })

  test('node finds by id what the viewer may see, and nothing else', async () => {
    const { message } = await alice.send(group, 'found by id')
    expect((await bob.run(NodeById, { id: message.id })).node).toMatchObject({ __typename: 'Message', text: 'found by id' })
    expect((await bob.run(NodeById, { id: group })).node).toMatchObject({ title: 'History' })
    expect((await bob.run(NodeById, { id: alice.userId })).node).toMatchObject({ username: 'alice' })
    expect((await bob.run(NodeById, { id: bob.sessionId })).node).toMatchObject({ deviceName: 'Phone' })
    for (const id of [message.id, group, alice.sessionId]) expect((await stranger.run(NodeById, { id })).node).toBeNull()
    expect((await stranger.run(NodeById, { id: 'rubbish' })).node).toBeNull()
  })
})

describe('the list of conversations', () => {
  test('is ordered by the latest activity, in both directions', async () => {
    const fresh = await openNode()
    const [ann, ben] = (await signUpAll(fresh, 'Ann', 'Ben')) as [Device, Device]
    const groups: string[] = []
    for (let i = 0; i < 7; i += 1) groups.push(await ann.group(`g${i}`, ben))
    await ben.send(groups[2] ?? '', 'up again')
    const read = async (variables: { first?: number; after?: string | null; last?: number; before?: string | null }) => {
      const { conversations } = await ann.run(Conversations, variables)
      return { ...conversations.pageInfo, titles: conversations.edges.map((edge) => edge?.node.title) }
    }
    const one = await read({ first: 3 })
    const two = await read({ first: 3, after: one.endCursor ?? null })
    const three = await read({ first: 3, after: two.endCursor ?? null })
    expect([...one.titles, ...two.titles, ...three.titles]).toEqual(['g2', 'g6', 'g5', 'g4', 'g3', 'g1', 'g0'])
    expect(three).toMatchObject({ hasNextPage: false, hasPreviousPage: true })
    expect((await read({ last: 2 })).titles).toEqual(['g1', 'g0'])
    expect((await read({ last: 2, before: three.startCursor ?? null })).titles).toEqual(['g3', 'g1'])
  })
})

describe('D4 snapshot and stream', () => {
  test('meet exactly: the snapshot and the events after its cursor contain every message once', async () => {
    const fresh = await openNode()
    const [ann, ben] = (await signUpAll(fresh, 'Ann', 'Ben')) as [Device, Device]
    const groups = [await ann.group('one', ben), await ann.group('two', ben)]
    let isWriting = true
    const writing = (async () => {
      for (let i = 0; isWriting && i < 2_000; i += 1) await ann.send(groups[i % 2] ?? '', `${i}`)
    })()
    for (let round = 0; round < 10; round += 1) {
      const snapshot = await ben.run(Snapshot, {})
      const stream = await ben.events({ after: snapshot.syncCursor }).live()
      await stream.until('some more', (log) => log.texts.length >= 5)
      stream.stop()
      const held = (snapshot.conversations.nodes ?? []).flatMap((c) => c?.messages.nodes ?? []).map((m) => Number(m?.text))
      const came = stream.texts.map(Number)
      const all = [...held, ...came].sort((a, b) => a - b)
      const least = Math.min(...all)
      expect(all).toEqual(Array.from({ length: all.length }, (_, i) => least + i))
      expect(Math.max(...held, -1)).toBeLessThan(Math.min(...came))
    }
    isWriting = false
    await writing
  })
})
