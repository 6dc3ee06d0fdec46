// The store of the client library: whatever happens, it is what a new one would read.

import { beforeAll, expect, test } from 'vitest'
import WebSocket from 'ws'
import { createParleyClient } from '../../client/src/client.ts'
import { memoryStore, openStore } from '../../client/src/react.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { LeaveConversation } from '../support/documents.ts'
import { closeAtEnd, type Node, openNode } from '../support/node.ts'
import { openProxy } from '../support/proxy.ts'
import { withSeed } from '../support/random.ts'
import { until } from '../support/until.ts'
import { act } from './actions.ts'
import { quick, sessionOf, withoutGateway } from './app.ts'
import { expectFresh, watchAll } from './store-state.ts'

let node: Node
let [alice, bob, carol]: Device[] = []
const of = (device: Device | undefined): Device => {
  if (!device) throw new Error('not signed up')
  return device
}
beforeAll(async () => {
  node = await openNode()
  ;[alice, bob, carol] = await signUpAll(node, 'Alice', 'Bob', 'Carol')
})

function clientOf(device: Device, url = node.url, fetch: typeof globalThis.fetch = withoutGateway) {
  const client = createParleyClient({
    url,
    session: sessionOf(device),
    webSocketImpl: WebSocket as never,
    fetch,
    limits: quick,
  })
  closeAtEnd(() => client.close())
  return client
}

async function storeOf(device: Device, ...[storage, url]: [storage?: ReturnType<typeof memoryStore> | null, url?: string]) {
  const store = await openStore(clientOf(device, url), storage ?? null)
  closeAtEnd(() => store.close())
  await until('the store to be live', () => store.client.state.status === 'LIVE')
  return store
}

test('D5 after any run of events, a store equals a new one', () =>
  withSeed(async (random) => {
    const conversations = [await of(alice).group('First', of(bob), of(carol)), await of(bob).direct(of(alice))]
    const made = { people: [of(alice), of(bob), of(carol)], conversations, sent: [], haveParted: false }
    const store = await storeOf(of(alice))
    watchAll(store)
    for (let n = 0; n < 4; n += 1) {
      for (let k = 0; k < 15; k += 1) await act(random, made)
      await expectFresh(store, () => storeOf(of(alice)))
    }
  }))

test('opens offline with what it last knew, and continues from there', async () => {
  const [alice, bob] = await signUpAll(node, 'Dora', 'Erik')
  const group = await of(alice).group('Kept', of(bob))
  for (const text of ['one', 'two']) await of(bob).send(group, text)
  const storage = memoryStore()
  const first = await storeOf(of(alice), storage)
  first.watch(group)
  await until('the messages', () => first.messages(group).messages.length === 2)
  await first.close()
  await first.client.close()

  const proxy = await openProxy(node.url)
  proxy.cut()
  const offline = await openStore(clientOf(of(alice), proxy.url), storage)
  closeAtEnd(() => offline.close())
  expect(offline.conversation(group)).toMatchObject({ title: 'Kept', unreadCount: 2 })
  expect(offline.messages(group).messages.map(({ text }) => text)).toEqual(['one', 'two'])
  await of(bob).send(group, 'three')
  proxy.restore()
  await until('the rest', () => offline.messages(group).messages.length === 3)
  expect(offline.conversation(group)?.unreadCount).toBe(3)
  await expectFresh(offline, () => storeOf(of(alice)))
})

test('history is endless in both directions, and a jump shows another part of it', async () => {
  const [alice, bob] = await signUpAll(node, 'Fay', 'Gus')
  const group = await of(alice).group('Long', of(bob))
  for (let n = 1; n <= 130; n += 1) await of(alice).send(group, `${n}`)
  const store = await storeOf(of(bob))
  store.watch(group)
  const seqs = () => store.messages(group).messages.map(({ seq }) => seq)
  const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i)
  await until('the newest', () => seqs().length === 50)
  expect(seqs()).toEqual(range(81, 130))
  await store.loadOlder(group)
  expect(seqs()).toEqual(range(31, 130))
  await store.loadOlder(group)
  expect(store.messages(group)).toMatchObject({ hasOlder: false, hasNewer: false })
  expect(seqs()).toEqual(range(1, 130))
  await store.showAround(group, { seq: 40 })
  expect(seqs()).toEqual(range(15, 65))
  await of(alice).send(group, '131')
  await until('the count', () => store.conversation(group)?.unreadCount === 131)
  expect(seqs()).toEqual(range(15, 65))
  while (store.messages(group).hasNewer) await store.loadNewer(group)
  expect(seqs()).toEqual(range(15, 131))
  await of(alice).send(group, '132')
  await until('the new one', () => seqs().at(-1) === 132)
})

test('a jump does not wait for the messages that are being loaded', async () => {
  const [alice, bob] = await signUpAll(node, 'Jim', 'Kay')
  const group = await of(alice).group('Jump', of(bob))
  for (let n = 1; n <= 80; n += 1) await of(alice).send(group, `${n}`)
  const store = await storeOf(of(bob))
  store.watch(group)
  expect(store.messages(group).isLoading).toBe(true)
  await store.showAround(group, { seq: 10 })
  const { messages: list, hasNewer } = store.messages(group)
  expect([list[0]?.seq, hasNewer]).toEqual([1, true])
  // The answer that the jump has made useless changes nothing.
  await store.showNewest(group)
  expect(store.messages(group).messages.at(-1)?.seq).toBe(80)
})

test('a message that arrives while the newest ones are being loaded is shown', async () => {
  const [alice, bob] = await signUpAll(node, 'Ned', 'Oli')
  const group = await of(alice).group('Meanwhile', of(bob))
  await of(alice).send(group, 'before')
  let [isRead, release] = [false, () => {}]
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const slowFetch: typeof fetch = async (...args) => {
    const answer = await withoutGateway(...args)
    if (!String(args[1]?.body).includes('query History(')) return answer
    isRead = true
    await held
    return answer
  }
  const store = await openStore(clientOf(of(bob), node.url, slowFetch))
  closeAtEnd(() => store.close())
  await until('the store to be live', () => store.client.state.status === 'LIVE')
  store.watch(group)
  await until('the answer', () => isRead)
  await of(alice).send(group, 'meanwhile')
  await until('the event', () => store.conversation(group)?.lastMessage?.text === 'meanwhile')
  release()
  await until('the messages', () => !store.messages(group).isLoading)
  expect(store.messages(group).messages.map(({ text }) => text)).toEqual(['before', 'meanwhile'])
})

/** A network that the test takes away from the requests whose text it names. */
function network() {
  let lost: string | null = null
  const fetchOrFail: typeof fetch = async (...args) => {
    if (lost !== null && String(args[1]?.body).includes(lost)) throw new TypeError('Failed to fetch')
    return withoutGateway(...args)
  }
  const lose = (text: string | null) => {
    lost = text
  }
  return { fetch: fetchOrFail, lose }
}

test('what failed to load is loaded as soon as the network allows it', async () => {
  const [alice, bob] = await signUpAll(node, 'Pia', 'Quin')
  const group = await of(alice).group('Tunnel', of(bob))
  for (let n = 1; n <= 60; n += 1) await of(alice).send(group, `${n}`)
  const { fetch, lose } = network()
  const store = await openStore(clientOf(of(bob), node.url, fetch))
  closeAtEnd(() => store.close())
  await until('the store to be live', () => store.client.state.status === 'LIVE')
  lose('')
  store.watch(group)
  await until('the failure', () => store.messages(group).failure !== null)
  expect(store.messages(group).failure?.code).toBe('NO_ANSWER')
  lose(null)
  await until('the newest', () => store.messages(group).messages.length === 50)
  await until('who received it', () => store.deliveryMarkers(group).size > 0)
  lose('HistoryAround')
  const older = store.loadOlder(group)
  await until('the failure', () => store.messages(group).failure !== null)
  lose(null)
  await older
  expect(store.messages(group)).toMatchObject({ hasOlder: false, isLoading: false, failure: null })
  expect(store.messages(group).messages.length).toBe(60)
})

test('what nobody watches any more is not asked for again, and is loaded when it is watched again', async () => {
  const [alice, bob] = await signUpAll(node, 'Uma', 'Vic')
  const group = await of(alice).group('Left alone', of(bob))
  await of(alice).send(group, 'hello')
  const { fetch, lose } = network()
  const store = await openStore(clientOf(of(bob), node.url, fetch))
  closeAtEnd(() => store.close())
  await until('the store to be live', () => store.client.state.status === 'LIVE')
  lose('query History(')
  const unwatch = store.watch(group)
  await until('the failure', () => store.messages(group).failure !== null)
  unwatch()
  await until('the end of the attempts', () => !store.messages(group).isLoading)
  lose(null)
  store.watch(group)
  await until('the message', () => store.messages(group).messages.length === 1)
})

test('what was read without a network is marked as read later, and stays read meanwhile', async () => {
  const [alice, bob, carla] = await signUpAll(node, 'Ria', 'Sol', 'Carla')
  const group = await of(alice).group('Read', of(bob), of(carla))
  for (const text of ['one', 'two']) await of(alice).send(group, text)
  const { fetch, lose } = network()
  const store = await openStore(clientOf(of(bob), node.url, fetch))
  closeAtEnd(() => store.close())
  await until('the store to be live', () => store.client.state.status === 'LIVE')
  lose('MarkRead')
  const marking = store.markRead(group, 2)
  expect(store.conversation(group)?.unreadCount).toBe(0)
  // The server, which does not know of it yet, tells the conversation again.
  await of(carla).run(LeaveConversation, { input: { conversationId: group } })
  await until('the conversation', () => store.conversation(group)?.memberCount === 2)
  expect(store.conversation(group)?.unreadCount).toBe(0)
  lose(null)
  await marking
  const fresh = await storeOf(of(bob))
  expect(fresh.conversation(group)?.unreadCount).toBe(0)
})

test('a conversation that is not in the loaded list is read when it is watched', async () => {
  const [alice, bob] = await signUpAll(node, 'Lou', 'Mia')
  const old = await of(alice).group('Old', of(bob))
  await of(alice).send(old, 'long ago')
  for (let n = 1; n <= 50; n += 1) await of(alice).group(`${n}`, of(bob))
  const store = await storeOf(of(bob))
  expect([store.conversation(old), store.hasMore]).toEqual([null, true])
  store.watch(old)
  await until('its messages', () => store.messages(old).messages.length === 1)
  expect(store.conversation(old)?.title).toBe('Old')
})

test('a message is pending until its event comes, and is never shown twice', async () => {
  const [alice, bob] = await signUpAll(node, 'Hal', 'Ida')
  const group = await of(alice).group('Pending', of(bob))
  const store = await storeOf(of(alice))
  store.watch(group)
  const states: string[] = []
  store.subscribe(`messages ${group}`, () => {
    const { messages: list, pending } = store.messages(group)
    states.push(`${list.length} ${pending.length}`)
  })
  await store.send({ conversationId: group, text: 'hello' })
  await until('the event', () => store.messages(group).messages.length === 1)
  await until('the outbox', () => store.messages(group).pending.length === 0)
  expect(states).toContain('0 1')
  for (const state of states) expect(['0 0', '0 1', '1 0']).toContain(state)
})

test('after a RESET nothing of the former state is shown', async () => {
  const [lea] = (await signUpAll(node, 'Lea')) as [Device]
  const group = await lea.group('Former')
  await lea.send(group, 'gone')
  const storage = memoryStore()
  const former = await storeOf(lea, storage)
  former.watch(group)
  await until('the message', () => former.messages(group).messages.length === 1)
  await former.close()

  const other = await openNode()
  const [kim] = (await signUpAll(other, 'Kim')) as [Device]
  const store = await openStore(clientOf(kim, other.url), storage)
  closeAtEnd(() => store.close())
  const texts = () => store.messages(group).messages.map(({ text }) => text)
  expect(texts()).toEqual(['gone'])
  let shown = texts()
  store.subscribe(`messages ${group}`, () => {
    shown = texts()
  })
  await until('the new state', () => store.viewer?.username === 'kim')
  expect(store.list).toEqual([])
  expect(shown).toEqual([])
  expect(texts()).toEqual([])
})
