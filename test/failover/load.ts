// The load of a failover: people who send through real nodes until each message is answered, and devices on the client library that
// follow and resume. Afterwards Postgres says what is true.

import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { print } from 'graphql'
import type pg from 'pg'
import WebSocket from 'ws'
import { createParleyClient, ParleyFailure } from '../../client/src/client.ts'
import { parseCursor } from '../../src/journal/cursor.ts'
import { messageKinds } from '../../src/message/events.ts'
import { ChaosEvents, Send } from '../chaos/documents.ts'
import { ask, type Endpoint } from '../chaos/endpoint.ts'
import { CreateGroup, SignUp, Snapshot } from '../support/documents.ts'

const limits = { silenceMs: 4_000, connectMs: 2_000, requestMs: 4_000, firstMs: 100, maxMs: 600 }
const pauseMs = 30

/** A place of a message: `position tag`. */
type Place = string
/** What a device has from one snapshot to the next. */
type Segment = { readonly from: number; upTo: number; readonly received: Place[] }

const placeOf = (cursor: string): { position: number; place: Place } => {
  const { position, tag } = parseCursor(cursor, 'cursor')
  return { position, place: `${position} ${tag}` }
}

/** A device that follows. */
export class Follower {
  readonly name: string
  readonly segments: Segment[] = []
  /** The reasons of its RESETs. */
  readonly resets: string[] = []
  readonly failures: string[] = []
  /** The cursor of the last event. */
  cursor: string | null
  readonly #open: () => void
  #close: () => Promise<void> = async () => undefined

  constructor(name: string, endpoint: Endpoint, accessToken: string) {
    this.name = name
    this.cursor = null
    this.#open = () => {
      this.#close = this.#follow(endpoint, accessToken)
    }
    this.#open()
  }

  /** Goes away, like a device without a network. */
  stop(): Promise<void> {
    return this.#close()
  }

  /** Comes back, with the cursor that it had. */
  comeBack(): void {
    this.#open()
  }

  #follow(endpoint: Endpoint, accessToken: string): () => Promise<void> {
    const client = createParleyClient({
      url: `http://127.0.0.1:${endpoint.port}/graphql`,
      session: () => accessToken,
      webSocketImpl: WebSocket as never,
      print,
      limits,
    })
    const following = client.follow(ChaosEvents, {
      after: this.cursor,
      snapshot: async (reason) => {
        if (reason !== null) this.resets.push(reason)
        const outcome = await ask(endpoint, Snapshot, {}, accessToken)
        if (outcome.status !== 'answered') throw new ParleyFailure('NO_ANSWER', 'the snapshot got no answer', true)
        const { syncCursor } = outcome.data
        const { position } = placeOf(syncCursor)
        this.segments.push({ from: position, upTo: position, received: [] })
        this.cursor = syncCursor
        return syncCursor
      },
      onEvent: (event) => {
        const segment = this.segments.at(-1)
        if (!segment) throw new Error('an event came before a snapshot')
        const { position, place } = placeOf(event.cursor)
        if (event.__typename === 'MessageSent') segment.received.push(place)
        segment.upTo = Math.max(segment.upTo, position)
        this.cursor = event.cursor
      },
      onTrouble: ({ code, message }) => {
        if (code !== 'NO_ANSWER' && code !== 'UNAVAILABLE') this.failures.push(`${code}: ${message}`)
      },
    })
    return async () => {
      following.stop()
      await client.close()
    }
  }

  /** The last position that it has, in the history that it follows now. */
  get position(): number {
    return this.segments.at(-1)?.upTo ?? -1
  }
}

/** Everything that sends and follows. */
export class Load {
  readonly followers: Follower[] = []
  /** What was answered: the key of each message, and its place. */
  readonly answered = new Map<string, Place>()
  /** Refusals that are not `UNAVAILABLE`. */
  readonly refusals: string[] = []
  readonly #endpoints: readonly Endpoint[]
  readonly #writers: { readonly accessToken: string; readonly conversationId: string }[] = []
  #isOver = false
  #writing: Promise<unknown> = Promise.resolve()
  /** The longest time without any answer, and when the last one came. */
  longestGapMs = 0
  #answeredAt = 0

  private constructor(endpoints: readonly Endpoint[]) {
    this.#endpoints = endpoints
  }

  /** Signs people up; each has two devices, on different nodes, and all are in one group. */
  static async open(endpoints: readonly Endpoint[], names: readonly string[]): Promise<Load> {
    const load = new Load(endpoints)
    const [first] = endpoints
    if (!first) throw new Error('no node')
    const people: { id: string; accessToken: string }[] = []
    for (const name of names) {
      const input = { username: name.toLowerCase(), password: 'correct horse battery', displayName: name, deviceName: 'Phone' }
      const outcome = await ask(first, SignUp, { input }, null)
      if (outcome.status !== 'answered') throw new Error(`no sign-up: ${JSON.stringify(outcome)}`)
      people.push({ id: outcome.data.signUp.viewer.id, accessToken: outcome.data.signUp.accessToken })
    }
    const [owner, ...others] = people
    if (!owner) throw new Error('no people')
    const input = { title: 'All', memberIds: others.map(({ id }) => id) }
    const group = await ask(first, CreateGroup, { input }, owner.accessToken)
    if (group.status !== 'answered') throw new Error(`no group: ${JSON.stringify(group)}`)
    const conversationId = group.data.createGroup.conversation.id
    for (const [i, { accessToken }] of people.entries()) {
      load.#writers.push({ accessToken, conversationId })
      for (const endpoint of endpoints)
        load.followers.push(new Follower(`${names[i]} on ${endpoint.name}`, endpoint, accessToken))
    }
    return load
  }

  /** Begins to send. */
  start(): void {
    this.#answeredAt = Date.now()
    this.#writing = Promise.all(this.#writers.map((writer, i) => this.#write(writer, i)))
  }

  /** Ends sending; every message that is under way is answered first. */
  async finish(): Promise<void> {
    this.#isOver = true
    await this.#writing
  }

  async #write({ accessToken, conversationId }: { accessToken: string; conversationId: string }, turn: number): Promise<void> {
    for (let n = turn; !this.#isOver; n += 1) {
      const input = { conversationId, text: `message ${n}`, clientMessageId: randomUUID() }
      for (let attempt = n; ; attempt += 1) {
        const endpoint = this.#endpoints[attempt % this.#endpoints.length] as Endpoint
        const outcome = await ask(endpoint, Send, { input }, accessToken)
        if (outcome.status === 'answered') {
          this.answered.set(input.clientMessageId, placeOf(outcome.data.sendMessage.cursor).place)
          this.longestGapMs = Math.max(this.longestGapMs, Date.now() - this.#answeredAt)
          this.#answeredAt = Date.now()
          break
        }
        if (outcome.status === 'refused' && outcome.code !== 'UNAVAILABLE')
          this.refusals.push(`${outcome.code}: ${outcome.message}`)
        await delay(100)
      }
      await delay(pauseMs)
    }
  }

  /**
   * Compares every device with Postgres: after its last snapshot it must have every message, once and in order, and nothing else.
   * @returns what is wrong, in sentences, and the keys of answered messages that Postgres does not have
   */
  async compare(sql: pg.Client): Promise<{ wrong: string[]; lost: string[]; facts: number }> {
    const { rows } = await sql.query<{ position: string; tag: number; key: string }>(
      `select f.position, f.tag, m.client_message_id as key from fact f join message m on m.id = f.subject_id where f.kind = $1
       order by f.position`,
      [messageKinds.MessageSent.number],
    )
    const wrong: string[] = []
    for (const { name, segments } of this.followers) {
      const last = segments.at(-1)
      const from = last?.from ?? 0
      const due = rows.filter(({ position }) => Number(position) > from).map(({ position, tag }) => `${position} ${tag}`)
      const received = last?.received ?? []
      const at = due.findIndex((place, i) => place !== received[i])
      if (at >= 0 || due.length !== received.length) {
        wrong.push(`${name}: ${received.length} of ${due.length} messages, differs at ${at}: ${received[at]} for ${due[at]}`)
      }
    }
    const stored = new Map(rows.map(({ position, tag, key }) => [key, `${position} ${tag}`]))
    const lost: string[] = []
    for (const [key, place] of this.answered) if (stored.get(key) !== place) lost.push(key)
    return { wrong, lost, facts: rows.length }
  }
}
