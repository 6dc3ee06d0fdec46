// The oracle of the chaos run can fail: each kind of fault that it is there for is found, and named.

import { describe, expect, test } from 'vitest'
import { type AudibleFact, compare, visibleTo } from './oracle.ts'
import type { Seen } from './record.ts'

const at = (position: number, subject = `${position}`): Seen => ({ position, tag: 7, kind: 'MessageSent', subject })
const all = [1, 2, 3, 5, 8].map((position) => at(position))
const judged = (received: readonly Seen[]) => compare(all, received).map(({ verdict, seen }) => `${verdict} ${seen.position}`)

describe('the oracle', () => {
  test('has nothing against a list that is right', () => {
    expect(judged(all)).toEqual([])
  })

  test('D3 finds a hole, at the end of the list too', () => {
    expect(judged([1, 2, 5, 8].map((p) => at(p)))).toEqual(['lost 3'])
    expect(judged([1, 2, 3, 5].map((p) => at(p)))).toEqual(['lost 8'])
    expect(judged([])).toEqual(['lost 1', 'lost 2', 'lost 3', 'lost 5', 'lost 8'])
  })

  test('D3 finds a double, beside its twin and much later', () => {
    expect(judged([1, 2, 2, 3, 5, 8].map((p) => at(p)))).toEqual(['doubled 2'])
    expect(judged([1, 2, 3, 5, 8, 2].map((p) => at(p)))).toEqual(['doubled 2'])
  })

  test('D3 finds a swap', () => {
    expect(judged([1, 3, 2, 5, 8].map((p) => at(p)))).toEqual(['out of order 2'])
  })

  test('D6 finds what was not for this device', () => {
    expect(judged([1, 2, 3, 4, 5, 8, 9].map((p) => at(p)))).toEqual(['leaked 4', 'leaked 9'])
  })

  test('A2 finds another fact, and another subject, at a place', () => {
    expect(judged([at(1), { ...at(2), tag: 8 }, at(3, 'another message'), at(5), at(8)])).toEqual(['altered 2', 'altered 3'])
  })

  test('D6 says from joins and leaves who may see what, with both ends', () => {
    const fact = (position: number, more: Partial<AudibleFact>): AudibleFact => ({
      ...at(position),
      conversationId: 1,
      userId: null,
      joins: null,
      leaves: null,
      ...more,
    })
    const heard = visibleTo([
      fact(1, { joins: 100 }),
      fact(2, {}),
      fact(3, { joins: 101 }),
      fact(4, {}),
      fact(5, { leaves: 101 }),
      fact(6, {}),
      fact(7, { conversationId: null, userId: 101 }),
      fact(8, { joins: 101 }),
    ])
    expect(heard.get(100)?.map(({ position }) => position)).toEqual([1, 2, 3, 4, 5, 6, 8])
    expect(heard.get(101)?.map(({ position }) => position)).toEqual([3, 4, 5, 7, 8])
    expect(heard.get(102)).toBeUndefined()
  })
})
