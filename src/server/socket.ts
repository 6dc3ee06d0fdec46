// GraphQL over WebSocket: the protocol graphql-transport-ws by graphql-ws, on sockets of `ws`. This file only adapts: it
// gives the protocol a socket, a caller and Yoga's pipeline, and sees to it that a socket ends in time.

import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { GraphQLError } from 'graphql'
import {
  CloseCode,
  handleProtocols,
  makeServer,
  type Context as ProtocolContext,
  type WebSocket as ProtocolSocket,
  type SubscribePayload,
} from 'graphql-ws'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Guard } from '../account/guard.ts'
import type { App } from '../app.ts'
import { closeCodes, ParleyError } from '../errors.ts'
import { clientError } from '../graphql/errors.ts'
import { bearerToken, type Call, identify } from './callers.ts'
import type { Connection, Connections } from './connections.ts'
import type { Yoga } from './yoga.ts'

const initMs = 5_000
const pingMs = 12_000
const shutdownMs = 2_000
const operationIdMax = 64
/** How long a socket that was closed may take to answer, before it is cut. */
const handshakeMs = 1_000
/** Bytes written to a socket and not yet taken by its client, beyond which nothing more is read from it. */
const unreadMax = 1_048_576

type Extra = {
  readonly socket: WebSocket
  call: Call
  connection: Connection | null
  /** Operations that have been asked for and do not run yet: an id of these used again would leak the first. */
  readonly starting: Set<string>
}
type Protocol = ProtocolContext<Record<string, unknown>, Extra>

/** The WebSockets of a node. */
export type Sockets = {
  /** Takes over an HTTP connection that asks to become a WebSocket. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  /** Closes every socket with 1012, so that clients connect elsewhere and resume; cuts those that do not answer. */
  close(): Promise<void>
}

/** Opens the WebSocket side of a node. */
export function openSockets(app: App, guard: Guard, connections: Connections, yoga: Yoga): Sockets {
  const maxPayload = app.config.socket.messageBytesMax
  const server = new WebSocketServer({ noServer: true, maxPayload, perMessageDeflate: false, handleProtocols })
  const unanswered = new WeakSet<WebSocket>()
  let isClosing = false
  const protocol = makeServer<Record<string, unknown>, Extra>({
    connectionInitWaitTimeout: initMs,
    onConnect: (context) => connect(context, guard, connections),
    onSubscribe: ({ extra, subscriptions }, id, payload) =>
      prepare(extra, new Set([...Object.keys(subscriptions), ...extra.starting]).size, id, payload, {
        app,
        guard,
        yoga,
        connections,
      }),
    onOperation(context, id) {
      context.extra.starting.delete(id)
    },
    onClose({ extra }) {
      if (extra.connection) connections.remove(extra.connection)
      if (extra.call.caller.viewer) app.typing.gone(extra.call.caller.viewer.userId)
    },
    execute: (args) => (args.rootValue as Enveloped).execute(args),
    subscribe: (args) => (args.rootValue as Enveloped).subscribe(args),
  })

  server.on('connection', (socket) => {
    const extra: Extra = { socket, call: nobody, connection: null, starting: new Set() }
    const closed = protocol.opened(adapt(socket, app), extra)
    socket.on('error', (error) => app.log.debug({ err: error }, 'a WebSocket failed'))
    socket.on('pong', () => unanswered.delete(socket))
    socket.once('close', (code, reason) => {
      closed(code, String(reason)).catch((error: unknown) => app.log.error({ err: error }, 'a WebSocket closed badly'))
    })
  })

  const ping = setInterval(() => {
    for (const socket of server.clients) {
      if (unanswered.has(socket)) socket.terminate()
      else {
        unanswered.add(socket)
        socket.ping()
      }
    }
  }, pingMs)

  return {
    upgrade(request, socket, head) {
      const refuse = (status: string) =>
        void socket
          .once('finish', () => socket.destroy())
          .end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
      if (isClosing) return refuse('503 Service Unavailable')
      if (request.url?.split('?')[0] !== '/graphql') return refuse('404 Not Found')
      if (!isWelcomeOrigin(request, app.config.http.allowedOrigins)) return refuse('403 Forbidden')
      return server.handleUpgrade(request, socket, head, (opened) => server.emit('connection', opened, request))
    },
    async close() {
      isClosing = true
      clearInterval(ping)
      for (const socket of server.clients) endSocket(socket, 1012, 'The server is going down: connect again and resume')
      const limit = setTimeout(() => {
        for (const socket of server.clients) socket.terminate()
      }, shutdownMs)
      await Promise.all([...server.clients].map((socket) => new Promise((resolve) => socket.once('close', resolve))))
      clearTimeout(limit)
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

type Enveloped = Pick<ReturnType<Yoga['getEnveloped']>, 'execute' | 'subscribe'>

const nobody: Call = { caller: { viewer: null, refusal: null }, admission: null }

/**
 * Closes a socket. What it still sends is not heard, and where it does not answer the closing handshake it is cut.
 */
function endSocket(socket: WebSocket, code: number, reason: string): void {
  if (socket.readyState !== socket.OPEN) return
  socket.close(code, reason)
  setTimeout(() => socket.terminate(), handshakeMs).unref()
}

/**
 * A socket of `ws` in the words of the protocol. Nothing more is read from a client that does not read what it asked for, or
 * that has too much under way. A message that fails unforeseen closes the socket, and is heard of.
 */
function adapt(socket: WebSocket, app: App): ProtocolSocket {
  const underWayMax = app.config.socket.subscriptionsMax + 64
  let underWay = 0
  const isBusy = () => socket.bufferedAmount > unreadMax || underWay > underWayMax
  const listenAgain = () => {
    if (socket.isPaused && !isBusy()) socket.resume()
  }
  return {
    protocol: socket.protocol,
    send: (text) =>
      new Promise((resolve, reject) => {
        if (socket.readyState !== socket.OPEN) return resolve()
        socket.send(text, (error) => {
          listenAgain()
          return error ? reject(error) : resolve()
        })
      }),
    close: (code = 1000, reason = '') => endSocket(socket, code, reason),
    onMessage: (take) => {
      socket.on('message', (frame) => {
        if (socket.readyState !== socket.OPEN) return
        underWay += 1
        if (isBusy()) socket.pause()
        take(String(frame))
          .catch((error: unknown) => {
            if (socket.readyState !== socket.OPEN) return
            app.log.error({ err: error }, 'a message on a WebSocket failed')
            endSocket(socket, CloseCode.InternalServerError, 'Internal server error')
          })
          .finally(() => {
            underWay -= 1
            listenAgain()
          })
      })
    },
  }
}

type Pipeline = { readonly app: App; readonly guard: Guard; readonly yoga: Yoga; readonly connections: Connections }

/**
 * Prepares an operation: parses and validates it in Yoga's pipeline and makes its context.
 * @param active how many operations the socket has, this one included
 * @returns what to execute, or the errors to answer with. The socket stays open, also for a document that does not parse.
 */
async function prepare(
  extra: Extra,
  active: number,
  id: string,
  payload: SubscribePayload,
  { app, guard, yoga, connections }: Pipeline,
) {
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
    const call = await callOf(extra, payload, guard, connections)
    const { socket } = extra
    if (call.admission) guard.noteUse(call.admission.viewer.sessionId)
    const endConnection = (code: number, reason: string) => endSocket(socket, code, reason)
    const enveloped = yoga.getEnveloped({ call, endConnection } as Parameters<Yoga['getEnveloped']>[0])
    const document = enveloped.parse(payload.query)
    const faults: readonly GraphQLError[] = enveloped.validate(enveloped.schema, document)
    if (faults.length > 0) return released(extra, id, refuse(...faults))
    return {
      schema: enveloped.schema,
      operationName: payload.operationName,
      document,
      variableValues: payload.variables,
      contextValue: await enveloped.contextFactory(),
      rootValue: { execute: enveloped.execute, subscribe: enveloped.subscribe },
    }
  } catch (error) {
    return released(extra, id, refuse(error))
  }
}

/**
 * Who asks for an operation: the caller of its socket. On a socket that came without a token, the one whose token comes with
 * the operation in `extensions.headers` (GraphiQL does it so); the socket is that session's from then on.
 */
async function callOf(extra: Extra, { extensions }: SubscribePayload, guard: Guard, connections: Connections): Promise<Call> {
  const headers = extensions?.headers
  if (extra.call.admission || typeof headers !== 'object' || headers === null) return extra.call
  const call = await identify(guard, tokenIn(headers as Record<string, unknown>))
  const [mine, theirs] = [sessionOf(call), sessionOf(extra.call)]
  if (mine === undefined) return call
  if (theirs === undefined) admit(extra, call, connections)
  else if (theirs !== mine) throw new ParleyError('OPERATION_REFUSED', 'This socket belongs to another session')
  return extra.call
}

const sessionOf = ({ admission }: Call) => admission?.viewer.sessionId

/** Takes a caller for a socket, and registers the socket with the caller's session for as long as it is open. */
function admit(extra: Extra, call: Call, connections: Connections): void {
  const { socket } = extra
  extra.call = call
  const { admission } = call
  if (!admission || extra.connection || socket.readyState !== socket.OPEN) return
  const { viewer, expiresAt } = admission
  extra.connection = { sessionId: viewer.sessionId, expiresAt, end: (code, reason) => endSocket(socket, code, reason) }
  connections.add(extra.connection)
}

/** Frees an operation id that was reserved while its operation started, and hands on why it did not. */
function released<T>(extra: Extra, id: string, answer: T): T {
  extra.starting.delete(id)
  return answer
}

/** Checks the token of a connection that is being opened. A refused one closes the socket with a code that says why. */
async function connect({ extra, connectionParams }: Protocol, guard: Guard, connections: Connections): Promise<boolean> {
  const { socket } = extra
  const call = await identify(guard, tokenIn(connectionParams))
  const { caller } = call
  if (!caller.viewer && caller.refusal) {
    const code = {
      TOKEN_EXPIRED: closeCodes.TOKEN_EXPIRED,
      SESSION_REVOKED: closeCodes.SESSION_REVOKED,
      UNAVAILABLE: closeCodes.RESUME,
    }
    endSocket(socket, code[caller.refusal.code as keyof typeof code] ?? closeCodes.TOKEN_REFUSED, caller.refusal.message)
    return false
  }
  admit(extra, call, connections)
  return true
}

/**
 * The token in the parameters of a connection: `accessToken`, or `authorization` as a header would have it. Null for none,
 * undefined for one of another form.
 */
function tokenIn(parameters: Record<string, unknown> | undefined): string | null | undefined {
  const entries = Object.entries(parameters ?? {}).map(([key, value]) => [key.toLowerCase(), value] as const)
  const found = new Map(entries)
  const token = found.get('accesstoken')
  if (token != null && token !== '') return typeof token === 'string' ? bearerToken(`Bearer ${token}`) : undefined
  const header = found.get('authorization')
  return header == null || typeof header === 'string' ? bearerToken(header) : undefined
}

/** Whether a page of this origin may open a socket: programs send none, our own pages ours, others must be listed. */
function isWelcomeOrigin({ headers }: IncomingMessage, allowed: readonly string[]): boolean {
  const { origin, host } = headers
  if (origin === undefined || allowed.includes(origin)) return true
  return URL.canParse(origin) && new URL(origin).host === host
}
