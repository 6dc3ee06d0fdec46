// The follower keeps this node's memory in step with the journal, fact by fact, without gaps, and calls its observers. Batches
// come from this node's own appends and over the bus from other nodes, in any order, repeatedly or never. Positions put them in
// order, tags show that they belong to one history, and missing facts are read from Postgres: the bus makes it fast, Postgres
// makes it correct. Facts read from Postgres may not be on disk yet, so a flush comes before they are remembered (B1).
//
// A node follows whole batches, or digests: then it fetches the parcels of those facts that somebody here hears, and remembers the
// others as stubs. Its head moves only when everything up to there has arrived.

import type { Bus, Unsubscribe } from '../bus/bus.ts'
import { type Position, positionOf } from '../id.ts'
import type { Log } from '../log/log.ts'
import { reportFailure } from '../store/postgres.ts'
import type { Reader } from '../store/reader.ts'
import { Announcer, type FollowMode } from './announcer.ts'
import { Arrivals, endOf, firstOf } from './arrivals.ts'
import type { Batch } from './batch.ts'
import { type EpochKey, epochKeyOf } from './cursor.ts'
import { type Announcement, audienceOf, isDigest, isStub } from './digest.ts'
import type { Fact, Place } from './fact.ts'
import type { FactKinds } from './kind.ts'
import type { NamedRow } from './named-row.ts'
import { type Observer, Observers } from './observers.ts'
import { Parcels } from './parcels.ts'
import { RecentLog, type RecentLogLimits } from './recent-log.ts'
import { readIdentity, scopeOf } from './scope.ts'
import { steps } from './steps.ts'
import { type Head, readFactsAfter, readHead, readTagAt } from './tables.ts'

const pollMs = 250
/** How long to wait for a batch on its way that closes a gap. The longest measured delay was 8 ms. */
const gapMs = 20
const heldMax = 200
const readMax = 2_000

/**
 * Why data read earlier may be wrong. MOVED: the node continues from another place, because it skipped facts or the history has
 * changed. DOUBTED: Postgres was away, and may have lost data that was visible before.
 */
export type Restart = { readonly type: 'MOVED'; readonly reason: string } | { readonly type: 'DOUBTED' }

/** How far a follower has come. */
export type FollowerState = {
  /** When this node last read the head from Postgres, in milliseconds since 1970. */
  readonly lastContactAt: number
  /** How many facts the head was ahead then. */
  readonly behind: number
  /** How many batches wait for the gap before them to close. */
  readonly heldBatches: number
}

/** How a follower works. */
export type FollowerSettings = {
  readonly installation: string
  readonly mode: FollowMode
  readonly limits: RecentLogLimits
  /** Whether this node needs whole facts for an audience: see Digest. */
  hears(audience: number): boolean
}

/** The follower of one node. */
export class Follower {
  readonly #reader: Reader
  readonly #flush: () => Promise<void>
  readonly #bus: Bus
  readonly #settings: FollowerSettings
  readonly #kinds: FactKinds
  readonly #log: Log
  readonly #arrivals: Arrivals
  /** The parcels of this journal. */
  readonly parcels: Parcels
  readonly #announcer: Announcer
  #recentLog: RecentLog
  #scope = ''
  #epoch = ''
  #identity = ''
  #epochKey: EpochKey = 0n
  #unsubscribe: readonly Unsubscribe[] = []
  #held = new Map<Position, Announcement>()
  #gapTimer: NodeJS.Timeout | undefined
  #pollTimer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined
  #isClosed = false
  #isDoubted = false
  /** The database was replaced, even if its rows look the same. */
  #isElsewhere = false
  #lastContactAt = 0
  #behind = 0
  readonly #facts: Observers<Fact>
  readonly #restarts: Observers<Restart>
  readonly #waiting = new Set<() => void>()

  constructor(reader: Reader, flush: () => Promise<void>, bus: Bus, kinds: FactKinds, settings: FollowerSettings, log: Log) {
    this.#reader = reader
    this.#flush = flush
    this.#bus = bus
    this.#kinds = kinds
    this.#settings = settings
    this.#log = log
    this.#recentLog = new RecentLog({ position: positionOf(0), tag: 0 }, settings.limits, kinds)
    this.parcels = new Parcels(bus.shelf, bus.slots, () => this.#scope)
    this.#arrivals = new Arrivals(this.parcels, {
      hears: (audience) => settings.hears(audience),
      take: (batch, announced) => this.#take(batch, announced),
      onMissing: () => this.#look(),
    })
    this.#announcer = new Announcer(bus, settings.mode, kinds.rows, this.parcels, (name) => this.topic(name))
    this.#facts = new Observers(log, 'facts')
    this.#restarts = new Observers(log, 'restarts')
  }

  /** What this node remembers. A new object after a change of history. */
  get recentLog(): RecentLog {
    return this.#recentLog
  }

  get epochKey(): EpochKey {
    return this.#epochKey
  }

  /** The name of a topic of this journal, distinct from that of any other installation on the same Redis. */
  topic(name: string): string {
    return `${this.#scope}:${name}`
  }

  /** When Postgres last answered, in milliseconds since 1970. */
  get lastContactAt(): number {
    return this.#lastContactAt
  }

  /** How far this node has come. */
  state(): FollowerState {
    return { lastContactAt: this.#lastContactAt, behind: this.#behind, heldBatches: this.#held.size }
  }

  /** Calls `observer` for each fact, in order, once it is remembered. */
  onFact(observer: Observer<Fact>): void {
    this.#facts.add(observer)
  }

  /** Calls `observer` when data read earlier may be wrong. */
  onRestart(observer: Observer<Restart>): void {
    this.#restarts.add(observer)
  }

  /** Starts following from the journal's head. */
  async open(): Promise<void> {
    const head = await this.#readFlushedHead()
    await this.#hear(head)
    this.#begin(head)
    this.#bus.onInterruption(() => this.#armGap())
    this.#poll()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#gapTimer)
    clearTimeout(this.#pollTimer)
    for (const wake of this.#waiting) wake()
    this.#arrivals.clear()
    for (const unsubscribe of this.#unsubscribe) await unsubscribe()
    await this.#looking?.catch(() => undefined)
  }

  /** Reports a lost connection: when Postgres answers again, it may have lost data that was visible before. */
  doubt(): void {
    this.#isDoubted = true
  }

  /**
   * Takes a batch of this node's own appends: applies it here at once and publishes it to the other nodes.
   * @param isRare whether a rare write appended it: every node needs those facts whole
   */
  announce(batch: Batch, isRare: boolean): void {
    this.offer(batch)
    this.#announcer.publish(batch, isRare)
  }

  /**
   * Takes an announcement from any source: applies it, holds it until what comes before it has arrived, or drops it if it is known.
   */
  offer(announced: Announcement): void {
    if (this.#isClosed || firstOf(announced) === 0) return
    const { head } = this.#recentLog
    const { end } = this.#arrivals
    if (firstOf(announced) > (end ?? head.position) + 1) this.#hold(announced)
    else if (isDigest(announced) && endOf(announced) <= head.position) {
      this.#isFitting({ position: endOf(announced), tag: announced.tag })
    } else if (end === null || endOf(announced) > end) {
      this.#arrivals.add(announced)
      this.#applyHeld()
    }
  }

  #hold(announced: Announcement): void {
    const first = firstOf(announced)
    const isNear = first - this.#recentLog.head.position <= this.#settings.limits.factsMax
    if (isNear && this.#held.size < heldMax) this.#held.set(first, announced)
    this.#armGap()
  }

  /** Takes in facts that are complete. */
  #take(batch: Batch, announced: Announcement): void {
    const first = batch.facts[0]
    if (!first) return
    const head = this.#recentLog.head
    if (first.position > head.position + 1) {
      this.#hold(announced)
      return
    }
    const known = batch.facts.findLast((fact) => fact.position <= head.position)
    if (!this.#isFitting(known ?? { position: (first.position - 1) as Position, tag: batch.previousTag })) return
    const fresh = known ? batch.facts.filter((fact) => fact.position > head.position) : batch.facts
    if (fresh.length > 0) this.#apply(fresh, batch.rows)
  }

  /** Whether a place belongs to this history. If not, the sender or this node is in another one, and Postgres shows which. */
  #isFitting({ position, tag }: Place): boolean {
    // Tag 0 belongs to a journal whose facts are all trimmed: there is nothing to compare.
    if (tag === 0 || this.#recentLog.holds({ position, tag }) !== false) return true
    this.#log.warn({ position }, 'a batch of facts does not fit this journal')
    this.#armGap()
    return false
  }

  /**
   * Waits until this node has seen a position.
   * @returns whether that happened within `limitMs`
   */
  async reaches(position: Position, limitMs: number): Promise<boolean> {
    if (this.#recentLog.head.position >= position) return true
    this.#look()
    return new Promise((resolve) => {
      const done = () => {
        if (!this.#isClosed && this.#recentLog.head.position < position && Date.now() < deadline) return
        clearTimeout(timer)
        this.#waiting.delete(done)
        resolve(this.#recentLog.head.position >= position)
      }
      const deadline = Date.now() + limitMs
      const timer = setTimeout(done, limitMs + 1)
      this.#waiting.add(done)
    })
  }

  #apply(facts: readonly Fact[], rows: readonly NamedRow[]): void {
    const taken = { position: facts[0]?.position, facts: facts.length }
    steps.followTaking.publish(taken)
    for (let from = 0; from < facts.length; ) {
      const isRunOfStubs = isStub(facts[from] as Fact)
      const next = facts.findIndex((fact, i) => i > from && isStub(fact) !== isRunOfStubs)
      const run = from === 0 && next < 0 ? facts : facts.slice(from, next < 0 ? facts.length : next)
      if (isRunOfStubs) this.#recentLog.appendStubs(run)
      else this.#recentLog.append(run, rows)
      from += run.length
    }
    steps.followRemembered.publish(taken)
    for (const fact of facts) this.#facts.call(fact)
    for (const wake of [...this.#waiting]) wake()
  }

  #applyHeld(): void {
    const end = this.#arrivals.end ?? this.#recentLog.head.position
    for (const [first, announced] of this.#held) {
      if (first > end + 1) continue
      this.#held.delete(first)
      this.offer(announced)
      return
    }
  }

  #armGap(): void {
    if (this.#isClosed) return
    this.#gapTimer ??= setTimeout(() => {
      this.#gapTimer = undefined
      this.#look()
    }, gapMs)
  }

  #look(): void {
    this.#looking ??= this.#catchUp()
      .catch((error: unknown) => reportFailure(this.#log, error, 'the journal could not be read'))
      .finally(() => {
        this.#looking = undefined
      })
  }

  /** Reads the facts between the head of the memory and the head of the journal. Detects another history. */
  async #catchUp(): Promise<void> {
    for (;;) {
      const from = this.#recentLog.head
      const head = await readHead(this.#reader)
      this.#lastContactAt = Date.now()
      if (this.#isClosed) return
      if (this.#isElsewhere) return this.#restart('The database was replaced by another one.')
      if (head.position - from.position > this.#settings.limits.factsMax) return this.#restart('This node fell too far behind.')
      if (!(await this.#isStillTrue(from, head))) return this.#restart('The journal has another history.')
      if (head.position <= this.#recentLog.head.position) return
      const after = this.#recentLog.head
      const facts = await readFactsAfter(this.#reader, after.position, readMax)
      const rows = await this.#kinds.rows.read(
        this.#reader,
        facts
          .filter((fact) => this.#kinds.namesRow(fact) && this.#needsRow(fact))
          .map((fact) => Number(fact.subjectId) as Position),
      )
      if (facts[0]?.position !== after.position + 1) return this.#restart('Facts were trimmed before this node saw them.')
      await this.#flush()
      steps.followRead.publish({ facts: facts.length })
      const batch = { previousTag: after.tag, facts, rows }
      this.#take(batch, batch)
      this.#arrivals.dropUpTo(this.#recentLog.head.position)
      this.#dropHeld()
      this.#arrivals.advance()
      this.#applyHeld()
    }
  }

  /** Whether a row is worth reading: a node that follows digests does not hear every audience. */
  #needsRow(fact: Fact): boolean {
    return this.#settings.mode === 'full' || this.#settings.hears(audienceOf(fact))
  }

  /** Whether the journal still holds `from`, the end of this node's memory before it read the head. */
  async #isStillTrue(from: Place, head: Head): Promise<boolean> {
    if (head.position < from.position || epochKeyOf(head.epoch) !== this.#epochKey) return false
    if (head.position === from.position && head.tag === from.tag) return true
    const { tag, floor } = await readTagAt(this.#reader, from.position)
    return tag === null ? from.position <= floor : tag === from.tag
  }

  #dropHeld(): void {
    const { position } = this.#recentLog.head
    for (const [first, announced] of this.#held) if (endOf(announced) <= position) this.#held.delete(first)
  }

  async #restart(reason: string): Promise<void> {
    this.#log.error({ head: this.#recentLog.head }, reason)
    const head = await this.#readFlushedHead()
    await this.#hear(head)
    this.#isElsewhere = false
    // In one turn of the event loop: no stream of the old history may deliver a place of the new one.
    this.#begin(head)
    this.#restarts.call({ type: 'MOVED', reason })
  }

  async #readFlushedHead(): Promise<Head> {
    const head = await readHead(this.#reader)
    await this.#flush()
    return head
  }

  /** Subscribes to the topic of this database and of this head's epoch. */
  async #hear(head: Head): Promise<void> {
    if (head.epoch === this.#epoch && !this.#isElsewhere) return
    this.#identity = await readIdentity(this.#reader)
    this.#epoch = head.epoch
    const scope = scopeOf(this.#settings.installation, this.#identity, head.epoch)
    if (scope === this.#scope) return
    for (const unsubscribe of this.#unsubscribe) await unsubscribe()
    this.#scope = scope
    this.#unsubscribe = await this.#announcer.subscribe((announced) => this.offer(announced))
  }

  /** Forgets everything and continues from this head. */
  #begin(head: Head): void {
    this.#epochKey = epochKeyOf(head.epoch)
    this.#held = new Map()
    this.#arrivals.clear()
    this.#recentLog = new RecentLog(head, this.#settings.limits, this.#kinds)
    this.#lastContactAt = Date.now()
  }

  /** Polls the head, whether or not the bus works: finds facts whose batch was lost. */
  #poll(): void {
    if (this.#isClosed) return
    const [from, wasDoubted] = [this.#recentLog.head, this.#isDoubted]
    readHead(this.#reader)
      .then((head) => {
        this.#lastContactAt = Date.now()
        this.#behind = Math.max(0, head.position - this.#recentLog.head.position)
        const isBehind = this.#behind > 0
        const isElsewhere =
          head.position < from.position ||
          (head.position === from.position && head.tag !== from.tag && head.tag !== 0) ||
          epochKeyOf(head.epoch) !== this.#epochKey
        if (isBehind || isElsewhere) this.#armGap()
        return wasDoubted ? readIdentity(this.#reader) : null
      })
      .then((identity) => {
        if (identity === null) return
        // Postgres was away: another database with the same rows may have its address now.
        if (identity !== this.#identity) {
          this.#isElsewhere = true
          this.#armGap()
        }
        this.#isDoubted = false
        this.#restarts.call({ type: 'DOUBTED' })
      })
      .catch((error: unknown) => {
        this.doubt()
        this.#log.debug({ err: error }, 'the head of the journal could not be read')
      })
      .finally(() => {
        if (!this.#isClosed) this.#pollTimer = setTimeout(() => this.#poll(), pollMs)
      })
  }
}
