// The peer from the documentation: Yoga's recipe for WebSockets with graphql-ws, createPubSub, and Prisma if there is a
// database. https://the-guild.dev/graphql/yoga-server/docs/features/subscriptions has the wiring below.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PrismaPg } from '@prisma/adapter-pg'
import type { ExecutionArgs } from 'graphql'
import { useServer } from 'graphql-ws/use/ws'
import { createPubSub, createSchema, createYoga } from 'graphql-yoga'
import { WebSocketServer } from 'ws'
import { eventOf, type PeerEvent, peerTypes } from '../kit/fact.ts'
import { expose, settings } from '../kit/parent.ts'
import { PrismaClient } from '../stock/generated/client.ts'

const { databaseUrl } = settings<{ databaseUrl?: string }>()
const prisma = databaseUrl ? new PrismaClient({ adapter: new PrismaPg({ connectionString: databaseUrl }) }) : null
type Sent = Omit<PeerEvent, 'message'> & { message: Omit<PeerEvent['message'], 'id'> & { id: string | number } }
const pubSub = createPubSub<{ events: [event: PeerEvent]; sent: [conversationId: number, event: Sent] }>()
let seq = 0
let subscribers = 0

type SendInput = { conversationId: number; senderId: number; text: string }

async function sendMessage({ conversationId, senderId, text }: SendInput) {
  if (!prisma) throw new Error('this server was started without a database')
  const stored = await prisma.message.create({ data: { conversationId, senderId, text }, include: { sender: true } })
  const message = {
    id: stored.id,
    seq: stored.id,
    text,
    createdAt: stored.createdAt.toISOString(),
    sender: { id: String(stored.sender.id), displayName: stored.sender.displayName },
    conversation: { id: String(conversationId) },
  }
  pubSub.publish('sent', conversationId, {
    __typename: 'MessageSent',
    cursor: String(stored.id),
    occurredAt: message.createdAt,
    message,
  })
  return { message }
}

const yoga = createYoga({
  schema: createSchema({
    typeDefs: peerTypes,
    resolvers: {
      Event: { __resolveType: (event: PeerEvent) => event.__typename },
      Mutation: { sendMessage: (_root: unknown, { input }: { input: SendInput }) => sendMessage(input) },
      Subscription: {
        events: {
          subscribe: () => {
            subscribers += 1
            return pubSub.subscribe('events')
          },
          resolve: (event: PeerEvent) => event,
        },
        messageSent: {
          subscribe: (_root: unknown, { conversationId }: { conversationId: number }) => {
            subscribers += 1
            return pubSub.subscribe('sent', conversationId)
          },
          resolve: (event: Sent) => event,
        },
      },
    },
  }),
})
const http = createServer(yoga)
const sockets = new WebSocketServer({ server: http, path: yoga.graphqlEndpoint })
type Enveloped = Pick<ReturnType<typeof yoga.getEnveloped>, 'execute' | 'subscribe'>

useServer(
  {
    execute: (args: ExecutionArgs) => (args.rootValue as Enveloped).execute(args),
    subscribe: (args: ExecutionArgs) => (args.rootValue as Enveloped).subscribe(args),
    onSubscribe: async (context, _id, params) => {
      const { schema, execute, subscribe, contextFactory, parse, validate } = yoga.getEnveloped({
        ...context,
        req: context.extra.request,
        socket: context.extra.socket,
        params,
      })
      const args = {
        schema,
        operationName: params.operationName,
        document: parse(params.query),
        variableValues: params.variables,
        contextValue: await contextFactory(),
        rootValue: { execute, subscribe },
      }
      const errors = validate(args.schema, args.document)
      return errors.length > 0 ? errors : args
    },
  },
  sockets,
)

const api = {
  port: () => (http.address() as AddressInfo).port,
  subscribers: () => subscribers,
  publish(text: string) {
    seq += 1
    pubSub.publish('events', eventOf(seq, text))
  },
}
export type StockServer = typeof api

http.listen(0, '127.0.0.1', 4096, () => expose(api))
