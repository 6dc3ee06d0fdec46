// Decides what the people of a run do next. Every operation and every way of sending must happen at least once, or the run
// proves nothing: they come first, in random order, and one that was impossible or got no answer comes again. After that,
// operations are drawn by weight. The run does not end before all of them have happened.

import type { Random } from '../support/random.ts'
import { type Operation, operations } from './operations.ts'
import type { RunRecord } from './record.ts'

/** The ways of sending that must happen, by their names in the record. */
export const sendOutcomes = [
  'sends acknowledged',
  'copies',
  'dropped answers',
  'conflicting: IDEMPOTENCY_CONFLICT',
  'files sent',
] as const

/** The name under which the record counts the answers to an operation. */
export const answeredCount = (operation: string) => `${operation} answered`

/** Everything people must have done, by its name in the record. */
export const requiredEvents: readonly string[] = [...sendOutcomes, ...operations.map(([name]) => answeredCount(name))]

/** What people do next. */
export class Generator {
  readonly #record: RunRecord
  #pending: string[]

  constructor(record: RunRecord, random: Random) {
    this.#record = record
    this.#pending = random.shuffle(requiredEvents)
  }

  /** What has not happened yet. */
  get pending(): readonly string[] {
    this.#pending = this.#pending.filter((required) => this.#record.of(required) === 0)
    return this.#pending
  }

  /** The next thing that must happen; it returns after the others until it has. Undefined once everything has happened. */
  nextRequired(): string | undefined {
    const [next, ...others] = this.pending
    if (next !== undefined) this.#pending = [...others, next]
    return next
  }

  /** Draws an operation by weight. Undefined: send a message. */
  draw(random: Random): Operation | undefined {
    let left = random.whole(0, 99)
    for (const operation of operations) {
      if (left < operation[1]) return operation
      left -= operation[1]
    }
    return undefined
  }
}
