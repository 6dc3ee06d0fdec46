// Reads a stream of the journal item by item.

import type { StreamItem } from '../../src/journal/item.ts'
import type { Stream } from '../../src/journal/stream.ts'

/** Starts a stream. Each call returns its next item; null when it has ended. */
export function pulling(stream: Stream): () => Promise<StreamItem | null> {
  let isStarted = false
  let give: (item: StreamItem | null) => void = () => undefined
  const consumer = {
    take(item: StreamItem) {
      give(item)
      return false
    },
    ended: () => give(null),
  }
  return () =>
    new Promise((resolve) => {
      give = resolve
      if (isStarted) return stream.more()
      isStarted = true
      stream.start(consumer)
    })
}
