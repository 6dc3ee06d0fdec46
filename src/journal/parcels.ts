// Parcels: the facts of one append for one audience, with the rows that they name, on the shelf for the nodes that hear the audience.

import type { Shelf } from '../bus/shelf.ts'
import type { Slots } from '../bus/slots.ts'
import type { Batch } from './batch.ts'
import { audienceOf, nameOfAudience } from './digest.ts'
import type { Fact, Place } from './fact.ts'
import type { NamedRow, NamedRows } from './named-row.ts'

/** What lies in parcels. */
export type Parcel = { readonly facts: readonly Fact[]; readonly rows: readonly NamedRow[] }

/** Which parcel: the place of the first fact of its append, and its audience: see Digest. */
export type ParcelName = { readonly append: Place; readonly audience: number }

/** The parcels of a journal. */
export class Parcels {
  readonly #shelf: Shelf
  readonly #slots: Slots
  readonly #scope: () => string
  /** Parcels that are being fetched, so that streams that need the same one ask once. */
  readonly #fetching = new Map<string, Promise<Parcel | null>>()

  /** @param scope the beginning of the names of this journal */
  constructor(shelf: Shelf, slots: Slots, scope: () => string) {
    this.#shelf = shelf
    this.#slots = slots
    this.#scope = scope
  }

  /** Lays down the parcels of an append, without the rows that do not travel. */
  put({ facts, rows }: Batch, { travels }: NamedRows): void {
    const [first] = facts
    if (!first) return
    const rowById = new Map(rows.filter(travels).map((row) => [Number(row.id), row]))
    const byAudience = new Map<number, Fact[]>()
    for (const fact of facts) {
      const audience = audienceOf(fact)
      const some = byAudience.get(audience)
      if (some) some.push(fact)
      else byAudience.set(audience, [fact])
    }
    const items = [...byAudience].map(([audience, some]) => {
      const named = new Set(some.map(({ subjectId }) => subjectId ?? 0))
      const parcel: Parcel = { facts: some, rows: [...named].flatMap((id) => rowById.get(id) ?? []) }
      return { key: this.#keyOf({ append: first, audience }), text: JSON.stringify(parcel) }
    })
    this.#shelf.put(items)
  }

  /** Fetches parcels; null for each that is not there. Rejects if Redis does not answer within a second. */
  async fetch(names: readonly ParcelName[]): Promise<readonly (Parcel | null)[]> {
    const keys = names.map((name) => this.#keyOf(name))
    const missing = [...new Set(keys)].filter((key) => !this.#fetching.has(key))
    if (missing.length > 0) {
      const taken = this.#shelf.take(missing)
      for (const [i, key] of missing.entries()) {
        const parcel = taken.then((texts) => parseParcel(texts[i] ?? null)).finally(() => this.#fetching.delete(key))
        parcel.catch(() => undefined) // those that wait for it get the error
        this.#fetching.set(key, parcel)
      }
    }
    return Promise.all(keys.map((key) => this.#fetching.get(key) ?? null))
  }

  #keyOf({ append, audience }: ParcelName): string {
    const slot = this.#slots.of(Math.abs(audience))
    return `${this.#scope()}:parcel:${slot}${nameOfAudience(audience)}:${append.position}:${append.tag}`
  }
}

/** The parcel in a text that a node of this installation signed. */
function parseParcel(text: string | null): Parcel | null {
  return text === null ? null : (JSON.parse(text) as Parcel)
}
