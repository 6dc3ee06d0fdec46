// A batch: facts on their way from the append that numbered them to the followers of all nodes.

import type { Fact } from './fact.ts'
import type { MessageRow } from './tables.ts'

/** Facts that follow one another, with the tag of the fact before them and the messages that they name. */
export type Batch = {
  readonly previousTag: number
  readonly facts: readonly Fact[]
  readonly messages: readonly MessageRow[]
}

/** The batch in a message of the bus; an empty one where the message is of no such form. */
export function parseBatch(message: unknown): Batch {
  const { previousTag, facts, messages } = (message ?? {}) as Partial<Batch>
  const isWhole =
    Number.isInteger(previousTag) &&
    Array.isArray(facts) &&
    Array.isArray(messages) &&
    facts.every((fact, i) => Number.isSafeInteger(fact?.position) && fact.position === facts[0].position + i)
  return isWhole ? (message as Batch) : { previousTag: 0, facts: [], messages: [] }
}
