// A batch: facts on their way from the append that numbered them to the followers of all nodes.

import type { Form } from '../bus/bus.ts'
import type { Fact } from './fact.ts'
import type { NamedRow, NamedRows } from './named-row.ts'

/** Consecutive facts, with the tag of the fact before them and the rows that they name. */
export type Batch = {
  readonly previousTag: number
  readonly facts: readonly Fact[]
  readonly rows: readonly NamedRow[]
}

/** The most facts in one bus message: about 256 KiB with the longest texts that travel. Redis can hold many such messages. */
const publishedMax = 200

/** Splits a batch into the parts that go over the bus, without the rows that do not travel. */
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

/** The form of messages on the topic of facts. */
export const batchForm: Form<Batch> = { parse: parseBatch, isSigned: true }

/** The batch in a bus message; null if the message does not have this form. */
export function parseBatch(message: unknown): Batch | null {
  const { previousTag, facts, rows } = (message ?? {}) as Partial<Batch>
  const isWhole =
    Number.isInteger(previousTag) &&
    Array.isArray(facts) &&
    Array.isArray(rows) &&
    facts.every((fact, i) => Number.isSafeInteger(fact?.position) && fact.position === facts[0].position + i)
  return isWhole ? (message as Batch) : null
}
