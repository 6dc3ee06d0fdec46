// A batch: facts on their way from the append that numbered them to the followers of all nodes.

import type { Form } from '../bus/bus.ts'
import type { Fact } from './fact.ts'
import type { NamedRow, NamedRows } from './named-row.ts'

/** Facts that follow one another, with the tag of the fact before them and the rows that they name. */
export type Batch = {
  readonly previousTag: number
  readonly facts: readonly Fact[]
  readonly rows: readonly NamedRow[]
}

/** Facts in one message of the bus: with the longest texts that travel some 256 KiB, of which Redis can hold many. */
const publishedMax = 200

/** A batch as it goes over the bus: in parts, without the rows that do not travel. */
export function partsOf(batch: Batch, { travels }: NamedRows): Batch[] {
  const parts: Batch[] = []
  let { previousTag } = batch
  for (let from = 0; from < batch.facts.length; from += publishedMax) {
    const facts = batch.facts.slice(from, from + publishedMax)
    const named = new Set(facts.map(({ subjectId }) => subjectId))
    const rows = batch.rows.filter((row) => named.has(row.id) && travels(row))
    parts.push({ previousTag, facts, rows })
    previousTag = facts.at(-1)?.tag ?? 0
  }
  return parts
}

/** What the topic of facts carries. */
export const batchForm: Form<Batch> = { parse: parseBatch, isSigned: true }

/** The batch in a message of the bus; null where the message is of no such form. */
export function parseBatch(message: unknown): Batch | null {
  const { previousTag, facts, rows } = (message ?? {}) as Partial<Batch>
  const isWhole =
    Number.isInteger(previousTag) &&
    Array.isArray(facts) &&
    Array.isArray(rows) &&
    facts.every((fact, i) => Number.isSafeInteger(fact?.position) && fact.position === facts[0].position + i)
  return isWhole ? (message as Batch) : null
}
