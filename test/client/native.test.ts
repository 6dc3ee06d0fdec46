// The library without what only browsers have: as in React Native, whose hooks and storages it is given.

import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { CredentialsStore, OutboxStorage, ParleyClient, StoredMessage } from '../../client/src/client.ts'
import * as parley from '../../client/src/client.ts'
import { openStore, type StoreStorage } from '../../client/src/react.ts'
import { createTestServer } from '../../client/src/testing/testing.ts'
import { closeAtEnd } from '../support/node.ts'
import { until } from '../support/until.ts'
import { quick } from './app.ts'
import { runRecipe } from './recipe.ts'

/** What React Native does not have. */
const missing = [
  'window',
  'document',
  'indexedDB',
  'localStorage',
  'BroadcastChannel',
  'addEventListener',
  'reportError',
  'Event',
  'EventTarget',
]

beforeEach(() => {
  vi.stubGlobal('navigator', { product: 'ReactNative' })
  for (const name of missing) vi.stubGlobal(name, undefined)
})
afterEach(() => {
  vi.unstubAllGlobals()
})

/** A device: texts by key, as SecureStore, AsyncStorage or SQLite keep them. */
class Phone {
  readonly kept = new Map<string, string>()
  readonly #listeners = new Set<(state: string) => void>()

  readonly SecureStore = {
    getItemAsync: async (key: string) => this.kept.get(key) ?? null,
    setItemAsync: async (key: string, value: string) => void this.kept.set(key, value),
  }
  readonly AppState = {
    addEventListener: (_type: string, listener: (state: string) => void) => this.#listeners.add(listener),
  }

  /** The app comes to the foreground (`active`) or goes to the background. */
  is(state: string): void {
    for (const listener of this.#listeners) listener(state)
  }

  /** Keeps each message under its key. */
  outbox(): OutboxStorage {
    const rows = () =>
      [...this.kept].filter(([key]) => key.startsWith('outbox ')).map(([, row]) => JSON.parse(row) as StoredMessage)
    const put = (message: StoredMessage) => void this.kept.set(`outbox ${message.clientMessageId}`, JSON.stringify(message))
    return {
      name: null,
      load: async () => rows(),
      find: async (key) => rows().find(({ clientMessageId }) => clientMessageId === key) ?? null,
      add: async (message) => put(message),
      replace: async (message) => {
        if (this.kept.has(`outbox ${message.clientMessageId}`)) put(message)
      },
      remove: async (key) => void this.kept.delete(`outbox ${key}`),
      close: async () => undefined,
    }
  }

  store(): StoreStorage {
    return {
      load: async () => JSON.parse(this.kept.get('store') ?? 'null'),
      save: async (dump) => void this.kept.set('store', JSON.stringify(dump)),
      close: async () => undefined,
    }
  }
}

test('an app on a phone opens offline with what it knew, and sends what it kept', async () => {
  const server = createTestServer({
    seed: {
      users: ['alice', 'bob'],
      conversations: [{ title: 'Lunch', members: ['alice', 'bob'], messages: [{ from: 'bob', text: 'Pizza?' }] }],
    },
  })
  closeAtEnd(async () => server.close())
  const phone = new Phone()
  await phone.SecureStore.setItemAsync('parley', JSON.stringify(server.credentials('alice').current))
  const { url, fetch, webSocketImpl } = server
  const createParleyClient: typeof parley.createParleyClient = (options) =>
    parley.createParleyClient({ ...options, fetch, webSocketImpl, limits: quick })
  const start = async () => {
    const { AppState, SecureStore } = phone
    const given = { createParleyClient, url, outbox: phone.outbox(), AppState, SecureStore }
    const made = await runRecipe<{ client: ParleyClient; session: CredentialsStore }>('React Native', given, [
      'client',
      'session',
    ])
    const store = await openStore(made.client, phone.store())
    return { ...made, store }
  }
  const id = server.conversationId('alice', 'Lunch')

  const first = await start()
  first.store.watch(id)
  await until('the message', () => first.store.messages(id).messages.length === 1)
  const query = 'query Look($ids: [ID!]!) { nodes(ids: $ids) { ... on User { presence { state } } } }'
  const alice = server.as('alice').userId
  const state = () =>
    server.as('bob').execute<{ nodes: { presence: { state: string } }[] }, { ids: string[] }>(query, { ids: [alice] }).nodes[0]
      ?.presence.state
  expect(state()).toBe('ONLINE')
  phone.is('background')
  await until('an idle phone', () => state() === 'IDLE')
  server.network.cut()
  await first.client.send({ conversationId: id, text: 'Sushi!' })
  await first.store.close()
  await first.client.close()

  const second = await start()
  expect(second.store.viewer?.username).toBe('alice')
  expect(second.store.messages(id).messages.map(({ text }) => text)).toEqual(['Pizza?'])
  second.store.watch(id)
  expect(second.store.messages(id).pending.map(({ input }) => input.text)).toEqual(['Sushi!'])
  server.network.restore()
  await until('both', () => second.store.messages(id).messages.length === 2)
  server.expireTokens()
  await until('fresh tokens', () => second.client.state.status === 'LIVE')
  await second.store.close()
  await second.client.close()
  expect([...phone.kept.keys()].filter((key) => key.startsWith('outbox '))).toEqual([])
})
