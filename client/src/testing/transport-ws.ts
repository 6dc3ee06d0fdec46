// The server's end of the protocol graphql-transport-ws. (graphql-ws has one too, but not for browsers.)

import { type ExecutionResult, GraphQLError } from 'graphql'
import type { TestTokens } from './accounts.ts'
import { type PreparedOperation, type TestEngine, type TestRequest, toldResult } from './engine.ts'
import type { TestContext } from './test-context.ts'
import type { ServerEnd, ServerSide } from './test-socket.ts'
import type { TestConnection, TestWorld } from './world.ts'

/** What a socket needs of the server. */
export type TransportHost = { readonly world: TestWorld; readonly tokens: TestTokens; readonly engine: TestEngine }

type ClientMessage = { readonly type: string; readonly id?: string; readonly payload?: unknown }
type Init = { readonly accessToken?: unknown; readonly authorization?: unknown; readonly idle?: unknown }

const protocolName = 'graphql-transport-ws'
/** The close codes of the server for a refused token. */
const refusals: { readonly [code: string]: number } = { UNAUTHENTICATED: 4601, TOKEN_EXPIRED: 4602, SESSION_REVOKED: 4603 }

/** Serves a socket. */
export function serveSocket(side: ServerSide, host: TransportHost): ServerEnd {
  return new TransportWs(side, host)
}

class TransportWs implements ServerEnd {
  readonly #side: ServerSide
  readonly #host: TransportHost
  /** How to stop each operation, by its ID. */
  readonly #running = new Map<string, () => void>()
  #connection: TestConnection | null = null
  #isAcknowledged = false
  #isOver = false

  constructor(side: ServerSide, host: TransportHost) {
    this.#side = side
    this.#host = host
    if (side.protocol !== protocolName) side.close(4406, 'Subprotocol not acceptable')
  }

  received(text: string): void {
    const message = messageOf(text)
    if (this.#isOver) return
    if (message?.type === 'connection_init') this.#begin((message.payload ?? {}) as Init)
    else if (message?.type === 'ping') this.#send({ type: 'pong' })
    else if (message?.type === 'complete') this.#stop(message.id ?? '')
    else if (message?.type === 'subscribe' && message.id) this.#start(message.id, message.payload as TestRequest)
    else if (message?.type !== 'pong') this.#side.close(4400, 'Invalid message received')
  }

  closed(): void {
    this.#isOver = true
    for (const id of [...this.#running.keys()]) this.#stop(id)
    if (this.#connection) this.#host.world.connections.delete(this.#connection)
    this.#host.world.signal()
  }

  #begin(init: Init): void {
    const refusal = this.#isAcknowledged ? { code: 4429, reason: 'Too many initialisation requests' } : this.#admit(init)
    if (refusal) {
      this.#side.close(refusal.code, refusal.reason)
      return
    }
    this.#isAcknowledged = true
    this.#send({ type: 'connection_ack' })
  }

  /** Takes the token of a socket. @returns why it is refused */
  #admit({ accessToken, authorization, idle }: Init): { readonly code: number; readonly reason: string } | null {
    const given = accessToken ?? String(authorization ?? '').replace(/^Bearer /i, '')
    if (!given) return null
    try {
      this.#connect(String(given), idle === true)
      return null
    } catch (error) {
      const { message, extensions } = error as GraphQLError
      return { code: refusals[String(extensions.code)] ?? 4601, reason: message }
    }
  }

  #connect(token: string, isIdle: boolean): void {
    const { world, tokens } = this.#host
    const session = tokens.sessionOf(token)
    const close = (code: number, reason: string) => this.#side.close(code, reason)
    this.#connection = { session, token, isIdle, close }
    world.connections.add(this.#connection)
    const user = world.users.get(session.userId)
    if (user && !isIdle) user.lastActiveAt = new Date()
    world.signal()
  }

  #contextOf(): TestContext {
    const { world, tokens } = this.#host
    const connection = this.#connection
    try {
      const session = connection && tokens.sessionOf(connection.token)
      return { world, session, refused: null, connection }
    } catch (error) {
      return { world, session: null, refused: error as GraphQLError, connection }
    }
  }

  #start(id: string, request: TestRequest): void {
    if (!this.#isAcknowledged) this.#side.close(4401, 'Unauthorized')
    else if (this.#running.has(id)) this.#side.close(4409, `Subscriber for ${id} already exists`)
    else {
      this.#running.set(id, () => undefined)
      this.#run(id, this.#host.engine.prepare(request))
    }
  }

  #run(id: string, operation: PreparedOperation): void {
    const { engine } = this.#host
    const context = this.#contextOf()
    if (operation.kind === 'REFUSED') this.#refuse(id, operation.errors)
    else if (operation.kind === 'subscription') {
      const running = engine.subscribe(operation, context).then((stream) => this.#pump(id, stream))
      running.catch((error: Error) => this.#refuse(id, [new GraphQLError(error.message)]))
    } else {
      this.#send({ id, type: 'next', payload: engine.execute(operation, context) })
      this.#complete(id)
    }
  }

  async #pump(id: string, stream: ExecutionResult | AsyncIterableIterator<ExecutionResult>): Promise<void> {
    if (!(Symbol.asyncIterator in stream)) {
      // Like the server: an error of the arguments is an answer.
      if (this.#running.has(id)) this.#send({ id, type: 'next', payload: stream })
      this.#complete(id)
      return
    }
    const stop = () => void stream.return?.()
    if (this.#running.has(id)) this.#running.set(id, stop)
    else stop()
    for await (const result of stream) this.#send({ id, type: 'next', payload: toldResult(result) })
    this.#complete(id)
  }

  #refuse(id: string, errors: readonly GraphQLError[]): void {
    if (this.#running.delete(id)) this.#send({ id, type: 'error', payload: errors })
  }

  #complete(id: string): void {
    if (this.#running.delete(id)) this.#send({ id, type: 'complete' })
  }

  #stop(id: string): void {
    const stop = this.#running.get(id)
    this.#running.delete(id)
    stop?.()
  }

  #send(message: object): void {
    if (!this.#isOver) this.#side.send(JSON.stringify(message))
  }
}

function messageOf(text: string): ClientMessage | null {
  try {
    return JSON.parse(text) as ClientMessage
  } catch {
    return null
  }
}
