// The kinds of facts. Each feature defines its own in its events.ts; src/features.ts puts them together, and the journal is opened
// with all of them. Whatever the journal does differently for a kind is a property of that kind.

import type { Fact, FactHeader } from './fact.ts'
import type { NamedRow, NamedRows } from './named-row.ts'

/** A kind of facts. `Payload` is the type of their payload; null for none. */
export type FactKind<Payload = null> = {
  /** Also the name of its event in the schema, if it is heard. */
  readonly name: string
  /** The number that the journal stores. It never changes and is never reused. */
  readonly number: number
  /** Whether the subject of such a fact is a NamedRow. */
  readonly namesRow: boolean
  /** Whether such a fact may change the events of earlier facts. */
  readonly changesEarlierEvents: boolean
  /** Whether users hear of such facts. The others are for nodes: they have no recipients and no event. */
  readonly isHeard: boolean
  /** Never there: it only carries the type. */
  readonly payload?: Payload
}

/** A feature's definition of a kind. By default it names no row, may change earlier events, and is heard. */
type KindDefinition = {
  readonly number: number
  readonly namesRow?: true
  readonly changesEarlierEvents?: false
  readonly isHeard?: false
}

type PayloadIn<Of extends KindDefinition> = Of extends { readonly payload?: infer Payload } ? Payload : null

/** A definition of a kind whose facts have payloads of this type. */
export function withPayload<Payload>(definition: KindDefinition): KindDefinition & { readonly payload?: Payload } {
  return definition
}

/** Defines the kinds of facts of a feature, by name. */
export function defineKinds<const Definitions extends Readonly<Record<string, KindDefinition>>>(
  definitions: Definitions,
): { readonly [Name in keyof Definitions]: FactKind<PayloadIn<Definitions[Name]>> } {
  const kinds = Object.entries(definitions).map(([name, { number, ...given }]: [string, KindDefinition]) => {
    const kind = {
      name,
      number,
      namesRow: given.namesRow ?? false,
      changesEarlierEvents: given.changesEarlierEvents ?? true,
      isHeard: given.isHeard ?? true,
    }
    return [name, kind]
  })
  return Object.fromEntries(kinds)
}

/** The payload of a fact of this kind. */
export function payloadOf<Payload>(kind: FactKind<Payload>, fact: Fact): Payload {
  if (fact.kind !== kind.number) throw new Error(`the fact at ${fact.position} is not a ${kind.name}`)
  return fact.payload as Payload
}

/** The header of a fact whose subject is a NamedRow. */
export type RowFact = FactHeader & { readonly subjectId: NamedRow['id'] | null }

/** All kinds of facts that a node knows, by number. Newer versions may have written facts of other kinds. */
export class FactKinds {
  readonly #byNumber: (FactKind<unknown> | undefined)[] = []

  /** The rows that facts name. */
  readonly rows: NamedRows

  constructor(kinds: readonly FactKind<unknown>[], rows: NamedRows) {
    this.rows = rows
    for (const kind of kinds) {
      const other = this.#byNumber[kind.number]
      if (other) throw new Error(`${kind.name} and ${other.name} have the same number`)
      this.#byNumber[kind.number] = kind
    }
  }

  /** Whether the subject of a fact is a NamedRow. */
  namesRow(fact: FactHeader): fact is RowFact {
    return this.#byNumber[fact.kind]?.namesRow ?? false
  }

  /** Whether a fact may change the events of earlier facts. */
  changesEarlierEvents(fact: Pick<Fact, 'kind'>): boolean {
    return this.#byNumber[fact.kind]?.changesEarlierEvents ?? true
  }

  /** The numbers of the kinds that name rows. */
  get rowKinds(): readonly number[] {
    return this.#byNumber.flatMap((kind) => (kind?.namesRow ? [kind.number] : []))
  }
}
