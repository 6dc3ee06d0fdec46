// parley-client/testing: the server in memory, and the faults of its network.

import { readFile } from 'node:fs/promises'
import { buildSchema, isObjectType, print } from 'graphql'
import { expect, test } from 'vitest'
import { createParleyClient, type ParleyClient } from '../../client/src/client.ts'
import { openStore, type ParleyStore } from '../../client/src/react.ts'
import { resolverNames } from '../../client/src/testing/root-fields.ts'
import {
  createTestServer,
  lacksCode,
  type TestServer,
  type TestServerOptions,
  worstNetwork,
} from '../../client/src/testing/testing.ts'
import * as documents from '../support/documents.ts'
import { closeAtEnd } from '../support/node.ts'
import { withSeed } from '../support/random.ts'
import { until } from '../support/until.ts'
import { act } from './actions.ts'
import { quick } from './app.ts'
import { runRecipe } from './recipe.ts'
import { expectFresh, watchAll } from './store-state.ts'

const seed = {
  users: ['alice', { username: 'bob', displayName: 'Bob B.' }, 'carol'],
  conversations: [
    { title: 'Lunch', members: ['alice', 'bob', 'carol'], messages: [{ from: 'bob', text: 'Pizza?' }] },
    { members: ['alice', 'bob'], messages: [{ from: 'alice', text: 'Hi Bob' }] },
  ],
}

function open(options: TestServerOptions = {}): TestServer {
  const server = createTestServer({ seed, ...options })
  closeAtEnd(async () => server.close())
  return server
}

const lineOf = ({ url, fetch, webSocketImpl }: TestServer) => ({ url, fetch, webSocketImpl })

function clientOf(server: TestServer, username: string): ParleyClient {
  const client = createParleyClient({
    ...lineOf(server),
    print,
    session: server.credentials(username),
    limits: { ...quick, firstMs: 5, maxMs: 50 },
  })
  closeAtEnd(() => client.close())
  return client
}

async function storeOf(server: TestServer, username: string): Promise<ParleyStore> {
  const store = await openStore(clientOf(server, username))
  closeAtEnd(() => store.close())
  await until('the store to be live', () => store.client.state.status === 'LIVE')
  return store
}

const texts = (store: ParleyStore, id: string) => store.messages(id).messages.map(({ text }) => text)

test('begins with its seed, and others act in it', async () => {
  const server = open()
  const store = await storeOf(server, 'alice')
  const id = server.conversationId('alice', 'Lunch')
  store.watch(id)
  await until('the messages', () => texts(store, id).length === 1)
  expect(store.list.map((each) => store.conversation(each)?.title ?? store.conversation(each)?.otherUser?.displayName)).toEqual([
    'Bob B.',
    'Lunch',
  ])
  expect(store.conversation(id)?.unreadCount).toBe(1)
  server.as('carol').send('Lunch', 'Sushi!')
  server.as('bob').send('alice', 'Hi Alice')
  await until('the message', () => texts(store, id).length === 2)
  expect(texts(store, id)).toEqual(['Pizza?', 'Sushi!'])
  expect(store.totals).toEqual({ conversations: 2, messages: 3, mentions: 0 })
  const { viewer } = server
    .as('carol')
    .execute<{ viewer: { username: string } }, Record<string, never>>('{ viewer { username } }', {})
  expect(viewer.username).toBe('carol')
})

test('the example of the README works', async () => {
  const names = ['client', 'server']
  const { client, server } = await runRecipe<{ client: ParleyClient; server: TestServer }>('Testing your app', {}, names)
  closeAtEnd(async () => server.close())
  closeAtEnd(() => client.close())
  server.network.heal()
  const store = await openStore(client)
  closeAtEnd(() => store.close())
  await until('the message', () => store.totals.messages === 2)
})

test('a lost answer and a doubled request make one message', async () => {
  const server = open()
  const store = await storeOf(server, 'alice')
  const id = server.conversationId('alice', 'Lunch')
  store.watch(id)
  server.network.next('LOSE_ANSWER', 'lost answer')
  server.network.next('LOSE_REQUEST', 'lost request')
  server.network.next('DOUBLE', 'doubled')
  for (const text of ['lost answer', 'lost request', 'doubled']) await store.send({ conversationId: id, text })
  await until('the messages', () => texts(store, id).length === 4 && store.messages(id).pending.length === 0)
  expect(texts(store, id)).toEqual(['Pizza?', 'lost answer', 'lost request', 'doubled'])
})

test('an answer that is held is overtaken by a later one', async () => {
  const server = open()
  const client = clientOf(server, 'alice')
  const release = server.network.hold('Slow')
  const order: string[] = []
  const slow = client.execute('query Slow { viewer { id } }', {}).then(() => order.push('slow'))
  await client.execute('query Fast { viewer { id } }', {}).then(() => order.push('fast'))
  release()
  await slow
  expect(order).toEqual(['fast', 'slow'])
})

test('a cut network, a dropped socket and a RESET lose nothing', async () => {
  const server = open()
  const store = await storeOf(server, 'alice')
  const id = server.conversationId('alice', 'Lunch')
  store.watch(id)
  const say = async (text: string) => {
    server.as('bob').send('Lunch', text)
    await until(`"${text}"`, () => texts(store, id).at(-1) === text)
  }
  server.network.cut()
  await until('the loss', () => store.client.state.status !== 'LIVE')
  server.network.restore()
  await say('after a cut')
  server.network.dropSockets()
  await say('after a drop')
  for (const reason of ['CURSOR_TOO_OLD', 'OTHER_EPOCH'] as const) {
    server.reset(reason)
    await say(`after ${reason}`)
  }
  expect(texts(store, id)).toHaveLength(5)
  await expectFresh(store, () => storeOf(server, 'alice'))
})

test('what was sent before and after a new epoch leaves the outbox once the snapshot has it', async () => {
  const server = open()
  const store = await storeOf(server, 'alice')
  const id = server.conversationId('alice', 'Lunch')
  server.network.next('LOSE_ANSWER', 'before')
  await store.send({ conversationId: id, text: 'before' })
  server.network.dropSockets()
  server.reset('OTHER_EPOCH')
  await store.send({ conversationId: id, text: 'after' })
  store.watch(id)
  await until('the messages', () => texts(store, id).length === 3)
  await until('an empty outbox', () => store.client.outbox.messages.length === 0)
})

test('a message whose event comes before its lost answer, or that is discarded before it, does not come back', async () => {
  const server = open()
  const store = await storeOf(server, 'alice')
  const id = server.conversationId('alice', 'Lunch')
  store.watch(id)
  const { outbox } = store.client
  for (const { text, isDiscarded } of [
    { text: 'brought', isDiscarded: false },
    { text: 'discarded', isDiscarded: true },
  ]) {
    if (isDiscarded) server.network.next('LOSE_REQUEST', text)
    else server.network.next('LOSE_ANSWER', text)
    const release = server.network.hold(text)
    const { clientMessageId } = await store.send({ conversationId: id, text })
    if (isDiscarded) await outbox.discard(clientMessageId)
    await outbox.settled(clientMessageId)
    release()
    await store.send({ conversationId: id, text: `after ${text}` })
    await until('the next one', () => texts(store, id).at(-1) === `after ${text}`)
    await until('an empty outbox', () => outbox.messages.length === 0, 2_000)
  }
  expect(texts(store, id)).toEqual(['Pizza?', 'brought', 'after brought', 'after discarded'])
})

test('what was sent in an epoch that no event came from leaves the outbox with the next one', async () => {
  const server = open({ print: print as never })
  const store = await storeOf(server, 'alice')
  const id = server.conversationId('alice', 'Lunch')
  const count = () => server.as('bob').execute(documents.OneConversation, { id }).conversation?.lastMessage?.seq
  server.network.set({ latencyMs: 40 })
  server.reset('OTHER_EPOCH')
  await store.send({ conversationId: id, text: 'between' })
  await until('the message', () => count() === 2)
  server.reset('OTHER_EPOCH')
  await until('an empty outbox', () => store.client.outbox.messages.length === 0)
})

test('expired tokens are refreshed, and an ended session ends its clients', async () => {
  const server = open()
  const session = server.credentials('alice')
  const client = createParleyClient({ ...lineOf(server), session, limits: quick })
  closeAtEnd(() => client.close())
  const store = await openStore(client)
  closeAtEnd(() => store.close())
  await until('the store to be live', () => client.state.status === 'LIVE')
  const { current } = session
  server.expireTokens()
  await until('a fresh token', () => session.current?.accessToken !== current?.accessToken && client.state.status === 'LIVE')
  server.endSessions('alice')
  await until('the end', () => client.state.status === 'SIGNED_OUT')
  expect(session.current).toBeNull()
})

test('typing lapses, and a message ends it', async () => {
  const server = open()
  const client = clientOf(server, 'alice')
  const seen: string[] = []
  const conversationId = server.conversationId('alice', 'Lunch')
  client.subscribe(
    documents.Typing,
    { conversationId },
    { next: ({ typing }) => seen.push(typing.users.map(({ username }) => username).join(' ')) },
  )
  await until('nobody', () => seen.length === 1)
  server.as('bob').type('Lunch')
  await until('bob', () => seen.at(-1) === 'bob')
  server.as('bob').send('Lunch', 'Soup')
  await until('nobody again', () => seen.at(-1) === '')
})

test('after a drawn run under the worst network, a store is what a new one reads, and shows no message twice or out of order', () =>
  withSeed(async (random) => {
    const server = open({ random: random.whole(1, 2 ** 31), print: print as never })
    const id = server.conversationId('alice', 'Lunch')
    const people = ['alice', 'bob', 'carol'].map((username) => {
      const actor = server.as(username)
      const run = async (...[document, variables]: Parameters<typeof actor.execute>) => actor.execute(document, variables)
      const group = async (title: string, other: { userId: string }) => {
        const { createGroup } = actor.execute(documents.CreateGroup, { input: { title, memberIds: [other.userId] } })
        return createGroup.conversation.id
      }
      return { username, userId: actor.userId, run: run as never, group }
    })
    const store = await storeOf(server, 'alice')
    const faults: string[] = []
    const check = (conversation: string) => {
      const { messages, pending } = store.messages(conversation)
      const seqs = messages.map(({ seq }) => seq)
      // There may be gaps, where the user has hidden messages.
      if (seqs.some((seq, i) => i > 0 && seq <= (seqs[i - 1] ?? 0))) faults.push(`${conversation}: ${seqs}`)
      const keys = [...messages, ...pending].map(({ clientMessageId }) => clientMessageId)
      if (new Set(keys).size < keys.length) faults.push(`${conversation}: ${keys}`)
    }
    const watched = new Set<string>()
    const watchNew = () => {
      for (const each of store.list) {
        if (watched.has(each)) continue
        watched.add(each)
        store.subscribe(`messages ${each}`, () => check(each))
      }
      watchAll(store)
    }
    store.subscribe('list', watchNew)
    watchNew()
    const made = { people, conversations: [id, server.conversationId('alice', 'bob')], sent: [], haveParted: false }
    server.network.set(worstNetwork)
    for (let n = 0; n < 60; n += 1) {
      await act(random, made)
      if (random.chance(0.2)) await store.send({ conversationId: id, text: `own ${n}` })
      if (random.chance(0.03)) server.reset(random.one(['CURSOR_TOO_OLD', 'OTHER_EPOCH']))
      if (random.chance(0.03)) server.expireTokens()
      await new Promise((resolve) => setTimeout(resolve, random.whole(0, 15)))
    }
    server.network.heal()
    await until('the outbox', () => store.client.outbox.messages.every(({ status }) => status === 'FAILED'), 20_000)
    await until('the store to be live', () => store.client.state.status === 'LIVE', 20_000)
    for (const { clientMessageId } of store.client.outbox.messages) await store.client.outbox.discard(clientMessageId)
    await expectFresh(store, () => storeOf(server, 'alice'))
    expect(faults).toEqual([])
  }))

test('a subscription that the server refuses is over, and its app is told', async () => {
  const server = open({ seed: { users: ['alice', 'bob'] } })
  const { userId } = server.as('bob')
  const query = 'subscription Presence($ids: [ID!]!) { presence(userIds: $ids) { state } }'
  const failure = new Promise((resolve) => {
    clientOf(server, 'alice').subscribe(query, { ids: [userId] }, { next: () => undefined, failed: resolve })
  })
  expect(await failure).toMatchObject({ code: 'NOT_FOUND' })
})

test('the same random seed draws the same network', async () => {
  const run = async (number: number) => {
    const server = open({ random: number, network: { loseRequests: 0.5 } })
    const answers: string[] = []
    for (let n = 0; n < 20; n += 1) {
      const body = JSON.stringify({ query: '{ limits { messageTextMax } }' })
      const sent = server.fetch(server.url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
      answers.push(await sent.then(() => 'answer').catch(() => 'lost'))
    }
    return answers.join(' ')
  }
  expect(await run(3)).toBe(await run(3))
  expect(await run(3)).not.toBe(await run(4))
})

test('what it lacks, it says, and the README lists', async () => {
  const server = open()
  const fail = () => server.as('alice').execute('mutation { unregisterPush { cursor } }', {})
  expect(fail).toThrow('The test server of parley-client does not have Mutation.unregisterPush')
  const client = clientOf(server, 'alice')
  const query = 'subscription { events { cursor ... on ConversationUpdated { conversation { invites { nodes { id } } } } } }'
  const failure = new Promise((resolve) => client.subscribe(query, {}, { next: () => undefined, failed: resolve }))
  expect(await failure).toMatchObject({ code: lacksCode, message: expect.stringContaining('Conversation.invites') })
  const schema = buildSchema(await readFile(new URL('../../schema.graphql', import.meta.url), 'utf8'))
  const has = resolverNames()
  const types = Object.values(schema.getTypeMap()).filter((type) => isObjectType(type) && has.has(type.name))
  const lacking = types.flatMap((type) =>
    isObjectType(type)
      ? Object.keys(type.getFields())
          .filter((field) => !has.get(type.name)?.has(field))
          .map((field) => (['Query', 'Mutation', 'Subscription'].includes(type.name) ? field : `${type.name}.${field}`))
      : [],
  )
  const readme = await readFile(new URL('../../client/README.md', import.meta.url), 'utf8')
  const [, part = ''] = /The test server lacks:\n\n([\s\S]*?)\n\n/.exec(readme) ?? []
  const listed = [...part.matchAll(/`([\w.]+)`/g)].map(([, name]) => name)
  expect(listed.sort()).toEqual(lacking.sort())
})
