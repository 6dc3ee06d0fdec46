// A test app on the client library: it keeps a cursor and the events that it received.

import { setTimeout as delay } from 'node:timers/promises'
import { print } from 'graphql'
import WebSocket from 'ws'
import {
  type ClientState,
  type Credentials,
  createParleyClient,
  type Following,
  type ParleyClient,
  type ParleyClientOptions,
} from '../../client/src/client.ts'
import { type Device, password, request, signUpAll } from '../support/device.ts'
import { Events, LogIn, SignUp, Snapshot } from '../support/documents.ts'
import type { EventSeen } from '../support/event-log.ts'
import { closeAtEnd, type Node } from '../support/node.ts'

const patienceMs = 20_000

/** A store that several clients share, like the tabs of a browser. */
export function sharedStore(credentials: Credentials | null) {
  const store = {
    current: credentials,
    saved: 0,
    load: () => store.current,
    save(given: Credentials | null) {
      store.saved += 1
      store.current = given
    },
  }
  return store
}

/** Signs a user up. */
export async function signUp(url: string, username: string) {
  const input = { username, password, displayName: username, deviceName: 'App' }
  const { data, errors } = await request(url, SignUp, { input })
  if (!data) throw new Error(`signUp: ${errors[0]?.message}`)
  return data.signUp
}

/** Logs a user in. */
export async function logIn(url: string, username: string) {
  const { data, errors } = await request(url, LogIn, { input: { username, password, deviceName: 'App' } })
  if (!data) throw new Error(`logIn: ${errors[0]?.message}`)
  return data.logIn
}

let round = 0
/** Two users with a direct conversation. */
export async function pair(at: Node): Promise<{ alice: Device; bob: Device; id: string }> {
  round += 1
  const [alice, bob] = (await signUpAll(at, `alice-${round}`, `bob-${round}`)) as [Device, Device]
  return { alice, bob, id: await alice.direct(bob) }
}

/** The session of a device: its token, for as long as that is valid. */
export const sessionOf = (device: Device) => () => device.accessToken

/** Short pauses, so that the tests do not wait. */
export const quick = { firstMs: 50, maxMs: 500, connectMs: 3_000, requestMs: 3_000 } as const

/** A fetch that refuses the gateway query, so that clients stay on the URL they were given and bypass no proxy. */
export const withoutGateway: typeof fetch = async (url, init) =>
  /\bgateway\b/.test(String(init?.body))
    ? Response.json({ errors: [{ message: 'No gateway', extensions: { code: 'UNAVAILABLE', retryable: true } }] })
    : fetch(url, init)

/** One app of one user. */
export class TestApp {
  readonly client: ParleyClient
  readonly seen: EventSeen[] = []
  readonly states: ClientState[] = []
  readonly resets: (string | null)[] = []
  readonly troubles: string[] = []
  following: Following | null = null
  cursor: string | null = null

  constructor(options: ParleyClientOptions) {
    this.client = createParleyClient({
      webSocketImpl: WebSocket as never,
      print,
      fetch: withoutGateway,
      ...options,
      limits: { ...quick, ...options.limits },
    })
    this.client.onState((state) => this.states.push(state))
    closeAtEnd(() => this.client.close())
  }

  /** The texts of the received messages. */
  get texts(): string[] {
    return this.seen.flatMap((event) => (event.__typename === 'MessageSent' ? [event.message.text] : []))
  }

  get statuses(): string[] {
    return this.states.map(({ status }) => status)
  }

  follow(deal: (event: EventSeen) => void | Promise<void> = () => undefined): this {
    this.following = this.client.follow(Events, {
      after: this.cursor,
      onEvent: async (event) => {
        await deal(event)
        this.seen.push(event)
        this.cursor = event.cursor
      },
      snapshot: async (reason) => {
        this.resets.push(reason)
        return (await this.client.request(Snapshot, {})).syncCursor
      },
      onTrouble: ({ code, message }) => this.troubles.push(`${code} ${message}`),
    })
    return this
  }

  async live(): Promise<this> {
    await this.until('to be live', () => this.client.state.status === 'LIVE')
    return this
  }

  async text(text: string): Promise<void> {
    await this.until(`the message "${text}"`, () => this.texts.includes(text))
  }

  /** Sends through the outbox; returns the outcome. */
  async sent(conversationId: string, text: string) {
    const { clientMessageId } = await this.client.send({ conversationId, text })
    return this.client.outbox.settled(clientMessageId)
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    for (const deadline = Date.now() + patienceMs; Date.now() < deadline; await delay(10)) if (holds()) return
    throw new Error(
      `timed out waiting for ${what}; ${JSON.stringify({ states: this.states.slice(-5), texts: this.texts, troubles: this.troubles })}`,
    )
  }
}
