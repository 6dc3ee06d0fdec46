// The story once more with the clients that apps use: Apollo Client and urql, each over graphql-ws, with typed documents. Sign
// up, start, send, receive, lose the connection, resume with a cursor; nothing missed, nothing twice.

import { randomUUID } from 'node:crypto'
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client'
import { SetContextLink } from '@apollo/client/link/context'
import { GraphQLWsLink } from '@apollo/client/link/subscriptions'
import { fetchExchange, subscriptionExchange, Client as UrqlClient } from '@urql/core'
import { OperationTypeNode } from 'graphql'
import { createClient, type Client as SocketClient } from 'graphql-ws'
import { beforeAll, expect, test } from 'vitest'
import WebSocket from 'ws'
import { password, signUp } from '../support/device.ts'
import { Events, FindUser, SendMessage, SignUp, Snapshot, StartDirectConversation } from '../support/documents.ts'
import { EventLog } from '../support/event-log.ts'
import { closeAtEnd, type Node, openNode } from '../support/node.ts'

let node: Node
beforeAll(async () => {
  node = await openNode()
})

/** What the story needs of a client. */
type StoryClient = {
  signUp(username: string): Promise<void>
  startWith(username: string): Promise<string>
  send(conversationId: string, text: string): Promise<void>
  snapshot(): Promise<{ cursor: string; texts: string[] }>
  follow(after: string): EventLog
}

/** The socket of a client; it reconnects by itself, as the clients' documentation sets it up. */
function socketOf(token: () => string): SocketClient {
  const socket = createClient({
    url: node.socketUrl,
    webSocketImpl: WebSocket,
    connectionParams: () => ({ accessToken: token() }),
    retryAttempts: 0,
  })
  closeAtEnd(async () => socket.dispose())
  return socket
}

const isSubscription = (operationType: OperationTypeNode) => operationType === OperationTypeNode.SUBSCRIPTION
const signUpInput = (username: string) => ({ username, password, displayName: username, deviceName: 'App' })

function apolloApp(): StoryClient {
  let token = ''
  const socket = socketOf(() => token)
  const authorised = new SetContextLink(() => ({ headers: token ? { authorization: `Bearer ${token}` } : {} }))
  const client = new ApolloClient({
    cache: new InMemoryCache(),
    link: ApolloLink.split(
      ({ operationType }) => isSubscription(operationType),
      new GraphQLWsLink(socket),
      ApolloLink.from([authorised, new HttpLink({ uri: node.url })]),
    ),
  })
  closeAtEnd(async () => client.stop())
  const must = <T>(data: T | null | undefined): T => {
    if (data == null) throw new Error('no data')
    return data
  }
  return {
    async signUp(username) {
      const { data } = await client.mutate({ mutation: SignUp, variables: { input: signUpInput(username) } })
      token = must(data).signUp.accessToken
    },
    async startWith(username) {
      const found = await client.query({ query: FindUser, variables: { username } })
      const userId = must(must(found.data).user).id
      const { data } = await client.mutate({ mutation: StartDirectConversation, variables: { input: { userId } } })
      return must(data).startDirectConversation.conversation.id
    },
    async send(conversationId, text) {
      const input = { conversationId, text, clientMessageId: randomUUID() }
      must((await client.mutate({ mutation: SendMessage, variables: { input } })).data)
    },
    async snapshot() {
      const data = must((await client.query({ query: Snapshot, fetchPolicy: 'network-only' })).data)
      const texts = (data.conversations.nodes ?? []).flatMap((c) => (c?.messages.nodes ?? []).map((m) => m?.text ?? ''))
      return { cursor: data.syncCursor, texts }
    },
    follow(after) {
      const log = new EventLog()
      const subscription = client.subscribe({ query: Events, variables: { after }, fetchPolicy: 'no-cache' }).subscribe({
        next: ({ data, error }) => (error ? log.fail(error) : log.take({ data: data as never })),
        error: (error) => log.fail(error),
        complete: () => log.end({ code: 1000, reason: 'complete' }),
      })
      log.stop = () => subscription.unsubscribe()
      log.cut = () => socket.terminate()
      return log
    },
  }
}

function urqlApp(): StoryClient {
  let token = ''
  const socket = socketOf(() => token)
  const client = new UrqlClient({
    url: node.url,
    preferGetMethod: false,
    fetchOptions: () => ({ headers: token ? { authorization: `Bearer ${token}` } : {} }),
    exchanges: [
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query, variables }) => ({
          subscribe: (sink) => ({
            unsubscribe: socket.subscribe({ query: query ?? '', variables: variables ?? {} }, sink as never),
          }),
        }),
      }),
    ],
  })
  return {
    async signUp(username) {
      const { data, error } = await client.mutation(SignUp, { input: signUpInput(username) })
      if (!data) throw error
      token = data.signUp.accessToken
    },
    async startWith(username) {
      const found = await client.query(FindUser, { username })
      const { data, error } = await client.mutation(StartDirectConversation, { input: { userId: found.data?.user?.id ?? '' } })
      if (!data) throw error
      return data.startDirectConversation.conversation.id
    },
    async send(conversationId, text) {
      const { error } = await client.mutation(SendMessage, { input: { conversationId, text, clientMessageId: randomUUID() } })
      if (error) throw error
    },
    async snapshot() {
      const { data, error } = await client.query(Snapshot, {}, { requestPolicy: 'network-only' })
      if (!data) throw error
      const texts = (data.conversations.nodes ?? []).flatMap((c) => (c?.messages.nodes ?? []).map((m) => m?.text ?? ''))
      return { cursor: data.syncCursor, texts }
    },
    follow(after) {
      const log = new EventLog()
      const { unsubscribe } = client.subscription(Events, { after }).subscribe(({ data, error }) => {
        if (error) log.fail(error)
        else if (data) log.take({ data })
      })
      log.stop = unsubscribe
      log.cut = () => socket.terminate()
      return log
    },
  }
}

test.each([
  ['Apollo Client', 'apollo', apolloApp],
  ['urql', 'urql', urqlApp],
] as const)(
  'D3 D4 with %s: sign up, start, send, receive, reconnect with a cursor; nothing missed, nothing twice',
  async (_what, name, create) => {
    const friend = await signUp(node, `Friend-of-${name}`)
    const app = create()
    await app.signUp(name)
    const conversationId = await app.startWith(friend.username)
    await app.send(conversationId, 'from the app')
    await friend.send(conversationId, 'from the friend')

    const snapshot = await app.snapshot()
    expect(snapshot.texts).toEqual(['from the app', 'from the friend'])
    const live = await app.follow(snapshot.cursor).live()
    expect(live.seen[0]).toMatchObject({ __typename: 'SyncStarted', mode: 'RESUMED' })
    await friend.send(conversationId, 'live')
    await app.send(conversationId, 'live too')
    await live.text('live too')
    expect(live.texts).toEqual(['live', 'live too'])
    const { cursor } = live
    live.cut()

    for (let i = 0; i < 20; i += 1) await friend.send(conversationId, `missed ${i}`)
    const resumed = await app.follow(cursor).live()
    expect(resumed.texts).toEqual(Array.from({ length: 20 }, (_, i) => `missed ${i}`))
    await friend.send(conversationId, 'together again')
    await resumed.text('together again')
    expect(resumed.texts).toHaveLength(21)
    expect((await app.snapshot()).texts).toHaveLength(25)
    resumed.stop()
  },
)
