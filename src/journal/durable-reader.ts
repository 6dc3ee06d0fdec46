// A durable reader follows the journal beside the nodes' followers, and keeps in Postgres how far it has come. Every node has
// one; a lock on its row of progress lets one of them work at a time. What a turn writes and the place that it has come to are one
// transaction: a node that is killed loses nothing and does nothing twice, and any node takes the next turn.

import { setTimeout as delay } from 'node:timers/promises'
import type { Log } from '../log.ts'
import { BackgroundLoop } from '../store/background-loop.ts'
import type { Reader } from '../store/reader.ts'
import type { Fact, Place } from './fact.ts'
import type { Journal } from './journal.ts'
import { readTagAt } from './tables.ts'

/** How often it is looked for work that no fact told of. */
const lookMs = 1_000

/** What a durable reader does with the journal. `Progress` is its row: the place, and what else it keeps there. */
export type DurableReading<Progress extends Place = Place> = {
  /** How long facts gather before a turn, in milliseconds. */
  readonly gatherMs: number
  /** What the log says of turns that failed. */
  readonly failure: string
  /** Whether it leaves Postgres to sends for as long as a turn took, before the next one. */
  readonly rests: boolean
  /** Whether a fact brings work. Others are passed over in the next turn, within a second. */
  concerns(fact: Fact): boolean
  /** What is done before each catch-up. */
  prepare?(closing: AbortSignal | undefined): Promise<void>
  /** Where it has come to, by what is committed. */
  readProgress(): Promise<Progress>
  /** Whether there is work also where it has come to the head of the journal. */
  hasMore?(progress: Progress): boolean
  /** Takes a step in one transaction, unless another node is at it. @returns whether there may be more for this node */
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

  /** Takes turns until it has come to the head of the journal, or another node has the turn. */
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

  /** A look that costs little, for the nodes that only stand by. */
  async #hasWork(): Promise<boolean> {
    const [progress, head] = [await this.#reading.readProgress(), this.#journal.head()]
    const isBehind = progress.position !== head.position || progress.tag !== head.tag
    return isBehind || (this.#reading.hasMore?.(progress) ?? false)
  }
}

/**
 * How a place that was kept stands to the journal. HELD: the journal goes on from it. TRIMMED: facts after it are no longer kept.
 * OTHER: it is of another history; the reader's tables and the journal were restored apart from each other.
 */
export async function standingOf(reader: Reader, { position, tag: keptTag }: Place): Promise<'HELD' | 'TRIMMED' | 'OTHER'> {
  const { tag, floor } = await readTagAt(reader, position)
  if (tag !== null) return tag === keptTag ? 'HELD' : 'OTHER'
  if (position === floor) return 'HELD'
  return position < floor ? 'TRIMMED' : 'OTHER'
}
