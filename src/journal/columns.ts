// The numbers of the facts in the recent log, in columns of typed arrays. Every position has its header: 14 bytes in a ring by
// position. A fact that the node knows as a whole has more, in a second ring by its number; that of a position is found there by its
// distance from the end, or else by halving.

import type { ConversationId, Position, UserId } from '../id.ts'
import type { Fact, FactHeader } from './fact.ts'

/** Where a fact's payload begins among the texts, and the bytes of its payload and of the row that follows it. 0: there is none. */
export type FactText = { readonly offset: number; readonly payload: number; readonly row: number }

/** What the columns of a whole fact take, in bytes, with the parts of the rings that may be unused. */
export const columnBytes = 128

/** The columns. The caller knows which positions are valid. */
export type Columns = {
  /** How many facts are whole. */
  readonly wholes: number
  /** The position of the oldest whole fact; undefined if there is none. */
  readonly oldestWhole: Position | undefined
  /** Sets a whole fact, newer than all others. */
  set(fact: Fact, text: FactText): void
  /** Sets a fact of which only the header is known. */
  setStub(stub: Pick<Fact, 'position' | 'tag' | 'kind' | 'conversationId' | 'userId'>): void
  /** Keeps only the header of the oldest whole fact. */
  dropOldestWhole(): void
  isWhole(position: Position): boolean
  tagAt(position: Position): number
  headerAt(position: Position): FactHeader
  /** Only for whole facts, as the next one. */
  textAt(position: Position): FactText
  factAt(position: Position, payload: unknown): Fact
}

const capacityFor = (count: number) => 2 ** Math.ceil(Math.log2(count + 1))
/** Marks the kind of a whole fact. Kinds are smallints. */
const wholeBit = 0x8000

// IDs begin with 1, so 0 stands for null.
const orNull = (id: number | undefined) => (id ? id : null)

/** Creates columns for at least so many positions, and whole facts among them. Memory that was never written to is not resident. */
export function createColumns(positions: number, wholeFacts: number): Columns {
  const headers = createHeaders(capacityFor(positions))
  const numbers = () => new Float64Array(capacity)
  const capacity = capacityFor(wholeFacts)
  const mask = capacity - 1
  const [at, occurredAt, actorId, subjectId, offset] = [numbers(), numbers(), numbers(), numbers(), numbers()]
  const audienceChange = new Int8Array(capacity)
  const [payloadBytes, rowBytes] = [new Uint32Array(capacity), new Uint32Array(capacity)]
  /** The numbers of the oldest whole fact, and of the one after the newest. */
  let [first, end] = [0, 0]

  const positionOf = (number: number) => at[number & mask] ?? 0
  /** The slot of a whole fact. */
  function slotOf(position: Position): number {
    const guess = end - 1 - (positionOf(end - 1) - position)
    if (guess >= first && positionOf(guess) === position) return guess & mask
    let [low, high] = [first, end - 1]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (positionOf(middle) < position) low = middle + 1
      else high = middle
    }
    return low & mask
  }

  return {
    get wholes() {
      return end - first
    },
    get oldestWhole() {
      return end === first ? undefined : (positionOf(first) as Position)
    },
    set(fact, text) {
      headers.set(fact, wholeBit)
      const slot = end & mask
      end += 1
      at[slot] = fact.position
      occurredAt[slot] = fact.occurredAt
      actorId[slot] = fact.actorId ?? 0
      subjectId[slot] = fact.subjectId ?? 0
      audienceChange[slot] = fact.audienceChange
      offset[slot] = text.offset
      payloadBytes[slot] = text.payload
      rowBytes[slot] = text.row
    },
    setStub: (stub) => headers.set(stub, 0),
    dropOldestWhole() {
      headers.forgetWhole(positionOf(first) as Position)
      first += 1
      if (first === end) [first, end] = [0, 0]
    },
    isWhole: headers.isWhole,
    tagAt: headers.tagAt,
    headerAt(position) {
      const subject = headers.isWhole(position) ? orNull(subjectId[slotOf(position)]) : null
      return { position, ...headers.at(position), subjectId: subject }
    },
    textAt(position) {
      const slot = slotOf(position)
      return { offset: offset[slot] ?? 0, payload: payloadBytes[slot] ?? 0, row: rowBytes[slot] ?? 0 }
    },
    factAt(position, payload) {
      const slot = slotOf(position)
      return {
        position,
        tag: headers.tagAt(position),
        occurredAt: occurredAt[slot] ?? 0,
        ...headers.at(position),
        actorId: orNull(actorId[slot]) as UserId | null,
        subjectId: orNull(subjectId[slot]),
        audienceChange: audienceChange[slot] ?? 0,
        payload,
      }
    },
  }
}

/** The headers of positions: kind, audience and tag. */
function createHeaders(capacity: number) {
  const mask = capacity - 1
  /** A conversation, or a user as a negative number. */
  const audience = new Float64Array(capacity)
  const tag = new Int32Array(capacity)
  const kind = new Uint16Array(capacity)
  return {
    set(fact: Pick<Fact, 'position' | 'tag' | 'kind' | 'conversationId' | 'userId'>, whole: number): void {
      const slot = fact.position & mask
      audience[slot] = fact.conversationId ?? -(fact.userId ?? 0)
      tag[slot] = fact.tag
      kind[slot] = fact.kind | whole
    },
    forgetWhole(position: Position): void {
      kind[position & mask] = (kind[position & mask] ?? 0) & ~wholeBit
    },
    isWhole: (position: Position) => ((kind[position & mask] ?? 0) & wholeBit) !== 0,
    tagAt: (position: Position) => tag[position & mask] ?? 0,
    at(position: Position) {
      const slot = position & mask
      const id = audience[slot] ?? 0
      return {
        kind: (kind[slot] ?? 0) & ~wholeBit,
        conversationId: (id > 0 ? id : null) as ConversationId | null,
        userId: (id < 0 ? -id : null) as UserId | null,
      }
    },
  }
}
