// GraphQL over WebSocket: the protocol graphql-transport-ws by graphql-ws, on sockets of `ws`. This file only adapts: it
// gives the protocol a socket, a caller and Yoga's pipeline, and sees to it that a socket ends in time.

import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type GraphQLError, getOperationAST } from 'graphql'
import { CloseCode, handleProtocols, makeServer, type SubscribePayload } from 'graphql-ws'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Guard } from '../account/guard.ts'
import type { App } from '../app.ts'
import { ParleyError } from '../errors.ts'
import { Answers, openEvents, type Sink } from '../graphql/answers.ts'
import type { Broadcast } from '../graphql/broadcast.ts'
import { clientError } from '../graphql/errors.ts'
import { callOf, connect, type Gate, renew } from './admission.ts'
import type { Connections } from './connections.ts'
import { adapt, type Extra, endSocket, farewell, frames } from './wire.ts'
import type { Yoga } from './yoga.ts'

const initMs = 5_000
/** How often a socket is asked for a pong; more often where a sign of life does not last for two of them. */
const pingMs = 12_000
const shutdownMs = 4_000
const operationIdMax = 64

/** The WebSockets of a node. */
export type Sockets = {
  /** Takes over an HTTP connection that asks to become a WebSocket. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  /** Takes over no more. */
  refuse(): void
  /** Says goodbye to every socket that is left, and cuts those that do not answer. */
  close(): Promise<void>
}

/** Opens the WebSocket side of a node. */
export function openSockets(app: App, guard: Guard, connections: Connections, yoga: Yoga, broadcast: Broadcast): Sockets {
  const gate: Gate = { guard, connections, visits: app.visits }
  const maxPayload = app.config.socket.messageBytesMax
  const server = new WebSocketServer({ noServer: true, maxPayload, perMessageDeflate: false, handleProtocols })
  const unanswered = new WeakSet<WebSocket>()
  const open = new Set<Extra>()
  let isRefusing = false
  const protocol = makeServer<Record<string, unknown>, Extra>({
    connectionInitWaitTimeout: initMs,
    onConnect: (context) => connect(context, gate),
    onSubscribe: ({ extra, subscriptions }, id, payload) =>
      prepare(extra, new Set([...Object.keys(subscriptions), ...extra.starting]).size, id, payload, {
        app,
        gate,
        yoga,
      }),
    onOperation(context, id) {
      context.extra.starting.delete(id)
    },
    onClose({ extra }) {
      if (extra.connection) connections.remove(extra.connection)
      extra.visit?.leave()
      if (extra.call.caller.viewer) app.typing.gone(extra.call.caller.viewer.userId)
    },
    execute: (args) => (args.rootValue as Prepared).execute(args),
    async subscribe(args) {
      const { subscribe, sink } = args.rootValue as Prepared
      const opened = await openEvents(args, broadcast)
      return opened instanceof Answers ? opened.pushedTo(sink) : (opened ?? subscribe(args))
    },
  })

  server.on('connection', (socket) => {
    const extra: Extra = {
      socket,
      call: nobody,
      connection: null,
      visit: null,
      starting: new Set(),
      isLeaving: false,
      listenAgain: () => undefined,
    }
    open.add(extra)
    const closed = protocol.opened(adapt(socket, extra, app), extra)
    socket.on('error', (error) => app.log.debug({ err: error }, 'a WebSocket failed'))
    socket.on('pong', () => {
      unanswered.delete(socket)
      extra.visit?.sign()
    })
    socket.once('close', (code, reason) => {
      open.delete(extra)
      closed(code, String(reason)).catch((error: unknown) => app.log.error({ err: error }, 'a WebSocket closed badly'))
    })
  })

  const ping = keepPinging(server, unanswered, Math.min(pingMs, app.config.presence.ttlMs * 0.4))

  return {
    upgrade(request, socket, head) {
      const refuse = (status: string) =>
        void socket
          .once('finish', () => socket.destroy())
          .end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
      if (isRefusing) return refuse('503 Service Unavailable')
      if (request.url?.split('?')[0] !== '/graphql') return refuse('404 Not Found')
      if (!isWelcomeOrigin(request, app.config.http.allowedOrigins)) return refuse('403 Forbidden')
      return server.handleUpgrade(request, socket, head, (opened) => server.emit('connection', opened, request))
    },
    refuse() {
      isRefusing = true
    },
    async close() {
      isRefusing = true
      clearInterval(ping)
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

/** Asks every socket for a pong again and again, and cuts those that gave none. */
function keepPinging(server: WebSocketServer, unanswered: WeakSet<WebSocket>, everyMs: number): NodeJS.Timeout {
  return setInterval(() => {
    for (const socket of server.clients) {
      if (unanswered.has(socket)) socket.terminate()
      else {
        unanswered.add(socket)
        socket.ping()
      }
    }
  }, everyMs)
}

/** How an operation is executed, and where its events go. */
type Prepared = Pick<ReturnType<Yoga['getEnveloped']>, 'execute' | 'subscribe'> & { readonly sink: Sink }

const nobody: Extra['call'] = { caller: { viewer: null, refusal: null }, admission: null }

type Pipeline = { readonly app: App; readonly gate: Gate; readonly yoga: Yoga }

/**
 * Prepares an operation: parses and validates it in Yoga's pipeline and makes its context.
 * @param active how many operations the socket has, this one included
 * @returns what to execute, or the errors to answer with. The socket stays open, also for a document that does not parse.
 */
async function prepare(extra: Extra, active: number, id: string, payload: SubscribePayload, { app, gate, yoga }: Pipeline) {
  const requestId = randomUUID()
  const refuse = (...errors: unknown[]) => errors.map((error) => clientError(error, requestId, app.log))
  if (extra.starting.has(id)) {
    endSocket(extra.socket, CloseCode.SubscriberAlreadyExists, 'Subscriber for this id already exists')
    return refuse(new ParleyError('OPERATION_REFUSED', 'This operation id is in use'))
  }
  if (id.length > operationIdMax) {
    return refuse(new ParleyError('OPERATION_REFUSED', `An operation id has at most ${operationIdMax} characters`))
  }
  const { subscriptionsMax } = app.config.socket
  if (active > subscriptionsMax) {
    return refuse(new ParleyError('LIMIT_EXCEEDED', `A socket has at most ${subscriptionsMax} operations at once`))
  }
  extra.starting.add(id)
  try {
    const call = await callOf(extra, payload, gate)
    const { socket } = extra
    const visit = () => extra.visit
    const endConnection = (code: number, reason: string) => endSocket(socket, code, reason)
    const renewConnection = (token: string) => renew(extra, token, gate.guard)
    const enveloped = yoga.getEnveloped({ call, visit, endConnection, renewConnection } as Parameters<Yoga['getEnveloped']>[0])
    const document = enveloped.parse(payload.query)
    const faults: readonly GraphQLError[] = enveloped.validate(enveloped.schema, document)
    if (faults.length > 0) return released(extra, id, refuse(...faults))
    if (!getOperationAST(document, payload.operationName)) {
      return released(extra, id, refuse(new ParleyError('OPERATION_REFUSED', 'The document has no such operation')))
    }
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

/** Frees an operation id that was reserved while its operation started, and hands on why it did not. */
function released<T>(extra: Extra, id: string, answer: T): T {
  extra.starting.delete(id)
  return answer
}

/** Whether a page of this origin may open a socket: programs send none, our own pages ours, others must be listed. */
function isWelcomeOrigin({ headers }: IncomingMessage, allowed: readonly string[]): boolean {
  const { origin, host } = headers
  if (origin === undefined || allowed.includes(origin)) return true
  return URL.canParse(origin) && new URL(origin).host === host
}
