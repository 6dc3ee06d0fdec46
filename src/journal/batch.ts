// A batch: facts on their way from the append that numbered them to the followers of all nodes.

import type { Fact } from './fact.ts'
import type { MessageRow } from './tables.ts'

/** Facts that follow one another, with the tag of the fact before them and the messages that they name. */
export type Batch = {
  readonly previousTag: number
  readonly facts: readonly Fact[]
  readonly messages: readonly MessageRow[]
}

/** Facts in one message of the bus: with the longest texts that travel some 256 KiB, of which Redis can hold many. */
const publishedMax = 200
/** A message with a longer text does not travel with its fact; who shows it reads it. */
const travellingTextMax = 4_096

/** A batch as it goes over the bus: in parts, without the longest texts. */
export function partsOf(batch: Batch): Batch[] {
  const parts: Batch[] = []
  let { previousTag } = batch
  for (let from = 0; from < batch.facts.length; from += publishedMax) {
    const facts = batch.facts.slice(from, from + publishedMax)
    const named = new Set(facts.map(({ subjectId }) => subjectId))
    const messages = batch.messages.filter(({ id, text }) => named.has(id) && text.length <= travellingTextMax)
    parts.push({ previousTag, facts, messages })
    previousTag = facts.at(-1)?.tag ?? 0
  }
  return parts
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
