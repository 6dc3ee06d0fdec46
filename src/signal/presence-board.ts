// Who is there, for those on this node who watch (P1): a signal. One topic for each user who is watched, so a change is
// published once and reaches the nodes where somebody cares. Messages may be lost and Redis may forget: so what is watched is
// read anew again and again, and nothing sticks.

import type { Bus } from '../bus/bus.ts'
import { changeOf, type Leases, type PresentDevice } from '../bus/leases.ts'
import { type Fact, factKinds } from '../journal/fact.ts'
import type { Journal } from '../journal/journal.ts'
import type { Log } from '../log.ts'
import type { Reader } from '../store/reader.ts'
import { type Relation, readRelations, readStandings, type Standing } from './presence-tables.ts'
import { type Actual, type Seen, seenOf } from './seen.ts'
import { type Heard, openTopics, type Topics } from './topics.ts'

/** A watcher is shown at most one change of a user within this time, in milliseconds. The end of a session is shown at once. */
export const coalesceMs = 5_000
/** The topic of a user, within those of this journal. */
export const presenceTopic = (userId: number) => `presence:${userId}`
const lookMs = 250
const readAgainMs = 15_000
/** After Redis was away, every node tells of its devices anew: until then what is known is better than what is read. */
const restoreMs = 4_000
const retryMs = 1_000
const readMax = 500
const pairsMax = 2_000

type Watched = {
  readonly heard: Heard
  readonly watchers: Set<Watcher>
  /** How many changes were heard: what was read before the last of them is out of date. */
  changes: number
  actual: Actual | null
  standing: Standing | null
  /** What the watchers were shown last, and when. */
  told: { readonly actual: Actual; readonly standing: Standing } | null
  toldAt: number
  isDue: boolean
  /** To be read anew: the devices; the standing. */
  isStale: boolean
  isStandingStale: boolean
}
type Watcher = {
  readonly viewerId: number
  readonly relations: Map<number, Relation | null>
  /** Users of whom the viewer may be something else by now. */
  readonly doubted: Set<number>
  readonly shown: Map<number, string>
  readonly show: (seen: Seen) => void
}

/** The presence that a node reads and watches. */
export class PresenceBoard {
  readonly #leases: Leases
  readonly #reader: Reader
  readonly #topics: Topics
  readonly #log: Log
  readonly #watched = new Map<number, Watched>()
  readonly #byViewer = new Map<number, Set<Watcher>>()
  readonly #clock: NodeJS.Timeout
  #readAgainAt = performance.now() + readAgainMs
  /** Redis was away: what it says before this is less than what is known. */
  #readNotBefore = 0
  #waitUntil = 0
  #isBusy = false
  #isClosed = false
  #working: Promise<void> = Promise.resolve()

  constructor(leases: Leases, bus: Bus, journal: Journal, reader: Reader, log: Log) {
    this.#leases = leases
    this.#reader = reader
    this.#topics = openTopics(bus, journal)
    this.#log = log
    const readSoon = () => {
      this.#readAgainAt = Math.min(this.#readAgainAt, performance.now() + restoreMs)
    }
    const readLater = () => {
      this.#readNotBefore = performance.now() + restoreMs
      readSoon()
    }
    bus.onInterruption(readSoon)
    leases.onRestored(readLater)
    journal.onFact((fact) => this.#hear(fact))
    journal.onRestart(() => {
      readLater()
      for (const watchers of this.#byViewer.values()) doubt(watchers)
      for (const entry of this.#watched.values()) entry.isStandingStale = true
    })
    this.#clock = setInterval(() => this.#look(), lookMs)
  }

  /** What a viewer sees of users; who is not theirs to see is left out. Rejects where Redis does not answer. */
  async read(viewerId: number, userIds: readonly number[]): Promise<ReadonlyMap<number, Seen>> {
    const relations = await readRelations(
      this.#reader,
      userIds.map((userId) => [viewerId, userId] as const),
    )
    const nearIds = relations.map(({ userId }) => userId)
    if (nearIds.length === 0) return new Map()
    const [present, standings] = await Promise.all([this.#leases.read(nearIds), readStandings(this.#reader, nearIds)])
    const standingOf = new Map(standings.map((standing) => [standing.userId, standing]))
    const seen = relations.flatMap((relation) => {
      const standing = standingOf.get(relation.userId)
      return standing ? [seenOf(standing, relation, viewerId, bestOf(present.get(relation.userId) ?? [], 0))] : []
    })
    return new Map(seen.map((one) => [one.userId, one]))
  }

  /** The devices of users that are there; users without one are left out. Rejects where Redis does not answer. */
  devices(userIds: readonly number[]): Promise<ReadonlyMap<number, readonly PresentDevice[]>> {
    return this.#leases.read(userIds)
  }

  /** Shows a viewer users whom they may see: each as soon as it is known, then on every change. @returns ends it */
  watch(viewerId: number, relations: readonly Relation[], show: (seen: Seen) => void): () => void {
    const known = new Map<number, Relation | null>(relations.map((relation) => [relation.userId, relation]))
    // Something may have changed since the relations were read, and before this watcher was there to hear of it.
    const watcher: Watcher = { viewerId, relations: known, doubted: new Set(known.keys()), shown: new Map(), show }
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
        entry.heard.end()
      }
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#clock)
    this.#watched.clear()
    this.#byViewer.clear()
    await this.#working
  }

  /** Facts that change what somebody may see, or chose to show. */
  #hear({ kind, userId, subjectId, audienceChange }: Fact): void {
    if (subjectId === null) return
    if (kind === factKinds.PresenceSettingsChanged) {
      const entry = this.#watched.get(subjectId)
      if (entry) entry.isStandingStale = true
    } else if (kind === factKinds.ContactChanged || kind === factKinds.BlockChanged) {
      doubt(this.#byViewer.get(subjectId), userId)
      doubt(this.#byViewer.get(userId ?? 0), subjectId)
    } else if (audienceChange !== 0) {
      doubt(this.#byViewer.get(subjectId))
      doubt(this.#watched.get(subjectId)?.watchers, subjectId)
    }
  }

  #open(userId: number): Watched {
    const heard = this.#topics.hear(presenceTopic(userId), (message) => {
      const change = changeOf(message)
      if (!change) return
      entry.changes += 1
      entry.actual = { state: change.state, activeAt: Math.max(change.activeAt, entry.actual?.activeAt ?? 0) }
      tell(entry, change.isFinal)
    })
    const entry: Watched = {
      heard,
      watchers: new Set(),
      changes: 0,
      actual: null,
      standing: null,
      told: null,
      toldAt: Number.NEGATIVE_INFINITY,
      isDue: false,
      isStale: true,
      isStandingStale: true,
    }
    this.#watched.set(userId, entry)
    return entry
  }

  #look(): void {
    const now = performance.now()
    this.#watched.forEach((entry) => {
      if (entry.isDue) tell(entry, false)
      if (now >= this.#readAgainAt) entry.isStale = true
    })
    if (now >= this.#readAgainAt) this.#readAgainAt = now + readAgainMs
    if (this.#isBusy || now < this.#waitUntil) return
    this.#isBusy = true
    // The one waits for Postgres, the other for Redis as well.
    this.#working = Promise.allSettled([this.#readRelations(), this.#readStale(now)])
      .then((results) => {
        for (const result of results) if (result.status === 'rejected') throw result.reason
      })
      .catch((error: unknown) => {
        this.#waitUntil = performance.now() + retryMs
        this.#log.debug({ err: error }, 'presence could not be read: trying again')
      })
      .finally(() => {
        this.#isBusy = false
      })
  }

  async #readStale(now: number): Promise<void> {
    if (now < this.#readNotBefore) return
    const stale: [number, Watched][] = []
    this.#watched.forEach((entry, userId) => {
      if (entry.isStale || entry.isStandingStale) stale.push([userId, entry])
    })
    for (let first = 0; first < stale.length; first += readMax) await this.#readAnew(stale.slice(first, first + readMax))
  }

  async #readAnew(entries: readonly (readonly [number, Watched])[]): Promise<void> {
    await Promise.all(entries.map(([, { heard }]) => heard.ready))
    const changes = entries.map(([, entry]) => entry.changes)
    const userIds = entries.map(([userId]) => userId)
    const chose = entries.filter(([, { isStandingStale }]) => isStandingStale)
    for (const [, entry] of entries) Object.assign(entry, { isStale: false, isStandingStale: false })
    try {
      const chosen = chose.map(([userId]) => userId)
      const standingsRead = chosen.length > 0 ? readStandings(this.#reader, chosen) : []
      const [present, standings] = await Promise.all([this.#leases.read(userIds), standingsRead])
      const standingOf = new Map(standings.map((standing) => [standing.userId, standing]))
      for (const [i, [userId, entry]] of entries.entries()) {
        // What was heard meanwhile is newer than what was read.
        if (entry.changes === changes[i]) entry.actual = bestOf(present.get(userId) ?? [], entry.actual?.activeAt ?? 0)
        entry.standing = standingOf.get(userId) ?? entry.standing
        tell(entry, false)
      }
    } catch (error) {
      for (const [, entry] of entries) entry.isStale = true
      for (const [, entry] of chose) entry.isStandingStale = true
      throw error
    }
  }

  async #readRelations(): Promise<void> {
    const doubted: [Watcher, number][] = []
    for (const watchers of this.#byViewer.values()) {
      for (const watcher of watchers) for (const userId of watcher.doubted) doubted.push([watcher, userId])
    }
    for (let first = 0; first < doubted.length && !this.#isClosed; first += pairsMax) {
      const some = doubted.slice(first, first + pairsMax)
      for (const [watcher, userId] of some) watcher.doubted.delete(userId)
      const pairs = some.map(([{ viewerId }, userId]) => [viewerId, userId] as const)
      const found = await readRelations(this.#reader, pairs).catch((error: unknown) => {
        for (const [watcher, userId] of some) watcher.doubted.add(userId)
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

/** What watchers are to a user, or to all whom they watch, is to be read anew. */
function doubt(watchers: Iterable<Watcher> = [], userId: number | null = null): void {
  for (const { relations, doubted } of watchers) {
    if (userId === null) for (const each of relations.keys()) doubted.add(each)
    else if (relations.has(userId)) doubted.add(userId)
  }
}

/** Shows the watchers what is known now, or later where they were shown something just before. */
function tell(entry: Watched, isFinal: boolean): void {
  const { actual, standing } = entry
  if (!actual || !standing) return
  // The end of a session is no flapping, unless they are shown as gone already.
  const mayWait = !isFinal || entry.told?.actual.state === 'OFFLINE'
  entry.isDue = mayWait && performance.now() - entry.toldAt < coalesceMs
  if (entry.isDue) return
  const isFirst = entry.told === null
  entry.told = { actual, standing }
  const shown = [...entry.watchers].filter((watcher) => showTo(watcher, standing.userId, entry))
  if (shown.length > 0 && !isFirst) entry.toldAt = performance.now()
}

/** @returns whether there was something new to show */
function showTo(watcher: Watcher, userId: number, { told }: Watched): boolean {
  if (!told) return false
  const seen = seenOf(told.standing, watcher.relations.get(userId) ?? null, watcher.viewerId, told.actual)
  // While somebody is there, the time of their last act moves on all the time: that is no news.
  const news = `${seen.state} ${seen.state === 'OFFLINE' ? seen.lastActiveAt : seen.lastActiveAt === null}`
  if (watcher.shown.get(userId) === news) return false
  watcher.shown.set(userId, news)
  watcher.show(seen)
  return true
}

function bestOf(devices: readonly PresentDevice[], knownActiveAt: number): Actual {
  const state = devices.some((device) => device.state === 'ONLINE') ? 'ONLINE' : devices.length > 0 ? 'IDLE' : 'OFFLINE'
  return { state, activeAt: Math.max(knownActiveAt, ...devices.map(({ activeAt }) => activeAt)) }
}
