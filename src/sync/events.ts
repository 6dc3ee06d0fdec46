// The iterator behind `events`: pulls a stream and hands its items over as events. Not an async generator: the `return` of
// one waits behind a pending `next`, and would leave a stream open for every socket that closes while nothing happens.

import { type EventSource, eventNameOf } from '../graphql/event.ts'
import type { Place } from '../journal/fact.ts'
import { steps } from '../journal/steps.ts'
import type { Stream } from '../journal/stream.ts'

/** The events of a stream. Ending it closes the stream at once. */
export function eventsOf(stream: Stream, cursorOf: (place: Place) => string): AsyncIterableIterator<EventSource> {
  const done = { done: true, value: undefined } as const
  return {
    [Symbol.asyncIterator]() {
      return this
    },
    async next() {
      for (;;) {
        const item = await stream.next()
        if (!item) return done
        if (eventNameOf(item) === null) continue // told by a newer version of Parley; this one has no words for it
        // Asked first: nothing is made for nobody on the way of each delivered fact.
        if (item.type === 'fact' && steps.streamShowing.hasSubscribers)
          steps.streamShowing.publish({ position: item.fact.position })
        const occurredAt = item.type === 'fact' ? new Date(item.fact.occurredAt) : new Date()
        return { done: false, value: { item, cursor: cursorOf(item.place), occurredAt } }
      }
    },
    async return() {
      stream.close()
      return done
    },
    async throw(error) {
      stream.close()
      throw error
    },
  }
}
