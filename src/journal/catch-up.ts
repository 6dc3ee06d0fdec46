// Brings a stream from its place to the head: finds the facts that its user may see, in the recent log if that reaches back far
// enough, otherwise in Postgres, reading ahead page by page. It decides what comes next; the stream decides when (D3, D7).

import type { Position } from '../id.ts'
import { Backlog, type BacklogLimits } from './backlog.ts'
import type { Fact, FactHeader, Place } from './fact.ts'
import type { FactItem } from './item.ts'
import type { FactKinds } from './kind.ts'
import type { NamedRow } from './named-row.ts'
import type { RecentLog } from './recent-log.ts'
import type { ReplayPage, ReplayScope } from './replay.ts'

/** Where facts come from. */
export type FactSource = {
  readonly kinds: FactKinds
  recentLog(): RecentLog
  /** Reads a window of the replay. Waits for a turn first. */
  replay(scope: ReplayScope, from: Position, to: Position): Promise<ReplayPage>
  /** Fetches what stubs of the recent log stand for, as far as it is on the shelf, and puts it there. */
  fill(positions: readonly Position[]): Promise<void>
  /** Reads the rows that facts name. */
  rows(ids: readonly Position[]): Promise<readonly NamedRow[]>
}

/** What comes next. */
export type CatchUpResult =
  | FactItem
  /** No more facts for this stream up to this place. */
  | { readonly type: 'passed'; readonly place: Place }
  /** Many facts were checked and none was for this stream: let other work have a turn before going on. */
  | { readonly type: 'paused' }
  /** A read from Postgres or the shelf is under way. TRIMMED: the next facts are gone. */
  | { readonly type: 'reading'; readonly done: Promise<'READ' | 'TRIMMED'> }
  | { readonly type: 'atHead' }

const paused: CatchUpResult = { type: 'paused' }
const atHead: CatchUpResult = { type: 'atHead' }

const span = { first: 2_000, longest: 20_000, sparse: 250 } as const
/** How many facts of a page have their rows read at once. */
const pageSlice = 100
/** How many facts are checked before other work gets a turn. */
const sliceFacts = 20_000
/** How many stubs are filled at once, and how far ahead they are looked for. */
const fillAtOnce = { stubs: 100, span: 2_000 } as const
/** The next fact for this stream is a stub. */
const stub = Symbol('stub')

/** A page read from Postgres. `taken` facts have been delivered; the rows of the first `ready` facts have been read. */
type PageAhead = {
  readonly facts: readonly Fact[]
  readonly end: Place
  taken: number
  ready: number
  rows: ReadonlyMap<Position, NamedRow>
  /** The position of this node's head before the rows were read. */
  readAt: Position
}

/** The catch-up of one stream. */
export class CatchUp {
  readonly #source: FactSource
  readonly #scope: ReplayScope
  readonly #canSee: (fact: FactHeader) => boolean
  /** Everything up to here has been checked, or belongs to the page. */
  #position: Position
  #page: PageAhead | null = null
  #span: number = span.first
  #backlog: Backlog | null = null
  /** Stubs up to here were looked for on the shelf. */
  #filledUpTo = 0

  /** @param canSee whether the stream shows a fact; of a stub, whether it may */
  constructor(source: FactSource, scope: ReplayScope, canSee: (fact: FactHeader) => boolean, position: Position) {
    this.#source = source
    this.#scope = scope
    this.#canSee = canSee
    this.#position = position
  }

  /** Continues from another position. */
  moveTo(position: Position): void {
    this.#position = position
  }

  /** Takes what comes next. After `reading`, call it again only when Postgres has answered. */
  next(): CatchUpResult {
    if (this.#page) return this.#nextOfPage(this.#page)
    const recentLog = this.#source.recentLog()
    if (this.#position < recentLog.basePosition) return { type: 'reading', done: this.#readPage(recentLog) }
    const found = this.#look(recentLog)
    if (found === stub) return { type: 'reading', done: this.#readStubs(recentLog) }
    if (found) return itemFrom(recentLog, found)
    return this.#position < recentLog.head.position ? paused : atHead
  }

  /** Discards the page. It is read again when it is needed. */
  forgetPage(): void {
    if (!this.#page) return
    this.#position = this.#page.facts[this.#page.taken - 1]?.position ?? this.#position
    this.#page = null
  }

  /** Whether the backlog between the stream and the head is known to exceed the limits. */
  isTooFarBehind(limits: BacklogLimits): boolean {
    if (this.#backlog?.from !== this.#position) this.#backlog = new Backlog(this.#position)
    return this.#backlog.isTooLarge(this.#source.recentLog(), this.#canSee, limits)
  }

  /** Finds the next fact for this stream in one slice of the recent log. Moves to that fact, or to the end of the slice. */
  #look(recentLog: RecentLog): Fact | typeof stub | undefined {
    const end = Math.min(recentLog.head.position, this.#position + sliceFacts)
    while (this.#position < end) {
      this.#position = (this.#position + 1) as Position
      const header = recentLog.headerAt(this.#position)
      if (!header || !this.#canSee(header)) continue
      if (!recentLog.isStub(this.#position)) return recentLog.at(this.#position)
      this.#position = (this.#position - 1) as Position
      return stub
    }
    return undefined
  }

  /** Fills the next stubs. What is not on the shelf any more comes as a page. */
  async #readStubs(recentLog: RecentLog): Promise<'READ' | 'TRIMMED'> {
    if (this.#position < this.#filledUpTo) return this.#readPage(recentLog)
    const positions: Position[] = []
    const end = Math.min(recentLog.head.position, this.#position + fillAtOnce.span)
    for (let at = this.#position + 1; at <= end && positions.length < fillAtOnce.stubs; at += 1) {
      const header = recentLog.headerAt(at as Position)
      if (header && recentLog.isStub(header.position) && this.#canSee(header)) positions.push(header.position)
    }
    this.#filledUpTo = positions.at(-1) ?? this.#position + 1
    await this.#source.fill(positions)
    return 'READ'
  }

  #nextOfPage(page: PageAhead): CatchUpResult {
    const fact = page.facts[page.taken]
    if (!fact) {
      this.#position = page.end.position
      this.#page = null
      return { type: 'passed', place: page.end }
    }
    if (page.taken >= page.ready) return { type: 'reading', done: this.#readRows(page) }
    page.taken += 1
    // If the row has changed since it was read, it is in the recent log, or is read again when the event is executed.
    const id = fact.subjectId as Position | null
    const recentLog = this.#source.recentLog()
    if (id === null || recentLog.wasNamedAfter(id, fact.conversationId, page.readAt)) return itemFrom(recentLog, fact)
    return { type: 'fact', fact, place: fact, row: page.rows.get(id), version: null }
  }

  /** Reads the next window, never beyond this node's head: the hub brings the facts after it. */
  async #readPage(recentLog: RecentLog): Promise<'READ' | 'TRIMMED'> {
    const from = this.#position
    const { facts, end, floor } = await this.#source.replay(
      this.#scope,
      from,
      Math.min(from + this.#span, recentLog.head.position) as Position,
    )
    if (floor > from) return 'TRIMMED'
    this.#page = { facts, end, taken: 0, ready: 0, rows: new Map(), readAt: recentLog.head.position }
    if (facts.length < span.sparse) this.#span = Math.min(this.#span * 2, span.longest)
    return 'READ'
  }

  async #readRows(page: PageAhead): Promise<'READ'> {
    const slice = page.facts.slice(page.taken, page.taken + pageSlice)
    page.readAt = this.#source.recentLog().head.position
    const named = slice.filter((fact) => this.#source.kinds.namesRow(fact))
    const rows = await this.#source.rows(named.map(({ subjectId }) => Number(subjectId) as Position))
    page.rows = new Map(rows.map((row) => [row.id, row]))
    page.ready = page.taken + slice.length
    return 'READ'
  }
}

/** A fact with the row that it names, taken from the recent log. */
export function itemFrom(recentLog: RecentLog, fact: Fact): FactItem {
  return { type: 'fact', fact, place: fact, row: recentLog.rowOf(fact), version: recentLog.versionOf(fact) }
}
