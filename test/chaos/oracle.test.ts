// The oracle of the chaos run can fail: each kind of fault that it is there for is found, and named.

import { describe, expect, test } from 'vitest'
import { type AudibleFact, compare, visibleTo } from './oracle.ts'
import type { Seen } from './record.ts'

const at = (position: number, subject = `${position}`): Seen => ({ position, tag: 7, kind: 'MessageSent', subject })
const all = [1, 2, 3, 5, 8].map((position) => at(position))
const judged = (received: readonly Seen[]) => compare(all, received).map(({ verdict, seen }) => `${verdict} ${seen.position}`)
const positions = (seen: readonly Seen[] = []) => seen.map(({ position }) => position)
const fact = (position: number, more: Partial<AudibleFact>): AudibleFact => ({
  ...at(position),
  conversationId: 1,
  userId: null,
  subjectId: position,
  joins: null,
  leaves: null,
  ...more,
})

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
    expect(positions(heard.get(100))).toEqual([1, 2, 3, 4, 5, 6, 8])
    expect(positions(heard.get(101))).toEqual([3, 4, 5, 7, 8])
    expect(heard.get(102)).toBeUndefined()
  })
})

describe('D6 the oracle, where history is hidden from newcomers,', () => {
  const about = (position: number, kind: string, subjectId: number) => fact(position, { kind, subjectId })
  const join = (position: number, joins: number) => fact(position, { kind: 'MemberJoined', subjectId: joins, joins })
  const leave = (position: number, leaves: number) => fact(position, { kind: 'MemberLeft', subjectId: leaves, leaves })
  const hidden = new Map([[1, 'SINCE_JOINING' as const]])
  const kindsOfMessages = ['MessageEdited', 'MessageDeleted', 'ReactionsChanged', 'PinsChanged']
  /** 100 is there from the start and writes 2; 101 comes at 3; 4 is written; all that can happen to 2 and 4 happens. */
  const scene = [
    join(1, 100),
    about(2, 'MessageSent', 2),
    join(3, 101),
    about(4, 'MessageSent', 4),
    ...kindsOfMessages.map((kind, i) => about(5 + i, kind, 2)),
    ...kindsOfMessages.map((kind, i) => about(9 + i, kind, 4)),
    about(13, 'ReadMarkersMoved', 2),
    about(14, 'MemberUpdated', 2),
  ]
  const everything = scene.map(({ position }) => position)

  test('hides what is about messages from before, of every kind, and nothing else', () => {
    expect(positions(visibleTo(scene, hidden).get(101))).toEqual([3, 4, 9, 10, 11, 12, 13, 14])
    expect(positions(visibleTo(scene, hidden).get(100))).toEqual(everything)
    expect(positions(visibleTo(scene).get(101))).toEqual(everything.filter((position) => position >= 3))
  })

  test('finds a leak of what is hidden, and does not call lost what is rightly hidden', () => {
    const due = visibleTo(scene, hidden).get(101) ?? []
    expect(compare(due, due)).toEqual([])
    const leaky = scene.filter(({ position }) => position >= 3)
    const flaws = compare(due, leaky).map(({ verdict, seen }) => `${verdict} ${seen.kind}`)
    expect(flaws).toEqual(kindsOfMessages.map((kind) => `leaked ${kind}`))
    expect(compare(leaky, due).map(({ verdict }) => verdict)).toEqual(kindsOfMessages.map(() => 'lost'))
  })

  test('goes by the setting at the position of the join, for this stay alone', () => {
    const turning = [
      join(1, 100),
      about(2, 'MessageSent', 2),
      join(3, 101),
      about(4, 'ConversationUpdated', 1),
      join(5, 102),
      about(6, 'ReactionsChanged', 2),
      leave(7, 101),
      join(8, 101),
      about(9, 'PinsChanged', 2),
      about(10, 'ConversationUpdated', 1),
      leave(11, 101),
      join(12, 101),
      about(13, 'MessageEdited', 2),
    ]
    // 101 comes while all is seen, comes back while it is not, and once more when it is again.
    expect(positions(visibleTo(turning).get(101))).toEqual([3, 4, 5, 6, 7, 8, 10, 11, 12, 13])
    expect(positions(visibleTo(turning).get(102))).toEqual([5, 7, 8, 10, 11, 12])
    expect(positions(visibleTo(turning, hidden).get(101))).toEqual([3, 4, 5, 7, 8, 9, 10, 11, 12])
  })
})
