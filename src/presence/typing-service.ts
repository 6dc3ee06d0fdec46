// Tracks who is typing: a signal, not stored and without guarantees. Each node keeps the typing signs of the conversations that
// are watched on it. A sign lapses by itself, so a user who disappears stops typing.
//
// A sign belongs to the connection that it came over, so a device that disconnects ends only its own signs. A sign over HTTP
// belongs to the session as a whole: it ends with the session's last WebSocket on any node, if that one is on the node that
// received the sign; otherwise it lapses.

import { accountKinds } from '../account/events.ts'
import type { Bus } from '../bus/bus.ts'
import type { Clock } from '../clock.ts'
import { type ConversationId, type SessionId, sessionIdOf, type UserId, userIdOf } from '../id.ts'
import type { Fact } from '../journal/fact.ts'
import type { Journal } from '../journal/journal.ts'
import { openTopics, type TopicSubscription } from '../journal/topics.ts'
import { messageKinds } from '../message/events.ts'
import type { SessionViewer, Viewer } from '../viewer.ts'
import type { ConnectedDevice, DeviceService } from './device-service.ts'
import {
  dropLapsed,
  LocalTyping,
  type TypingSign,
  type TypingSource,
  typingForm,
  typingLapsesMs,
  typingTopic,
} from './local-typing.ts'

declare module '../parts.ts' {
  interface App {
    readonly typing: TypingService
  }
}

const sweepMs = 500
/** The most signs of one user in one conversation; beyond it, the oldest is dropped. */
const signsMax = 20

/** The users typing in a conversation, by id. */
export type Typists = readonly UserId[]

/** A user who watches a conversation. */
export type TypingWatcher = {
  readonly userId: UserId
  /** Shows who is typing: once at the start, then on every change. */
  show(typists: Typists): void
  /** Ends the watching, because the user has left the conversation. */
  end(): void
}

type WatchedConversation = {
  /** When each typist's signs lapse, by source. */
  readonly signs: Map<UserId, Map<TypingSource, number>>
  readonly watchers: Set<TypingWatcher>
  readonly subscription: TopicSubscription
}

/** The typing service of a node. */
export type TypingService = {
  /**
   * Publishes to all nodes that a user is typing in a conversation, or has stopped.
   * @param device the WebSocket that the sign came over; null over HTTP
   * @returns when the sign lapses; null if the user stopped
   */
  signal(conversationId: ConversationId, viewer: Viewer, device: ConnectedDevice | null, isTyping: boolean): Date | null
  /** Publishes to all nodes that a WebSocket is lost: its signs end. */
  connectionLost(viewer: SessionViewer, device: ConnectedDevice): void
  /** Shows a watcher who is typing: once changes arrive (within 2 s), then on every change. @returns a function that ends it */
  watch(conversationId: ConversationId, watcher: TypingWatcher): () => void
  /** The number of signs given on this node that have not lapsed. */
  remembered(): number
  close(): Promise<void>
}

/** Opens the service of a node. Sending a message ends its sender's typing; leaving a conversation ends typing and watching. */
export function openTypingService(bus: Bus, clock: Clock, journal: Journal, devices: DeviceService): TypingService {
  const watches = new Map<ConversationId, WatchedConversation>()
  const topics = openTopics(bus, journal)
  const localTyping = new LocalTyping(topics, clock, devices)
  journal.onFact(takeFact)
  journal.alsoHear((conversationId) => watches.has(conversationId))
  const stopSweeping = clock.every(sweepMs, () => {
    const now = clock.monotonicMs()
    for (const watched of watches.values()) if (dropLapsed(watched.signs, now)) showAll(watched)
  })

  function take(watched: WatchedConversation, [userId, sessionId, connection, kind]: TypingSign): void {
    const signs = watched.signs.get(userId) ?? new Map<TypingSource, number>()
    const was = signs.size
    if (kind === 'TYPING') {
      const source: TypingSource = `${sessionId}/${connection}`
      signs.delete(source) // so that the first sign is the oldest
      signs.set(source, clock.monotonicMs() + typingLapsesMs)
      const [oldest] = signs.keys()
      if (signs.size > signsMax && oldest) signs.delete(oldest)
      watched.signs.set(userId, signs)
      if (was === 0) showAll(watched)
      return
    }
    for (const source of signs.keys()) if (ends(source, sessionId, connection, kind)) signs.delete(source)
    if (was > 0 && signs.size === 0) remove(watched, userId)
  }

  function remove(watched: WatchedConversation, userId: UserId): void {
    if (watched.signs.delete(userId)) showAll(watched)
  }

  function leave(conversationId: ConversationId, watched: WatchedConversation, watcher: TypingWatcher): void {
    watched.watchers.delete(watcher)
    if (watched.watchers.size > 0 || watches.get(conversationId) !== watched) return
    watches.delete(conversationId)
    watched.subscription.end()
  }

  function takeFact({ kind, conversationId, userId, actorId, subjectId, audienceChange }: Fact): void {
    if (kind === accountKinds.SessionRevoked.number && userId !== null && subjectId !== null) {
      for (const watched of watches.values()) take(watched, [userId, sessionIdOf(subjectId), '', 'STOPPED'])
    }
    const watched = conversationId === null ? undefined : watches.get(conversationId)
    if (conversationId === null || !watched) return
    if (kind === messageKinds.MessageSent.number && actorId !== null) remove(watched, actorId)
    if (audienceChange < 0 && subjectId !== null) {
      remove(watched, userIdOf(subjectId))
      for (const watcher of [...watched.watchers]) {
        if (watcher.userId !== subjectId) continue
        leave(conversationId, watched, watcher)
        watcher.end()
      }
    }
  }

  function open(conversationId: ConversationId): WatchedConversation {
    const subscription = topics.subscribe(typingTopic(conversationId), typingForm, (sign) => take(watched, sign))
    const watched: WatchedConversation = { signs: new Map(), watchers: new Set(), subscription }
    watches.set(conversationId, watched)
    return watched
  }

  return {
    signal(conversationId, viewer, device, isTyping) {
      localTyping.signal(conversationId, viewer, device, isTyping)
      return isTyping ? new Date(clock.now() + typingLapsesMs) : null
    },
    connectionLost: (viewer, device) => localTyping.connectionLost(viewer, device),
    watch(conversationId, watcher) {
      const watched = watches.get(conversationId) ?? open(conversationId)
      watched.watchers.add(watcher)
      // Shows the first set only once changes are received, so that no change is missed in between.
      void watched.subscription.ready.then(() => watched.watchers.has(watcher) && watcher.show([...watched.signs.keys()]))
      return () => leave(conversationId, watched, watcher)
    },
    remembered: () => localTyping.count,
    async close() {
      stopSweeping()
      localTyping.close()
      watches.clear()
    },
  }
}

/** Shows all watchers who is typing. */
function showAll({ watchers, signs }: WatchedConversation): void {
  for (const watcher of watchers) watcher.show([...signs.keys()])
}

/** Whether a source's sign ends. A stop over HTTP ends all signs of the session; over a WebSocket, its own and the HTTP sign. */
function ends(source: TypingSource, sessionId: SessionId, connection: string, kind: 'STOPPED' | 'LOST'): boolean {
  if (kind === 'STOPPED' && connection === '') return source.startsWith(`${sessionId}/`)
  return source === `${sessionId}/${connection}` || (kind === 'STOPPED' && source === `${sessionId}/`)
}
