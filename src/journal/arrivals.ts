// The announcements that have arrived in order and are not yet taken in. A digest waits for the parcels of the audiences that this
// node hears; what comes after it waits too, and its parcels are fetched meanwhile. Nothing is shown early.

import type { Position } from '../id.ts'
import type { Batch } from './batch.ts'
import { type Announcement, audienceOf, type Digest, isDigest, stubOf } from './digest.ts'
import type { Fact } from './fact.ts'
import type { NamedRow } from './named-row.ts'
import type { Parcels } from './parcels.ts'

/** How long a parcel may take before the facts are read from Postgres. */
const parcelMs = 20
/** How many announcements may wait. Beyond it they are read from Postgres. */
const waitingMax = 1_000

type Arrival = {
  readonly announced: Announcement
  readonly end: Position
  readonly facts: Map<Position, Fact>
  readonly rows: NamedRow[]
  /** The audiences whose parcels are here or are being fetched. */
  readonly asked: Set<number>
  fetching: number
  timer: NodeJS.Timeout | undefined
}

/** The last position of an announcement. */
export function endOf(announced: Announcement): Position {
  return (firstOf(announced) + (isDigest(announced) ? announced.kinds.length : announced.facts.length) - 1) as Position
}

/** The first position of an announcement. */
export function firstOf(announced: Announcement): Position {
  return isDigest(announced) ? announced.first : (announced.facts[0]?.position ?? (0 as Position))
}

/** What a node does with its arrivals. */
export type ArrivalUse = {
  /** Whether this node needs whole facts for an audience: see Digest. */
  hears(audience: number): boolean
  /** Takes in the next facts. Those that nobody here hears are stubs. */
  take(batch: Batch, announced: Announcement): void
  /** A parcel is missing or late: Postgres has its facts. */
  onMissing(): void
}

/** The arrivals of one node. */
export class Arrivals {
  readonly #parcels: Parcels
  readonly #use: ArrivalUse
  #waiting: Arrival[] = []

  constructor(parcels: Parcels, use: ArrivalUse) {
    this.#parcels = parcels
    this.#use = use
  }

  /** The last position that waits; null if nothing does. */
  get end(): Position | null {
    return this.#waiting.at(-1)?.end ?? null
  }

  /** Adds what continues the end, or this node's head. */
  add(announced: Announcement): void {
    if (this.#waiting.length === 0 && !isDigest(announced)) {
      this.#use.take(announced, announced)
      return
    }
    if (this.#waiting.length === waitingMax) {
      this.#use.onMissing()
      return
    }
    const arrival: Arrival = {
      announced,
      end: endOf(announced),
      facts: new Map(),
      rows: [],
      asked: new Set(),
      fetching: 0,
      timer: undefined,
    }
    this.#waiting.push(arrival)
    if (isDigest(announced)) this.#fetch(arrival, announced)
    this.advance()
  }

  /** Takes in what is complete. */
  advance(): void {
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      // A user may have begun to hear an audience since its parcels were fetched.
      if (isDigest(next.announced)) this.#fetch(next, next.announced)
      if (next.fetching > 0) return
      const batch = isDigest(next.announced) ? this.#batchOf(next, next.announced) : next.announced
      if (batch === null) return
      this.#waiting.shift()
      this.#use.take(batch, next.announced)
    }
  }

  /** Drops what ends at or before a position, because it was taken in otherwise. */
  dropUpTo(position: Position): void {
    for (const { end, timer } of this.#waiting) if (end <= position) clearTimeout(timer)
    this.#waiting = this.#waiting.filter(({ end }) => end > position)
  }

  clear(): void {
    for (const { timer } of this.#waiting) clearTimeout(timer)
    this.#waiting = []
  }

  /** Fetches the parcels that this node needs and has not asked for. */
  #fetch(arrival: Arrival, digest: Digest): void {
    const needed = new Set<number>()
    for (const audience of digest.audiences) {
      if (!arrival.asked.has(audience) && this.#use.hears(audience)) needed.add(audience)
    }
    if (needed.size === 0) return
    for (const audience of needed) arrival.asked.add(audience)
    arrival.fetching += 1
    arrival.timer ??= setTimeout(() => this.#use.onMissing(), parcelMs)
    const append = { position: digest.first, tag: digest.tag }
    this.#parcels
      .fetch([...needed].map((audience) => ({ append, audience })))
      .then(
        (parcels) => {
          for (const parcel of parcels) {
            for (const fact of parcel?.facts ?? []) arrival.facts.set(fact.position, fact)
            arrival.rows.push(...(parcel?.rows ?? []))
          }
        },
        () => undefined, // as if they were not there
      )
      .finally(() => {
        arrival.fetching -= 1
        if (arrival.fetching > 0) return
        clearTimeout(arrival.timer)
        arrival.timer = undefined
        if (this.#waiting.includes(arrival)) this.advance()
      })
  }

  /** The facts of a digest, with stubs for those that nobody here hears; null if a parcel was not there. */
  #batchOf({ facts: found, rows }: Arrival, digest: Digest): Batch | null {
    const facts: Fact[] = []
    for (const [i, audience] of digest.audiences.entries()) {
      const fact = found.get((digest.first + i) as Position)
      if (fact && fact.tag === digest.tag && audienceOf(fact) === audience) facts.push(fact)
      else if (this.#use.hears(audience)) {
        this.#use.onMissing()
        return null
      } else facts.push(stubOf(digest, i))
    }
    return { previousTag: digest.previousTag, facts, rows }
  }
}
