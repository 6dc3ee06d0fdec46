// Topics of this journal: two installations on one Redis do not meet. The name of a topic holds the journal's epoch; when the
// journal was started anew, the subscriptions move over to the new one.

import type { Bus, Form, Unsubscribe } from '../bus/bus.ts'
import type { Journal } from './journal.ts'

/** A subscription to a topic. */
export type TopicSubscription = {
  /** Resolves when messages published from now on will be received; within 2 s in any case. */
  readonly ready: Promise<void>
  end(): void
}

/** The topics that one part of this node publishes and subscribes to. */
export type Topics = {
  /** The full name of a topic as it is now. */
  nameOf(name: string): string
  publish(name: string, message: unknown): void
  subscribe<Message>(name: string, form: Form<Message>, listener: (message: Message) => void): TopicSubscription
}

/** Opens topics. A subscription ends with its own `end`, or with the bus. */
export function openTopics(bus: Bus, journal: Journal): Topics {
  const all = new Set<{ topic: string; move(): void }>()
  journal.onRestart(() => {
    for (const subscription of all) subscription.move()
  })
  return {
    nameOf: (name) => journal.topic(name),
    publish: (name, message) => bus.publish(journal.topic(name), message),
    subscribe(name, form, listener) {
      let unsubscribe: Promise<Unsubscribe>
      const leave = () => void unsubscribe.then((end) => end())
      const subscription = {
        topic: journal.topic(name),
        move() {
          if (journal.topic(name) === subscription.topic) return
          leave()
          subscription.topic = journal.topic(name)
          unsubscribe = bus.subscribe(subscription.topic, form, listener)
        },
      }
      unsubscribe = bus.subscribe(subscription.topic, form, listener)
      all.add(subscription)
      return {
        ready: unsubscribe.then(() => undefined),
        end() {
          all.delete(subscription)
          leave()
        },
      }
    },
  }
}
