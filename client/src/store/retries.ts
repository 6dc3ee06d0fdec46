// Repeats what failed, with growing pauses, until it succeeds. A network that comes back ends the pauses.

import { onNetwork } from '../browser.ts'
import { failureOf } from '../failure.ts'
import { backOffMs, Pause } from '../pause.ts'

const bounds = { firstMs: 1_000, maxMs: 30_000 } as const

/** Repeats work for one owner, which closes it. */
export class Retries {
  readonly #pauses = new Set<Pause>()
  readonly #unlisten: () => void
  #isClosed = false

  constructor() {
    this.#unlisten = onNetwork((isThere) => {
      if (isThere) this.hurry()
    })
  }

  /**
   * Does something, again and again, until it succeeds.
   * @param isWanted asked before each repeat
   * @throws ParleyFailure the last failure: one that is not retryable, or any once nobody wants the result, or after `close`
   */
  async run<T>(work: () => Promise<T>, isWanted: () => boolean = () => true): Promise<T> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await work()
      } catch (error) {
        const failure = failureOf(error)
        if (!failure.isRetryable) throw failure
        if (!this.#isClosed) await this.#wait((failure.retryAfterMs ?? 0) + backOffMs(attempt, bounds))
        if (this.#isClosed || !isWanted()) throw failure
      }
    }
  }

  /** Repeats at once whatever is waiting. */
  hurry(): void {
    for (const pause of this.#pauses) pause.end()
  }

  /** Ends all waits. What failed is not repeated any more. */
  close(): void {
    this.#isClosed = true
    this.#unlisten()
    this.hurry()
  }

  async #wait(ms: number): Promise<void> {
    const pause = new Pause()
    this.#pauses.add(pause)
    await pause.wait(ms)
    this.#pauses.delete(pause)
  }
}
