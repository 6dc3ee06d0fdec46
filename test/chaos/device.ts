// A receiving device, on the client library: begins with a snapshot, follows the events from its cursor, and goes on from the last
// one that it was told whenever its socket ends, on any node. It keeps what it was told; the judge says whether that is right.

import { setTimeout as delay } from 'node:timers/promises'
import { print } from 'graphql'
import WebSocket from 'ws'
import { createParleyClient, type ParleyClient, type ParleyFailure } from '../../src/client/client.ts'
import { parseCursor } from '../../src/journal/cursor.ts'
import type { Random } from '../journal/random.ts'
import type { FollowedSubscription } from '../support/generated/graphql.ts'
import { Begin, Followed } from './documents.ts'
import { ask, type Door } from './door.ts'
import type { Record, Stretch } from './record.ts'
import { subjectOf, viewOf } from './view.ts'

type Event = FollowedSubscription['events']

/** Nodes tick every second here: a stream that is silent for so long is dead. */
const limits = { silenceMs: 4_000, connectMs: 2_000, requestMs: 4_000, firstMs: 100, maxMs: 600 }
/** How long a device follows before it forgets everything, as a new installation does, at most. */
const forgetsAfterMs = 20_000

/** One device of a person. */
export class Device {
  readonly name: string
  readonly userId: number
  readonly stretches: Stretch[] = []
  readonly #accessToken: string
  readonly #doors: readonly [Door, ...Door[]]
  readonly #random: Random
  readonly #record: Record
  readonly #client: ParleyClient
  readonly #stopping = new AbortController()
  #hasLooked = false
  /** How many facts this stream has brought since it started; null once it has caught up. */
  #sinceStart: number | null = null

  constructor(
    name: string,
    userId: number,
    accessToken: string,
    doors: readonly [Door, ...Door[]],
    url: string,
    fetch: typeof globalThis.fetch,
    random: Random,
    record: Record,
  ) {
    this.name = name
    this.userId = userId
    this.#accessToken = accessToken
    this.#doors = doors
    this.#random = random
    this.#record = record
    this.#client = createParleyClient({
      url,
      session: () => accessToken,
      webSocketImpl: WebSocket as never,
      print,
      limits,
      fetch,
    })
  }

  /** The position up to which it was told everything. */
  get position(): number {
    return this.stretches.at(-1)?.upTo ?? -1
  }

  /** Follows until it is stopped; now and then it forgets everything and begins anew. */
  async run(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      let isWanted = true
      const following = this.#client.follow(Followed, {
        after: null,
        onEvent: (event) => this.#take(event),
        snapshot: (reason) => this.#begin(reason),
        onTrouble: (failure) => this.#noteTrouble(failure),
      })
      void following.ended.then((failure) => {
        if (isWanted) this.#record.fault(`D3 ${this.name}: its stream ended: ${failure ? failure.message : 'it was completed'}`)
      })
      await delay(this.#random.whole(forgetsAfterMs / 2, forgetsAfterMs), undefined, { signal }).catch(() => undefined)
      isWanted = false
      following.stop()
      await following.ended
    }
    await this.#client.close()
  }

  /** Ends it. */
  stop(): void {
    this.#stopping.abort()
  }

  /** Has a last look when all is mended: what every device sees in the end is compared, too. @returns whether it could. */
  async look(): Promise<boolean> {
    this.#hasLooked ||= (await this.#snapshot()) !== null
    return this.#hasLooked
  }

  /** Reads a snapshot, and begins a new stretch from it. */
  async #begin(reason: string | null): Promise<string> {
    if (reason !== null) {
      this.#record.count('streams RESET')
      this.#record.fault(`D3 ${this.name}: RESET ${reason} after ${this.position}`)
    }
    const syncCursor = await this.#snapshot()
    if (syncCursor === null) throw new Error('the snapshot was not answered')
    const { position } = parseCursor(syncCursor, 'syncCursor')
    this.stretches.push({ from: position, upTo: position, received: [] })
    return syncCursor
  }

  async #snapshot(): Promise<string | null> {
    const outcome = await ask(this.#random.one(this.#doors), Begin, {}, this.#accessToken)
    if (outcome.status !== 'answered') {
      if (outcome.status === 'refused') this.#refused('a snapshot', outcome.code, outcome.message)
      return null
    }
    const { syncCursor, conversations } = outcome.data
    const { position } = parseCursor(syncCursor, 'syncCursor')
    if (position < this.position) this.#record.fault(`D4 ${this.name}: a snapshot at ${position}, behind ${this.position}`)
    if (conversations.pageInfo.hasNextPage) throw new Error(`${this.name} is in more conversations than a snapshot asks for`)
    const nodes = (conversations.nodes ?? []).flatMap((node) => (node ? [node] : []))
    const views = new Map(nodes.map((node) => [node.id, viewOf(node)] as const))
    this.#record.snapshots.push({ position, userId: this.userId, views })
    this.#record.count('snapshots')
    return syncCursor
  }

  #take(event: Event): void {
    const stretch = this.stretches.at(-1)
    if (!stretch) throw new Error('an event came before a snapshot')
    const { position, tag } = parseCursor(event.cursor, 'cursor')
    switch (event.__typename) {
      case 'SyncStarted':
        this.#sinceStart = 0
        this.#record.count(`streams ${event.mode}`)
        if (event.mode !== 'RESUMED') this.#record.fault(`D3 ${this.name}: ${event.mode} after ${stretch.upTo}`)
        break
      case 'CaughtUp':
        if (event.count !== this.#sinceStart) {
          this.#record.fault(`D3 ${this.name}: CaughtUp says ${event.count} events, ${this.#sinceStart} came`)
        }
        this.#sinceStart = null
        break
      case 'Tick':
        break
      default:
        if (this.#sinceStart !== null) this.#sinceStart += 1
        this.#record.count('deliveries')
        stretch.received.push({ position, tag, kind: event.__typename, subject: subjectOf(event) })
    }
    if (position < stretch.upTo) this.#record.fault(`D3 ${this.name}: ${event.__typename} at ${position} after ${stretch.upTo}`)
    stretch.upTo = Math.max(stretch.upTo, position)
  }

  #noteTrouble({ code, message }: ParleyFailure): void {
    if (code === 'NO_ANSWER') this.#record.count('streams begun again')
    else this.#refused('an event', code, message)
  }

  #refused(what: string, code: string, message: string): void {
    this.#record.count(`${what} refused: ${code}`)
    if (code !== 'UNAVAILABLE') this.#record.fault(`${this.name}: ${what} was refused with ${code}: ${message}`)
  }
}
