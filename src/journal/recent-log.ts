// The recent log is a node's memory of the journal: the last facts, without gaps, and the rows that they name, each as new as the
// newest fact that names it. It is bounded by count and by bytes. Streams read from it by position, so they need no queues.
//
// It lies outside the heap: numbers in columns, payloads and rows as JSON. Only the newest facts are objects too, for the streams
// at the head; older ones are made again when a stream reads them.
//
// A node that follows digests knows of most facts only the header: a stub. What a stub did to a row is unknown, so an older row of its
// conversation no longer counts as being as it is at the head. A stream that needs a stub fills it.

import { LRUCache } from 'lru-cache'
import { entriesMax } from '../bounded.ts'
import type { ConversationId, Position } from '../id.ts'
import { type Columns, columnBytes, createColumns } from './columns.ts'
import type { Fact, FactHeader, Place } from './fact.ts'
import type { FactKinds } from './kind.ts'
import type { NamedRow } from './named-row.ts'
import { TextQueue } from './text-queue.ts'

/**
 * The bounds of the recent log. Bytes are the memory that facts and rows take. `reachMax`: how many positions it remembers, with stubs;
 * as many as facts if there are no stubs.
 */
export type RecentLogLimits = { readonly factsMax: number; readonly bytesMax: number; readonly reachMax: number }

/** How many of the newest facts are objects. A power of two. Streams at the head are at most a few batches of sends behind. */
const newestMax = 256
/**
 * A row with more characters of JSON is kept behind the newest facts only with the fact that created it. Each reaction names its
 * message again; copies of a long one would soon fill the log.
 */
const namedAgainMax = 1_024
/** How many stubs that streams needed are kept with what was fetched for them. */
const filledMax = 10_000
/** Conversations share the memory of where a stub may have changed their rows: sharing only costs a read from Postgres. A power of two. */
const doubtSlots = 65_536

/** A fact that was fetched for a stub, with the row that it names as it was then. */
export type FilledFact = { readonly fact: Fact; readonly row: NamedRow | undefined }

/** The node's memory of the journal's end. */
export class RecentLog {
  readonly #limits: RecentLogLimits
  readonly #kinds: FactKinds
  readonly #columns: Columns
  /** Payloads and rows. */
  readonly #texts = new TextQueue()
  /** The place before the first remembered fact, and that of the last one. */
  #base: Place
  #head: Place
  #bytes = 0
  /** The newest facts and their rows, by the last bits of their positions. */
  readonly #newest: (FilledFact | null)[] = []
  readonly #filled = new LRUCache<Position, FilledFact>(entriesMax(filledMax))
  /** The position of the last stub that may have changed rows of a conversation. */
  readonly #doubtedAt: Float64Array
  /** Where rows were named last, except those that only the fact that created them names. */
  readonly #namedAgainAt = new Map<Position, Position>()

  constructor(base: Place, limits: RecentLogLimits, kinds: FactKinds) {
    this.#base = base
    this.#head = base
    this.#limits = limits
    this.#kinds = kinds
    this.#columns = createColumns(limits.reachMax, limits.factsMax)
    this.#doubtedAt = new Float64Array(this.#keepsStubs ? doubtSlots : 1)
  }

  /** The last remembered place: every fact up to it was seen by this node or lies before the recent log. */
  get head(): Place {
    return this.#head
  }

  /** Facts after this position are remembered. */
  get basePosition(): Position {
    return this.#base.position
  }

  get #keepsStubs(): boolean {
    return this.#limits.reachMax > this.#limits.factsMax
  }

  /** How many facts are remembered, stubs included. */
  get size(): number {
    return this.#head.position - this.#base.position
  }

  /** The memory that facts and rows take, in bytes. */
  get bytes(): number {
    return this.#bytes
  }

  /** The fact at this position, if it is remembered and no empty stub. */
  at(position: Position): Fact | undefined {
    if (!this.#isRemembered(position)) return undefined
    if (!this.#columns.isWhole(position)) return this.#filled.get(position)?.fact
    return this.#isNewest(position) ? this.#newestAt(position)?.fact : this.#read(position)
  }

  /** The header of the fact at this position, if it is remembered: cheaper than the whole fact. A stub has no subject. */
  headerAt(position: Position): FactHeader | undefined {
    if (!this.#isRemembered(position)) return undefined
    if (!this.#columns.isWhole(position)) return this.#filled.get(position)?.fact ?? this.#columns.headerAt(position)
    return this.#isNewest(position) ? this.#newestAt(position)?.fact : this.#columns.headerAt(position)
  }

  /** Whether only the header of this remembered position is known. */
  isStub(position: Position): boolean {
    return !this.#columns.isWhole(position) && !this.#filled.has(position)
  }

  /** The first position of the append that wrote a stub, and its tag; null if it may lie before the recent log. */
  appendOf(position: Position): Place | null {
    if (!this.#isRemembered(position)) return null
    const tag = this.#columns.tagAt(position)
    let first = position
    while (first > this.#base.position + 1 && this.#columns.tagAt((first - 1) as Position) === tag)
      first = (first - 1) as Position
    return first === this.#base.position + 1 && this.#base.tag === tag ? null : { position: first, tag }
  }

  /** Keeps what was fetched for a stub, if it belongs there. */
  fill(filled: FilledFact): void {
    const { position } = filled.fact
    if (this.#isRemembered(position) && this.isStub(position) && this.holds(filled.fact)) this.#filled.set(position, filled)
  }

  /** The facts after a place, at most `most`, up to the first stub, if the place is held; otherwise none. */
  after(place: Place, most: number): readonly Fact[] {
    if (!this.holds(place)) return []
    const facts: Fact[] = []
    for (let position = place.position + 1; facts.length < most; position += 1) {
      const fact = this.at(position as Position)
      if (!fact) break
      facts.push(fact)
    }
    return facts
  }

  /** Whether this very place lies in the remembered history; undefined if the recent log can't tell. */
  holds({ position, tag }: Place): boolean | undefined {
    if (position === this.#base.position) return this.#base.tag === tag
    return this.#isRemembered(position) ? this.#columns.tagAt(position) === tag : undefined
  }

  /** The row with this ID, as it is at the head, if a remembered fact names it and no stub may have changed it since. */
  row(id: Position): NamedRow | undefined {
    const position = this.#lastNamedAt(id)
    if (position === undefined || this.#isDoubted(this.headerAt(position)?.conversationId, position)) return undefined
    if (this.#isNewest(position)) return this.#newestAt(position)?.row
    const { offset, payload, row } = this.#columns.textAt(position)
    return row === 0 ? undefined : (JSON.parse(this.#texts.read(offset + payload, row)) as NamedRow)
  }

  /** The row that a fact of this log names, as it is at the head; undefined if that is not known. */
  rowOf(fact: Fact): NamedRow | undefined {
    if (fact.subjectId === null) return undefined
    const id = fact.subjectId as Position
    if (this.#lastNamedAt(id) !== undefined) return this.row(id)
    return this.#isDoubted(fact.conversationId, fact.position) ? undefined : this.#filled.get(fact.position)?.row
  }

  /**
   * The position of the newest fact that names a fact's row, so of that row's version; the fact's own if it names none. Null if
   * the fact is not remembered, or if a stub may have changed the row.
   */
  versionOf(fact: Fact): Position | null {
    if (!this.#isRemembered(fact.position) || !this.holds(fact)) return null
    const version = this.#namedBy(fact) ?? fact.position
    return this.#kinds.namesRow(fact) && this.#isDoubted(fact.conversationId, version) ? null : version
  }

  /** Whether a fact after this position has named a row of a conversation; true also if that is not known. */
  wasNamedAfter(id: Position, conversationId: ConversationId | null, position: Position): boolean {
    return position < this.#base.position || (this.#lastNamedAt(id) ?? 0) > position || this.#isDoubted(conversationId, position)
  }

  /** The size of the fact at a position with the row that it names, in bytes. 0 if it is not remembered. */
  bytesAt(position: Position): number {
    const header = this.headerAt(position)
    if (!header) return 0
    if (!this.#columns.isWhole(position)) return columnBytes
    const named = this.#namedBy(header)
    return columnBytes + this.#columns.textAt(position).payload + (named === undefined ? 0 : this.#columns.textAt(named).row)
  }

  /**
   * Appends the next facts, whose positions continue from the head without gaps, and the rows that they name. Forgets a named
   * row that does not come with its fact, so that clients never receive anything older than the head.
   */
  append(facts: readonly Fact[], named: readonly NamedRow[]): void {
    const rows = new Map(named.map((row) => [row.id, row]))
    for (const fact of facts) {
      // The columns have room for as many facts as the limit.
      if (this.#columns.wholes === this.#limits.factsMax) this.#forgetOldest()
      this.#makeRoom()
      const id = this.#kinds.namesRow(fact) ? fact.subjectId : null
      const row = id === null ? undefined : rows.get(id)
      const offset = this.#texts.end
      const payload = fact.payload === null ? 0 : this.#texts.push(JSON.stringify(fact.payload))
      const json = row ? JSON.stringify(row) : ''
      const isKept = id === fact.position || json.length <= namedAgainMax
      this.#columns.set(fact, { offset, payload, row: isKept && row ? this.#texts.push(json) : 0 })
      if (id !== null && id !== fact.position) this.#namedAgainAt.set(id, fact.position)
      this.#newest[fact.position & (newestMax - 1)] = { fact, row }
      this.#bytes += columnBytes + this.#texts.end - offset
      this.#head = fact
    }
    while (this.#bytes > this.#limits.bytesMax && this.#columns.wholes > 0) this.#forgetOldest()
    const { oldestWhole } = this.#columns
    this.#texts.dropBefore(oldestWhole === undefined ? this.#texts.end : this.#columns.textAt(oldestWhole).offset)
  }

  /** Appends the next facts, of which only the headers are known. */
  appendStubs(stubs: readonly Fact[]): void {
    for (const stub of stubs) {
      this.#makeRoom()
      this.#columns.setStub(stub)
      this.#newest[stub.position & (newestMax - 1)] = null
      this.#doubt(stub)
      this.#head = { position: stub.position, tag: stub.tag }
    }
  }

  /** Makes room for one more position. */
  #makeRoom(): void {
    if (this.size < this.#limits.reachMax) return
    const position = (this.#base.position + 1) as Position
    if (this.#columns.isWhole(position)) this.#forgetOldest()
    if (this.#base.position < position) this.#base = { position, tag: this.#columns.tagAt(position) }
  }

  /** From now on, rows of a stub's conversation that were named before it may be older than the head. */
  #doubt(stub: FactHeader): void {
    if (stub.conversationId === null || !this.#kinds.changesEarlierEvents(stub)) return
    const slot = stub.conversationId & (this.#doubtedAt.length - 1)
    this.#doubtedAt[slot] = Math.max(this.#doubtedAt[slot] ?? 0, stub.position)
  }

  #isDoubted(conversationId: ConversationId | null | undefined, position: Position): boolean {
    if (conversationId === null || conversationId === undefined) return false
    return (this.#doubtedAt[conversationId & (this.#doubtedAt.length - 1)] ?? 0) > position
  }

  #isRemembered(position: Position): boolean {
    return position > this.#base.position && position <= this.#head.position
  }

  #isNewest(position: Position): boolean {
    return position > this.#head.position - newestMax
  }

  #newestAt(position: Position) {
    return this.#newest[position & (newestMax - 1)]
  }

  #read(position: Position): Fact {
    const { offset, payload } = this.#columns.textAt(position)
    return this.#columns.factAt(position, payload === 0 ? null : JSON.parse(this.#texts.read(offset, payload)))
  }

  /** The position of the newest fact that names the same row as this fact; undefined if it names none. */
  #namedBy(fact: FactHeader): Position | undefined {
    return this.#kinds.namesRow(fact) && fact.subjectId !== null ? this.#lastNamedAt(fact.subjectId) : undefined
  }

  /** The position of the newest remembered fact that names this row. */
  #lastNamedAt(id: Position): Position | undefined {
    const again = this.#namedAgainAt.get(id)
    if (again !== undefined) return again
    if (!this.#isRemembered(id) || !this.#columns.isWhole(id)) return undefined
    const created = this.headerAt(id)
    return created && created.subjectId === id && this.#kinds.namesRow(created) ? id : undefined
  }

  /** Forgets the oldest whole fact. If this log keeps stubs, its header stays. */
  #forgetOldest(): void {
    const position = this.#columns.oldestWhole
    if (position === undefined) return
    const header = this.#columns.headerAt(position)
    const { payload, row } = this.#columns.textAt(position)
    this.#bytes -= columnBytes + payload + row
    if (this.#kinds.namesRow(header) && header.subjectId !== null && this.#namedAgainAt.get(header.subjectId) === position)
      this.#namedAgainAt.delete(header.subjectId)
    this.#columns.dropOldestWhole()
    if (this.#keepsStubs) {
      this.#doubt(header)
      // The streams at the head are past it, but the ring of the newest must not outlive the fact.
      if (this.#isNewest(position)) this.#newest[position & (newestMax - 1)] = null
    } else this.#base = { position, tag: this.#columns.tagAt(position) }
  }
}
