// The schema of the gateway: the node that a client should open its socket to.

import { z } from 'zod'
import { regionName, regionRule } from '../config/variables.ts'
import { ParleyError } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import { requireViewer } from '../graphql/context.ts'
import { parseArguments } from '../graphql/input.ts'
import type { App } from '../parts.ts'
import { type NodeChoice, NodeChooser } from './choice.ts'
import type { NodeReport } from './node-registry.ts'

const retryAfterMs = 1_000
const argumentsForm = z.object({ region: z.string().regex(regionName, regionRule).nullish() })

const GatewayNode = builder.objectRef<NodeReport>('GatewayNode').implement({
  description: 'A node of this installation, in the state that it reported within the last few seconds.',
  fields: (t) => ({
    url: t.string({
      nullable: true,
      description:
        'The WebSocket URL of the node: `wss://…/graphql`. Null if it is the node that answers this request and no address is configured for it: connect to the address that you already use.',
      // Without a configured address, the node can't know its name for clients: a page at localhost may not connect to 127.0.0.1.
      resolve: ({ id, url }, _args, { app }) => (id === app.nodes.id && app.config.node.publicUrl === null ? null : url),
    }),
    region: t.exposeString('region', { description: 'The region of the node.' }),
    version: t.exposeString('version', { description: 'The version of Parley that the node runs.' }),
    connections: t.exposeInt('connections', {
      description: 'The number of WebSockets and event streams that are open on the node.',
    }),
    capacity: t.exposeInt('capacity', { description: 'The number of connections that the node is configured for.' }),
    eventLoopLagMs: t.exposeInt('eventLoopLagMs', {
      description:
        "The longest delay of the node's event loop within one second, in milliseconds. A high value means that the node is overloaded.",
    }),
    isDraining: t.exposeBoolean('isDraining', {
      description: 'Whether the node is shutting down. `gateway` never recommends such a node.',
    }),
  }),
})

const Gateway = builder.objectRef<NodeChoice>('Gateway').implement({
  description: 'The node to open a WebSocket to. Any node serves any request; this only spreads clients across nodes.',
  fields: (t) => ({
    node: t.expose('node', {
      type: GatewayNode,
      description: 'The recommended node: the least loaded healthy node in the nearest region.',
    }),
    fallbacks: t.expose('fallbacks', {
      type: [GatewayNode],
      description: 'The nodes to try if `node` does not answer, best first. Wait a random time before each attempt.',
    }),
  }),
})

const choosers = new WeakMap<App, NodeChooser>()

function chooserOf(app: App): NodeChooser {
  let chooser = choosers.get(app)
  if (!chooser) {
    chooser = new NodeChooser()
    choosers.set(app, chooser)
    app.nodes.onReport((report) => chooser?.onReport(report))
  }
  return chooser
}

builder.queryField('gateway', (t) =>
  t.field({
    type: Gateway,
    complexity: 500,
    description:
      'Recommends a node to open a WebSocket to. Ask again after you lose a connection, but wait a random time first, so that the clients of a failed node do not all come at once. Errors: BAD_INPUT, UNAVAILABLE.',
    args: {
      region: t.arg.string({
        required: false,
        description:
          'Your region. Two regions are nearer the more leading parts their names share: eu-west-1 is nearer to eu-west-2 than to eu-north-1, and nearer to eu-north-1 than to us-east-1. Defaults to the region of the node that answers.',
      }),
    },
    resolve: async (_root, args, context) => {
      requireViewer(context)
      const { app } = context
      const region = parseArguments(argumentsForm, args).region ?? app.config.node.region
      const choice = chooserOf(app).choose(await app.nodes.nodes(), region)
      if (!choice) throw new ParleyError('UNAVAILABLE', 'No node is available at the moment. Try again later.', { retryAfterMs })
      return choice
    },
  }),
)
