// Where a client should open its socket, in the schema.

import { z } from 'zod'
import type { App } from '../app.ts'
import { regionName, regionRule } from '../config.ts'
import { ParleyError } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import { requireViewer } from '../graphql/context.ts'
import { parseArguments } from '../graphql/input.ts'
import type { NodeReport } from '../signal/node-board.ts'
import { type Choice, Chooser } from './choice.ts'

const retryAfterMs = 1_000
const argumentsForm = z.object({ region: z.string().regex(regionName, regionRule).nullish() })

const GatewayNode = builder.objectRef<NodeReport>('GatewayNode').implement({
  description: 'A node of this installation, as it told of itself within the last seconds.',
  fields: (t) => ({
    url: t.string({
      nullable: true,
      description:
        'Where its WebSocket is: `wss://…/graphql`. null where the node was not told its address, and is the one that you ask: then it is there.',
      // By what name a node that was not told is asked, it cannot know: a page at localhost may not go to 127.0.0.1.
      resolve: ({ id, url }, _args, { app }) => (id === app.nodes.id && app.config.node.publicUrl === null ? null : url),
    }),
    region: t.exposeString('region', { description: 'Where it stands.' }),
    version: t.exposeString('version', { description: 'Which version of Parley it runs.' }),
    connections: t.exposeInt('connections', { description: 'How many WebSockets and event streams are open on it.' }),
    capacity: t.exposeInt('capacity', { description: 'How many of them it is meant for.' }),
    eventLoopLagMs: t.exposeInt('eventLoopLagMs', {
      description: 'The longest that anything had to wait for its turn on it, within a second, in milliseconds.',
    }),
    isDraining: t.exposeBoolean('isDraining', { description: 'Whether it is going down. Such a node is not recommended.' }),
  }),
})

const Gateway = builder.objectRef<Choice>('Gateway').implement({
  description: 'Where to open a socket. Any node serves any request: this only spreads the clients.',
  fields: (t) => ({
    node: t.expose('node', { type: GatewayNode, description: 'The least loaded healthy node of the nearest region.' }),
    fallbacks: t.expose('fallbacks', {
      type: [GatewayNode],
      description: 'Where to go when it does not answer, the best first; wait a random time before each.',
    }),
  }),
})

const choosers = new WeakMap<App, Chooser>()

function chooserOf(app: App): Chooser {
  let chooser = choosers.get(app)
  if (!chooser) {
    chooser = new Chooser()
    choosers.set(app, chooser)
    app.nodes.onReport((report) => chooser?.heard(report))
  }
  return chooser
}

builder.queryField('gateway', (t) =>
  t.field({
    type: Gateway,
    complexity: 500,
    description:
      'Where you should open your socket. Ask again after a connection was lost, and wait a random time first, so that not all clients of a lost node come at once. Errors: BAD_INPUT, UNAVAILABLE.',
    args: {
      region: t.arg.string({
        required: false,
        description:
          'Where you are. The more parts two names begin with in common, the nearer they are: eu-west-1 is nearer to eu-west-2 than to eu-north-1, and to that nearer than to us-east-1. Without it: near the node that you ask.',
      }),
    },
    resolve: (_root, args, context) => {
      requireViewer(context)
      const { app } = context
      const region = parseArguments(argumentsForm, args).region ?? app.config.node.region
      const choice = chooserOf(app).choose(app.nodes.nodes(), region)
      if (!choice) throw new ParleyError('UNAVAILABLE', 'No node can take you at the moment', { retryAfterMs })
      return choice
    },
  }),
)
