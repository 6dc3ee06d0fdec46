// Logs repeated events once per interval, with their count, so that a client that is refused a thousand times a second cannot
// fill the log. The first occurrence is logged at once.

import type { Level } from 'pino'
import type { Log } from './log.ts'

/** How often a repeated occurrence is logged. */
const intervalMs = 10_000
/** How many distinct occurrences are counted separately. Beyond that, occurrences with the same message share a line. */
const keysMax = 1_000

type Occurrence = { readonly level: Level; readonly message: string; fields: object; count: number }

/** A log for events that may happen many times a second. */
export class RepeatLog {
  readonly #log: Log
  readonly #seen = new Map<string, Occurrence>()
  #timer: NodeJS.Timeout | null = null

  constructor(log: Log) {
    this.#log = log
  }

  /**
   * Logs an occurrence at once if none with its key and message was logged in this interval; otherwise counts it. At the end of
   * the interval, one line has the newest fields and `repeats`, the number of occurrences that it stands for.
   * @param key identifies equal occurrences, for example by a code and an address. Not the id of a request
   */
  note(level: Level, key: string, fields: object, message: string): void {
    if (!this.#log.isLevelEnabled(level)) return
    const own = `${message}\0${key}`
    const name = this.#seen.has(own) || this.#seen.size < keysMax ? own : message
    const known = this.#seen.get(name)
    if (known) {
      known.count += 1
      known.fields = fields
      return
    }
    this.#seen.set(name, { level, fields, message, count: 0 })
    this.#timer ??= setTimeout(() => this.#logCounts(), intervalMs).unref()
    this.#log[level](fields, message)
  }

  #logCounts(): void {
    this.#timer = null
    for (const [name, seen] of this.#seen) {
      if (seen.count === 0) this.#seen.delete(name)
      else this.#log[seen.level]({ ...seen.fields, repeats: seen.count }, seen.message)
      seen.count = 0
    }
    if (this.#seen.size > 0) this.#timer = setTimeout(() => this.#logCounts(), intervalMs).unref()
  }

  /** Logs the remaining counts. */
  close(): void {
    if (this.#timer) clearTimeout(this.#timer)
    this.#logCounts()
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
    this.#seen.clear()
  }
}
