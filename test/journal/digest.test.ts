// Digests say what they were made of, in the bytes that they may take.

import { expect, test } from 'vitest'
import { createSeal } from '../../src/bus/seal.ts'
import type { Position, UserId } from '../../src/id.ts'
import { conversationIdOf, positionOf } from '../../src/id.ts'
import type { Batch } from '../../src/journal/batch.ts'
import { announcementForm, type Digest, decodeDigest, digestOf, encodeDigest, stubOf } from '../../src/journal/digest.ts'
import type { Fact } from '../../src/journal/fact.ts'
import { deriveKeys } from '../../src/keys.ts'
import { messageKinds } from '../../src/message/events.ts'
import { withSeed } from '../support/random.ts'

const largest = Number.MAX_SAFE_INTEGER
const tagMax = 2 ** 31 - 1

test('A2 a digest says position, tags, kinds and audiences, however large', () =>
  withSeed(async (random) => {
    const id = () => random.whole(1, random.one([10, 1e6, 2 ** 50]))
    for (let round = 0; round < 300; round += 1) {
      const count = random.whole(1, random.one([1, 5, 300]))
      const digest: Digest = {
        previousTag: random.one([0, random.whole(1, tagMax)]),
        tag: random.whole(1, tagMax),
        first: positionOf(random.one([1, random.whole(1, 2 ** 40), largest - count])),
        kinds: Array.from({ length: count }, () => random.whole(1, 32_767)),
        audiences: Array.from({ length: count }, () => random.one([1, -1]) * id()),
      }
      const text = encodeDigest(digest)
      expect(announcementForm.parse(text)).toEqual(digest)
      const cut = text.slice(0, random.whole(0, text.length - 1))
      const parsed = decodeDigest(cut)
      if (parsed !== null) expect(parsed.kinds.length).toBeLessThan(digest.kinds.length)
      for (let i = 0; i < count; i += 1) {
        const stub = stubOf(digest, i)
        expect([stub.position, stub.tag, stub.kind]).toEqual([digest.first + i, digest.tag, digest.kinds[i]])
        expect(stub.conversationId ?? -(stub.userId ?? 0)).toBe(digest.audiences[i])
      }
    }
    for (const garbage of ['', 'A', '____________________', '안녕', '{"previousTag":1}']) expect(decodeDigest(garbage)).toBeNull()
  }))

/** A batch of messages in as many conversations of a large installation. */
function batchOf(count: number): Batch {
  const first = 3_000_000_000
  const facts = Array.from({ length: count }, (_, i): Fact => {
    const position = (first + i) as Position
    const ids = {
      conversationId: conversationIdOf(150_000_000 + 7_919 * i),
      userId: null,
      actorId: 5 as UserId,
      subjectId: position,
    }
    const common = { position, tag: tagMax, occurredAt: 1_795_891_984_063, audienceChange: 0, payload: null }
    return { ...common, ...ids, kind: messageKinds.MessageSent.number }
  })
  return { previousTag: tagMax - 1, facts, rows: [] }
}

test.each([
  [1, 160],
  [20, 16],
  [200, 16],
])('B11 with its signature, a digest of %i facts takes at most %i bytes for each', (count, most) => {
  const digest = digestOf(batchOf(count))
  if (!digest) throw new Error('there is no digest')
  const seal = createSeal(deriveKeys('the secret of all nodes'))
  const payload = seal.close('topic', JSON.stringify(encodeDigest(digest)))
  expect(Buffer.byteLength(payload) / count).toBeLessThanOrEqual(most)
})

test('A2 facts that change an audience, and those of several appends, have no digest', () => {
  const { previousTag, facts } = batchOf(3)
  const [first, second, third] = facts as [Fact, Fact, Fact]
  expect(digestOf({ previousTag, facts: [first, { ...second, audienceChange: 1 }, third], rows: [] })).toBeNull()
  expect(digestOf({ previousTag, facts: [first, second, { ...third, tag: 5 }], rows: [] })).toBeNull()
  expect(digestOf({ previousTag, facts: [], rows: [] })).toBeNull()
})
