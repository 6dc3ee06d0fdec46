// The client library of Parley: `createParleyClient` composes its parts for one session on one device. The library runs in
// browsers and in Node, and relies on nothing of the server but docs/protocol.md.

import { Acknowledger, followsAll } from './acknowledger.ts'
import type { ConnectionHost } from './connection.ts'
import { type Document, type Print, textOf, type Variables, withTypenames } from './document.ts'
import { isRefusal, type ParleyFailure, type Result, refusal, signedOut } from './failure.ts'
import { type AnyEvent, EventFollower, type Following, type FollowOptions } from './follow.ts'
import { Http } from './http.ts'
import { Nodes } from './nodes.ts'
import { notify } from './notify.ts'
import { acknowledge, logOut, refreshSession } from './operations.ts'
import { defaults, type Limits, type ParleyClientOptions } from './options.ts'
import { type Leaving, Outbox } from './outbox.ts'
import { Session } from './session.ts'
import type { WebSocketClass } from './socket.ts'
import type { Credentials } from './storage.ts'
import { type MessageInput, memoryOutbox } from './storage.ts'
import { openConnection, type SharedConnection } from './tabs.ts'

export type { Document, Variables } from './document.ts'
export { ParleyFailure, type Result, type ServerError } from './failure.ts'
export type { AnyEvent, Following, FollowOptions } from './follow.ts'
export { indexedDbCredentials, indexedDbOutbox } from './indexed-db.ts'
export type { Limits, ParleyClientOptions } from './options.ts'
export type { Outbox } from './outbox.ts'
export type { OutboxMessage, Sent } from './outbox-message.ts'
export { applyEvent, type EventData } from './patch.ts'
export { backOffMs } from './pause.ts'
export type { AccessTokens } from './session.ts'
export type { Credentials, CredentialsStore } from './storage.ts'
export {
  type FileUpload,
  type MessageInput,
  memoryOutbox,
  type OutboxStorage,
  type OutgoingFile,
  type SendFailure,
  type StoredMessage,
} from './storage.ts'
export { uuidv7 } from './uuid.ts'

/** The state of a client, for the app to show. */
export type ClientState =
  /** `OFF`: nothing needs a connection. */
  | { readonly status: 'OFF' | 'CONNECTING' | 'CATCHING_UP' | 'LIVE' | 'CLOSED' }
  /** There is no connection. The client retries at `until`. */
  | { readonly status: 'WAITING'; readonly until: Date; readonly failure: ParleyFailure }
  /** Following ended for a cause that no retry fixes, such as an invalid document. Lasts until the app follows again. */
  | { readonly status: 'REFUSED'; readonly failure: ParleyFailure }
  /** The session is over, and this client with it. */
  | { readonly status: 'SIGNED_OUT'; readonly code: string }

/** Callbacks of a subscription. */
export type SubscriptionSink<Data> = {
  next(data: Data): void
  /** The subscription is over, and no retry would fix it. */
  failed?(failure: ParleyFailure): void
  /** The server has completed the subscription. */
  completed?(): void
}

/** A client of Parley. */
export type ParleyClient = {
  readonly state: ClientState
  /** Calls the listener at every change of the state. @returns a function to remove the listener */
  onState(listener: (state: ClientState) => void): () => void
  /**
   * Runs a query or a mutation over HTTP.
   * @throws ParleyFailure if the server refuses it or does not answer (`NO_ANSWER`: it may have run)
   */
  request<Data, Vars extends Variables>(document: Document<Data, Vars>, variables: Vars): Promise<Data>
  /** Like `request`, but returns data and errors as they came. @throws ParleyFailure if there is no answer */
  execute<Data, Vars extends Variables>(document: Document<Data, Vars>, variables: Vars): Promise<Result<Data>>
  /** A `fetch` for other GraphQL clients: sends every request to Parley, whatever its address, with a valid access token. */
  readonly fetch: typeof globalThis.fetch
  /** Follows `events` from a cursor: delivers each event once and in order. */
  follow<Event extends AnyEvent, Vars extends Variables>(
    document: Document<{ readonly events: Event }, Vars>,
    options: FollowOptions<Event>,
    variables?: Vars,
  ): Following
  /**
   * Runs any other subscription (typing, presence) over the same socket, and again over each new one. It keeps no cursor: for
   * `events` use `follow`. @returns a function to stop it
   */
  subscribe<Data, Vars extends Variables>(
    document: Document<Data, Vars>,
    variables: Vars,
    sink: SubscriptionSink<Data>,
  ): () => void
  /** Sends a message through the outbox: once this resolves, the message is stored and will be sent. */
  send: Outbox['send']
  readonly outbox: Outbox
  /** Reports whether the user is idle here. Call it with `false` as often as you like: it is sent at most once a minute. */
  setIdle(isIdle: boolean): void
  /** Ends the session here, and on the server if the server can be reached. */
  logOut(): Promise<void>
  /** Closes the client, not the session. Nothing runs afterwards. */
  close(): Promise<void>
}

const gatewayMs = 5_000
const activeEveryMs = 60_000

/**
 * Makes a client. It connects once the app follows or subscribes to something, and sends the messages of its outbox at once.
 * @throws TypeError if there is no WebSocket
 */
export function createParleyClient(options: ParleyClientOptions): ParleyClient {
  return new Client(options)
}

class Client implements ParleyClient {
  readonly outbox: Outbox
  readonly fetch: typeof globalThis.fetch
  readonly #session: Session
  readonly #http: Http
  readonly #connection: SharedConnection
  readonly #followers = new Set<EventFollower<never>>()
  readonly #listeners = new Set<(state: ClientState) => void>()
  readonly #limits: Limits
  readonly #print: Print | undefined
  #state: ClientState = { status: 'OFF' }
  #endedWith: string | null = null
  /** Why the last following could not continue. */
  #refused: ParleyFailure | null = null
  #isClosed = false
  #idle = { isIdle: false, saidAt: 0 }

  constructor({ url, session, outbox, region, webSocketImpl, fetch, print, limits, tabs }: ParleyClientOptions) {
    const socketClass = webSocketImpl ?? (globalThis as { WebSocket?: WebSocketClass }).WebSocket
    if (!socketClass)
      throw new TypeError(
        'There is no WebSocket in this environment. Pass webSocketImpl to the client, for example from the package ws.',
      )
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
    const host: ConnectionHost = {
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
    }
    this.#connection = openConnection(host, tabs ?? null)
    this.outbox = new Outbox(outbox ?? memoryOutbox(), {
      backOff: this.#limits,
      execute: (query, variables) => this.#http.execute(query, variables, this.#session),
      send: (url, init, byteSize) => this.#http.send(url, init, byteSize),
      isOver: () => this.#endedWith !== null || session === undefined,
      isFollowed: () => this.#followers.size > 0,
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
    this.#refused = null
    const query = withTypenames(textOf(document, this.#print))
    const acknowledger = followsAll(query, variables ?? {}) ? new Acknowledger((cursor) => this.#acknowledge(cursor)) : null
    const follower = new EventFollower<Event>(query, variables ?? {}, options, {
      connection: this.#connection,
      silenceMs: this.#limits.silenceMs,
      backOff: this.#limits,
      received: (event) => this.#received(event),
      reached: (cursor) => this.outbox.reached(cursor, false),
      processed: (event) => {
        this.outbox.reached(event.cursor, event.__typename === 'CaughtUp' || event.__typename === 'Tick')
        acknowledger?.processed(event)
      },
      changed: () => this.#changed(),
    })
    this.#followers.add(follower)
    this.#changed()
    if (this.#endedWith !== null) follower.stop(signedOut(this.#endedWith))
    void follower.ended.then((failure) => {
      acknowledger?.close()
      this.#followers.delete(follower)
      if (failure) this.#refused = failure
      if (this.#followers.size === 0) this.outbox.unfollowed()
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
    const failed = (failure: ParleyFailure) => notify(() => sink.failed?.(failure))
    if (this.#endedWith !== null) failed(signedOut(this.#endedWith))
    const running = this.#connection.run({
      ask: () => ({ query, variables }),
      next: ({ data, errors }) => {
        if (errors || data == null) {
          const failure = refusal(errors ?? [])
          if (!isRefusal(failure)) return running.again(failure)
          // The server refuses the subscription in an answer when its arguments are at fault.
          running.stop()
          return failed(failure)
        }
        running.progress()
        notify(() => sink.next(data as Data))
      },
      refused: failed,
      completed: () => notify(() => sink.completed?.()),
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

  async #acknowledge(cursor: string): Promise<void> {
    const { errors } = await this.#http.execute(acknowledge, { input: { cursor } }, this.#session)
    if (errors) throw refusal(errors)
  }

  async #refresh(refreshToken: string): Promise<Credentials> {
    const { data, errors } = await this.#http.execute(refreshSession, { input: { refreshToken } }, null)
    if (errors || !data) throw refusal(errors ?? [])
    return (data as { refreshSession: Credentials }).refreshSession
  }

  /** Tells the outbox of an own message in an event: the message is sent, even if its answer was lost. */
  #received(event: AnyEvent): Leaving | null {
    const { message } = event as { message?: { clientMessageId?: string | null } | null }
    const key = event.__typename === 'MessageSent' ? message?.clientMessageId : null
    return key ? this.outbox.received(key) : null
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
    for (const listener of [...this.#listeners]) notify(() => listener(state))
  }

  #read(): ClientState {
    if (this.#isClosed) return { status: 'CLOSED' }
    if (this.#endedWith !== null) return { status: 'SIGNED_OUT', code: this.#endedWith }
    const followers = [...this.#followers]
    if (followers.length === 0 && this.#refused) return { status: 'REFUSED', failure: this.#refused }
    const { state, isWanted } = this.#connection
    if (followers.length === 0 && !isWanted) return { status: 'OFF' }
    if (state.status === 'CONNECTING' || state.status === 'WAITING') return state as ClientState
    if (state.status === 'OPEN') return { status: followers.every(({ isLive }) => isLive) ? 'LIVE' : 'CATCHING_UP' }
    const preparing = followers.map((each) => each.preparing)
    const waiting = preparing.find((each) => each.status === 'WAITING')
    if (waiting?.status === 'WAITING') return waiting
    return { status: preparing.some(({ status }) => status === 'SNAPSHOT') ? 'CONNECTING' : 'OFF' }
  }
}
