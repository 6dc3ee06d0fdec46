// How long to wait before trying again, and a wait that can be ended early.

/** The bounds of a pause, in milliseconds. */
export type Bounds = { readonly firstMs: number; readonly maxMs: number }

/**
 * How long to wait before attempt number `attempt` (0 is the first repeat): drawn evenly from nothing to a bound that doubles
 * each time. The draw is over the whole range, so that thousands of clients of one node do not come back in one moment.
 * @returns milliseconds, below `min(maxMs, firstMs * 2 ** attempt)`
 */
export function backOffMs(attempt: number, { firstMs, maxMs }: Bounds, random: () => number = Math.random): number {
  return random() * Math.min(maxMs, firstMs * 2 ** Math.min(attempt, 30))
}

/** One wait at a time, which somebody else may end. */
export class Pause {
  #end: () => void = () => undefined

  /** Waits so long, or until `end` is called. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#end = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** Ends the wait that is under way, if there is one. */
  end(): void {
    this.#end()
  }
}
