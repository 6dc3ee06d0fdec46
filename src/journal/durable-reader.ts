// A durable reader follows the journal beside the nodes' followers, and keeps its progress in Postgres. Every node has one, and one
// of them works: a turn moves the progress only from where the node last saw it, and a node whose turn comes to nothing stands by.
// A turn commits its writes and the new place together: a killed node loses nothing and repeats nothing, and any node can take the
// next turn. Usually a turn takes its facts from the recent log, so that it costs few statements.

import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { Log } from '../log/log.ts'
import { BackgroundLoop } from '../store/background-loop.ts'
import type { Reader } from '../store/reader.ts'
import { isStub } from './digest.ts'
import type { Fact, Place } from './fact.ts'
import type { Journal } from './journal.ts'
import { readTagAt } from './tables.ts'

/** How often to look for work that no fact announced, and for progress that another node should make but does not. */
const lookMs = 1_000

/** How a durable reader works. `Progress` is its row: the place, and whatever else it keeps there. */
export type DurableReading<Progress extends Place = Place> = {
  /** How long facts gather before a turn, in milliseconds. */
  readonly gatherMs: number
  /** The most facts of a turn. */
  readonly factsMax: number
  /** The log message for turns that failed. */
  readonly failure: string
  /** Whether it pauses after each turn for as long as the turn took, to leave Postgres to sends. */
  readonly rests: boolean
  /** Whether a fact brings work, and so wakes the reader. The reader passes the other facts in its next turn, within a second. */
  concerns(fact: Fact): boolean
  /** Runs before each catch-up. */
  prepare?(closing: AbortSignal | undefined): Promise<void>
  /** Reads the committed progress. */
  readProgress(): Promise<Progress>
  /** Whether there is work beside the next facts, which only `takeTurn` does, even at the head of the journal. */
  hasMore?(progress: Progress): boolean
  /**
   * Does what the next facts after `progress` need, and moves the progress to the last of them, in one transaction. Writes nothing
   * unless the progress can be moved there: see `movableRow`.
   * @returns the new progress; null if nothing was written
   */
  follow(progress: Progress, facts: readonly [Fact, ...Fact[]]): Promise<Progress | null>
  /**
   * The same with facts from Postgres, after a check that the journal holds the place of the progress.
   * @returns the new progress; null if another node has the turn or there is nothing to do
   */
  takeTurn(): Promise<Progress | null>
}

/**
 * SQL for `follow`: the row of a table of progress if it can be moved from the place ($3, $4) to ($1, $2). It can't if another node
 * has moved it or has the turn, or if the journal has another fact there: the recent log of a node may belong to another history
 * for a moment, and its facts have other tags. `also` adds a condition, with parameters from $5 on.
 */
export const movableRow = (table: string, also = 'true') => `select one from ${table}
  where position = $3 and tag = $4 and exists (select 1 from fact where fact.position = $1 and fact.tag = $2) and ${also}
  for update skip locked`

/** Follows the journal with `reading` in the background, until it is closed. */
export class DurableReader<Progress extends Place = Place> {
  readonly #reading: DurableReading<Progress>
  readonly #journal: Journal
  readonly #loop: BackgroundLoop
  /** The progress as this node last saw it, and when that was read. */
  #progress: Progress | null = null
  #readAt = Number.NEGATIVE_INFINITY
  /** Another node takes the turns. */
  #standsBy = false
  #hadWork = false
  /** The last turn from the recent log came to nothing: the next one reads from Postgres. */
  #readsPostgresNext = false

  constructor(reading: DurableReading<Progress>, journal: Journal, log: Log) {
    this.#reading = reading
    this.#journal = journal
    const { gatherMs, failure } = reading
    this.#loop = new BackgroundLoop({ everyMs: lookMs, gatherMs, failure, run: (closing) => this.#run(closing) }, log)
    journal.onFact((fact) => {
      // A stub is left to the node that knows the fact, which needs fewer statements, or to the next look.
      if (!this.#standsBy && !isStub(fact) && reading.concerns(fact)) this.#loop.wake()
    })
  }

  /** Takes turns until it reaches the head of the journal, or another node has the turn. */
  async catchUp(closing?: AbortSignal): Promise<void> {
    await this.#reading.prepare?.(closing)
    let progress = await this.#recentProgress()
    while (!closing?.aborted && this.#hasWork(progress)) {
      const begun = performance.now()
      this.#progress = null // if the turn fails, it is unknown
      const moved = await this.#turn(progress)
      this.#standsBy = moved === null
      this.#progress = moved ?? progress
      this.#hadWork = true
      if (moved === null) return
      progress = moved
      if (this.#reading.rests) await delay(performance.now() - begun)
    }
  }

  close(): Promise<void> {
    return this.#loop.close()
  }

  /** A node that stands by takes a turn only if there was work when it last looked, and nobody has done any of it since. */
  async #run(closing: AbortSignal): Promise<void> {
    if (this.#standsBy) {
      const [before, hadWork] = [this.#progress, this.#hadWork]
      const progress = await this.#recentProgress()
      this.#hadWork = this.#hasWork(progress)
      if (!hadWork || !isDeepStrictEqual(progress, before)) return
    }
    await this.catchUp(closing)
  }

  async #recentProgress(): Promise<Progress> {
    const now = performance.now()
    if (this.#progress === null || this.#standsBy || now - this.#readAt >= lookMs) {
      this.#progress = await this.#reading.readProgress()
      this.#readAt = now
    }
    return this.#progress
  }

  #hasWork(progress: Progress): boolean {
    const head = this.#journal.head()
    const isBehind = progress.position !== head.position || progress.tag !== head.tag
    return isBehind || (this.#reading.hasMore?.(progress) ?? false)
  }

  async #turn(progress: Progress): Promise<Progress | null> {
    const [first, ...others] = this.#journal.factsAfter(progress, this.#reading.factsMax)
    if (first === undefined || this.#readsPostgresNext || this.#reading.hasMore?.(progress)) {
      this.#readsPostgresNext = false
      return this.#reading.takeTurn()
    }
    const moved = await this.#reading.follow(progress, [first, ...others])
    this.#readsPostgresNext = moved === null
    return moved
  }
}

/**
 * Compares a stored place with the journal. HELD: the journal continues from it. TRIMMED: facts after it are gone. OTHER: it
 * belongs to another history, because the reader's tables and the journal were restored separately.
 */
export async function standingOf(reader: Reader, { position, tag: keptTag }: Place): Promise<'HELD' | 'TRIMMED' | 'OTHER'> {
  const { tag, floor } = await readTagAt(reader, position)
  if (tag !== null) return tag === keptTag ? 'HELD' : 'OTHER'
  if (position === floor) return 'HELD'
  return position < floor ? 'TRIMMED' : 'OTHER'
}
