// An older value never replaces a newer one, whichever arrives first, an answer or an event. The recipes of the README run as
// they stand there, on a real node.

import { readFileSync } from 'node:fs'
import type { ApolloClient, DocumentNode } from '@apollo/client'
import type { Client as UrqlClient } from '@urql/core'
import { buildSchema, parse, print, validate } from 'graphql'
import { beforeAll, expect, test } from 'vitest'
import WebSocket from 'ws'
import { applyEvent, createParleyClient, type ParleyClient } from '../../client/src/client.ts'
import { withTypenames } from '../../client/src/document.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { closeAtEnd, type Node, openNode } from '../support/node.ts'
import { until } from '../support/until.ts'
import { quick } from './app.ts'
import { ReactToIt, UnreactToIt } from './documents.ts'
import { blocks, operations, runRecipe } from './recipe.ts'

const schema = buildSchema(readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8'))
const { Events, Here, Messages } = operations as { readonly [name: string]: DocumentNode } & Record<
  'Events' | 'Here' | 'Messages',
  DocumentNode
>
/** The events of the README, with fields that depend on the viewer. */
const Counting = parse(
  print(Events).replace('... on SyncStarted', '... on ReadMarkersMoved { conversation { id unreadCount } } ... on SyncStarted'),
)
const One = parse('query One($id: ID!) { conversation(id: $id) { __typename id unreadCount } }')
const Other = parse('query Other($id: ID!) { conversation(id: $id) { __typename id kind unreadCount } }')
const MarkRead = 'mutation ($input: MarkReadInput!) { markRead(input: $input) { conversation { id } } }'

let node: Node
beforeAll(async () => {
  node = await openNode()
})

test('the documents of the README are complete and valid, with and without __typename', () => {
  const text = blocks('graphql').join('\n')
  expect(validate(schema, parse(text))).toEqual([])
  expect(validate(schema, parse(withTypenames(text)))).toEqual([])
  expect(Object.keys(operations).sort()).toEqual(['Events', 'Here', 'LogIn', 'Messages', 'Overview'])
})

test.each([
  ['subscription { events { cursor } }', 'subscription { events { __typename cursor } }'],
  [
    'subscription ($a: I = {b: {c: 1}}) { e(a: {x: "}{"}) { c } }',
    'subscription ($a: I = {b: {c: 1}}) { e(a: {x: "}{"}) { __typename c } }',
  ],
  ['fragment fragment on M { a { b } }', 'fragment fragment on M { __typename a { __typename b } }'],
  [
    'subscription { ...S } fragment S on Subscription { e { c } }',
    'subscription { ...S } fragment S on Subscription { e { __typename c } }',
  ],
  [
    'subscription fragment { e { c } } # {\nfragment F on M { """"{"""" a }',
    'subscription fragment { e { __typename c } } # {\nfragment F on M { __typename """"{"""" a }',
  ],
])('adds __typename below the root: %s', (before, after) => {
  expect(withTypenames(before).replaceAll(/\{ __typename {2}/g, '{ __typename ')).toBe(after)
})

test('D4 each answer says what it includes in its cursor; with syncCursor, exactly', async () => {
  const { alice, bob, id, ask } = await people()
  const { cursor } = await alice.send(id, 'one')
  const { data, extensions } = await ask(bob, '{ syncCursor }')
  expect(extensions?.cursor).toBe(data.syncCursor)
  expect(data.syncCursor).toBe(cursor)
  expect((await ask(bob, '{ viewer { id } }')).extensions?.cursor).toBe(cursor)
  expect((await ask(bob, MarkRead, { input: { conversationId: id, seq: 1 } })).extensions?.cursor).toBe(cursor)
  expect((await ask(null, '{ __typename }')).extensions).toBeUndefined()
})

test('D5 an event that an answer already includes does not change it', async () => {
  const { alice, id } = await people()
  const [first, second] = [await alice.send(id, 'one'), await alice.send(id, 'two')]
  const told = (cursor: string, title: string) => ({ __typename: 'ConversationUpdated', cursor, conversation: { id, title } })
  const data = { syncCursor: first.cursor, conversation: { id, title: 'now', kind: 'GROUP' } }
  expect(applyEvent(data, told(first.cursor, 'before'))).toBe(data)
  expect(applyEvent(data, told(second.cursor, 'after')).conversation).toEqual({ id, title: 'after', kind: 'GROUP' })
  expect(applyEvent(data, told('of another form', 'after')).conversation.title).toBe('after')
})

let round = 0
async function people() {
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
  const ask = async (by: Device | null, query: string, variables: object = {}) => {
    const headers = { 'content-type': 'application/json', ...(by ? { authorization: `Bearer ${by.accessToken}` } : {}) }
    const response = await fetch(node.url, { method: 'POST', headers, body: JSON.stringify({ query, variables }) })
    return (await response.json()) as { data: Record<string, unknown>; extensions?: { cursor: string } }
  }
  return { alice, bob, id: await alice.direct(bob), client, ask }
}

/** An app as in the README. `watch` runs a query, and `shown` collects what it renders, newest last. */
type Recipe = {
  watch<Data>(query: DocumentNode, variables: object, draw: (data: Data) => void, fail?: (error: unknown) => void): void
  refetch(query: DocumentNode, variables: object): Promise<unknown>
}
type Live = { note?(event: unknown): void; apply?(event: unknown): void }

const recipes: { readonly [name: string]: (given: { readonly [name: string]: unknown }) => Promise<Recipe> } = {
  async urql(given) {
    const { urql } = await runRecipe<{ urql: UrqlClient; live: Live }>('With urql', given, ['urql', 'live'])
    return {
      watch: (query, variables, draw, fail) =>
        void urql.query(query, variables).subscribe(({ data, error }) => {
          if (error) fail?.(error)
          else if (data) draw(data)
        }),
      refetch: (query, variables) => urql.query(query, variables, { requestPolicy: 'network-only' }).toPromise(),
    }
  },
  async 'Apollo Client'(given) {
    const { apollo } = await runRecipe<{ apollo: ApolloClient; live: Live }>('With Apollo Client', given, ['apollo', 'live'])
    closeAtEnd(async () => apollo.stop())
    return {
      watch: (query, variables, draw, fail) =>
        void apollo.watchQuery({ query, variables }).subscribe(({ data, dataState, error }) => {
          if (error) fail?.(error)
          if (dataState === 'complete') draw(data as never)
        }),
      refetch: (query, variables) => apollo.query({ query, variables, fetchPolicy: 'network-only' }),
    }
  },
}

/** Starts a recipe. Events wait while `hold` is on; `delay` holds answers back. */
async function start(name: string, client: ParleyClient, events: DocumentNode = Events) {
  let opened: Promise<void> = Promise.resolve()
  let open: () => void = () => undefined
  const failures: unknown[] = []
  let dealt = 0
  let snapshot: () => Promise<string> = () => Promise.reject(new Error('nothing is followed'))
  const gated = {
    ...{ fetch: client.fetch, request: client.request.bind(client), subscribe: client.subscribe.bind(client) },
    follow(document: DocumentNode, options: Parameters<ParleyClient['follow']>[1]) {
      snapshot = () => options.snapshot('OTHER_HISTORY')
      return client.follow(document as never, {
        ...options,
        async onEvent(event) {
          await opened
          await options.onEvent(event)
          dealt += 1
        },
        onTrouble: (failure) => failures.push(failure),
      })
    },
  }
  let carry: typeof fetch = client.fetch
  Object.assign(gated, { fetch: ((...args) => carry(...args)) satisfies typeof fetch })
  const recipe = await recipes[name]?.({ client: gated, url: node.url, Events: events, Here })
  if (!recipe) throw new Error(name)
  await until('to be live', () => client.state.status === 'LIVE')
  return {
    ...recipe,
    failures,
    dealt: () => dealt,
    snapshot: () => snapshot(),
    hold() {
      opened = new Promise((resolve) => {
        open = resolve
      })
      return () => open()
    },
    carryBy(next: typeof fetch) {
      carry = next
    },
  }
}

type Counted = { readonly conversation: { readonly unreadCount: number } }
type ShownPage = { readonly conversation: { readonly messages: { readonly nodes: readonly ShownMessage[] } } }
type ShownMessage = {
  readonly text: string
  readonly sender: { readonly displayName: string }
  readonly reactions: readonly { readonly emoji: string }[]
}

const each = test.each(Object.keys(recipes))

each('D5 the recipe with %s, as the README has it, shows messages with all of their parts', async (name) => {
  const { alice, bob, id, client } = await people()
  await alice.send(id, 'before')
  const app = await start(name, client)
  const seen: (readonly ShownMessage[])[] = []
  app.watch<ShownPage>(Messages, { conversationId: id }, ({ conversation }) => seen.push(conversation.messages.nodes))
  await until('the query', () => seen.length > 0)
  const { message } = await alice.send(id, 'after')
  await bob.run(ReactToIt, { input: { messageId: message.id, emoji: '👍' } })
  await until('message and reaction', () => seen.at(-1)?.[1]?.reactions.length === 1)
  expect(seen.at(-1)).toMatchObject([
    { text: 'before', sender: { displayName: alice.username } },
    { text: 'after', sender: { displayName: alice.username }, reactions: [{ emoji: '👍', count: 1 }] },
  ])
  expect(app.failures).toEqual([])
})

each(
  'with %s a refused query on the screen does not keep a snapshot from finishing; shown queries are refetched',
  async (name) => {
    const { id, client } = await people()
    const app = await start(name, client)
    let refusals = 0
    const refused = () => {
      refusals += 1
    }
    const counts: number[] = []
    app.watch(One, { id: 'nothing' }, () => undefined, refused)
    app.watch<Counted>(One, { id }, ({ conversation }) => counts.push(conversation.unreadCount))
    await until('both', () => refusals > 0 && counts.length > 0)
    let asked = 0
    app.carryBy((...args) => {
      asked += 1
      return client.fetch(...args)
    })
    expect(await app.snapshot()).toMatch(/^[\w-]{28}$/)
    await until('both to be asked again', () => asked >= 2)
  },
)

each('D5 with %s an answer is not changed by events that came before it and that it includes', async (name) => {
  const { alice, bob, id, client, ask } = await people()
  const app = await start(name, client, Counting)
  const counts: number[] = []
  app.watch<Counted>(One, { id }, ({ conversation }) => counts.push(conversation.unreadCount))
  await until('the query', () => counts.length > 0)
  await alice.send(id, 'one')
  await ask(bob, MarkRead, { input: { conversationId: id, seq: 1 } })
  const before = app.dealt()
  for (const text of ['two', 'three', 'four']) await alice.send(id, text)
  await until('the events', () => app.dealt() >= before + 3)
  await app.refetch(One, { id })
  await until('the answer', () => counts.at(-1) === 3)
})

each('D5 with %s an event that comes after an answer that includes it does not change it, not for a moment', async (name) => {
  const { alice, bob, id, client, ask } = await people()
  const { message } = await alice.send(id, 'zero')
  const app = await start(name, client, Counting)
  const counts: number[] = []
  const reactions: number[] = []
  app.watch<Counted>(One, { id }, ({ conversation }) => counts.push(conversation.unreadCount))
  app.watch<ShownPage>(Messages, { conversationId: id }, ({ conversation }) =>
    reactions.push(conversation.messages.nodes[0]?.reactions.length ?? 0),
  )
  await until('the queries', () => counts.length > 0 && reactions.length > 0)
  const before = app.dealt()
  const open = app.hold()
  await bob.run(ReactToIt, { input: { messageId: message.id, emoji: '👍' } })
  await bob.run(UnreactToIt, { input: { messageId: message.id, emoji: '👍' } })
  await alice.send(id, 'one')
  await ask(bob, MarkRead, { input: { conversationId: id, seq: 2 } })
  for (const text of ['two', 'three', 'four']) await alice.send(id, text)
  await Promise.all([app.refetch(One, { id }), app.refetch(Messages, { conversationId: id })])
  await until('the answer', () => counts.at(-1) === 3)
  const [countsSeen, reactionsSeen] = [counts.length, reactions.length]
  open()
  await until('all events', () => app.dealt() >= before + 7)
  expect(new Set([3, ...counts.slice(countsSeen)])).toEqual(new Set([3]))
  expect(new Set([0, ...reactions.slice(reactionsSeen)])).toEqual(new Set([0]))
  expect(app.failures).toEqual([])
})

each('D5 with %s of two answers the one that was read later stays, whichever comes first', async (name) => {
  const { alice, id, client } = await people()
  const app = await start(name, client, Counting)
  const counts: number[] = []
  app.watch<Counted>(One, { id }, ({ conversation }) => counts.push(conversation.unreadCount))
  await until('the query', () => counts.length > 0)
  const hold = app.hold()
  let release: () => void = () => undefined
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  let isRead = false
  app.carryBy(async (...args) => {
    const response = await client.fetch(...args)
    isRead = true
    await released
    return response
  })
  const late = app.refetch(Other, { id })
  await until('the first to be read', () => isRead)
  app.carryBy(client.fetch)
  for (const text of ['one', 'two', 'three']) await alice.send(id, text)
  await app.refetch(One, { id })
  await until('the later answer', () => counts.at(-1) === 3)
  const seen = counts.length
  release()
  const { data } = (await late) as { data: Counted }
  expect(data.conversation.unreadCount).toBe(3)
  await app.refetch(One, { id })
  expect(new Set([3, ...counts.slice(seen)])).toEqual(new Set([3]))
  hold()
})
