// The caches of urql and Apollo Client: after any run of events, every query on the screen shows what a new one would read.

import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client'
import { Client, cacheExchange, fetchExchange } from '@urql/core'
import { type DocumentNode, parse, print } from 'graphql'
import { beforeAll, expect, test } from 'vitest'
import { pipe, subscribe } from 'wonka'
import WebSocket from 'ws'
import { applyEvent, liveLink, typePolicies } from '../../client/src/apollo.ts'
import { createParleyClient, type EventData, type ParleyClient } from '../../client/src/client.ts'
import { attachmentParts, Events, messageParts, personParts } from '../../client/src/store/documents.ts'
import { liveExchange } from '../../client/src/urql.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { closeAtEnd, type Node, openNode } from '../support/node.ts'
import { withSeed } from '../support/random.ts'
import { until } from '../support/until.ts'
import { act } from './actions.ts'
import { quick, sessionOf, withoutGateway } from './app.ts'

const fragments = messageParts + personParts + attachmentParts
const pageInfo = 'pageInfo { hasNextPage endCursor }'
const Here = 'query Here { syncCursor }'
const lists = [
  `query List { conversations(first: 20, archived: null) { nodes {
    id kind title isClosed lastActivityAt unreadCount unreadCountIsExact mentionCount memberCount viewerCanPin
    slowModeS announcementsOnly viewerCanSend
    viewerMembership { id role mutedUntil archivedAt pinnedAt markedUnreadAt } otherUser { id displayName } lastMessage { ...MessageParts } } } }
    ${fragments}`,
  'query Edges { conversations(first: 2) { edges { cursor node { id title unreadCount archivedAt: createdAt } } pageInfo { hasNextPage } } }',
  'query Pinned { conversations(first: 20, archived: null, pinned: true) { nodes { id title } } }',
  'query Totals { unreadTotals { conversations messages mentions } viewer { id displayName } blockedUsers { nodes { id user { id } } } }',
]
const ofOne = [
  `query Nodes($id: ID!) { conversation(id: $id) { id messages(last: 30) { nodes { ...MessageParts } ${pageInfo} } } } ${fragments}`,
  `query MessageEdges($id: ID!) { conversation(id: $id) { id messages(last: 30) { edges { cursor node { ...MessageParts } } ${pageInfo} } } }
    ${fragments}`,
  `query Rest($id: ID!) { conversation(id: $id) { id title pinnedMessages { id } readMarkers { id seq user { id } }
    members { nodes { id role user { id displayName } } } bans { nodes { bannedAt user { id displayName } } } } }`,
]

let node: Node
beforeAll(async () => {
  node = await openNode()
})

/** A cache under test: shows queries, and takes events. */
type Adapter = {
  show(query: DocumentNode, variables: object): { current(): unknown }
  apply(event: EventData): void
}

function withUrql(client: ParleyClient): Adapter {
  const live = liveExchange()
  const urql = new Client({
    url: node.url,
    exchanges: [live.exchange, cacheExchange, fetchExchange],
    fetch: client.fetch,
    preferGetMethod: false,
  })
  return {
    show(query, variables) {
      let data: unknown
      const { unsubscribe } = pipe(
        urql.query(query, variables),
        subscribe((result) => {
          data = result.data ?? data
        }),
      )
      closeAtEnd(async () => unsubscribe())
      return { current: () => data }
    },
    apply: (event) => live.apply(event),
  }
}

function withApollo(client: ParleyClient): Adapter {
  const live = liveLink()
  const cache = new InMemoryCache({ typePolicies })
  const apollo = new ApolloClient({
    cache,
    link: ApolloLink.from([live.link, new HttpLink({ uri: node.url, fetch: client.fetch })]),
  })
  closeAtEnd(async () => apollo.stop())
  const document = parse(Events)
  return {
    show(query, variables) {
      let data: unknown
      const shown = apollo.watchQuery({ query, variables })
      const subscription = shown.subscribe((result) => {
        if (result.dataState === 'complete') data = result.data
      })
      closeAtEnd(async () => subscription.unsubscribe())
      return { current: () => data }
    },
    apply(event) {
      live.note(event)
      applyEvent(cache, event, document)
    },
  }
}

/** An answer without names of types, and with the newest messages of a page only: a live page grows. */
function plain(value: unknown): unknown {
  const text = JSON.stringify(value ?? null, (key, each) => (key === '__typename' || key === 'highlights' ? undefined : each))
  const parsed = JSON.parse(text) as { conversation?: { messages?: { nodes?: unknown[]; edges?: unknown[] } } } | null
  const page = parsed?.conversation?.messages
  if (page?.nodes) page.nodes = page.nodes.slice(-15)
  if (page?.edges) page.edges = page.edges.slice(-15)
  return parsed
}

/** Whether an answer has all of another one. An event may have brought more fields of an object than the query asked for. */
function covers(shown: unknown, fresh: unknown): boolean {
  if (Array.isArray(shown) && Array.isArray(fresh))
    return shown.length === fresh.length && fresh.every((each, i) => covers(shown[i], each))
  if (typeof shown !== 'object' || typeof fresh !== 'object' || shown === null || fresh === null) return Object.is(shown, fresh)
  return Object.entries(fresh).every(([field, each]) => covers((shown as Record<string, unknown>)[field], each))
}

test.each([
  ['urql', withUrql],
  ['Apollo Client', withApollo],
])('D5 after any run of events, the queries of %s show what new ones would', (name, open) =>
  withSeed(async (random) => {
    const suffix = name.split(' ')[0]
    const people = await signUpAll(node, `Alice-${suffix}`, `Bob-${suffix}`, `Carol-${suffix}`)
    const [alice, bob, carol] = people as [Device, Device, Device]
    const conversations = [await alice.group('First', bob, carol), await bob.direct(alice)]
    const made = { people, conversations, sent: [], haveParted: false }
    const client = createParleyClient({
      url: node.url,
      session: sessionOf(alice),
      webSocketImpl: WebSocket as never,
      fetch: withoutGateway,
      print,
      limits: quick,
    })
    closeAtEnd(() => client.close())
    const adapter = open(client)
    client.follow(Events, {
      after: null,
      onEvent: (event) => adapter.apply(event as EventData),
      snapshot: async () => ((await client.request(Here, {})) as { syncCursor: string }).syncCursor,
    })
    await until('the client to be live', () => client.state.status === 'LIVE')
    const queries = [
      ...lists.map((text) => [text, {}] as const),
      ...conversations.flatMap((id) => ofOne.map((text) => [text, { id }] as const)),
    ].map(([text, variables]) => ({ text, variables, shown: adapter.show(parse(text), variables) }))
    await until('the first answers', () => queries.every(({ shown }) => shown.current() !== undefined))

    for (let n = 0; n < 3; n += 1) {
      for (let k = 0; k < 12; k += 1) await act(random, made)
      for (const { text, variables, shown } of queries) {
        let fresh: unknown
        for (const deadline = Date.now() + 8_000; Date.now() < deadline; ) {
          fresh = plain((await client.execute(text, variables as Record<string, unknown>)).data)
          if (covers(plain(shown.current()), fresh)) break
          await new Promise((resolve) => setTimeout(resolve, 50))
        }
        const now = plain(shown.current())
        expect({ query: text.slice(0, 30), data: covers(now, fresh) ? fresh : now }).toEqual({
          query: text.slice(0, 30),
          data: fresh,
        })
      }
    }
  }),
)
