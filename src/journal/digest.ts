// A digest: what all nodes learn of an append of hot writes. It names each fact by its kind and its audience; the facts themselves lie
// in parcels on the shelf. As varints, and those as base64: 6 to 9 bytes for a fact. The bus signs it like any message.

import type { Form } from '../bus/bus.ts'
import { type ConversationId, conversationIdOf, type Position, positionOf, type UserId, userIdOf } from '../id.ts'
import { type Batch, parseBatch } from './batch.ts'
import type { Fact } from './fact.ts'

/** The facts of one append, consecutive, with the tag of the fact before them. */
export type Digest = {
  readonly previousTag: number
  readonly tag: number
  readonly first: Position
  readonly kinds: readonly number[]
  /** The audience of each fact: a conversation, or a user as a negative number. */
  readonly audiences: readonly number[]
}

/** What comes on the topic of digests: a digest, or the whole facts of a rare write, which every node needs. */
export type Announcement = Digest | Batch

/** The form of messages on the topic of digests. */
export const announcementForm: Form<Announcement> = {
  parse: (message) => (typeof message === 'string' ? decodeDigest(message) : parseBatch(message)),
  isSigned: true,
}

/** The most facts of a digest: as many as the inputs of an append can make. */
const factsMax = 10_000
/** Bits of a varint's group. */
const groupSize = 128

/** The audience of a fact as a number. */
export const audienceOf = ({ conversationId, userId }: Pick<Fact, 'conversationId' | 'userId'>): number =>
  conversationId ?? -(userId ?? 0)

/** A fact of which only what a digest says is known: position, tag, kind and audience. */
export type Stub = Fact & { readonly isStub: true }

/** Whether a fact is a stub. */
export const isStub = (fact: Fact): fact is Stub => 'isStub' in fact

/** The stub of a fact in a digest. */
export function stubOf({ first, tag, kinds, audiences }: Digest, i: number): Stub {
  const audience = audiences[i] ?? 0
  return {
    isStub: true,
    position: (first + i) as Position,
    tag,
    occurredAt: 0,
    kind: kinds[i] ?? 0,
    conversationId: audience > 0 ? (audience as ConversationId) : null,
    userId: audience < 0 ? (-audience as UserId) : null,
    actorId: null,
    subjectId: null,
    audienceChange: 0,
    payload: null,
  }
}

/** The digest of a batch; null for one of several appends, or with a fact that changes an audience. */
export function digestOf({ previousTag, facts }: Batch): Digest | null {
  const [first] = facts
  if (!first || facts.some((fact) => fact.tag !== first.tag || fact.audienceChange !== 0)) return null
  const { tag, position } = first
  return { previousTag, tag, first: position, kinds: facts.map(({ kind }) => kind), audiences: facts.map(audienceOf) }
}

/** Writes a digest as text. */
export function encodeDigest({ previousTag, tag, first, kinds, audiences }: Digest): string {
  const bytes: number[] = []
  const write = (value: number) => {
    let rest = value
    for (; rest >= groupSize; rest = Math.floor(rest / groupSize)) bytes.push((rest % groupSize) + groupSize)
    bytes.push(rest)
  }
  write(first)
  write(previousTag)
  write(tag)
  for (const [i, kind] of kinds.entries()) {
    const audience = audiences[i] ?? 0
    write(kind)
    // The last bit tells users from conversations.
    write(Math.abs(audience) * 2 + Number(audience < 0))
  }
  return Buffer.from(bytes).toString('base64url')
}

/** Reads a digest; null for any other text. */
export function decodeDigest(text: string): Digest | null {
  const bytes = Buffer.from(text, 'base64url')
  let at = 0
  const read = (): number => {
    let [value, weight] = [0, 1]
    for (; at < bytes.length; weight *= groupSize) {
      const byte = bytes[at] ?? 0
      at += 1
      value += (byte % groupSize) * weight
      if (byte < groupSize) return value
    }
    return Number.NaN // the text ends within a number
  }
  const [first, previousTag, tag] = [read(), read(), read()]
  const kinds: number[] = []
  const audiences: number[] = []
  while (at < bytes.length && kinds.length < factsMax) {
    const [kind, coded] = [read(), read()]
    kinds.push(kind)
    audiences.push(coded % 2 === 0 ? coded / 2 : -(coded - 1) / 2)
  }
  const numbers = [first, previousTag, tag, ...kinds, ...audiences]
  if (kinds.length === 0 || at < bytes.length || !numbers.every(Number.isSafeInteger)) return null
  return { first: positionOf(first), previousTag, tag, kinds, audiences }
}

/** Whether an announcement is a digest. */
export const isDigest = (announced: Announcement): announced is Digest => 'audiences' in announced

/** The name of an audience in the keys of parcels, and the number whose bucket they are in. */
export function nameOfAudience(audience: number): string {
  return audience < 0 ? `u${userIdOf(-audience)}` : `c${conversationIdOf(audience)}`
}
