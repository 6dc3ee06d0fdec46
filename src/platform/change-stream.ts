// The stream of `changes`: every fact of the installation in order, for the backend of a product. It goes through the journal as fast
// as its consumer takes events, from the recent log or from Postgres, and keeps nothing but its place.

import { type EventSource, eventNameOf } from '../graphql/event.ts'
import type { Position } from '../id.ts'
import { parseCursor } from '../journal/cursor.ts'
import type { Fact, Place } from '../journal/fact.ts'
import type { ResetReason, Start, StreamItem } from '../journal/item.ts'
import type { NamedRow } from '../journal/named-row.ts'
import { readFactsAfter } from '../journal/tables.ts'
import type { App } from '../parts.ts'
import { statement } from '../store/reader.ts'

declare module '../parts.ts' {
  interface App {
    readonly changes: Changes
  }
}

/** What opens streams of changes on a node. */
export type Changes = {
  /** Opens a stream. It ends when its consumer calls `return`. */
  open(app: App, start: Start, tenant: string | null): ChangeStream
}

/** How many facts are read at once. */
const pageMax = 200

const visibleFacts = statement<{ kind: number; subjectId: number }>(
  'changes_of_append',
  `select kind, subject_id as "subjectId" from fact where tag = $2 and position <= $1 and position > $1 - 10000 and user_id is not null`,
)
const ofTenant = statement<{ position: number }>(
  'changes_of_tenant',
  `select f.position from unnest($2::bigint[], $3::bigint[], $4::bigint[]) f(position, conversation_id, user_id)
    where exists (select 1 from conversation c where c.id = f.conversation_id and c.tenant = $1)
       or exists (select 1 from "user" u where u.id = f.user_id and u.tenant = $1)`,
)

/** Facts with the rows that they name, up to a place. */
type ChangePage = { readonly facts: readonly Fact[]; readonly rows: ReadonlyMap<number, NamedRow>; readonly end: Place }

/** Opens what wakes the streams of a node. */
export function openChanges({ journal }: Pick<App, 'journal'>): Changes {
  const waiting = new Set<() => void>()
  const wake = () => {
    for (const resume of waiting) resume()
  }
  journal.onFact(wake)
  journal.onRestart(wake)
  return { open: (app, start, tenant) => new ChangeStream(app, start, tenant, waiting) }
}

/** A stream of changes. */
export class ChangeStream implements AsyncIterableIterator<EventSource> {
  readonly #app: App
  readonly #tenant: string | null
  readonly #waiting: Set<() => void>
  readonly #items: AsyncGenerator<StreamItem, void>
  #hasEnded = false
  #resume: () => void = () => undefined
  /** The head when it last read. */
  #last: Place | null = null
  /** The facts of users of the append at its place that it has shown: others about the same subject are not shown. */
  #shown = { tag: 0, about: new Set<string>() }

  constructor(app: App, start: Start, tenant: string | null, waiting: Set<() => void>) {
    this.#app = app
    this.#tenant = tenant
    this.#waiting = waiting
    this.#items = this.#follow(start)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<EventSource>> {
    const { value: item, done } = await this.#items.next()
    if (done || !item) return { done: true, value: undefined }
    const occurredAt = new Date(item.type === 'fact' ? item.fact.occurredAt : Date.now())
    return { done: false, value: { item, cursor: this.#app.journal.cursor(item.place), occurredAt } }
  }

  async return(): Promise<IteratorResult<EventSource>> {
    this.#hasEnded = true
    this.#resume()
    await this.#items.return()
    return { done: true, value: undefined }
  }

  async *#follow(first: Start): AsyncGenerator<StreamItem, void> {
    for (let start: Start | null = first; start !== null; ) {
      yield { type: 'started', ...start }
      const reason: ResetReason | null = yield* this.#followFrom(start.place)
      start = reason === null ? null : { mode: 'RESET', reason, place: this.#app.journal.head() }
    }
  }

  /** Follows from a place. @returns why it cannot go on from where it is; null if its consumer has ended it */
  async *#followFrom(from: Place): AsyncGenerator<StreamItem, ResetReason | null> {
    let place = from
    let count = 0
    let isLive = false
    await this.#rememberShown(from)
    while (!this.#hasEnded) {
      const page = await this.#read(place)
      if (typeof page === 'string') return page
      for (const fact of page?.facts ?? []) {
        const row = page?.rows.get(fact.subjectId ?? -1)
        const item: StreamItem = { type: 'fact', fact, place: fact, row, version: null }
        if (eventNameOf(item) === null || !this.#isFirst(fact)) continue
        count += 1
        yield item
      }
      if (page) {
        place = page.end
        continue
      }
      if (!isLive) yield { type: 'caughtUp', count, place }
      else if (!(await this.#wait())) yield { type: 'tick', place }
      isLive = true
    }
    return null
  }

  /** Waits for a fact that may be new. @returns false if none came for as long as a stream may be silent */
  async #wait(): Promise<boolean> {
    const { journal, config } = this.#app
    // A fact may have come since the last read.
    if (this.#hasEnded || !isAt(journal.head(), this.#last)) return true
    let timer: NodeJS.Timeout | undefined
    const woken = await new Promise<boolean>((resolve) => {
      this.#resume = () => resolve(true)
      this.#waiting.add(this.#resume)
      timer = setTimeout(() => resolve(false), config.journal.tickIntervalMs)
    })
    clearTimeout(timer)
    this.#waiting.delete(this.#resume)
    return woken
  }

  /** Reads the next facts, without those of other tenants. @returns null at the head; a reason if it cannot go on from there */
  async #read(place: Place): Promise<ChangePage | ResetReason | null> {
    const { journal, store } = this.#app
    const head = journal.head()
    this.#last = head
    const recent = journal.factsAfter(place, pageMax)
    const last = recent.at(-1)
    if (last) {
      const facts = await this.#ofTenant(recent)
      const rows = facts.flatMap((fact) => (journal.kinds.namesRow(fact) ? (journal.row(fact.subjectId as Position) ?? []) : []))
      return { facts, rows: byId(rows), end: last }
    }
    if (isAt(head, place)) return null
    const reason = await journal.findResetReason(parseCursor(journal.cursor(place), 'after'))
    if (reason !== null) return reason
    // Those after the head of this node may not be on disk yet.
    const stored = (await readFactsAfter(store.reader, place.position, pageMax)).filter(
      ({ position }) => position <= head.position,
    )
    const end = stored.at(-1)
    if (!end) return null
    const facts = await this.#ofTenant(stored)
    const named = facts.filter((fact) => journal.kinds.namesRow(fact)).map(({ subjectId }) => subjectId as Position)
    return { facts, rows: byId(await journal.kinds.rows.read(store.reader, named)), end }
  }

  async #ofTenant(facts: readonly Fact[]): Promise<readonly Fact[]> {
    if (this.#tenant === null || facts.length === 0) return facts
    const columns = [
      facts.map(({ position }) => position),
      facts.map(({ conversationId }) => conversationId),
      facts.map(({ userId }) => userId),
    ]
    const found = await this.#app.store.reader.rows(ofTenant, [this.#tenant, ...columns])
    const positions = new Set(found.map(({ position }) => position))
    return facts.filter(({ position }) => positions.has(position))
  }

  /** An append tells each of many users the same, each with a fact: only the first one is shown. */
  #isFirst({ tag, kind, subjectId, userId }: Fact): boolean {
    if (userId === null) return true
    if (this.#shown.tag !== tag) this.#shown = { tag, about: new Set() }
    const about = `${kind}:${subjectId}`
    if (this.#shown.about.has(about)) return false
    this.#shown.about.add(about)
    return true
  }

  async #rememberShown({ position, tag }: Place): Promise<void> {
    const rows = await this.#app.store.reader.rows(visibleFacts, [position, tag])
    this.#shown = { tag, about: new Set(rows.map(({ kind, subjectId }) => `${kind}:${subjectId}`)) }
  }
}

const byId = (rows: readonly NamedRow[]) => new Map(rows.map((row) => [Number(row.id), row]))
const isAt = (head: Place, place: Place | null) => place !== null && head.position === place.position && head.tag === place.tag
