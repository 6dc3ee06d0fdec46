// Work that a node repeats beside its requests: one run at a time, at intervals and soon after a wake.

import type { Log } from '../log/log.ts'
import { reportFailure } from './postgres.ts'

/** The work of a background loop. */
export type BackgroundWork = {
  /** How often it runs without a wake, in milliseconds. */
  readonly everyMs: number
  /** How long after a wake it runs, in milliseconds, so that one run serves many wakes. */
  readonly gatherMs: number
  /** The log line for a run that failed. The next run comes at its usual time. */
  readonly failure: string
  /** Does everything that is due. Ends soon after `closing` is aborted. */
  run(closing: AbortSignal): Promise<void>
}

/** Runs work in the background from its construction until `close`. */
export class BackgroundLoop {
  readonly #work: BackgroundWork
  readonly #log: Log
  readonly #closing = new AbortController()
  readonly #clock: NodeJS.Timeout
  #gathering: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #isWokenDuringRun = false

  constructor(work: BackgroundWork, log: Log) {
    this.#work = work
    this.#log = log
    this.#clock = setInterval(() => this.wake(), work.everyMs)
    this.wake()
  }

  /** Lets it run soon, or once more after the current run. */
  wake(): void {
    if (this.#closing.signal.aborted) return
    if (this.#running !== undefined) this.#isWokenDuringRun = true
    else this.#gathering ??= setTimeout(() => this.#run(), this.#work.gatherMs)
  }

  /** Waits for the current run, and starts no other. */
  async close(): Promise<void> {
    this.#closing.abort()
    clearInterval(this.#clock)
    clearTimeout(this.#gathering)
    await this.#running
  }

  #run(): void {
    this.#gathering = undefined
    this.#isWokenDuringRun = false
    this.#running = this.#runOnce()
  }

  async #runOnce(): Promise<void> {
    try {
      await this.#work.run(this.#closing.signal)
    } catch (error) {
      reportFailure(this.#log, error, this.#work.failure)
    }
    this.#running = undefined
    if (this.#isWokenDuringRun) this.wake()
  }
}
