// The recent log is a node's memory of the journal: the last facts, without gaps, and the rows that they name, each as new as the
// newest fact that names it. It is bounded by count and by bytes. Streams read from it by position, so they need no queues.
//
// It lies outside the heap: numbers in columns, payloads and rows as JSON. Only the newest facts are objects too, for the streams
// at the head; older ones are made again when a stream reads them.

import type { Position } from '../id.ts'
import { type Columns, columnBytes, createColumns } from './columns.ts'
import type { Fact, FactHeader, Place } from './fact.ts'
import type { FactKinds } from './kind.ts'
import type { NamedRow } from './named-row.ts'
import { TextQueue } from './text-queue.ts'

/** The bounds of the recent log. Bytes are the memory that facts and rows take. */
export type RecentLogLimits = { readonly factsMax: number; readonly bytesMax: number }

/** How many of the newest facts are objects. A power of two. Streams at the head are at most a few batches of sends behind. */
const newestMax = 256
/**
 * A row with more characters of JSON is kept behind the newest facts only with the fact that created it. Each reaction names its
 * message again; copies of a long one would soon fill the log.
 */
const namedAgainMax = 1_024

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
  readonly #newest: { fact: Fact; row: NamedRow | undefined }[] = []
  /** Where rows were named last, except those that only the fact that created them names. */
  readonly #namedAgainAt = new Map<Position, Position>()

  constructor(base: Place, limits: RecentLogLimits, kinds: FactKinds) {
    this.#base = base
    this.#head = base
    this.#limits = limits
    this.#kinds = kinds
    this.#columns = createColumns(limits.factsMax)
  }

  /** The last remembered place: every fact up to it was seen by this node or lies before the recent log. */
  get head(): Place {
    return this.#head
  }

  /** Facts after this position are remembered. */
  get basePosition(): Position {
    return this.#base.position
  }

  /** How many facts are remembered. */
  get size(): number {
    return this.#head.position - this.#base.position
  }

  /** The memory that facts and rows take, in bytes. */
  get bytes(): number {
    return this.#bytes
  }

  /** The fact at this position, if it is remembered. */
  at(position: Position): Fact | undefined {
    if (!this.#isRemembered(position)) return undefined
    return this.#isNewest(position) ? this.#newestAt(position)?.fact : this.#read(position)
  }

  /** The header of the fact at this position, if it is remembered: cheaper than the whole fact. */
  headerAt(position: Position): FactHeader | undefined {
    if (!this.#isRemembered(position)) return undefined
    return this.#isNewest(position) ? this.#newestAt(position)?.fact : this.#columns.headerAt(position)
  }

  /** The facts after a place, at most `most`, if the place is held; otherwise none. */
  after(place: Place, most: number): readonly Fact[] {
    if (!this.holds(place)) return []
    const count = Math.min(most, this.#head.position - place.position)
    return Array.from({ length: count }, (_, i) => this.at((place.position + 1 + i) as Position)).filter(
      (fact) => fact !== undefined,
    )
  }

  /** Whether this very place lies in the remembered history; undefined if the recent log can't tell. */
  holds({ position, tag }: Place): boolean | undefined {
    if (position === this.#base.position) return this.#base.tag === tag
    return this.#isRemembered(position) ? this.#columns.tagAt(position) === tag : undefined
  }

  /** The row with this ID, as it is at the head, if a remembered fact names it. */
  row(id: Position): NamedRow | undefined {
    const position = this.#lastNamedAt(id)
    if (position === undefined) return undefined
    if (this.#isNewest(position)) return this.#newestAt(position)?.row
    const { offset, payload, row } = this.#columns.textAt(position)
    return row === 0 ? undefined : (JSON.parse(this.#texts.read(offset + payload, row)) as NamedRow)
  }

  /**
   * The position of the newest fact that names a fact's row, so of that row's version; the fact's own if it names none. Null if
   * the fact is not remembered.
   */
  versionOf(fact: Fact): Position | null {
    if (!this.#isRemembered(fact.position) || !this.holds(fact)) return null
    return this.#namedBy(fact) ?? fact.position
  }

  /** Whether a fact after this position has named a row; true also if that is no longer known. */
  wasNamedAfter(id: Position, position: Position): boolean {
    return position < this.#base.position || (this.#lastNamedAt(id) ?? 0) > position
  }

  /** The size of the fact at a position with the row that it names, in bytes. 0 if it is not remembered. */
  bytesAt(position: Position): number {
    const header = this.headerAt(position)
    if (!header) return 0
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
      if (this.size === this.#limits.factsMax) this.#forgetOldest()
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
    while (this.#bytes > this.#limits.bytesMax && this.size > 0) this.#forgetOldest()
    this.#texts.dropBefore(this.size === 0 ? this.#texts.end : this.#columns.textAt((this.#base.position + 1) as Position).offset)
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
    const created = this.headerAt(id)
    return created && created.subjectId === id && this.#kinds.namesRow(created) ? id : undefined
  }

  #forgetOldest(): void {
    const position = (this.#base.position + 1) as Position
    const header = this.#columns.headerAt(position)
    const { payload, row } = this.#columns.textAt(position)
    this.#base = { position, tag: this.#columns.tagAt(position) }
    this.#bytes -= columnBytes + payload + row
    if (this.#kinds.namesRow(header) && header.subjectId !== null && this.#namedAgainAt.get(header.subjectId) === position)
      this.#namedAgainAt.delete(header.subjectId)
  }
}
