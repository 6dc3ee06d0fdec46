// Topics of this journal, distinct from those of other installations on the same Redis. A topic's name contains the journal's
// epoch; when a new epoch starts, subscriptions move to its topics.

import type { Bus, Form, Unsubscribe } from '../bus/bus.ts'
import type { Journal } from './journal.ts'

/** A subscription to a topic. */
export type TopicSubscription = {
  /** Resolves once the subscription receives new messages; after 2 s at the latest. */
  readonly ready: Promise<void>
  end(): void
}

/** The topics that one part of this node publishes and subscribes to. */
export type Topics = {
  /** The current full name of a topic. */
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
