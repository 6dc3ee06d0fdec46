// The peer Mercurius, with compiled queries, with subscriptions as in its documentation.

import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import mercurius, { type MercuriusContext } from 'mercurius'
import { eventOf, type PeerEvent, peerTypes } from '../kit/fact.ts'
import { expose } from '../kit/parent.ts'

const app = Fastify()
let seq = 0
let subscribers = 0

await app.register(mercurius, {
  schema: peerTypes,
  jit: 1,
  subscription: true,
  resolvers: {
    Event: { resolveType: (event: PeerEvent) => event.__typename },
    Subscription: {
      events: {
        subscribe: async (_root: unknown, _args: unknown, { pubsub }: MercuriusContext) => {
          subscribers += 1
          return pubsub.subscribe('events')
        },
      },
    },
  },
})

const api = {
  port: () => (app.server.address() as AddressInfo).port,
  subscribers: () => subscribers,
  publish(text: string) {
    seq += 1
    app.graphql.pubsub.publish({ topic: 'events', payload: { events: eventOf(seq, text) } })
  },
}
export type MercuriusServer = typeof api

await app.listen({ host: '127.0.0.1', port: 0, backlog: 4096 })
expose(api)
