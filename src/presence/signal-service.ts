// Signals of apps: what call set-up or live cursors need. A signal goes to everybody who watches its conversation at that moment, on
// any node. It is not stored, and may be lost. A watcher who does not keep up loses the oldest ones.

import { z } from 'zod'
import type { Bus, Form } from '../bus/bus.ts'
import { type ConversationId, type SessionId, sessionIdOf, type UserId, userIdOf } from '../id.ts'
import type { Journal } from '../journal/journal.ts'
import { openTopics, type TopicSubscription } from '../journal/topics.ts'

declare module '../parts.ts' {
  interface App {
    readonly signals: SignalService
  }
}

/** A signal. */
export type AppSignal = {
  readonly senderId: UserId
  /** Null if a server key sent it on behalf of the user. */
  readonly sessionId: SessionId | null
  readonly kind: string
  /** Custom data as JSON text; null if there is none. */
  readonly data: string | null
  /** When it was sent, in milliseconds since 1970. */
  readonly sentAt: number
}

/** A device that watches a conversation. */
export type SignalWatcher = {
  readonly userId: UserId
  show(signal: AppSignal): void
  /** Ends the watching, because the user has left the conversation. */
  end(): void
}

/** The signals of a node. */
export type SignalService = {
  send(conversationId: ConversationId, signal: AppSignal): void
  /** Shows a watcher the signals of a conversation, once they arrive (within 2 s). @returns a function that ends it */
  watch(conversationId: ConversationId, watcher: SignalWatcher): () => void
}

const tuple = z.tuple([
  z.int().transform(userIdOf),
  z.int().transform(sessionIdOf).nullable(),
  z.string(),
  z.string().nullable(),
  z.number(),
])
const form: Form<z.infer<typeof tuple>> = { parse: (message) => tuple.safeParse(message).data ?? null, isSigned: true }
const topicOf = (conversationId: ConversationId) => `signals:${conversationId}`

type WatchedSignals = { readonly watchers: Set<SignalWatcher>; readonly subscription: TopicSubscription }

/** Opens the signals of a node. Leaving a conversation ends the watching. */
export function openSignalService(bus: Bus, journal: Journal): SignalService {
  const watches = new Map<ConversationId, WatchedSignals>()
  const topics = openTopics(bus, journal)

  function leave(conversationId: ConversationId, watched: WatchedSignals, watcher: SignalWatcher): void {
    watched.watchers.delete(watcher)
    if (watched.watchers.size > 0 || watches.get(conversationId) !== watched) return
    watches.delete(conversationId)
    watched.subscription.end()
  }
  function open(conversationId: ConversationId): WatchedSignals {
    const watchers = new Set<SignalWatcher>()
    const subscription = topics.subscribe(topicOf(conversationId), form, ([senderId, sessionId, kind, data, sentAt]) => {
      for (const watcher of watchers) watcher.show({ senderId, sessionId, kind, data, sentAt })
    })
    const watched = { watchers, subscription }
    watches.set(conversationId, watched)
    return watched
  }

  journal.onFact(({ conversationId, subjectId, audienceChange }) => {
    const watched = audienceChange < 0 && conversationId !== null ? watches.get(conversationId) : undefined
    if (conversationId === null || !watched) return
    for (const watcher of [...watched.watchers]) {
      if (watcher.userId !== subjectId) continue
      leave(conversationId, watched, watcher)
      watcher.end()
    }
  })
  return {
    send(conversationId, { senderId, sessionId, kind, data, sentAt }) {
      topics.publish(topicOf(conversationId), [senderId, sessionId, kind, data, sentAt])
    },
    watch(conversationId, watcher) {
      const watched = watches.get(conversationId) ?? open(conversationId)
      watched.watchers.add(watcher)
      return () => leave(conversationId, watched, watcher)
    },
  }
}
