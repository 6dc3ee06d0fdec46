// What a node remembers: the last facts, without a hole, and the rows that they name, each as new as the newest fact that
// named it. Bounded by count and by bytes. Streams read from it by position; nobody holds a queue.

import { type Fact, namesMessage, type Place } from './fact.ts'
import type { MessageRow } from './tables.ts'

const factBytes = 160
const rowBytes = (row: MessageRow) => 240 + row.text.length * 2

/** The bounds of the window. Bytes are an estimate of the heap that facts and rows take. */
export type WindowLimits = { readonly factsMax: number; readonly bytesMax: number }

/** The node's memory of the journal's end. */
export class Window {
  readonly #limits: WindowLimits
  /** Facts from #first on; a prefix of it may be forgotten already, and is cut off now and then. */
  #facts: Fact[] = []
  #forgotten = 0
  /** The place before the first fact that is remembered. */
  #base: Place
  #bytes = 0
  /** Of each message that a remembered fact names: its row, where that came along with the newest of them. */
  readonly #rows = new Map<number, { row: MessageRow | undefined; lastNamedAt: number }>()

  constructor(base: Place, limits: WindowLimits) {
    this.#base = base
    this.#limits = limits
  }

  /** The last place that is remembered: every fact up to it was seen by this node or lies before the window. */
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

  /** Whether this very place lies in the remembered history; undefined where the window can't tell. */
  holds({ position, tag }: Place): boolean | undefined {
    if (position === this.#base.position) return this.#base.tag === tag
    const fact = this.at(position)
    return fact === undefined ? undefined : fact.tag === tag
  }

  /** The message with this id, as it is at the head, where a remembered fact names it. */
  message(id: number): MessageRow | undefined {
    return this.#rows.get(id)?.row
  }

  /** Whether a fact after this position has named a message; also where that is no longer known. */
  wasNamedAfter(id: number, position: number): boolean {
    return position < this.#base.position || (this.#rows.get(id)?.lastNamedAt ?? 0) > position
  }

  /** What a fact takes of the memory, with the message that it names. */
  bytesOf(fact: Fact): number {
    const known = namesMessage(fact) && fact.subjectId !== null ? this.#rows.get(fact.subjectId) : undefined
    return factBytes + (known?.row ? rowBytes(known.row) : 0)
  }

  /**
   * Takes the next facts, whose positions go on from the head without a gap, and the messages that they name. A named
   * message that does not come along is forgotten here, so that nothing older than the head is ever shown.
   */
  append(facts: readonly Fact[], messages: readonly MessageRow[]): void {
    const rows = new Map(messages.map((row) => [row.id, row]))
    for (const fact of facts) {
      this.#facts.push(fact)
      this.#bytes += factBytes
      if (namesMessage(fact) && fact.subjectId !== null) this.#remember(fact.subjectId, rows.get(fact.subjectId), fact.position)
    }
    while (this.size > this.#limits.factsMax || (this.#bytes > this.#limits.bytesMax && this.size > 0)) this.#forgetOldest()
    if (this.#forgotten > 1024 && this.#forgotten * 2 > this.#facts.length) {
      this.#facts = this.#facts.slice(this.#forgotten)
      this.#forgotten = 0
    }
  }

  #remember(id: number, row: MessageRow | undefined, lastNamedAt: number): void {
    this.#forget(id)
    this.#rows.set(id, { row, lastNamedAt })
    if (row) this.#bytes += rowBytes(row)
  }

  #forget(id: number): void {
    const known = this.#rows.get(id)
    if (!known) return
    this.#rows.delete(id)
    if (known.row) this.#bytes -= rowBytes(known.row)
  }

  #forgetOldest(): void {
    const fact = this.#facts[this.#forgotten]
    if (!fact) return
    this.#forgotten += 1
    this.#base = fact
    this.#bytes -= factBytes
    if (namesMessage(fact) && fact.subjectId !== null && this.#rows.get(fact.subjectId)?.lastNamedAt === fact.position) {
      this.#forget(fact.subjectId)
    }
  }
}
