// A durable reader follows the journal beside the nodes' followers, and keeps its progress in Postgres. Every node has one; a
// lock on the progress row lets one of them work at a time. A turn commits its writes and the new place in one transaction: a
// killed node loses nothing and repeats nothing, and any node can take the next turn.

import { setTimeout as delay } from 'node:timers/promises'
import type { Log } from '../log/log.ts'
import { BackgroundLoop } from '../store/background-loop.ts'
import type { Reader } from '../store/reader.ts'
import type { Fact, Place } from './fact.ts'
import type { Journal } from './journal.ts'
import { readTagAt } from './tables.ts'

/** How often to look for work that no fact announced. */
const lookMs = 1_000

/** How a durable reader works. `Progress` is its row: the place, and whatever else it keeps there. */
export type DurableReading<Progress extends Place = Place> = {
  /** How long facts gather before a turn, in milliseconds. */
  readonly gatherMs: number
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
  /** Whether there is work left even at the head of the journal. */
  hasMore?(progress: Progress): boolean
  /** Takes a step in one transaction, unless another node has the turn. @returns whether there may be more for this node */
  takeTurn(): Promise<boolean>
}

/** Follows the journal with `reading` in the background, until it is closed. */
export class DurableReader<Progress extends Place = Place> {
  readonly #reading: DurableReading<Progress>
  readonly #journal: Journal
  readonly #loop: BackgroundLoop

  constructor(reading: DurableReading<Progress>, journal: Journal, log: Log) {
    this.#reading = reading
    this.#journal = journal
    const { gatherMs, failure } = reading
    this.#loop = new BackgroundLoop({ everyMs: lookMs, gatherMs, failure, run: (closing) => this.catchUp(closing) }, log)
    journal.onFact((fact) => {
      if (reading.concerns(fact)) this.#loop.wake()
    })
  }

  /** Takes turns until it reaches the head of the journal, or another node has the turn. */
  async catchUp(closing?: AbortSignal): Promise<void> {
    await this.#reading.prepare?.(closing)
    while (!closing?.aborted && (await this.#hasWork())) {
      const begun = performance.now()
      if (!(await this.#reading.takeTurn())) return
      if (this.#reading.rests) await delay(performance.now() - begun)
    }
  }

  close(): Promise<void> {
    return this.#loop.close()
  }

  /** A cheap check, for the nodes that only stand by. */
  async #hasWork(): Promise<boolean> {
    const [progress, head] = [await this.#reading.readProgress(), this.#journal.head()]
    const isBehind = progress.position !== head.position || progress.tag !== head.tag
    return isBehind || (this.#reading.hasMore?.(progress) ?? false)
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
