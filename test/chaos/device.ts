// A receiving device: begins with a snapshot, follows the events from its cursor, and goes on from the last one that it was
// told whenever its socket ends, on any node. It keeps what it was told; the judge says whether that is right.

import { setTimeout as delay } from 'node:timers/promises'
import { print } from 'graphql'
import { createClient } from 'graphql-ws'
import WebSocket from 'ws'
import { parseCursor } from '../../src/journal/cursor.ts'
import type { Random } from '../journal/random.ts'
import type { FollowedSubscription } from '../support/generated/graphql.ts'
import { Begin, Followed } from './documents.ts'
import { ask, type Door } from './door.ts'
import type { Record, Stretch } from './record.ts'
import { subjectOf, viewOf } from './view.ts'

type Event = FollowedSubscription['events']

/** Nodes tick every second here: a stream that is silent for so long is dead. */
const silenceMs = 4_000
const initMs = 2_000

/** A socket that does not wait for ever for a node that is frozen. */
class ImpatientSocket extends WebSocket {
  constructor(url: string, protocols: string | string[]) {
    super(url, protocols, { handshakeTimeout: initMs })
  }
}

/** One device of a person. */
export class Device {
  readonly name: string
  readonly userId: number
  readonly stretches: Stretch[] = []
  readonly #accessToken: string
  readonly #doors: readonly [Door, ...Door[]]
  readonly #random: Random
  readonly #record: Record
  #cursor: string | null = null
  #isStopped = false
  #hasLooked = false
  #end: () => void = () => undefined
  /** How many facts this stream has brought since it started; null once it has caught up. */
  #sinceStart: number | null = null

  constructor(
    name: string,
    userId: number,
    accessToken: string,
    doors: readonly [Door, ...Door[]],
    random: Random,
    record: Record,
  ) {
    this.name = name
    this.userId = userId
    this.#accessToken = accessToken
    this.#doors = doors
    this.#random = random
    this.#record = record
  }

  /** The position up to which it was told everything. */
  get position(): number {
    return this.stretches.at(-1)?.upTo ?? -1
  }

  /** Follows until it is stopped. */
  async run(): Promise<void> {
    while (!this.#isStopped) {
      const door = this.#random.one(this.#doors)
      // Now and then a device forgets everything, as a new installation does: a new snapshot, and on from there.
      if (this.#cursor === null || this.#random.chance(0.03)) this.#cursor = (await this.#begin(door)) ?? this.#cursor
      if (this.#cursor !== null && !this.#isStopped) await this.#follow(door, this.#cursor)
      if (!this.#isStopped) await delay(this.#random.whole(0, 300))
    }
  }

  /** Ends it. */
  stop(): void {
    this.#isStopped = true
    this.#end()
  }

  /** Cuts its socket; it comes back by itself. */
  cut(): void {
    this.#end()
  }

  /** Has a last look when all is mended: what every device sees in the end is compared, too. @returns whether it could. */
  async look(): Promise<boolean> {
    this.#hasLooked ||= (await this.#snapshot(this.#random.one(this.#doors))) !== null
    return this.#hasLooked
  }

  async #begin(door: Door): Promise<string | null> {
    const syncCursor = await this.#snapshot(door)
    if (syncCursor === null) return null
    const { position } = parseCursor(syncCursor, 'syncCursor')
    this.stretches.push({ from: position, upTo: position, received: [] })
    return syncCursor
  }

  async #snapshot(door: Door): Promise<string | null> {
    const outcome = await ask(door, Begin, {}, this.#accessToken)
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

  /** Follows over one socket, until that ends. */
  #follow(door: Door, after: string): Promise<void> {
    return new Promise((resolve) => {
      const socket = createClient({
        url: `ws://127.0.0.1:${door.port}/graphql`,
        webSocketImpl: ImpatientSocket,
        connectionParams: { accessToken: this.#accessToken },
        connectionAckWaitTimeout: initMs,
        retryAttempts: 0,
      })
      const silence = setTimeout(() => {
        this.#record.count('silent streams')
        end()
      }, silenceMs)
      let hasEnded = false
      const end = () => {
        if (hasEnded) return
        hasEnded = true
        clearTimeout(silence)
        this.#end = () => undefined
        socket.terminate()
        resolve()
      }
      this.#end = end
      socket.subscribe<FollowedSubscription>(
        { query: print(Followed), variables: { after } },
        {
          next: ({ data, errors }) => {
            if (hasEnded) return
            silence.refresh()
            const what = data?.events ? 'an event' : 'a stream'
            for (const { message, extensions } of errors ?? []) this.#refused(what, String(extensions?.code), message)
            if (data?.events) this.#take(data.events)
            else end()
          },
          error: (error) => {
            if (Array.isArray(error)) {
              for (const { message, extensions } of error) this.#refused('a stream', String(extensions?.code), message)
            }
            end()
          },
          complete: () => {
            if (!hasEnded) this.#record.fault(`D3 ${this.name}: a stream was completed`)
            end()
          },
        },
      )
    })
  }

  #take(event: Event): void {
    const stretch = this.stretches.at(-1)
    if (!stretch) throw new Error('an event came before a snapshot')
    const { position, tag } = parseCursor(event.cursor, 'cursor')
    switch (event.__typename) {
      case 'SyncStarted':
        this.#sinceStart = 0
        this.#record.count(`streams ${event.mode}`)
        if (event.mode !== 'RESUMED') this.#record.fault(`D3 ${this.name}: ${event.mode} ${event.reason} after ${stretch.upTo}`)
        if (event.mode === 'RESET') this.stretches.push({ from: position, upTo: position, received: [] })
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
    const current = this.stretches.at(-1) ?? stretch
    if (position < current.upTo) this.#record.fault(`D3 ${this.name}: ${event.__typename} at ${position} after ${current.upTo}`)
    current.upTo = Math.max(current.upTo, position)
    this.#cursor = event.cursor
  }

  #refused(what: string, code: string, message: string): void {
    this.#record.count(`${what} refused: ${code}`)
    if (code !== 'UNAVAILABLE') this.#record.fault(`${this.name}: ${what} was refused with ${code}: ${message}`)
  }
}
