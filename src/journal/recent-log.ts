// The recent log is a node's memory of the journal: the last facts, without gaps, and the rows that they name, each as new as the
// newest fact that names it. It is bounded by count and by bytes. Streams read from it by position, so they need no queues.

import type { Position } from '../id.ts'
import type { Fact, Place } from './fact.ts'
import type { FactKinds } from './kind.ts'
import type { NamedRow } from './named-row.ts'

// Measured with facts from the bus (Node 20, 100,000 facts), including the containers that hold them and a small margin.
const factBytes = 200

/** The bounds of the recent log. Bytes are an estimate of the heap size of facts and rows. */
export type RecentLogLimits = { readonly factsMax: number; readonly bytesMax: number }

/** The node's memory of the journal's end. */
export class RecentLog {
  readonly #limits: RecentLogLimits
  readonly #kinds: FactKinds
  /** The facts. The first `#forgotten` of them are already forgotten, and are cut off now and then. */
  #facts: Fact[] = []
  #forgotten = 0
  /** The place before the first remembered fact. */
  #base: Place
  #bytes = 0
  /** The rows that remembered facts name; `row` is undefined if it did not come with the newest of those facts. */
  readonly #rows = new Map<Position, { row: NamedRow | undefined; lastNamedAt: Position }>()

  constructor(base: Place, limits: RecentLogLimits, kinds: FactKinds) {
    this.#base = base
    this.#limits = limits
    this.#kinds = kinds
  }

  /** The last remembered place: every fact up to it was seen by this node or lies before the recent log. */
  get head(): Place {
    return this.#facts.at(-1) ?? this.#base
  }

  /** Facts after this position are remembered. */
  get basePosition(): Position {
    return this.#base.position
  }

  /** How many facts are remembered. */
  get size(): number {
    return this.#facts.length - this.#forgotten
  }

  /** The estimated heap, in bytes. */
  get bytes(): number {
    return this.#bytes
  }

  /** The fact at this position, if it is remembered. */
  at(position: Position): Fact | undefined {
    if (position <= this.#base.position) return undefined
    return this.#facts[this.#forgotten + position - this.#base.position - 1]
  }

  /** Whether this very place lies in the remembered history; undefined if the recent log can't tell. */
  holds({ position, tag }: Place): boolean | undefined {
    if (position === this.#base.position) return this.#base.tag === tag
    const fact = this.at(position)
    return fact === undefined ? undefined : fact.tag === tag
  }

  /** The row with this ID, as it is at the head, if a remembered fact names it. */
  row(id: Position): NamedRow | undefined {
    return this.#rows.get(id)?.row
  }

  /** Whether a fact after this position has named a row; true also if that is no longer known. */
  wasNamedAfter(id: Position, position: Position): boolean {
    return position < this.#base.position || (this.#rows.get(id)?.lastNamedAt ?? 0) > position
  }

  /** The estimated heap size of a fact with the row that it names, in bytes. */
  bytesOf(fact: Fact): number {
    const known = this.#kinds.namesRow(fact) && fact.subjectId !== null ? this.#rows.get(fact.subjectId) : undefined
    return this.#factBytes(fact) + (known?.row ? this.#kinds.rows.bytesOf(known.row) : 0)
  }

  /**
   * Appends the next facts, whose positions continue from the head without gaps, and the rows that they name. Forgets a named
   * row that does not come with its fact, so that clients never receive anything older than the head.
   */
  append(facts: readonly Fact[], named: readonly NamedRow[]): void {
    const rows = new Map(named.map((row) => [row.id, row]))
    for (const fact of facts) {
      this.#facts.push(fact)
      this.#bytes += this.#factBytes(fact)
      if (this.#kinds.namesRow(fact) && fact.subjectId !== null)
        this.#remember(fact.subjectId, rows.get(fact.subjectId), fact.position)
    }
    while (this.size > this.#limits.factsMax || (this.#bytes > this.#limits.bytesMax && this.size > 0)) this.#forgetOldest()
    if (this.#forgotten > 1024 && this.#forgotten * 2 > this.#facts.length) {
      this.#facts = this.#facts.slice(this.#forgotten)
      this.#forgotten = 0
    }
  }

  #factBytes(fact: Fact): number {
    return factBytes + this.#kinds.payloadBytes(fact)
  }

  #remember(id: Position, row: NamedRow | undefined, lastNamedAt: Position): void {
    this.#forget(id)
    this.#rows.set(id, { row, lastNamedAt })
    if (row) this.#bytes += this.#kinds.rows.bytesOf(row)
  }

  #forget(id: Position): void {
    const known = this.#rows.get(id)
    if (!known) return
    this.#rows.delete(id)
    if (known.row) this.#bytes -= this.#kinds.rows.bytesOf(known.row)
  }

  #forgetOldest(): void {
    const fact = this.#facts[this.#forgotten]
    if (!fact) return
    this.#forgotten += 1
    this.#base = fact
    this.#bytes -= this.#factBytes(fact)
    if (this.#kinds.namesRow(fact) && fact.subjectId !== null && this.#rows.get(fact.subjectId)?.lastNamedAt === fact.position) {
      this.#forget(fact.subjectId)
    }
  }
}
