// Who is typing: a signal. Nothing is stored and nothing is promised. Each node keeps what it heard of the conversations that
// somebody on it watches; a sign of typing lapses by itself, so whoever vanishes stops typing.

import type { Bus } from '../bus/bus.ts'
import { type Fact, factKinds } from '../journal/fact.ts'
import type { Journal } from '../journal/journal.ts'
import { type Heard, openTopics } from './topics.ts'

/** How long a sign of typing lasts, in milliseconds. Clients that go on typing repeat it before it lapses. */
export const typingLapsesMs = 6_000
const sweepMs = 500

/** The users typing in a conversation, by id. */
export type Typists = readonly number[]

/** Somebody who watches a conversation. */
export type Watcher = {
  readonly userId: number
  /** Hears who types now, first at once and then on every change. */
  show(typists: Typists): void
  /** The watcher has left the conversation: nothing more will be shown. */
  end(): void
}

type Watch = {
  /** Each typist's end, in milliseconds since 1970. */
  readonly until: Map<number, number>
  readonly watchers: Set<Watcher>
  readonly heard: Heard
}

/** The signs of typing that a node hears. */
export type TypingBoard = {
  /** Tells all nodes that a user types in a conversation, or has stopped. @returns when the sign lapses; null for a stop */
  signal(conversationId: number, userId: number, isTyping: boolean): Date | null
  /** Tells all nodes that a user whose device was lost types nowhere. */
  gone(userId: number): void
  /** Shows a watcher who types, as soon as changes are heard (within 2 s), and on every change. @returns ends it */
  watch(conversationId: number, watcher: Watcher): () => void
  close(): Promise<void>
}

/** Opens the board of a node. Who sends a message types no more, and who leaves a conversation neither types nor watches. */
export function openTypingBoard(bus: Bus, journal: Journal): TypingBoard {
  const watches = new Map<number, Watch>()
  /** Where the users of this node were last said to type. */
  const signalled = new Map<number, Set<number>>()
  const topics = openTopics(bus, journal)
  const topicOf = (conversationId: number) => `typing:${conversationId}`
  journal.onFact(hearFact)
  const sweep = setInterval(() => {
    const now = Date.now()
    for (const watch of watches.values()) {
      const lapsed = [...watch.until].filter(([, until]) => until <= now)
      for (const [userId] of lapsed) watch.until.delete(userId)
      if (lapsed.length > 0) tell(watch)
    }
  }, sweepMs)

  function tell({ watchers, until }: Watch): void {
    const typists = [...until.keys()]
    for (const watcher of watchers) watcher.show(typists)
  }

  function change(watch: Watch | undefined, userId: number, isTyping: boolean): void {
    if (!watch) return
    const was = watch.until.has(userId)
    if (isTyping) watch.until.set(userId, Date.now() + typingLapsesMs)
    else watch.until.delete(userId)
    if (was !== isTyping) tell(watch)
  }

  function leave(conversationId: number, watch: Watch, watcher: Watcher): void {
    watch.watchers.delete(watcher)
    if (watch.watchers.size > 0 || watches.get(conversationId) !== watch) return
    watches.delete(conversationId)
    watch.heard.end()
  }

  function hearFact({ kind, conversationId, actorId, subjectId, audienceChange }: Fact): void {
    const watch = conversationId === null ? undefined : watches.get(conversationId)
    if (!watch) return
    if (kind === factKinds.MessageSent && actorId !== null) change(watch, actorId, false)
    if (audienceChange < 0 && subjectId !== null) {
      change(watch, subjectId, false)
      for (const watcher of [...watch.watchers]) {
        if (watcher.userId !== subjectId) continue
        leave(conversationId ?? 0, watch, watcher)
        watcher.end()
      }
    }
  }

  function open(conversationId: number): Watch {
    const hear = (message: unknown) => {
      const [userId, isTyping] = Array.isArray(message) ? message : []
      if (Number.isSafeInteger(userId) && typeof isTyping === 'boolean') change(watch, userId as number, isTyping)
    }
    const watch: Watch = { until: new Map(), watchers: new Set(), heard: topics.hear(topicOf(conversationId), hear) }
    watches.set(conversationId, watch)
    return watch
  }

  return {
    signal(conversationId, userId, isTyping) {
      const places = signalled.get(userId) ?? new Set()
      if (isTyping) signalled.set(userId, places.add(conversationId))
      else if (places.delete(conversationId) && places.size === 0) signalled.delete(userId)
      topics.publish(topicOf(conversationId), [userId, isTyping])
      return isTyping ? new Date(Date.now() + typingLapsesMs) : null
    },
    gone(userId) {
      for (const conversationId of signalled.get(userId) ?? []) topics.publish(topicOf(conversationId), [userId, false])
      signalled.delete(userId)
    },
    watch(conversationId, watcher) {
      const watch = watches.get(conversationId) ?? open(conversationId)
      watch.watchers.add(watcher)
      // The first set is shown when changes are heard: none falls between the two.
      void watch.heard.ready.then(() => watch.watchers.has(watcher) && watcher.show([...watch.until.keys()]))
      return () => leave(conversationId, watch, watcher)
    },
    async close() {
      clearInterval(sweep)
      watches.clear()
    },
  }
}
