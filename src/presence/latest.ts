// An iterator over things of which only the newest state counts: a reader that is slow skips what lies between.

/**
 * Iterates over the values that a source shows: of each key the newest at the time of asking, in the order in which their keys
 * were first shown. So no more waits than there are keys. `open` starts the source and gives what ends it; the source may end
 * the iteration by itself.
 */
export function latestOf<Value>(
  keyOf: (value: Value) => unknown,
  open: (show: (value: Value) => void, end: () => void) => () => void,
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
