// An iterator over something of which only the newest value counts: a reader that is slow skips what lies between.

/**
 * Iterates over the values that a source shows, the newest at the time of asking. `open` starts the source and gives what
 * ends it; the source may end the iteration by itself.
 */
export function latestOf<Value>(
  open: (show: (value: Value) => void, end: () => void) => () => void,
): AsyncIterableIterator<Value> {
  const done = { done: true, value: undefined } as const
  let newest: { value: Value } | null = null
  let waiting: ((result: IteratorResult<Value>) => void) | null = null
  let isEnded = false
  const close = open(show, end)

  function show(value: Value): void {
    if (waiting) waiting({ done: false, value })
    else newest = { value }
    waiting = null
  }
  function end(): void {
    isEnded = true
    waiting?.(done)
    waiting = null
  }
  function stop(): void {
    end()
    close()
  }
  return {
    [Symbol.asyncIterator]() {
      return this
    },
    async next() {
      if (isEnded) return done
      if (newest) {
        const { value } = newest
        newest = null
        return { done: false, value }
      }
      return new Promise((resolve) => {
        waiting = resolve
      })
    },
    async return() {
      stop()
      return done
    },
    async throw(error) {
      stop()
      throw error
    },
  }
}
