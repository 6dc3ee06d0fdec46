// The numbers of the facts in the recent log, in columns of typed arrays, as a ring by position.

import type { ConversationId, Position, UserId } from '../id.ts'
import type { Fact, FactHeader } from './fact.ts'

/** Where a fact's payload begins among the texts, and the bytes of its payload and of the row that follows it. 0: there is none. */
export type FactText = { readonly offset: number; readonly payload: number; readonly row: number }

/** What the columns of a fact take, in bytes, with the part of the ring that may be unused. */
export const columnBytes = 128

/** The columns. The ring holds at least `count` facts; the caller knows which are valid. */
export type Columns = {
  set(fact: Fact, text: FactText): void
  tagAt(position: Position): number
  headerAt(position: Position): FactHeader
  textAt(position: Position): FactText
  factAt(position: Position, payload: unknown): Fact
}

/** Creates columns for at least so many facts. Memory that was never written to is not resident. */
export function createColumns(count: number): Columns {
  const capacity = 2 ** Math.ceil(Math.log2(count + 1))
  const mask = capacity - 1
  const numbers = () => new Float64Array(capacity)
  const [tag, occurredAt, conversationId, userId, actorId, subjectId] = [
    numbers(),
    numbers(),
    numbers(),
    numbers(),
    numbers(),
    numbers(),
  ]
  const [kind, audienceChange] = [new Uint16Array(capacity), new Int8Array(capacity)]
  const [offset, payloadBytes, rowBytes] = [numbers(), new Uint32Array(capacity), new Uint32Array(capacity)]
  // IDs begin with 1, so 0 stands for null.
  const orNull = (id: number | undefined) => (id ? id : null)
  return {
    set(fact, text) {
      const slot = fact.position & mask
      tag[slot] = fact.tag
      occurredAt[slot] = fact.occurredAt
      kind[slot] = fact.kind
      conversationId[slot] = fact.conversationId ?? 0
      userId[slot] = fact.userId ?? 0
      actorId[slot] = fact.actorId ?? 0
      subjectId[slot] = fact.subjectId ?? 0
      audienceChange[slot] = fact.audienceChange
      offset[slot] = text.offset
      payloadBytes[slot] = text.payload
      rowBytes[slot] = text.row
    },
    tagAt: (position) => tag[position & mask] ?? 0,
    headerAt(position) {
      const slot = position & mask
      return {
        position,
        kind: kind[slot] ?? 0,
        conversationId: orNull(conversationId[slot]) as ConversationId | null,
        userId: orNull(userId[slot]) as UserId | null,
        subjectId: orNull(subjectId[slot]),
      }
    },
    textAt(position) {
      const slot = position & mask
      return { offset: offset[slot] ?? 0, payload: payloadBytes[slot] ?? 0, row: rowBytes[slot] ?? 0 }
    },
    factAt(position, payload) {
      const slot = position & mask
      return {
        position,
        tag: tag[slot] ?? 0,
        occurredAt: occurredAt[slot] ?? 0,
        kind: kind[slot] ?? 0,
        conversationId: orNull(conversationId[slot]) as ConversationId | null,
        userId: orNull(userId[slot]) as UserId | null,
        actorId: orNull(actorId[slot]) as UserId | null,
        subjectId: orNull(subjectId[slot]),
        audienceChange: audienceChange[slot] ?? 0,
        payload,
      }
    },
  }
}
