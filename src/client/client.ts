// The client library of Parley: `createParleyClient` puts its parts together for one person on one device. It knows nothing of
// the server but docs/protocol.md, and runs in browsers and in Node.

import { Connection } from './connection.ts'
import { type Document, type Print, textOf, type Variables } from './document.ts'
import { type ParleyFailure, type Result, refusal, signedOut } from './failure.ts'
import { type AnyEvent, Follower, type Following, type FollowOptions } from './follow.ts'
import { Http } from './http.ts'
import { Nodes } from './nodes.ts'
import { logOut, refreshSession } from './operations.ts'
import { Outbox } from './outbox.ts'
import { type AccessTokens, type Credentials, type CredentialsStore, Session } from './session.ts'
import type { WebSocketClass } from './socket.ts'
import { type MessageInput, memoryOutbox, type OutboxStorage } from './storage.ts'
import { tell } from './tell.ts'

export type { Document, Variables } from './document.ts'
export { ParleyFailure, type Result, type ServerError } from './failure.ts'
export type { AnyEvent, Following, FollowOptions } from './follow.ts'
export { indexedDbCredentials, indexedDbOutbox } from './indexed-db.ts'
export type { Outbox, OutboxMessage, Sent } from './outbox.ts'
export { applyEvent, type TellingEvent } from './patch.ts'
export { backOffMs } from './pause.ts'
export type { AccessTokens, Credentials, CredentialsStore } from './session.ts'
export { type MessageInput, memoryOutbox, type OutboxStorage, type SendFailure, type StoredMessage } from './storage.ts'
export { uuidv7 } from './uuid.ts'

/** How a client is made. */
export type ParleyClientOptions = {
  /** The GraphQL endpoint over HTTP: `https://chat.example.com/graphql`. */
  readonly url: string
  /** Whose client it is. Without it only what needs no login can be asked. */
  readonly session?: CredentialsStore | AccessTokens
  /** Where unsent messages are kept; in memory where nothing is given. The client closes it. */
  readonly outbox?: OutboxStorage
  /** Where the person is, for the gateway to choose a node by. */
  readonly region?: string
  /** `WebSocket` of the package ws; browsers and newer Nodes have one of their own. */
  readonly webSocketImpl?: WebSocketClass
  readonly fetch?: typeof globalThis.fetch
  /** `print` of the package graphql, where documents are syntax trees. */
  readonly print?: Print
  /** Limits of waits, in milliseconds. */
  readonly limits?: Partial<Limits>
}

/** Limits of waits, in milliseconds. The defaults fit what a server promises. */
export type Limits = {
  /** An answer over HTTP or the socket: 15,000. */
  readonly requestMs: number
  /** Until a socket is open: 10,000. */
  readonly connectMs: number
  /** A stream of events that says nothing for so long is dead: 30,000. The server says something every 25 s at least (D8). */
  readonly silenceMs: number
  /** The bound of the first pause before trying again, which doubles each time: 1,000. So the clients of a lost node come over a second. */
  readonly firstMs: number
  /** The greatest bound of a pause: 30,000. */
  readonly maxMs: number
}

/** What a client does now, for the app to show. */
export type ClientState =
  /** `OFF`: nothing asks for a connection. `SIGNED_OUT`: the session is over, and so is this client. */
  | { readonly status: 'OFF' | 'CONNECTING' | 'CATCHING_UP' | 'LIVE' | 'CLOSED' }
  /** The connection was lost, or could not be had; it is tried again at `until`. */
  | { readonly status: 'WAITING'; readonly until: Date; readonly failure: ParleyFailure }
  | { readonly status: 'SIGNED_OUT'; readonly code: string }

/** Who is told what a subscription brings. */
export type SubscriptionSink<Data> = {
  next(data: Data): void
  /** It is over, and no repeat would mend it. */
  failed?(failure: ParleyFailure): void
  /** The server says that nothing more will come. */
  completed?(): void
}

/** A client of Parley. */
export type ParleyClient = {
  readonly state: ClientState
  /** Tells of every change of the state. @returns what ends it */
  onState(listener: (state: ClientState) => void): () => void
  /**
   * Asks a query or a mutation over HTTP.
   * @throws ParleyFailure where it was refused, or there was no answer: then it may have been done
   */
  request<Data, Vars extends Variables>(document: Document<Data, Vars>, variables: Vars): Promise<Data>
  /** As `request`, but gives data and errors as they came. @throws ParleyFailure where there was no answer */
  execute<Data, Vars extends Variables>(document: Document<Data, Vars>, variables: Vars): Promise<Result<Data>>
  /** A `fetch` for other GraphQL clients: goes to Parley, whatever address it is given, with a token that is good. */
  readonly fetch: typeof globalThis.fetch
  /** Follows `events` from a cursor on: everything that happens, once and in order. */
  follow<Event extends AnyEvent, Vars extends Variables>(
    document: Document<{ readonly events: Event }, Vars>,
    options: FollowOptions<Event>,
    variables?: Vars,
  ): Following
  /**
   * Any other subscription (typing, presence), over the same socket; asked again on each new one. For `events` use `follow`: this
   * keeps no cursor. @returns what ends it
   */
  subscribe<Data, Vars extends Variables>(
    document: Document<Data, Vars>,
    variables: Vars,
    sink: SubscriptionSink<Data>,
  ): () => void
  /** Sends a message by the outbox: when this resolves it is kept, and will be sent. */
  send: Outbox['send']
  readonly outbox: Outbox
  /** Whether the person is away from this device. `false` while they use it, as often as you like: it is said once a minute. */
  setIdle(isIdle: boolean): void
  /** Ends the session: at the server, if it can be reached, and here. */
  logOut(): Promise<void>
  /** Ends the client, not the session. Nothing runs afterwards. */
  close(): Promise<void>
}

const defaults: Limits = { requestMs: 15_000, connectMs: 10_000, silenceMs: 30_000, firstMs: 1_000, maxMs: 30_000 }
const gatewayMs = 5_000
const activeEveryMs = 60_000

/**
 * Makes a client. It connects when something is followed or subscribed to, and sends at once what its outbox holds.
 * @throws TypeError where there is no WebSocket
 */
export function createParleyClient(options: ParleyClientOptions): ParleyClient {
  return new Client(options)
}

class Client implements ParleyClient {
  readonly outbox: Outbox
  readonly fetch: typeof globalThis.fetch
  readonly #session: Session
  readonly #http: Http
  readonly #connection: Connection
  readonly #followers = new Set<Follower<never>>()
  readonly #listeners = new Set<(state: ClientState) => void>()
  readonly #limits: Limits
  readonly #print: Print | undefined
  #state: ClientState = { status: 'OFF' }
  #endedWith: string | null = null
  #isClosed = false
  #idle = { isIdle: false, saidAt: 0 }

  constructor({ url, session, outbox, region, webSocketImpl, fetch, print, limits }: ParleyClientOptions) {
    const socketClass = webSocketImpl ?? (globalThis as { WebSocket?: WebSocketClass }).WebSocket
    if (!socketClass) throw new TypeError('There is no WebSocket here: give the client webSocketImpl, from the package ws')
    this.#limits = { ...defaults, ...limits }
    this.#print = print
    const nodes = new Nodes(url, region ?? null)
    this.#http = new Http(fetch ?? ((...args) => globalThis.fetch(...args)), nodes, this.#limits.requestMs)
    this.#session = new Session(
      session ?? null,
      (refreshToken) => this.#refresh(refreshToken),
      (code) => this.#ended(code),
    )
    this.fetch = (_address, sent) => this.#http.fetch(sent, this.#session)
    this.#connection = new Connection({
      webSocketImpl: socketClass,
      connectMs: this.#limits.connectMs,
      requestMs: this.#limits.requestMs,
      backOff: this.#limits,
      token: (refused) => this.#session.token(refused),
      goodForMs: () => this.#session.goodForMs,
      ended: (code) => this.#session.end(code),
      choose: () => nodes.choose((query, variables) => this.#http.execute(query, variables, this.#session, gatewayMs)),
      opened: (node) => nodes.opened(node),
      failed: (node) => nodes.failed(node),
      changed: () => this.#changed(),
    })
    this.outbox = new Outbox(outbox ?? memoryOutbox(), {
      backOff: this.#limits,
      execute: (query, variables) => this.#http.execute(query, variables, this.#session),
      isOver: () => this.#endedWith !== null || session === undefined,
    })
  }

  get state(): ClientState {
    return this.#state
  }

  onState(listener: (state: ClientState) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async request<Data, Vars extends Variables>(document: Document<Data, Vars>, variables: Vars): Promise<Data> {
    const { data, errors } = await this.execute(document, variables)
    if (errors || data == null) throw refusal(errors ?? [])
    return data
  }

  async execute<Data, Vars extends Variables>(document: Document<Data, Vars>, variables: Vars): Promise<Result<Data>> {
    return (await this.#http.execute(textOf(document, this.#print), variables, this.#session)) as Result<Data>
  }

  follow<Event extends AnyEvent, Vars extends Variables>(
    document: Document<{ readonly events: Event }, Vars>,
    options: FollowOptions<Event>,
    variables?: Vars,
  ): Following {
    const follower = new Follower<Event>(textOf(document, this.#print), variables ?? {}, options, {
      connection: this.#connection,
      silenceMs: this.#limits.silenceMs,
      backOff: this.#limits,
      heard: (event) => this.#heard(event),
      changed: () => this.#changed(),
    })
    this.#followers.add(follower)
    if (this.#endedWith !== null) follower.stop(signedOut(this.#endedWith))
    void follower.ended.then(() => {
      this.#followers.delete(follower)
      this.#changed()
    })
    return follower
  }

  subscribe<Data, Vars extends Variables>(
    document: Document<Data, Vars>,
    variables: Vars,
    sink: SubscriptionSink<Data>,
  ): () => void {
    const query = textOf(document, this.#print)
    const failed = (failure: ParleyFailure) => tell(() => sink.failed?.(failure))
    if (this.#endedWith !== null) failed(signedOut(this.#endedWith))
    const running = this.#connection.run({
      ask: () => ({ query, variables }),
      next: ({ data, errors }) => {
        if (errors || data == null) return running.again(refusal(errors ?? []))
        running.progress()
        tell(() => sink.next(data as Data))
      },
      refused: failed,
      completed: () => tell(() => sink.completed?.()),
    })
    return () => running.stop()
  }

  send(input: MessageInput, clientMessageId?: string) {
    return this.outbox.send(input, clientMessageId)
  }

  setIdle(isIdle: boolean): void {
    const now = Date.now()
    if (isIdle === this.#idle.isIdle && (isIdle || now - this.#idle.saidAt < activeEveryMs)) return
    this.#idle = { isIdle, saidAt: now }
    this.#connection.setIdle(isIdle)
  }

  async logOut(): Promise<void> {
    await this.#http.execute(logOut, {}, this.#session).catch(() => undefined)
    await this.#session.end('LOGGED_OUT')
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const follower of this.#followers) follower.stop()
    this.#http.close()
    await this.#connection.close()
    await this.outbox.close()
    this.#changed()
    this.#listeners.clear()
  }

  async #refresh(refreshToken: string): Promise<Credentials> {
    const { data, errors } = await this.#http.execute(refreshSession, { input: { refreshToken } }, null)
    if (errors || !data) throw refusal(errors ?? [])
    return (data as { refreshSession: Credentials }).refreshSession
  }

  /** An own message that comes by an event is sent, whatever became of its answer. */
  #heard(event: AnyEvent): void {
    const { message } = event as { message?: { clientMessageId?: string | null } | null }
    if (event.__typename === 'MessageSent' && message?.clientMessageId) this.outbox.heard(message.clientMessageId)
  }

  #ended(code: string): void {
    this.#endedWith = code
    for (const follower of this.#followers) follower.stop(signedOut(code))
    this.#connection.close().catch(() => undefined)
    this.#changed()
  }

  #changed(): void {
    const state = this.#read()
    if (state.status === this.#state.status && state.status !== 'WAITING') return
    this.#state = state
    for (const listener of [...this.#listeners]) tell(() => listener(state))
  }

  #read(): ClientState {
    if (this.#isClosed) return { status: 'CLOSED' }
    if (this.#endedWith !== null) return { status: 'SIGNED_OUT', code: this.#endedWith }
    const connection = this.#connection.state
    if (connection.status === 'CLOSED') return { status: 'OFF' }
    if (connection.status !== 'OPEN') return connection as ClientState
    return { status: [...this.#followers].every(({ isLive }) => isLive) ? 'LIVE' : 'CATCHING_UP' }
  }
}
