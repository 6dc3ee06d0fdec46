// A stream whose reader pulls: nothing is queued, and its end does not wait for a value.

/** What a stream reads from. */
export type PullSource<Value> = {
  /** The next value; undefined if there is none now. */
  take(): Value | undefined
  /** Calls `wake` when there may be a value. @returns a function to stop that */
  listen(wake: () => void): () => void
}

/** Makes a stream of a source. */
export function pullStream<Value>({ take, listen }: PullSource<Value>): AsyncIterableIterator<Value> {
  let waiting: ((result: IteratorResult<Value>) => void) | null = null
  let isOver = false
  const over = { value: undefined, done: true } as const
  const wake = () => {
    if (!waiting) return
    const value = take()
    if (value === undefined) return
    waiting({ value, done: false })
    waiting = null
  }
  const unlisten = listen(wake)
  const end = () => {
    isOver = true
    unlisten()
    waiting?.(over)
    waiting = null
    return Promise.resolve(over)
  }
  return {
    next: () => {
      if (isOver) return Promise.resolve(over)
      return new Promise((resolve) => {
        waiting = resolve
        wake()
      })
    },
    return: end,
    throw: end,
    [Symbol.asyncIterator]() {
      return this
    },
  }
}
