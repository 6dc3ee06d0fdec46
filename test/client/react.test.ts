// The hooks of parley-client/react: what renders, and how often.

import { setImmediate as nextTurn } from 'node:timers/promises'
import { Window } from 'happy-dom'
import { createElement, type ReactNode, Suspense, use } from 'react'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { createParleyClient } from '../../client/src/client.ts'
import {
  openStore,
  ParleyProvider,
  type ParleyStore,
  useConversation,
  useConversations,
  useMarkers,
  useMessages,
  usePresence,
  useSignals,
  useStore,
  useViewer,
} from '../../client/src/react.ts'
import { SendSignal, Signals } from '../../client/src/store/documents.ts'
import { createTestServer, type TestServer } from '../../client/src/testing/testing.ts'
import { until } from '../support/until.ts'
import { quick } from './app.ts'

const seed = {
  users: ['alice', 'bob', 'carol', 'dave'],
  conversations: [
    { title: 'One', members: ['alice', 'bob', 'carol'] },
    { title: 'Two', members: ['alice', 'bob'] },
    { title: 'Three', members: ['alice', 'carol'] },
  ],
}

async function open(): Promise<{ server: TestServer; store: ParleyStore }> {
  const server = createTestServer({ seed })
  const { url, fetch, webSocketImpl } = server
  const client = createParleyClient({ url, fetch, webSocketImpl, session: server.credentials('alice'), limits: quick })
  const store = await openStore(client)
  onTestFinished(async () => {
    await store.close()
    await client.close()
    server.close()
  })
  return { server, store }
}

let createRoot: typeof import('react-dom/client').createRoot
beforeAll(async () => {
  const window = new Window()
  vi.stubGlobal('window', window)
  vi.stubGlobal('document', window.document)
  vi.stubGlobal('navigator', window.navigator)
  // It looks for a document when it is loaded.
  ;({ createRoot } = await import('react-dom/client'))
})
afterAll(() => {
  vi.unstubAllGlobals()
})

/** Renders something below a store's provider. @returns the element that it is in */
async function render(store: ParleyStore, children: ReactNode): Promise<{ readonly textContent: string | null }> {
  const element = document.createElement('div')
  const root = createRoot(element)
  onTestFinished(async () => {
    root.unmount()
    // React ends effects a little later, and looks for `window` then.
    await nextTurn()
    await nextTurn()
  })
  root.render(createElement(ParleyProvider, { store }, children))
  await until('the first rendering', () => element.textContent !== '')
  return element
}

test('a list does not render again for a change of one row, and only that row does', async () => {
  const { server, store } = await open()
  await until('the list', () => store.list.length === 3)
  const counts: Record<string, number> = {}
  const count = (name: string) => {
    counts[name] = (counts[name] ?? 0) + 1
  }
  function Row({ id }: { id: string }) {
    const conversation = useConversation(id)
    count(conversation?.title ?? '')
    return createElement('li', {}, `${conversation?.title} ${conversation?.unreadCount}`)
  }
  function List() {
    const { ids } = useConversations()
    count('list')
    return ids.map((id) => createElement(Row, { key: id, id }))
  }
  const element = await render(store, createElement(List))
  server.as('carol').send('Three', 'to the top')
  await until('the message', () => element.textContent?.includes('Three 1') ?? false)
  await until('all counts to be read', () => store.client.state.status === 'LIVE')
  const before = { ...counts }
  // The newest conversation stays where it is.
  server.as('carol').send('Three', 'again')
  await until('the message', () => element.textContent?.includes('Three 2') ?? false)
  expect(counts).toEqual({ ...before, Three: (before.Three ?? 0) + 1 })
  // What others have read is not in the list.
  const { Three: shown } = counts
  const read = 'mutation Read($input: MarkReadInput!) { markRead(input: $input) { seq } }'
  const id = server.conversationId('alice', 'Three')
  server.as('carol').execute(read, { input: { conversationId: id, seq: 1 } })
  await until('the marker', () => store.readMarkers(id).get(server.as('carol').userId) === 1)
  server.as('carol').send('Three', 'once more')
  await until('the message', () => element.textContent?.includes('Three 3') ?? false)
  expect(counts.Three).toBe((shown ?? 0) + 1)
})

test('a message is the same object until it changes, so that only its row renders', async () => {
  const { server, store } = await open()
  await until('the list', () => store.list.length === 3)
  const id = server.conversationId('alice', 'Two')
  const [first] = ['one', 'two', 'three'].map((text) => server.as('bob').send('Two', text))
  const seen: (readonly object[])[] = []
  function Messages() {
    const { messages } = useMessages(id)
    seen.push(messages)
    return messages.map(({ text }) => text).join(' ') || 'none'
  }
  const element = await render(store, createElement(Messages))
  await until('the messages', () => element.textContent === 'one two three')
  const before = seen.at(-1) ?? []
  const edit = 'mutation Edit($input: EditMessageInput!) { editMessage(input: $input) { cursor } }'
  server.as('bob').execute(edit, { input: { messageId: first?.id, text: 'uno' } })
  await until('the edit', () => element.textContent === 'uno two three')
  const after = seen.at(-1) ?? []
  expect(after.map((message, i) => message === before[i])).toEqual([false, true, true])
})

test('a conversation that is not known has no markers and no messages', async () => {
  const { store } = await open()
  function Unknown() {
    const { read, delivered } = useMarkers('cnv_0000000000zzz')
    return `${read.size} ${delivered.size} ${useConversation('cnv_0000000000zzz')?.title}`
  }
  const element = await render(store, createElement(Unknown))
  expect(element.textContent).toBe('0 0 undefined')
})

test('a component can wait for the store in a Suspense', async () => {
  const server = createTestServer({ seed })
  const release = server.network.hold('Overview')
  const { url, fetch, webSocketImpl } = server
  const client = createParleyClient({ url, fetch, webSocketImpl, session: server.credentials('alice'), limits: quick })
  const store = await openStore(client)
  onTestFinished(async () => {
    await store.close()
    await client.close()
    server.close()
  })
  function Chat() {
    use(useStore().ready)
    return useViewer()?.displayName ?? 'nobody'
  }
  const element = await render(store, createElement(Suspense, { fallback: 'loading' }, createElement(Chat)))
  expect(element.textContent).toBe('loading')
  release()
  await until('the viewer', () => element.textContent === 'alice')
  const ended = createParleyClient({
    url,
    fetch,
    webSocketImpl,
    session: { load: () => null, save: () => undefined },
    limits: quick,
  })
  const without = await openStore(ended)
  await without.ready
  expect(without.viewer).toBeNull()
  await without.close()
  await ended.close()
})

test('the presence of a user who is not visible is left out, and that of the others shown', async () => {
  const { server, store } = await open()
  const [bob, dave] = [server.as('bob').userId, server.as('dave').userId]
  function Presence() {
    const presence = usePresence([bob, dave])
    return [...presence].map(([id, { state }]) => `${id === bob ? 'bob' : 'dave'} ${state}`).join(', ') || 'nobody'
  }
  const element = await render(store, createElement(Presence))
  await until('the presence', () => element.textContent === 'bob OFFLINE')
  const { url, fetch, webSocketImpl } = server
  const client = createParleyClient({ url, fetch, webSocketImpl, session: server.credentials('bob'), limits: quick })
  const other = await openStore(client)
  await until('the presence', () => element.textContent === 'bob ONLINE')
  await other.close()
  await client.close()
})

test('pinned conversations come first, and an action is one request whose change comes by events', async () => {
  const { store } = await open()
  await until('the list', () => store.list.length === 3)
  const titles = () => store.list.map((id) => store.conversation(id)?.title).join(' ')
  function List() {
    const { ids } = useConversations()
    return ids.map((id) => store.conversation(id)?.title).join(' ')
  }
  const element = await render(store, createElement(List))
  const [newest = '', , oldest = ''] = store.list
  const before = titles()
  await store.actions.pinConversation(oldest, true)
  await until('the pin', () => element.textContent !== before)
  expect(store.list[0]).toBe(oldest)
  await store.send({ conversationId: newest, text: 'the latest' })
  await until('the message', () => store.conversation(newest)?.lastMessage?.text === 'the latest')
  expect(store.list.slice(0, 2)).toEqual([oldest, newest])
  await store.actions.pinConversation(oldest, false)
  await until('no pin', () => element.textContent === before)
  await store.actions.markUnread(newest, true)
  await until('the mark', () => store.conversation(newest)?.viewerMembership?.markedUnreadAt != null)
  expect(store.totals.conversations).toBe(0)
  await expect(store.actions.ban(newest, store.viewer?.id ?? '')).rejects.toMatchObject({ code: 'BAD_INPUT' })
})

test('signals are shown while the component is, and sent to the others', async () => {
  const { server, store } = await open()
  await until('the list', () => store.list.length === 3)
  const id = server.conversationId('alice', 'Two')
  const heard: string[] = []
  let send: ReturnType<typeof useSignals> = async () => undefined
  function Call() {
    send = useSignals(id, ({ kind, data, sender }) => heard.push(`${sender?.username} ${kind} ${JSON.stringify(data)}`))
    return 'in a call'
  }
  await render(store, createElement(Call))
  const { url, fetch, webSocketImpl } = server
  const client = createParleyClient({ url, fetch, webSocketImpl, session: server.credentials('bob'), limits: quick })
  onTestFinished(() => client.close())
  const atBob: string[] = []
  client.subscribe(Signals, { id }, { next: ({ signals }) => atBob.push(signals.kind) })
  await until('the signal at bob', async () => {
    await send('call.ring')
    return atBob.includes('call.ring')
  })
  await client.request(SendSignal, { input: { conversationId: id, kind: 'call.answer', data: { at: 1 } } })
  await until('the answer', () => heard.length > 0)
  expect(heard).toEqual(['bob call.answer {"at":1}'])
})
