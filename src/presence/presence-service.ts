// The presence of users, for their watchers on this node (P1): a signal. Each watched user has a topic, so a change is published
// once and reaches every node that watches the user. The bus may lose messages and Redis may lose data, so the node reads the
// watched users again every 15 s, and no error lasts.

import type { Bus } from '../bus/bus.ts'
import { changeForm, type Leases, type PresentDevice } from '../bus/leases.ts'
import type { Slots } from '../bus/slots.ts'
import type { Cancel, Clock } from '../clock.ts'
import { contactKinds } from '../contact/events.ts'
import { type UserId, userIdOf } from '../id.ts'
import type { Fact } from '../journal/fact.ts'
import type { Journal } from '../journal/journal.ts'
import { openTopics, type TopicSubscription, type Topics } from '../journal/topics.ts'
import type { Log } from '../log/log.ts'
import type { Reader } from '../store/reader.ts'
import { presenceKinds } from './events.ts'
import { type PresenceSettings, readPresenceSettings, readRelations, type ViewerRelation } from './tables.ts'
import { type ActualPresence, actualPresenceOf, type VisiblePresence, visiblePresenceOf } from './visible-presence.ts'

declare module '../parts.ts' {
  interface App {
    readonly presence: PresenceService
  }
}

/** A watcher sees at most one change of a user in this time, in milliseconds. The end of a session shows at once. */
export const coalesceMs = 5_000
/** The presence topic of a user, within the scope of this journal. */
export const presenceTopic = (slots: Slots, userId: UserId) => `presence:${slots.of(userId)}${userId}`
const lookMs = 250
const readAgainMs = 15_000
/** After Redis was away, nodes renew the leases of their devices: until then, memory is more accurate than Redis. */
const restoreMs = 4_000
const retryMs = 1_000
const readMax = 500
const pairsMax = 2_000

type WatchedUser = {
  readonly subscription: TopicSubscription
  readonly watchers: Set<PresenceWatcher>
  /** The number of changes received. A read that began before the last of them is out of date. */
  changes: number
  actual: ActualPresence | null
  settings: PresenceSettings | null
  /** The presence that the watchers were last shown, and when. */
  lastShown: { readonly actual: ActualPresence; readonly settings: PresenceSettings } | null
  lastShownAt: number
  isDue: boolean
  /** The devices, or the settings, must be read again. */
  isStale: boolean
  isSettingsStale: boolean
}
type PresenceWatcher = {
  readonly viewerId: UserId
  readonly relations: Map<UserId, ViewerRelation | null>
  /** Users whose relation to the viewer may have changed. */
  readonly unchecked: Set<UserId>
  readonly shown: Map<UserId, string>
  readonly show: (visible: VisiblePresence) => void
}

/** The presence that a node reads and watches. */
export class PresenceService {
  readonly #leases: Leases
  readonly #reader: Reader
  readonly #topics: Topics
  readonly #slots: Slots
  readonly #log: Log
  readonly #watched = new Map<UserId, WatchedUser>()
  readonly #byViewer = new Map<UserId, Set<PresenceWatcher>>()
  readonly #clock: Clock
  readonly #stopLooking: Cancel
  #readAgainAt = 0
  /** Do not read Redis before this time, because it was away and may still lack leases. */
  #readNotBefore = 0
  #waitUntil = 0
  #isBusy = false
  #isClosed = false
  #working: Promise<void> = Promise.resolve()

  constructor(leases: Leases, clock: Clock, bus: Bus, journal: Journal, reader: Reader, log: Log) {
    this.#leases = leases
    this.#clock = clock
    this.#reader = reader
    this.#topics = openTopics(bus, journal)
    this.#slots = bus.slots
    this.#log = log
    const readSoon = () => {
      this.#readAgainAt = Math.min(this.#readAgainAt, clock.monotonicMs() + restoreMs)
    }
    const readLater = () => {
      this.#readNotBefore = clock.monotonicMs() + restoreMs
      readSoon()
    }
    bus.onInterruption(readSoon)
    leases.onRestored(readLater)
    journal.onFact((fact) => this.#takeFact(fact))
    journal.onRestart(() => {
      readLater()
      for (const watchers of this.#byViewer.values()) recheck(watchers)
      for (const entry of this.#watched.values()) entry.isSettingsStale = true
    })
    this.#stopLooking = clock.every(lookMs, () => this.#look())
  }

  /** Reads users' presence as a viewer sees it. Omits users that the viewer may not see. Rejects if Redis does not answer. */
  async read(viewerId: UserId, userIds: readonly UserId[]): Promise<ReadonlyMap<UserId, VisiblePresence>> {
    const relations = await readRelations(
      this.#reader,
      userIds.map((userId) => [viewerId, userId] as const),
    )
    const nearIds = relations.map(({ userId }) => userId)
    if (nearIds.length === 0) return new Map()
    const [present, settings] = await Promise.all([this.#leases.read(nearIds), readPresenceSettings(this.#reader, nearIds)])
    const settingsOf = new Map(settings.map((one) => [one.userId, one]))
    const visible = relations.flatMap((relation) => {
      const settings = settingsOf.get(relation.userId)
      return settings
        ? [visiblePresenceOf(settings, relation, viewerId, actualPresenceOf(present.get(relation.userId) ?? [], 0))]
        : []
    })
    return new Map(visible.map((one) => [one.userId, one]))
  }

  /** Reads the present devices of users. Omits users without any. Rejects if Redis does not answer. */
  devices(userIds: readonly UserId[]): Promise<ReadonlyMap<UserId, readonly PresentDevice[]>> {
    return this.#leases.read(userIds)
  }

  /** Shows a viewer the presence of users: each as soon as it is known, then every change. @returns a function that ends it */
  watch(viewerId: UserId, relations: readonly ViewerRelation[], show: (visible: VisiblePresence) => void): () => void {
    const known = new Map<UserId, ViewerRelation | null>(relations.map((relation) => [relation.userId, relation]))
    // Something may have changed after the relations were read, and before this watcher was added.
    const watcher: PresenceWatcher = { viewerId, relations: known, unchecked: new Set(known.keys()), shown: new Map(), show }
    const own = this.#byViewer.get(viewerId) ?? new Set()
    this.#byViewer.set(viewerId, own.add(watcher))
    for (const userId of known.keys()) {
      const entry = this.#watched.get(userId) ?? this.#open(userId)
      entry.watchers.add(watcher)
      showTo(watcher, userId, entry)
    }
    return () => {
      own.delete(watcher)
      if (own.size === 0 && this.#byViewer.get(viewerId) === own) this.#byViewer.delete(viewerId)
      for (const userId of known.keys()) {
        const entry = this.#watched.get(userId)
        if (!entry?.watchers.delete(watcher) || entry.watchers.size > 0) continue
        this.#watched.delete(userId)
        entry.subscription.end()
      }
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#stopLooking()
    this.#watched.clear()
    this.#byViewer.clear()
    await this.#working
  }

  /** Handles the facts that change who may see a user, or a user's settings. */
  #takeFact({ kind, userId, subjectId, audienceChange }: Fact): void {
    if (subjectId === null) return
    if (kind === presenceKinds.PresenceSettingsChanged.number) {
      const entry = this.#watched.get(userIdOf(subjectId))
      if (entry) entry.isSettingsStale = true
    } else if (kind === contactKinds.ContactChanged.number || kind === contactKinds.BlockChanged.number) {
      const otherId = userIdOf(subjectId)
      recheck(this.#byViewer.get(otherId), userId)
      if (userId !== null) recheck(this.#byViewer.get(userId), otherId)
    } else if (audienceChange !== 0) {
      const memberId = userIdOf(subjectId)
      recheck(this.#byViewer.get(memberId))
      recheck(this.#watched.get(memberId)?.watchers, memberId)
    }
  }

  #open(userId: UserId): WatchedUser {
    const subscription = this.#topics.subscribe(presenceTopic(this.#slots, userId), changeForm, (change) => {
      entry.changes += 1
      entry.actual = { state: change.state, activeAt: Math.max(change.activeAt, entry.actual?.activeAt ?? 0) }
      showAll(entry, change.isFinal, this.#clock.monotonicMs())
    })
    const entry: WatchedUser = {
      subscription,
      watchers: new Set(),
      changes: 0,
      actual: null,
      settings: null,
      lastShown: null,
      lastShownAt: Number.NEGATIVE_INFINITY,
      isDue: false,
      isStale: true,
      isSettingsStale: true,
    }
    this.#watched.set(userId, entry)
    return entry
  }

  #look(): void {
    const now = this.#clock.monotonicMs()
    this.#watched.forEach((entry) => {
      if (entry.isDue) showAll(entry, false, now)
      if (now >= this.#readAgainAt) entry.isStale = true
    })
    if (now >= this.#readAgainAt) this.#readAgainAt = now + readAgainMs
    if (this.#isBusy || now < this.#waitUntil) return
    this.#isBusy = true
    // The first waits only for Postgres, the second also for Redis.
    this.#working = Promise.allSettled([this.#readRelations(), this.#readStale(now)])
      .then((results) => {
        for (const result of results) if (result.status === 'rejected') throw result.reason
      })
      .catch((error: unknown) => {
        this.#waitUntil = this.#clock.monotonicMs() + retryMs
        this.#log.debug({ err: error }, 'presence could not be read: trying again')
      })
      .finally(() => {
        this.#isBusy = false
      })
  }

  async #readStale(now: number): Promise<void> {
    if (now < this.#readNotBefore) return
    const stale: [UserId, WatchedUser][] = []
    this.#watched.forEach((entry, userId) => {
      if (entry.isStale || entry.isSettingsStale) stale.push([userId, entry])
    })
    for (let first = 0; first < stale.length; first += readMax) await this.#readAgain(stale.slice(first, first + readMax))
  }

  async #readAgain(entries: readonly (readonly [UserId, WatchedUser])[]): Promise<void> {
    await Promise.all(entries.map(([, { subscription }]) => subscription.ready))
    const changes = entries.map(([, entry]) => entry.changes)
    const userIds = entries.map(([userId]) => userId)
    const unread = entries.filter(([, { isSettingsStale }]) => isSettingsStale)
    for (const [, entry] of entries) entry.isStale = entry.isSettingsStale = false
    try {
      const unreadIds = unread.map(([userId]) => userId)
      const settingsRead = unreadIds.length > 0 ? readPresenceSettings(this.#reader, unreadIds) : []
      const [present, settings] = await Promise.all([this.#leases.read(userIds), settingsRead])
      const settingsOf = new Map(settings.map((one) => [one.userId, one]))
      for (const [i, [userId, entry]] of entries.entries()) {
        // A change received during the read is newer.
        if (entry.changes === changes[i]) entry.actual = actualPresenceOf(present.get(userId) ?? [], entry.actual?.activeAt ?? 0)
        entry.settings = settingsOf.get(userId) ?? entry.settings
        showAll(entry, false, this.#clock.monotonicMs())
      }
    } catch (error) {
      for (const [, entry] of entries) entry.isStale = true
      for (const [, entry] of unread) entry.isSettingsStale = true
      throw error
    }
  }

  async #readRelations(): Promise<void> {
    const unchecked: [PresenceWatcher, UserId][] = []
    for (const watchers of this.#byViewer.values()) {
      for (const watcher of watchers) for (const userId of watcher.unchecked) unchecked.push([watcher, userId])
    }
    for (let first = 0; first < unchecked.length && !this.#isClosed; first += pairsMax) {
      const some = unchecked.slice(first, first + pairsMax)
      for (const [watcher, userId] of some) watcher.unchecked.delete(userId)
      const pairs = some.map(([{ viewerId }, userId]) => [viewerId, userId] as const)
      const found = await readRelations(this.#reader, pairs).catch((error: unknown) => {
        for (const [watcher, userId] of some) watcher.unchecked.add(userId)
        throw error
      })
      const relationOf = new Map(found.map((relation) => [`${relation.viewerId} ${relation.userId}`, relation]))
      for (const [watcher, userId] of some) {
        watcher.relations.set(userId, relationOf.get(`${watcher.viewerId} ${userId}`) ?? null)
        const entry = this.#watched.get(userId)
        if (entry?.watchers.has(watcher)) showTo(watcher, userId, entry)
      }
    }
  }
}

/** Marks the watchers' relations to a user, or to all the users that they watch, to be read again. */
function recheck(watchers: Iterable<PresenceWatcher> = [], userId: UserId | null = null): void {
  for (const { relations, unchecked } of watchers) {
    if (userId === null) for (const each of relations.keys()) unchecked.add(each)
    else if (relations.has(userId)) unchecked.add(userId)
  }
}

/** Shows the watchers the current presence now, or later if they were shown a change just before. */
function showAll(entry: WatchedUser, isFinal: boolean, now: number): void {
  const { actual, settings } = entry
  if (!actual || !settings) return
  // The end of a session is shown at once, unless the user is already shown as offline.
  const mayWait = !isFinal || entry.lastShown?.actual.state === 'OFFLINE'
  entry.isDue = mayWait && now - entry.lastShownAt < coalesceMs
  if (entry.isDue) return
  const isFirst = entry.lastShown === null
  entry.lastShown = { actual, settings }
  const shown = [...entry.watchers].filter((watcher) => showTo(watcher, settings.userId, entry))
  if (shown.length > 0 && !isFirst) entry.lastShownAt = now
}

/** Shows a watcher the presence of a user. @returns whether it was news to the watcher */
function showTo(watcher: PresenceWatcher, userId: UserId, { lastShown }: WatchedUser): boolean {
  if (!lastShown) return false
  const visible = visiblePresenceOf(lastShown.settings, watcher.relations.get(userId) ?? null, watcher.viewerId, lastShown.actual)
  // While a user is present, their last activity changes all the time: that is not news.
  const news = `${visible.state} ${visible.state === 'OFFLINE' ? visible.lastActiveAt : visible.lastActiveAt === null}`
  if (watcher.shown.get(userId) === news) return false
  watcher.shown.set(userId, news)
  watcher.show(visible)
  return true
}
