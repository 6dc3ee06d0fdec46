// The back-off before a retry, and a wait that can be ended early.

/** The bounds of a back-off, in milliseconds. */
export type PauseBounds = { readonly firstMs: number; readonly maxMs: number }

/**
 * How long to wait before retry number `attempt` (0 is the first): random and uniform between zero and a bound that doubles
 * each time. It is drawn from the whole range so that thousands of clients of one node do not return at once.
 * @returns milliseconds, below `min(maxMs, firstMs * 2 ** attempt)`
 */
export function backOffMs(attempt: number, { firstMs, maxMs }: PauseBounds, random: () => number = Math.random): number {
  return random() * Math.min(maxMs, firstMs * 2 ** Math.min(attempt, 30))
}

/** One wait at a time, which other code may end early. */
export class Pause {
  #end: () => void = () => undefined

  /** Waits for `ms` milliseconds, or until `end` is called. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#end = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** Ends the current wait, if there is one. */
  end(): void {
    this.#end()
  }
}
