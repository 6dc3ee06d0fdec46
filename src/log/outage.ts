// Logs outages of a server that this node depends on (Redis, Postgres): one line when it is lost and one when it is back, each
// with the effect on users. In between, failures that only repeat the outage are logged at debug level.

import type { Log } from './log.ts'

/** The log lines of an outage. */
export type OutageWords = {
  readonly away: string
  readonly back: string
  /** The cause of an error in words for the operator; null if its code says everything. */
  causeOf(error: unknown): string | null
}

/** How long a server must be back before the log says so: an unsteady server must not fill the log. */
const steadyMs = 1_000

/** Tracks whether a server is there, by reports of the parts of this node that use it. */
export class Outage {
  readonly #log: Log
  readonly #words: OutageWords
  readonly #failing = new Set<string>()
  #since: number | null = null
  #timer: NodeJS.Timeout | null = null

  constructor(log: Log, words: OutageWords) {
    this.#log = log
    this.#words = words
  }

  /** Reports that a part of this node cannot reach the server. The first report with an error is logged. */
  lost(part: string, error?: unknown): void {
    this.#failing.add(part)
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
    if (this.#since !== null || error === undefined) return
    this.#since = performance.now()
    const { code, message } = error as { code?: unknown; message?: unknown }
    const cause = this.#words.causeOf(error) ?? String(code ?? message ?? error)
    this.#log.warn({ cause }, this.#words.away)
  }

  /** Reports that the part reaches the server again. When all parts have for a second, that is logged. */
  regained(part: string): void {
    if (!this.#failing.delete(part) || this.#failing.size > 0 || this.#since === null) return
    this.#timer ??= setTimeout(() => {
      const awayMs = Math.round(performance.now() - (this.#since ?? 0) - steadyMs)
      this.#since = null
      this.#timer = null
      this.#log.info({ awayMs }, this.#words.back)
    }, steadyMs).unref()
  }

  close(): void {
    if (this.#timer) clearTimeout(this.#timer)
    this.#since = performance.now() // nothing more is logged
  }
}
