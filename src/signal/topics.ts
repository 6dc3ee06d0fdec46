// Topics of this journal: two installations on one Redis do not meet. The name of a topic holds the journal's epoch; when the
// journal was started anew, what is heard moves over to the new one.

import type { Bus, Unsubscribe } from '../bus/bus.ts'
import type { Journal } from '../journal/journal.ts'

/** A topic that is heard. */
export type Heard = {
  /** Resolves when messages published from now on will be heard; within 2 s in any case. */
  readonly ready: Promise<void>
  end(): void
}

/** The topics that one place of this node publishes to and hears. */
export type Topics = {
  /** The full name of a topic as it is now. */
  nameOf(name: string): string
  publish(name: string, message: unknown): void
  hear(name: string, listener: (message: unknown) => void): Heard
}

/** Opens topics. What is heard ends with its own `end`, or with the bus. */
export function openTopics(bus: Bus, journal: Journal): Topics {
  const all = new Set<{ topic: string; move(): void }>()
  journal.onRestart(() => {
    for (const heard of all) heard.move()
  })
  return {
    nameOf: (name) => journal.topic(name),
    publish: (name, message) => bus.publish(journal.topic(name), message),
    hear(name, listener) {
      let unsubscribe: Promise<Unsubscribe>
      const leave = () => void unsubscribe.then((end) => end())
      const heard = {
        topic: journal.topic(name),
        move() {
          if (journal.topic(name) === heard.topic) return
          leave()
          heard.topic = journal.topic(name)
          unsubscribe = bus.subscribe(heard.topic, listener)
        },
      }
      unsubscribe = bus.subscribe(heard.topic, listener)
      all.add(heard)
      return {
        ready: unsubscribe.then(() => undefined),
        end() {
          all.delete(heard)
          leave()
        },
      }
    },
  }
}
