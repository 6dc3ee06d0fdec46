// An iterator over values of which only the newest count: a slow reader skips the values in between.

/**
 * Iterates over the values that a source shows: the newest of each key, in the order in which the waiting keys were first shown.
 * So at most one value waits for each key, and of more than `waitingMax` keys the newest. `open` starts the source and returns a function that stops it; the source may also end
 * the iteration itself.
 */
export function latestOf<Value>(
  keyOf: (value: Value) => unknown,
  open: (show: (value: Value) => void, end: () => void) => () => void,
  waitingMax = Number.POSITIVE_INFINITY,
): AsyncIterableIterator<Value> {
  const done = { done: true, value: undefined } as const
  const newest = new Map<unknown, Value>()
  let waiting: ((result: IteratorResult<Value>) => void) | null = null
  let isEnded = false
  const close = open(show, end)

  function show(value: Value): void {
    if (waiting) waiting({ done: false, value })
    else newest.set(keyOf(value), value)
    waiting = null
    const [oldest] = newest.keys()
    if (newest.size > waitingMax) newest.delete(oldest)
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
      const [first] = newest
      if (first) {
        newest.delete(first[0])
        return { done: false, value: first[1] }
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
