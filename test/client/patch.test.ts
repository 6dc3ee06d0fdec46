// What events change in answers: as a pure function, and with urql and Apollo Client on a real node.

import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client'
import { cacheExchange, fetchExchange, subscriptionExchange, Client as UrqlClient } from '@urql/core'
import { OperationTypeNode, print } from 'graphql'
import { beforeAll, expect, test } from 'vitest'
import WebSocket from 'ws'
import { applyEvent as applyToApollo, liveLink, subscriptionLink, typePolicies } from '../../client/src/apollo.ts'
import { applyEvent, createParleyClient, type EventData, type ParleyClient } from '../../client/src/client.ts'
import { forwardSubscription, liveExchange } from '../../client/src/urql.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { SetTyping, Typing } from '../support/documents.ts'
import { closeAtEnd, type Node, openNode } from '../support/node.ts'
import { until } from '../support/until.ts'
import { quick } from './app.ts'
import { DeleteIt, EditIt, Line, Lines, LinesFollowed, LinesHere, ReactToIt } from './documents.ts'

const line = (seq: number, text = `text ${seq}`, clientMessageId: string | null = null) => ({
  id: `msg_${seq}`,
  seq,
  text,
  clientMessageId,
})
const page = (...seqs: number[]) => ({ nodes: seqs.map((seq) => line(seq)) })
const sent = (seq: number, clientMessageId: string | null = null) => ({
  __typename: 'MessageSent',
  conversation: { id: 'cnv_1' },
  message: line(seq, `text ${seq}`, clientMessageId),
})
const seqs = (data: { messages: { nodes: readonly { seq: number }[] } }) => data.messages.nodes.map(({ seq }) => seq)

test('a new message goes to the end of the newest page, once, and nowhere else', () => {
  const data = { id: 'cnv_1', messages: page(1, 2), lastMessage: line(2) }
  const after = applyEvent(data, sent(3))
  expect(seqs(after)).toEqual([1, 2, 3])
  expect(after.lastMessage.seq).toBe(3)
  expect(applyEvent(after, sent(3))).toBe(after)
  expect(applyEvent(data, sent(7)).messages).toBe(data.messages)
  const gap = { id: 'cnv_1', messages: { ...page(1, 3), pageInfo: { hasNextPage: false } } }
  expect(seqs(applyEvent(gap, sent(2)))).toEqual([1, 2, 3])
  expect(applyEvent({ ...gap, messages: page(5, 6) }, sent(2)).messages.nodes).toHaveLength(2)
  const old = { id: 'cnv_1', messages: { ...page(1, 2), pageInfo: { hasNextPage: true } } }
  expect(applyEvent(old, sent(3))).toBe(old)
  const other = { id: 'cnv_2', messages: page(1, 2) }
  expect(applyEvent(other, sent(3))).toBe(other)
})

test('an own message replaces the copy that was shown before it had an id', () => {
  const copy = { ...line(0, 'mine', 'key'), id: 'temporary' }
  const data = { id: 'cnv_1', messages: { nodes: [line(1), copy] } }
  expect(applyEvent(data, sent(2, 'key')).messages.nodes.map(({ id }) => id)).toEqual(['msg_1', 'msg_2'])
})

test('an edit shows wherever the message is shown, and unchanged objects stay the same', () => {
  const data = { a: { id: 'cnv_1', messages: page(1, 2), lastMessage: line(2) }, b: { id: 'cnv_2', messages: page(8) } }
  const after = applyEvent(data, { __typename: 'MessageEdited', message: line(2, 'edited') })
  expect(after.a.messages.nodes[1]?.text).toBe('edited')
  expect(after.a.lastMessage.text).toBe('edited')
  expect(after.a.messages.nodes[0]).toBe(data.a.messages.nodes[0])
  expect(after.b).toBe(data.b)
})

test('an event older than the known version of a message changes nothing', () => {
  const data = { id: 'cnv_1', messages: { nodes: [{ ...line(1, 'third'), version: 3 }] } }
  const edited = (version: number, text: string) => ({ __typename: 'MessageEdited', message: { ...line(1, text), version } })
  expect(applyEvent(data, edited(2, 'second'))).toBe(data)
  expect(applyEvent(data, edited(4, 'fourth')).messages.nodes[0]).toMatchObject({ text: 'fourth', version: 4 })
})

let node: Node
beforeAll(async () => {
  node = await openNode()
})
let round = 0
async function pair(): Promise<{ alice: Device; bob: Device; id: string; client: ParleyClient }> {
  round += 1
  const [alice, bob] = (await signUpAll(node, `alice-${round}`, `bob-${round}`)) as [Device, Device]
  const client = createParleyClient({
    url: node.url,
    session: () => bob.accessToken,
    webSocketImpl: WebSocket as never,
    print,
    limits: quick,
  })
  closeAtEnd(() => client.close())
  return { alice, bob, id: await alice.direct(bob), client }
}

/** Applies each event of a user. */
async function follow(client: ParleyClient, apply: (event: EventData) => void): Promise<void> {
  client.follow(LinesFollowed, {
    after: null,
    snapshot: async () => (await client.request(LinesHere, {})).syncCursor,
    onEvent: apply,
  })
  await until('to be live', () => client.state.status === 'LIVE')
}

/** What the test watches: the texts of a conversation as an app renders them. */
type View = { texts(): readonly string[]; reactions(): readonly string[]; rendered(): number }

async function urqlView({
  client,
  id,
}: Awaited<ReturnType<typeof pair>>): Promise<View & { reopen(): Promise<readonly string[]> }> {
  const live = liveExchange()
  const urql = new UrqlClient({
    url: node.url,
    fetch: client.fetch,
    preferGetMethod: false,
    exchanges: [
      live.exchange,
      cacheExchange,
      fetchExchange,
      subscriptionExchange({ forwardSubscription: forwardSubscription(client) }),
    ],
  })
  await follow(client, (event) => live.apply(event))
  let shown: readonly PatchedMessage[] = []
  let rendered = 0
  const textsOf = (nodes: readonly PatchedMessage[]) => nodes.map(({ text, deletedAt }) => (deletedAt ? '(deleted)' : text))
  urql.query(Lines, { id }).subscribe(({ data }) => {
    rendered += 1
    shown = (data?.conversation?.messages.nodes ?? []) as readonly PatchedMessage[]
  })
  await until('the query', () => rendered > 0)
  return {
    texts: () => textsOf(shown),
    reactions: () => shown.flatMap(({ reactions }) => reactions.map(({ emoji }) => emoji)),
    rendered: () => rendered,
    reopen: async () =>
      textsOf(
        ((await urql.query(Lines, { id }).toPromise()).data?.conversation?.messages.nodes ?? []) as readonly PatchedMessage[],
      ),
  }
}
type PatchedMessage = {
  readonly text: string
  readonly deletedAt: string | null
  readonly reactions: readonly { emoji: string }[]
}

async function apolloView({
  client,
  id,
}: Awaited<ReturnType<typeof pair>>): Promise<View & { reopen(): Promise<readonly string[]> }> {
  const apollo = new ApolloClient({
    cache: new InMemoryCache({ typePolicies }),
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      subscriptionLink(client),
      new HttpLink({ uri: node.url, fetch: client.fetch }),
    ),
  })
  closeAtEnd(async () => apollo.stop())
  await follow(client, (event) => applyToApollo(apollo.cache, event, Line))
  let shown: readonly PatchedMessage[] = []
  let rendered = 0
  const textsOf = (nodes: readonly PatchedMessage[]) => nodes.map(({ text, deletedAt }) => (deletedAt ? '(deleted)' : text))
  apollo.watchQuery({ query: Lines, variables: { id } }).subscribe(({ data, dataState }) => {
    if (dataState !== 'complete') return
    rendered += 1
    shown = (data.conversation?.messages.nodes ?? []) as readonly PatchedMessage[]
  })
  await until('the query', () => rendered > 0)
  return {
    texts: () => textsOf(shown),
    reactions: () => shown.flatMap(({ reactions }) => reactions.map(({ emoji }) => emoji)),
    rendered: () => rendered,
    reopen: async () => {
      const { data } = await apollo.query({ query: Lines, variables: { id }, fetchPolicy: 'cache-only' })
      return textsOf((data?.conversation?.messages.nodes ?? []) as readonly PatchedMessage[])
    },
  }
}

test.each([
  ['urql', urqlView],
  ['Apollo Client', apolloView],
] as const)('D5 with %s: messages, edits, deletions and reactions show once each, without another query', async (_name, open) => {
  const people = await pair()
  const { alice, bob, id, client } = people
  const before = await alice.send(id, 'before')
  const view = await open(people)
  expect(view.texts()).toEqual(['before'])
  await alice.send(id, 'from alice')
  await client.send({ conversationId: id, text: 'from bob' })
  await until('both', () => view.texts().length === 3)
  const messageId = before.message.id
  await alice.run(EditIt, { input: { messageId, text: 'edited' } })
  await bob.run(ReactToIt, { input: { messageId, emoji: '👍' } })
  await until('edit and reaction', () => view.texts()[0] === 'edited' && view.reactions().length === 1)
  await alice.run(DeleteIt, { input: { messageId } })
  await until('the deletion', () => view.texts()[0] === '(deleted)')
  expect(view.texts()).toEqual(['(deleted)', ...view.texts().slice(1)])
  expect([...view.texts().slice(1)].sort()).toEqual(['from alice', 'from bob'])
  expect(await view.reopen()).toEqual(view.texts())
})

/** A `fetch` whose answers wait for `open`. */
function held(fetch: typeof globalThis.fetch) {
  let open: () => void = () => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  let read = 0
  const carry: typeof fetch = async (...args) => {
    const response = await fetch(...args)
    read += 1
    await opened
    return response
  }
  return { carry, open: () => open(), isRead: () => read > 0 }
}

test('D5 with Apollo Client an answer read before an event and received after it does not undo it', async () => {
  const { alice, id, client } = await pair()
  const { message } = await alice.send(id, 'before')
  const { carry, open, isRead } = held(client.fetch)
  const live = liveLink()
  const apollo = new ApolloClient({
    cache: new InMemoryCache({ typePolicies }),
    link: live.link.concat(new HttpLink({ uri: node.url, fetch: carry })),
  })
  closeAtEnd(async () => apollo.stop())
  const seen: string[] = []
  await follow(client, (event) => {
    live.note(event)
    applyToApollo(apollo.cache, event, Line)
    seen.push(event.__typename)
  })
  const asked = apollo.query({ query: Lines, variables: { id } })
  await until('the answer to be read', isRead)
  await alice.run(EditIt, { input: { messageId: message.id, text: 'edited' } })
  await alice.send(id, 'after')
  await until('both events', () => seen.includes('MessageEdited') && seen.includes('MessageSent'))
  open()
  const nodes = ((await asked).data?.conversation?.messages.nodes ?? []) as readonly PatchedMessage[]
  expect(nodes.map(({ text }) => text)).toEqual(['edited', 'after'])
  const old = { ...message, __typename: 'Message', version: 1, text: 'before', reactions: [], deletedAt: null }
  applyToApollo(apollo.cache, { __typename: 'MessageEdited', message: old }, Line)
  const kept = await apollo.query({ query: Lines, variables: { id }, fetchPolicy: 'cache-only' })
  expect(((kept.data?.conversation?.messages.nodes ?? []) as readonly PatchedMessage[])[0]?.text).toBe('edited')
})

test('D3 with urql a reset drops events and answers: shown and cached queries are refetched', async () => {
  const { alice, id, client } = await pair()
  const { message } = await alice.send(id, 'as it is')
  const live = liveExchange()
  const urql = new UrqlClient({
    url: node.url,
    fetch: client.fetch,
    preferGetMethod: false,
    exchanges: [live.exchange, cacheExchange, fetchExchange],
  })
  const textOf = (data: unknown) =>
    (data as { conversation?: { messages: { nodes: PatchedMessage[] } } } | undefined)?.conversation?.messages.nodes[0]?.text
  await urql.query(Lines, { id }).toPromise()
  live.apply({ __typename: 'MessageEdited', message: { id: message.id, text: 'of another time' } })
  expect(textOf((await urql.query(Lines, { id }).toPromise()).data)).toBe('of another time')
  live.reset()
  expect(textOf((await urql.query(Lines, { id }).toPromise()).data)).toBe('as it is')

  const shown: (string | undefined)[] = []
  const { unsubscribe } = urql.query(Lines, { id }).subscribe(({ data }) => void shown.push(textOf(data)))
  live.apply({ __typename: 'MessageEdited', message: { id: message.id, text: 'of another time' } })
  await until('the edit', () => shown.at(-1) === 'of another time')
  live.reset()
  await until('the answer', () => shown.at(-1) === 'as it is')
  unsubscribe()
})

test('typing uses the same socket with urql and Apollo, and the last one to leave closes it', async () => {
  const { alice, id, client } = await pair()
  const seen: string[] = []
  const urql = new UrqlClient({
    url: node.url,
    preferGetMethod: false,
    exchanges: [subscriptionExchange({ forwardSubscription: forwardSubscription(client) })],
  })
  const one = urql.subscription(Typing, { conversationId: id }).subscribe(({ data }) => {
    seen.push(`urql ${data?.typing.users.length}`)
  })
  const apollo = new ApolloClient({ cache: new InMemoryCache(), link: subscriptionLink(client) })
  const two = apollo.subscribe({ query: Typing, variables: { conversationId: id } }).subscribe(({ data }) => {
    seen.push(`apollo ${data?.typing.users.length}`)
  })
  await until('both to begin', () => seen.includes('urql 0') && seen.includes('apollo 0'))
  await alice.run(SetTyping, { input: { conversationId: id, typing: true } })
  await until('both to hear', () => seen.includes('urql 1') && seen.includes('apollo 1'))
  one.unsubscribe()
  two.unsubscribe()
  await until('the socket to be given up', () => client.state.status === 'OFF')
  apollo.stop()
})
