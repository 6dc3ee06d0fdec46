// The journal of one node: one record that appends, follows, remembers and streams. Knows no feature.

import pLimit from 'p-limit'
import type { Bus } from '../bus/bus.ts'
import type { Config } from '../config.ts'
import { ParleyError } from '../errors.ts'
import type { Log } from '../log.ts'
import { type Reader, readerOn } from '../store/reader.ts'
import type { Prisma, Store } from '../store/store.ts'
import { gatherAcknowledgements } from './acknowledgement.ts'
import { Lanes } from './append.ts'
import { gatherAudiences } from './audience.ts'
import { type ChangeInput, type ChangeOutcome, changeBytes, changeProcedure } from './change.ts'
import { type Cursor, encodeCursor } from './cursor.ts'
import type { Fact, Place } from './fact.ts'
import { Follower } from './follower.ts'
import { forgetUser } from './forget.ts'
import { Hub } from './hub.ts'
import type { ResetReason, Start, StreamItem } from './item.ts'
import { gatherMarkers, type ReadInput, type ReadOutcome } from './read-marker.ts'
import { readReplay } from './replay.ts'
import { type SendInput, type SendOutcome, sendBytes, sendProcedure } from './send.ts'
import { Stream } from './stream.ts'
import { type MessageRow, readHead, readMessages, readTagAt } from './tables.ts'
import { openTrimmer } from './trimmer.ts'
import { Turns } from './turns.ts'
import { type Work, Writer, type Written } from './writing.ts'

const replaysAtOnce = 8
/** How long a cursor that is ahead of this node, though not of the journal, waits for the follower. */
const followerPatienceMs = 2_000
/** A node that has not heard from Postgres for so long is not ready for traffic. */
const contactMs = 5_000

/** What a device asks for when it opens a stream. */
export type StreamRequest = {
  readonly userId: number
  /** Where it left off; null to begin now. */
  readonly after: Cursor | null
  /** One conversation only; null for everything the user hears. */
  readonly conversationId: number | null
  /** Called once if this node has to end the stream: the client resumes from its cursor, here or elsewhere. */
  onAbandoned(reason: string): void
}

/** The open journal. */
export type Journal = {
  /** Sends a message in the next batch; the outcome is committed. @throws ParleyError UNAVAILABLE */
  send(input: SendInput): Promise<SendOutcome>
  /** Changes a message in the next batch: edits, deletes, reacts. @throws ParleyError UNAVAILABLE */
  change(input: ChangeInput): Promise<ChangeOutcome>
  /** Moves a read marker, together with others of its conversation: within about a second. @throws ParleyError UNAVAILABLE */
  read(input: ReadInput): Promise<ReadOutcome>
  /**
   * Stores that a session has everything up to a cursor, within about a second; one that it was beyond already changes nothing.
   * @throws ParleyError CURSOR_REFUSED where a stream from this cursor would be a RESET; UNAVAILABLE
   */
  acknowledge(sessionId: number, cursor: Cursor): Promise<void>
  /** Removes what is kept of a user for that user's own sake. The account is gone: nothing new comes to it. */
  forget(userId: number): Promise<void>
  /** Runs a rare write: see Writer. */
  writing<T>(work: (tx: Prisma.TransactionClient) => Promise<Work<T>>): Promise<Written<T>>
  /**
   * Opens a stream; null where it asks for a conversation that the user never heard.
   * @throws ParleyError UNAVAILABLE where Postgres does not answer or this node can't reach the cursor in time.
   */
  openStream(request: StreamRequest): Promise<Stream | null>
  /** The cursor of a place. */
  cursor(place: Place): string
  /** The last place that this node has seen. */
  head(): Place
  /** Whether the node remembers this very fact. */
  remembers(fact: Fact): boolean
  /** A message that the node remembers, as it is at the head. */
  message(id: number): MessageRow | undefined
  /** The name of a topic of this journal's nodes on the bus, told apart from those of other installations. */
  topic(name: string): string
  /** Whether a user hears a conversation now, where this node knows it without asking: while a stream of the user's is open. */
  findHears(userId: number, conversationId: number): boolean | null
  /** Calls `observer` for each fact that this node sees, in order, before any stream is given it. */
  onFact(observer: (fact: Fact) => void): void
  /** Calls `listener` when what was read from Postgres may be stale or taken back: see Follower. */
  onRestart(listener: () => void): void
  /** How many streams are open on this node. */
  streamCount(): number
  /** Whether this node follows the journal: Postgres answered within the last 5 s. */
  isFollowing(): boolean
  close(): Promise<void>
}

/** Opens the journal of a node: begins to follow from its head. */
export async function openJournal(store: Store, bus: Bus, settings: Config['journal'], log: Log): Promise<Journal> {
  const reader = readerOn(store.journalPool)
  const audiences = gatherAudiences(store)
  const hub: Hub = new Hub(
    (userId) => audiences.add(0, userId),
    () => follower.window.head.position,
  )
  const limits = { factsMax: settings.windowFactsMax, bytesMax: settings.windowBytesMax }
  const follower: Follower = new Follower(reader, store.flush, bus, hub, limits, log)
  store.journalPool.on('error', () => follower.doubt())
  await follower.open()
  const lanes = new Lanes(store.journalPool, settings.appendLanes, (batch) => follower.announce(batch), log)
  const markers = gatherMarkers(lanes)
  const writer = new Writer(
    store.prisma,
    reader,
    store.flush,
    () => follower.window.head.position,
    (batch) => follower.announce(batch),
  )
  const acknowledgements = gatherAcknowledgements(store.prisma)
  const trimmer = openTrimmer(reader, settings.retentionS, log)
  const turn = pLimit(replaysAtOnce)
  const source = {
    turns: new Turns(),
    window: () => follower.window,
    replay: (...args: Parameters<typeof readReplay> extends [unknown, ...infer Rest] ? Rest : never) =>
      turn(() => readReplay(store.reader, ...args)),
    messages: (ids: readonly number[]) => readMessages(store.reader, ids),
  }
  const beat = keepBeat(hub, follower, settings.tickIntervalMs)

  return {
    send: (input) => lanes.append(sendProcedure, input.senderId, sendBytes(input), input),
    change: (input) => lanes.append(changeProcedure, input.actorId, changeBytes(input), input),
    read: (input) => markers.add(input.conversationId, input),
    async acknowledge(sessionId, cursor) {
      await requireGood(follower, store.reader, cursor)
      await acknowledgements.add(0, { sessionId, position: cursor.position })
    },
    forget: (userId) => forgetUser(reader, userId),
    writing: (work) => writer.write(work),
    async openStream({ userId, after, conversationId, onAbandoned }) {
      const hold = await hub.hold(userId)
      try {
        const start = await startOf(follower, store.reader, after)
        if (conversationId !== null && !hold.listener.everHeard(conversationId)) {
          // Perhaps this node has not seen the join yet.
          if (!(await follower.reaches((await readHead(store.reader)).position, followerPatienceMs))) throw behind()
          if (!hold.listener.everHeard(conversationId)) {
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
    head: () => follower.window.head,
    remembers: (fact) => follower.window.at(fact.position) === fact,
    message: (id) => follower.window.message(id),
    topic: (name) => follower.topic(name),
    findHears: (userId, conversationId) => hub.findHears(userId, conversationId),
    onFact: (observer) => follower.onFact(observer),
    onRestart: (listener) => follower.onRestart(listener),
    streamCount: () => hub.streamCount,
    isFollowing: () => Date.now() - follower.lastContactAt < contactMs,
    async close() {
      clearInterval(beat)
      await trimmer.close()
      await Promise.all([markers.close(), acknowledgements.close(), audiences.close()])
      await lanes.close()
      for (const stream of [...hub.streams()]) stream.abandon('the server is closing')
      await follower.close()
    },
  }
}

/** Looks after all streams every second or so: with one clock, and one tick for all. */
function keepBeat(hub: Hub, follower: Follower, tickIntervalMs: number): NodeJS.Timeout {
  const beat = () => {
    const now = Date.now()
    const tick: StreamItem = { type: 'tick', place: follower.window.head }
    for (const stream of hub.streams()) if (stream instanceof Stream) stream.beat(now, tick)
  }
  return setInterval(beat, Math.min(1_000, tickIntervalMs / 4))
}

/** Decides how a stream starts: from its cursor, or from now where it has none or it can't be served. */
async function startOf(follower: Follower, reader: Reader, after: Cursor | null): Promise<Start> {
  if (!after) return { mode: 'FRESH', place: follower.window.head }
  const reason = await findResetReason(follower, reader, after)
  return reason ? { mode: 'RESET', reason, place: follower.window.head } : { mode: 'RESUMED', place: after }
}

/**
 * Why nothing can go on from a cursor; null where the very fact that it names exists in this epoch and history (A2). "Ahead
 * of the journal" is for Postgres to say, never for a node that is behind (A9).
 * @throws ParleyError UNAVAILABLE where this node does not come as far as the cursor in time.
 */
async function findResetReason(follower: Follower, reader: Reader, cursor: Cursor): Promise<ResetReason | null> {
  if (cursor.epochKey !== follower.epochKey) return 'OTHER_EPOCH'
  if (cursor.position > follower.window.head.position) {
    const head = await readHead(reader)
    if (cursor.position > head.position) return 'AHEAD_OF_JOURNAL'
    if (!(await follower.reaches(cursor.position, followerPatienceMs))) throw behind()
  }
  if (follower.window.holds(cursor)) return null
  const { tag, floor } = await readTagAt(reader, cursor.position)
  if (cursor.position < floor || (cursor.position === floor && cursor.tag !== 0)) return 'CURSOR_TOO_OLD'
  return (tag ?? 0) === cursor.tag ? null : 'OTHER_HISTORY'
}

/** @throws ParleyError CURSOR_REFUSED where a stream from this cursor would be a RESET; UNAVAILABLE */
async function requireGood(follower: Follower, reader: Reader, cursor: Cursor): Promise<void> {
  const reason = await findResetReason(follower, reader, cursor)
  if (reason) throw new ParleyError('CURSOR_REFUSED', `Nothing goes on from this cursor: ${reason}`, { argument: 'input.cursor' })
}

function behind(): ParleyError {
  return new ParleyError('UNAVAILABLE', 'This node is behind: resume on another one', { retryAfterMs: 1_000 })
}
