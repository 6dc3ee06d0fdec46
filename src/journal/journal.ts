// The journal of one node: a record that appends, follows, remembers and streams facts. It knows no features.

import pLimit from 'p-limit'
import type { Bus } from '../bus/bus.ts'
import type { Config } from '../config/config.ts'
import { ParleyError } from '../errors.ts'
import type { ConversationId, Position, UserId } from '../id.ts'
import type { Log } from '../log/log.ts'
import { Outage } from '../log/outage.ts'
import type { RepeatLog } from '../log/repeats.ts'
import { postgresWords, reportingReader } from '../store/availability.ts'
import { type Reader, readerOn } from '../store/reader.ts'
import type { Store, Transaction } from '../store/store.ts'
import { Lanes, type Procedure } from './append.ts'
import { coalesceAudiences } from './audience.ts'
import { type Cursor, encodeCursor } from './cursor.ts'
import { audienceOf } from './digest.ts'
import type { Fact, Place } from './fact.ts'
import { Follower, type FollowerState, type Restart } from './follower.ts'
import { forgetUser } from './forget.ts'
import { Hub } from './hub.ts'
import type { ResetReason, Start, StreamItem } from './item.ts'
import type { FactKinds } from './kind.ts'
import type { NamedRow } from './named-row.ts'
import { type Observer, Observers } from './observers.ts'
import { type ReadReplay, replayOn } from './replay.ts'
import { RoundRobin } from './round-robin.ts'
import { Stream } from './stream.ts'
import { readHead, readTagAt } from './tables.ts'
import { openTrimmer } from './trimmer.ts'
import { type Work, Writer, type Written } from './writing.ts'

const replaysAtOnce = 8
/** How much further the recent log reaches with stubs. */
const reachFactor = 10
/** How long to wait for the follower if a cursor is ahead of this node, but not of the journal. */
const followerPatienceMs = 2_000
/** A node that has had no answer from Postgres for this long is not ready for traffic. */
const contactMs = 5_000

/** A device's request to open a stream. */
export type StreamRequest = {
  readonly userId: UserId
  /** Where the device left off; null to begin now. */
  readonly after: Cursor | null
  /** Limits the stream to one conversation; null for everything that the user may see. */
  readonly conversationId: ConversationId | null
  /** Called once if this node has to end the stream. The client resumes from its cursor, on this node or another. */
  onAbandoned(reason: string): void
}

/** The open journal. */
export type Journal = {
  /** The kinds of facts that this journal was opened with. */
  readonly kinds: FactKinds
  /**
   * Appends an input with a procedure of a feature, in the next batch: see Lanes. Resolves once the outcome is committed.
   * @throws ParleyError RATE_LIMITED, UNAVAILABLE
   */
  append<Input, Outcome>(procedure: Procedure<Input, Outcome>, key: number, input: Input): Promise<Outcome>
  /**
   * Why a stream from this cursor would be a RESET; null if it would continue.
   * @throws ParleyError UNAVAILABLE if Postgres does not answer or this node cannot reach the cursor in time
   */
  findResetReason(cursor: Cursor): Promise<ResetReason | null>
  /** Removes what the journal keeps for a user's own sake. The account must be deleted, so that nothing new is added. */
  forget(userId: UserId): Promise<void>
  /** Runs a rare write: see Writer. */
  writing<T>(work: (tx: Transaction) => Promise<Work<T>>): Promise<Written<T>>
  /**
   * Opens a stream; null if it is limited to a conversation whose audience the user was never in.
   * @throws ParleyError UNAVAILABLE if Postgres does not answer or this node can't reach the cursor in time
   */
  openStream(request: StreamRequest): Promise<Stream | null>
  /** The cursor of a place. */
  cursor(place: Place): string
  /** The last place that this node has seen. */
  head(): Place
  /** The position up to which this node has applied changes of audiences. */
  deliveredPosition(): Position
  /** Whether this very place lies in the history that this node remembers; undefined if it can't tell. */
  holds(place: Place): boolean | undefined
  /** The facts after a place, at most `most`, if the recent log holds the place; otherwise none. */
  factsAfter(place: Place, most: number): readonly Fact[]
  /** A row from the recent log, as it is at the head. */
  row(id: Position): NamedRow | undefined
  /** The name of a bus topic of this journal's nodes, distinct from those of other installations. */
  topic(name: string): string
  /** Whether a user is in the audience of a conversation now; null if the user has no open stream on this node. */
  findIsInAudience(userId: UserId, conversationId: ConversationId): boolean | null
  /**
   * Calls `observer` for each fact that this node sees, in order, before any stream receives it. A node that follows digests knows of
   * most facts of hot writes only kind and audience: actor, subject and payload are null. It knows facts of rare writes, and those
   * that somebody here hears, whole.
   */
  onFact(observer: Observer<Fact>): void
  /** Has this node take in whole the facts of the conversations for which `needs` holds, even if no stream here hears them. */
  alsoHear(needs: (conversationId: ConversationId) => boolean): void
  /** Calls `observer` when data read from Postgres may be stale or rolled back: see Follower. */
  onRestart(observer: Observer<Restart>): void
  /** How many streams are open on this node. */
  streamCount(): number
  /** The state of this node's part of the journal, for metrics. */
  state(): JournalState
  /** Whether this node follows the journal: Postgres answered within the last 5 s. */
  isFollowing(): boolean
  close(): Promise<void>
}

/** The settings of a journal. `retentionS` is null for a process that must not trim. */
export type JournalSettings = Omit<Config['journal'], 'retentionS'> & { readonly retentionS: number | null }

/** How far this node is with the journal. */
export type JournalState = FollowerState & {
  /** How many inputs wait to be appended, on each lane. */
  readonly lanes: readonly number[]
}

/** Opens the journal of a node and follows it from its head. `kinds` are the kinds of all features. */
export async function openJournal(
  store: Store,
  bus: Bus,
  settings: JournalSettings,
  kinds: FactKinds,
  log: Log,
  repeats: RepeatLog,
): Promise<Journal> {
  const outage = new Outage(log, postgresWords)
  const reader = reportingReader(readerOn(store.journalPool), outage)
  const audiences = coalesceAudiences(store)
  const headOf = () => follower.recentLog.head.position
  const hub: Hub = new Hub((userId) => audiences.add(0, userId, userId), headOf, kinds)
  const { installation, follow: mode, recentFactsMax: factsMax, recentBytesMax: bytesMax } = settings
  const limits = { factsMax, bytesMax, reachMax: mode === 'full' ? factsMax : reachFactor * factsMax }
  const needs: ((conversationId: ConversationId) => boolean)[] = []
  const hears = (audience: number) =>
    hub.hears(audience) || (audience > 0 && needs.some((need) => need(audience as ConversationId)))
  const follower: Follower = new Follower(reader, store.flush, bus, kinds, { installation, mode, limits, hears }, log)
  const observers = new Observers<Fact>(log, 'facts')
  const deliveredPosition = deliver(follower, observers, hub)
  store.journalPool.on('error', () => follower.doubt())
  await follower.open()
  const lanes = new Lanes(store.journalPool, settings.appendLanes, (batch) => follower.announce(batch, false), log, repeats)
  const writer = new Writer(store.prisma, reader, store.flush, headOf, (batch) => follower.announce(batch, true))
  const trimmer = settings.retentionS === null ? null : openTrimmer(reader, settings.retentionS, log)
  const turn = pLimit(replaysAtOnce)
  const replay = replayOn(store.reader, kinds)
  const source = {
    roundRobin: new RoundRobin(),
    kinds,
    recentLog: () => follower.recentLog,
    replay: (...scope: Parameters<ReadReplay>) => turn(() => replay(...scope)),
    rows: (ids: readonly Position[]) => kinds.rows.read(store.reader, ids),
    fill: (positions: readonly Position[]) => fill(follower, positions),
  }
  const beat = keepBeat(hub, follower, settings.tickIntervalMs)

  return {
    kinds,
    append: (procedure, key, input) => lanes.append(procedure, key, input),
    findResetReason: (cursor) => findResetReason(follower, store.reader, cursor),
    forget: (userId) => forgetUser(reader, userId),
    writing: (work) => writer.write(work),
    async openStream({ userId, after, conversationId, onAbandoned }) {
      const hold = await hub.hold(userId)
      try {
        const start = await startOf(follower, store.reader, after)
        if (conversationId !== null && !hold.subscriber.wasEverInAudience(conversationId)) {
          // This node may not have seen the join yet.
          if (!(await follower.reaches((await readHead(store.reader)).position, followerPatienceMs))) throw behind()
          if (!hold.subscriber.wasEverInAudience(conversationId)) {
            hold.release()
            return null
          }
        }
        return new Stream(source, hold, { userId, conversationId }, start, settings, onAbandoned)
      } catch (error) {
        hold.release()
        throw error
      }
    },
    cursor: (place) => encodeCursor(follower.epochKey, place),
    head: () => follower.recentLog.head,
    deliveredPosition,
    holds: (place) => follower.recentLog.holds(place),
    factsAfter: (place, most) => follower.recentLog.after(place, most),
    row: (id) => follower.recentLog.row(id),
    topic: (name) => follower.topic(name),
    findIsInAudience: (userId, conversationId) => hub.findIsInAudience(userId, conversationId),
    onFact: (observer) => observers.add(observer),
    onRestart: (observer) => follower.onRestart(observer),
    alsoHear: (need) => needs.push(need),
    streamCount: () => hub.streamCount,
    state: () => ({ ...follower.state(), lanes: lanes.lengths() }),
    isFollowing: () => Date.now() - follower.lastContactAt < contactMs,
    async close() {
      outage.close()
      clearInterval(beat)
      await trimmer?.close()
      await audiences.close()
      await lanes.close()
      for (const stream of [...hub.streams()]) stream.abandon('The server is shutting down.')
      await follower.close()
    },
  }
}

/**
 * Gives each fact that the follower sees to the observers, and last to the hub: when a client receives a fact, the node has
 * already processed it.
 * @returns the position of the last fact that the hub has received
 */
function deliver(follower: Follower, observers: Observers<Fact>, hub: Hub): () => Position {
  /** Null until there is a fact after the follower's starting place. */
  let position: Position | null = null
  follower.onFact((fact) => observers.call(fact))
  follower.onFact((fact) => {
    position = fact.position
    hub.deliver(fact)
  })
  // The hub learns of a restart first: streams of the former history end before they can receive a place of the new one.
  follower.onRestart((restart) => {
    if (restart.type === 'DOUBTED') return
    position = null
    hub.abandonAll(restart.reason)
  })
  return () => position ?? follower.recentLog.head.position
}

/** Fetches the parcels of stubs into the recent log, as far as they are on the shelf. */
async function fill({ recentLog, parcels }: Follower, positions: readonly Position[]): Promise<void> {
  const names = positions.flatMap((position) => {
    const [append, header] = [recentLog.appendOf(position), recentLog.headerAt(position)]
    return append && header ? [{ append, audience: audienceOf(header) }] : []
  })
  const found = await parcels.fetch(names).catch(() => [])
  for (const parcel of found) {
    const rows = new Map(parcel?.rows.map((row) => [Number(row.id), row]))
    for (const fact of parcel?.facts ?? []) recentLog.fill({ fact, row: rows.get(fact.subjectId ?? 0) })
  }
}

/** Calls `beat` on all streams every second or so, with one time and one tick for all. */
function keepBeat(hub: Hub, follower: Follower, tickIntervalMs: number): NodeJS.Timeout {
  const beat = () => {
    const now = Date.now()
    const tick: StreamItem = { type: 'tick', place: follower.recentLog.head }
    for (const stream of hub.streams()) if (stream instanceof Stream) stream.beat(now, tick)
  }
  return setInterval(beat, Math.min(1_000, tickIntervalMs / 4))
}

/** Decides how a stream starts: from its cursor, or from now if it has none or can't continue from it. */
async function startOf(follower: Follower, reader: Reader, after: Cursor | null): Promise<Start> {
  if (!after) return { mode: 'FRESH', place: follower.recentLog.head }
  const reason = await findResetReason(follower, reader, after)
  return reason ? { mode: 'RESET', reason, place: follower.recentLog.head } : { mode: 'RESUMED', place: after }
}

/**
 * Why a stream can't continue from a cursor; null if the fact that the cursor identifies exists in this epoch and history (A2).
 * Only Postgres can tell that a cursor is ahead of the journal, never a node that is behind (A9).
 * @throws ParleyError UNAVAILABLE if this node does not reach the cursor in time
 */
async function findResetReason(follower: Follower, reader: Reader, cursor: Cursor): Promise<ResetReason | null> {
  if (cursor.epochKey !== follower.epochKey) return 'OTHER_EPOCH'
  if (cursor.position > follower.recentLog.head.position) {
    const head = await readHead(reader)
    if (cursor.position > head.position) return 'AHEAD_OF_JOURNAL'
    if (!(await follower.reaches(cursor.position, followerPatienceMs))) throw behind()
  }
  if (follower.recentLog.holds(cursor)) return null
  const { tag, floor } = await readTagAt(reader, cursor.position)
  if (cursor.position < floor || (cursor.position === floor && cursor.tag !== 0)) return 'CURSOR_TOO_OLD'
  return (tag ?? 0) === cursor.tag ? null : 'OTHER_HISTORY'
}

function behind(): ParleyError {
  return new ParleyError('UNAVAILABLE', 'This node has not reached the cursor yet. Resume on another node, or try again.', {
    retryAfterMs: 1_000,
  })
}
