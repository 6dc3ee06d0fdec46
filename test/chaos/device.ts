// A receiving device, on the client library: reads a snapshot, follows the events from its cursor and, when its socket ends,
// resumes from the last event on any node. It keeps every event for the checker.

import { setTimeout as delay } from 'node:timers/promises'
import { type ParleyClient, ParleyFailure } from '../../client/src/client.ts'
import { parseCursor } from '../../src/journal/cursor.ts'
import type { ChaosEventsSubscription } from '../support/generated/graphql.ts'
import type { Random } from '../support/random.ts'
import { openChaosClient } from './chaos-client.ts'
import { ChaosEvents, ChaosSnapshot } from './documents.ts'
import { ask, type Endpoint } from './endpoint.ts'
import type { RunRecord, Segment } from './record.ts'
import { subjectOf, versionOf, viewOf } from './view.ts'

type ReceivedEvent = ChaosEventsSubscription['events']

/** Nodes tick every second here: a stream without a tick for this long is dead. */
const limits = { silenceMs: 4_000, connectMs: 2_000, requestMs: 4_000, firstMs: 100, maxMs: 600 }
/** A device forgets everything after at most this long, like a fresh installation. */
const forgetsAfterMs = 20_000

/** A device of a simulated person. */
export class SimulatedDevice {
  readonly name: string
  readonly userId: number
  readonly segments: Segment[] = []
  readonly #accessToken: string
  readonly #endpoints: readonly [Endpoint, ...Endpoint[]]
  readonly #random: Random
  readonly #record: RunRecord
  readonly #client: ParleyClient
  readonly #stopping = new AbortController()
  #hasLastSnapshot = false
  /** The number of facts since the stream started; null once it has caught up. */
  #sinceStart: number | null = null

  constructor(
    name: string,
    userId: number,
    accessToken: string,
    endpoints: readonly [Endpoint, ...Endpoint[]],
    url: string,
    fetch: typeof globalThis.fetch,
    random: Random,
    record: RunRecord,
  ) {
    this.name = name
    this.userId = userId
    this.#accessToken = accessToken
    this.#endpoints = endpoints
    this.#random = random
    this.#record = record
    this.#client = openChaosClient(url, accessToken, fetch, limits)
  }

  /** The last position that the device received. */
  get position(): number {
    return this.segments.at(-1)?.upTo ?? -1
  }

  /** Follows until it is stopped; from time to time it forgets everything and starts over. */
  async run(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      let isWanted = true
      const following = this.#client.follow(ChaosEvents, {
        after: null,
        onEvent: (event) => this.#take(event),
        snapshot: (reason) => this.#begin(reason),
        onTrouble: (failure) => this.#noteTrouble(failure),
      })
      void following.ended.then((failure) => {
        if (isWanted) this.#record.violation(`D3 ${this.name}: the stream ended: ${failure ? failure.message : 'completed'}`)
      })
      await delay(this.#random.whole(forgetsAfterMs / 2, forgetsAfterMs), undefined, { signal }).catch(() => undefined)
      isWanted = false
      following.stop()
      await following.ended
    }
    await this.#client.close()
  }

  /** Stops following. */
  stop(): void {
    this.#stopping.abort()
  }

  /** Reads a last snapshot after all repairs, which the checker compares, too. @returns whether it got one. */
  async readLastSnapshot(): Promise<boolean> {
    this.#hasLastSnapshot ||= (await this.#snapshot()) !== null
    return this.#hasLastSnapshot
  }

  /** Reads a snapshot and begins a new segment from it. */
  async #begin(reason: string | null): Promise<string> {
    if (reason !== null) {
      this.#record.count('streams RESET')
      this.#record.violation(`D3 ${this.name}: RESET ${reason} after ${this.position}`)
    }
    const syncCursor = await this.#snapshot()
    if (syncCursor === null) throw new ParleyFailure('NO_ANSWER', 'the snapshot got no answer', true)
    const { position } = parseCursor(syncCursor, 'syncCursor')
    this.segments.push({ from: position, upTo: position, received: [] })
    return syncCursor
  }

  async #snapshot(): Promise<string | null> {
    const outcome = await ask(this.#random.one(this.#endpoints), ChaosSnapshot, {}, this.#accessToken)
    if (outcome.status !== 'answered') {
      if (outcome.status === 'refused') this.#refused('a snapshot', outcome.code, outcome.message)
      return null
    }
    const { syncCursor, conversations } = outcome.data
    const { position } = parseCursor(syncCursor, 'syncCursor')
    if (position < this.position)
      this.#record.violation(`D4 ${this.name}: a snapshot at ${position}, older than ${this.position}`)
    if (conversations.pageInfo.hasNextPage) throw new Error(`${this.name} is in more conversations than a snapshot reads`)
    const nodes = (conversations.nodes ?? []).flatMap((node) => (node ? [node] : []))
    const views = new Map(nodes.map((node) => [node.id, viewOf(node)] as const))
    this.#record.snapshots.push({ position, userId: this.userId, views })
    this.#record.count('snapshots')
    return syncCursor
  }

  #take(event: ReceivedEvent): void {
    const segment = this.segments.at(-1)
    if (!segment) throw new Error('an event came before a snapshot')
    const { position, tag } = parseCursor(event.cursor, 'cursor')
    switch (event.__typename) {
      case 'SyncStarted':
        this.#sinceStart = 0
        this.#record.count(`streams ${event.mode}`)
        if (event.mode !== 'RESUMED') this.#record.violation(`D3 ${this.name}: ${event.mode} after ${segment.upTo}`)
        break
      case 'CaughtUp':
        if (event.count !== this.#sinceStart) {
          this.#record.violation(`D3 ${this.name}: CaughtUp says ${event.count} events, ${this.#sinceStart} came`)
        }
        this.#sinceStart = null
        break
      case 'Tick':
        break
      default:
        if (this.#sinceStart !== null) this.#sinceStart += 1
        this.#record.count('deliveries')
        segment.received.push({ position, tag, kind: event.__typename, subject: subjectOf(event), version: versionOf(event) })
    }
    if (position < segment.upTo)
      this.#record.violation(`D3 ${this.name}: ${event.__typename} at ${position} after ${segment.upTo}`)
    segment.upTo = Math.max(segment.upTo, position)
  }

  #noteTrouble({ code, message }: ParleyFailure): void {
    if (code === 'NO_ANSWER') this.#record.count('streams restarted')
    else this.#refused('an event', code, message)
  }

  #refused(what: string, code: string, message: string): void {
    this.#record.count(`${what} refused: ${code}`)
    if (code !== 'UNAVAILABLE') this.#record.violation(`${this.name}: ${what} was refused with ${code}: ${message}`)
  }
}
