// The recent log is what a node remembers: the last facts, without a hole, and the rows that they name, each as new as the newest
// fact that named it. Bounded by count and by bytes. Streams read from it by position; nobody holds a queue.

import type { Fact, Place } from './fact.ts'
import type { FactKinds } from './kind.ts'
import type { NamedRow } from './named-row.ts'

// As measured with what comes over the bus (Node 20, 100,000 facts), with what keeps them and a little more.
const factBytes = 200

/** The bounds of the recent log. Bytes are an estimate of the heap that facts and rows take. */
export type RecentLogLimits = { readonly factsMax: number; readonly bytesMax: number }

/** The node's memory of the journal's end. */
export class RecentLog {
  readonly #limits: RecentLogLimits
  readonly #kinds: FactKinds
  /** Facts from #first on; a prefix of it may be forgotten already, and is cut off now and then. */
  #facts: Fact[] = []
  #forgotten = 0
  /** The place before the first fact that is remembered. */
  #base: Place
  #bytes = 0
  /** Each row that a remembered fact names, if it came along with the newest of those facts. */
  readonly #rows = new Map<number, { row: NamedRow | undefined; lastNamedAt: number }>()

  constructor(base: Place, limits: RecentLogLimits, kinds: FactKinds) {
    this.#base = base
    this.#limits = limits
    this.#kinds = kinds
  }

  /** The last place that is remembered: every fact up to it was seen by this node or lies before the recent log. */
  get head(): Place {
    return this.#facts.at(-1) ?? this.#base
  }

  /** Facts after this position are remembered. */
  get basePosition(): number {
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

  /** The fact at this position, where it is remembered. */
  at(position: number): Fact | undefined {
    if (position <= this.#base.position) return undefined
    return this.#facts[this.#forgotten + position - this.#base.position - 1]
  }

  /** Whether this very place lies in the remembered history; undefined where the recent log can't tell. */
  holds({ position, tag }: Place): boolean | undefined {
    if (position === this.#base.position) return this.#base.tag === tag
    const fact = this.at(position)
    return fact === undefined ? undefined : fact.tag === tag
  }

  /** The row with this id, as it is at the head, if a remembered fact names it. */
  row(id: number): NamedRow | undefined {
    return this.#rows.get(id)?.row
  }

  /** Whether a fact after this position has named a row; true also if that is no longer known. */
  wasNamedAfter(id: number, position: number): boolean {
    return position < this.#base.position || (this.#rows.get(id)?.lastNamedAt ?? 0) > position
  }

  /** What a fact takes of the memory, with the row that it names. */
  bytesOf(fact: Fact): number {
    const known = this.#kinds.namesRow(fact) && fact.subjectId !== null ? this.#rows.get(fact.subjectId) : undefined
    return this.#factBytes(fact) + (known?.row ? this.#kinds.rows.bytesOf(known.row) : 0)
  }

  /**
   * Takes the next facts, whose positions go on from the head without a gap, and the rows that they name. A named
   * row that does not come along is forgotten here, so that nothing older than the head is ever shown.
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

  #remember(id: number, row: NamedRow | undefined, lastNamedAt: number): void {
    this.#forget(id)
    this.#rows.set(id, { row, lastNamedAt })
    if (row) this.#bytes += this.#kinds.rows.bytesOf(row)
  }

  #forget(id: number): void {
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
