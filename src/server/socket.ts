// GraphQL over WebSocket: the protocol graphql-transport-ws of graphql-ws on sockets of `ws`. It connects the protocol to
// sockets, callers and Yoga's pipeline, and closes dead sockets.

import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { GraphQLError, SubscriptionArgs } from 'graphql'
import { CloseCode, handleProtocols, makeServer, type SubscribePayload } from 'graphql-ws'
import { type WebSocket, WebSocketServer } from 'ws'
import { ParleyError } from '../errors.ts'
import type { Context } from '../graphql/context.ts'
import { refusalsOf } from '../graphql/documents.ts'
import { clientError } from '../graphql/errors.ts'
import { type PayloadSink, PayloadStream } from '../graphql/payload-stream.ts'
import type { Subscriptions } from '../graphql/subscriptions.ts'
import type { App } from '../parts.ts'
import type { AddressCounts, AddressOf } from './addresses.ts'
import { callOf, connect, type Gate, renew } from './admission.ts'
import { type Guards, nobody } from './callers.ts'
import type { Connections } from './connections.ts'
import { newRequestId } from './http.ts'
import { findDocumentText } from './persisted.ts'
import type { Rates } from './rates.ts'
import { logRefused, originIn } from './refused.ts'
import { publishExecuted } from './steps.ts'
import { type Admitted, openAdmission } from './upgrade.ts'
import { adapt, type Extra, endSocket, farewell, frames } from './wire.ts'
import type { Yoga } from './yoga.ts'

const initMs = 5_000
/** How often to ping sockets; more often if the presence TTL is too short for that. */
const pingMs = 12_000
const shutdownMs = 4_000
const operationIdMax = 64

/** The WebSockets of a node. */
export type Sockets = {
  /** Takes over an HTTP connection that requests a WebSocket. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  /** How many are open, with a session, without one, or not yet identified. */
  count(): number
  /** Refuses new sockets from now on. */
  refuse(): void
  /** Closes every socket with a farewell (wire.ts), and terminates those that do not answer. */
  close(): Promise<void>
}

/** Opens the WebSocket side of a node. */
export function openSockets(
  app: App,
  guards: Guards,
  connections: Connections,
  yoga: Yoga,
  subscriptions: Subscriptions,
  addressOf: AddressOf,
  addresses: AddressCounts,
  rates: Rates,
): Sockets {
  const gate: Gate = { app, guards, connections }
  const maxPayload = app.config.socket.messageBytesMax
  const server = new WebSocketServer({ noServer: true, maxPayload, perMessageDeflate: false, handleProtocols })
  const unanswered = new WeakSet<WebSocket>()
  const open = new Set<Extra>()
  let isRefusing = false
  const admit = openAdmission(app, addressOf, addresses, () => isRefusing)
  const protocol = makeServer<Record<string, unknown>, Extra>({
    connectionInitWaitTimeout: initMs,
    onConnect: (context) => connect(context, gate),
    onSubscribe: ({ extra, subscriptions }, id, payload) =>
      prepare(extra, new Set([...Object.keys(subscriptions), ...extra.starting]).size, id, payload, {
        app,
        gate,
        yoga,
      }),
    onNext: (_context, _id, { operationName }, { contextValue }, { errors }) =>
      errors && logRefused(app, errors as readonly GraphQLError[], originIn(contextValue as Context, operationName)),
    onOperation(context, id) {
      stopStarting(context.extra, id)
    },
    onClose({ extra }) {
      if (extra.connection) connections.remove(extra.connection)
      extra.device?.lost()
      const owner = extra.connection?.owner
      if (owner?.keyId === null && extra.device) app.typing.connectionLost(owner, extra.device)
    },
    execute: (args) => (args.rootValue as Prepared).execute(args),
    subscribe: (args) => subscribe(args, rates, subscriptions),
  })

  const opened = (socket: WebSocket, tcp: Duplex, { address, slot }: Admitted) => {
    const extra: Extra = {
      socket,
      tcp,
      address,
      slot,
      call: nobody,
      connection: null,
      device: null,
      starting: [],
      isLeaving: false,
      resumeReading: () => undefined,
    }
    open.add(extra)
    const closed = protocol.opened(adapt(socket, extra, app), extra)
    socket.on('error', (error) => app.log.debug({ err: error, address }, 'a WebSocket failed'))
    socket.on('pong', () => {
      unanswered.delete(socket)
      extra.device?.alive()
    })
    socket.once('close', (code, reason) => {
      open.delete(extra)
      closed(code, String(reason)).catch((error: unknown) => app.log.error({ err: error }, 'a WebSocket closed badly'))
    })
  }

  const everyMs = Math.min(pingMs, app.config.presence.ttlMs * 0.4)
  const endPinging = app.clock.every(everyMs, () => pingAll(server, unanswered))

  return {
    upgrade(request, socket, head) {
      const admitted = admit(request, socket)
      if (admitted) server.handleUpgrade(request, socket, head, (ready) => opened(ready, socket, admitted))
    },
    count: () => open.size,
    refuse() {
      isRefusing = true
    },
    async close() {
      isRefusing = true
      endPinging()
      const ends = [...server.clients].map((socket) => new Promise((resolve) => socket.once('close', resolve)))
      for (const extra of open) void farewell(extra)
      const limit = setTimeout(() => {
        for (const socket of server.clients) socket.terminate()
      }, shutdownMs)
      await Promise.all(ends)
      clearTimeout(limit)
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Pings every socket, and terminates those that have not answered the last ping. */
function pingAll(server: WebSocketServer, unanswered: WeakSet<WebSocket>): void {
  for (const socket of server.clients) {
    if (unanswered.has(socket)) socket.terminate()
    else {
      unanswered.add(socket)
      socket.ping()
    }
  }
}

/** Opens a subscription: a stream of events sends its payloads itself; the others go through Yoga's pipeline. */
async function subscribe(args: SubscriptionArgs, rates: Rates, subscriptions: Subscriptions) {
  const prepared = args.rootValue as Prepared
  const refused = await rates.refusalOf(args)
  if (refused) return refused
  const startedAt = performance.now()
  const opened = await subscriptions.openEvents(args)
  if (opened === null) return prepared.subscribe(args)
  publishExecuted(args, startedAt, opened instanceof PayloadStream ? {} : opened)
  return opened instanceof PayloadStream ? opened.pushedTo(prepared.sink) : opened
}

/** How to execute an operation, and where to send its events. */
type Prepared = Pick<ReturnType<Yoga['getEnveloped']>, 'execute' | 'subscribe'> & { readonly sink: PayloadSink }

type Pipeline = { readonly app: App; readonly gate: Gate; readonly yoga: Yoga }

/**
 * Prepares an operation: parses and validates it in Yoga's pipeline, and makes its context.
 * @param active how many operations the socket has, including this one
 * @returns the execution arguments, or the errors to answer with. The socket stays open even if the document does not parse
 */
async function prepare(extra: Extra, active: number, id: string, payload: SubscribePayload, { app, gate, yoga }: Pipeline) {
  const requestId = newRequestId()
  const { address } = extra
  const refuse = (...given: unknown[]) => {
    const errors = given.map((error) => clientError(error, requestId, app))
    logRefused(app, errors, { requestId, address, viewer: extra.call.caller.viewer, operation: payload.operationName })
    return errors
  }
  if (extra.starting.includes(id)) {
    endSocket(extra.socket, CloseCode.SubscriberAlreadyExists, 'Subscriber for this id already exists')
    return refuse(new ParleyError('OPERATION_REFUSED', 'This operation ID is already in use.'))
  }
  if (id.length > operationIdMax) {
    return refuse(new ParleyError('OPERATION_REFUSED', `An operation ID can have at most ${operationIdMax} characters.`))
  }
  const { subscriptionsMax } = app.config.socket
  if (active > subscriptionsMax) {
    return refuse(new ParleyError('LIMIT_EXCEEDED', `A WebSocket can have at most ${subscriptionsMax} operations at once.`))
  }
  extra.starting.push(id)
  try {
    const call = await callOf(extra, payload, gate)
    const { socket } = extra
    const device = () => extra.device
    const endConnection = (code: number, reason: string) => endSocket(socket, code, reason)
    const renewConnection = (token: string) => renew(extra, token, gate.guards)
    const enveloped = yoga.getEnveloped({
      call,
      address,
      requestId,
      asksForCost: payload.extensions?.cost === true,
      device,
      endConnection,
      renewConnection,
    } as Parameters<Yoga['getEnveloped']>[0])
    const document = enveloped.parse(findDocumentText(payload, app.config.persisted) ?? '')
    const faults: readonly GraphQLError[] = enveloped.validate(enveloped.schema, document)
    if (faults.length > 0) return released(extra, id, refuse(...faults))
    const refusals = refusalsOf(enveloped.schema, document, payload.operationName, payload.variables)
    if (refusals) return released(extra, id, refuse(...refusals))
    return {
      schema: enveloped.schema,
      operationName: payload.operationName,
      document,
      variableValues: payload.variables,
      contextValue: await enveloped.contextFactory(),
      rootValue: { execute: enveloped.execute, subscribe: enveloped.subscribe, sink: frames(extra, id) } satisfies Prepared,
    }
  } catch (error) {
    return released(extra, id, refuse(error))
  }
}

function stopStarting({ starting }: Extra, id: string): void {
  const index = starting.indexOf(id)
  if (index >= 0) starting.splice(index, 1)
}

/** Frees the id of an operation that did not start, and returns `answer`. */
function released<T>(extra: Extra, id: string, answer: T): T {
  stopStarting(extra, id)
  return answer
}
