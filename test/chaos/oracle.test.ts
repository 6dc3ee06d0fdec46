// The oracle of the chaos run must be able to fail: it finds and names each kind of anomaly.

import { describe, expect, test } from 'vitest'
import { compare, type FactWithAudience, Versions, visibleTo } from './oracle.ts'
import type { EventRecord } from './record.ts'

const at = (position: number, subject = `${position}`): EventRecord => ({ position, tag: 7, kind: 'MessageSent', subject })
const all = [1, 2, 3, 5, 8].map((position) => at(position))
const anomaliesOf = (received: readonly EventRecord[]) =>
  compare(all, received).map(({ kind, event }) => `${kind} ${event.position}`)
const positions = (events: readonly EventRecord[] = []) => events.map(({ position }) => position)
const fact = (position: number, more: Partial<FactWithAudience>): FactWithAudience => ({
  ...at(position),
  conversationId: 1,
  userId: null,
  subjectId: position,
  joins: null,
  leaves: null,
  ...more,
})

describe('the oracle', () => {
  test('accepts a correct list', () => {
    expect(anomaliesOf(all)).toEqual([])
  })

  test('D3 finds a gap, also at the end of the list', () => {
    expect(anomaliesOf([1, 2, 5, 8].map((p) => at(p)))).toEqual(['lost 3'])
    expect(anomaliesOf([1, 2, 3, 5].map((p) => at(p)))).toEqual(['lost 8'])
    expect(anomaliesOf([])).toEqual(['lost 1', 'lost 2', 'lost 3', 'lost 5', 'lost 8'])
  })

  test('D3 finds a duplicate, right after the first and much later', () => {
    expect(anomaliesOf([1, 2, 2, 3, 5, 8].map((p) => at(p)))).toEqual(['doubled 2'])
    expect(anomaliesOf([1, 2, 3, 5, 8, 2].map((p) => at(p)))).toEqual(['doubled 2'])
  })

  test('D3 finds a swap', () => {
    expect(anomaliesOf([1, 3, 2, 5, 8].map((p) => at(p)))).toEqual(['out of order 2'])
  })

  test('D6 finds a fact that the device may not see', () => {
    expect(anomaliesOf([1, 2, 3, 4, 5, 8, 9].map((p) => at(p)))).toEqual(['leaked 4', 'leaked 9'])
  })

  test('A2 finds a different fact or a different subject at a position', () => {
    expect(anomaliesOf([at(1), { ...at(2), tag: 8 }, at(3, 'another message'), at(5), at(8)])).toEqual(['altered 2', 'altered 3'])
  })

  test('D6 derives from joins and leaves who may see what, both ends included', () => {
    const visible = visibleTo([
      fact(1, { joins: 100 }),
      fact(2, {}),
      fact(3, { joins: 101 }),
      fact(4, {}),
      fact(5, { leaves: 101 }),
      fact(6, {}),
      fact(7, { conversationId: null, userId: 101 }),
      fact(8, { joins: 101 }),
    ])
    expect(positions(visible.get(100))).toEqual([1, 2, 3, 4, 5, 6, 8])
    expect(positions(visible.get(101))).toEqual([3, 4, 5, 7, 8])
    expect(visible.get(102)).toBeUndefined()
  })
})

describe('D6 the oracle, if history is hidden from new members,', () => {
  const about = (position: number, kind: string, subjectId: number) => fact(position, { kind, subjectId })
  const join = (position: number, joins: number) => fact(position, { kind: 'MemberJoined', subjectId: joins, joins })
  const leave = (position: number, leaves: number) => fact(position, { kind: 'MemberLeft', subjectId: leaves, leaves })
  const hidden = new Map([[1, 'SINCE_JOINING' as const]])
  const kindsOfMessages = ['MessageEdited', 'MessageDeleted', 'ReactionsChanged', 'PinsChanged']
  /** User 100 sends message 2; 101 joins at 3; message 4 is sent; then everything that can happen to messages 2 and 4 happens. */
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

  test('hides facts of every kind about earlier messages, and nothing else', () => {
    expect(positions(visibleTo(scene, hidden).get(101))).toEqual([3, 4, 9, 10, 11, 12, 13, 14])
    expect(positions(visibleTo(scene, hidden).get(100))).toEqual(everything)
    expect(positions(visibleTo(scene).get(101))).toEqual(everything.filter((position) => position >= 3))
  })

  test('finds a leak of a hidden fact, and does not call a hidden fact lost', () => {
    const due = visibleTo(scene, hidden).get(101) ?? []
    expect(compare(due, due)).toEqual([])
    const leaky = scene.filter(({ position }) => position >= 3)
    const found = compare(due, leaky).map(({ kind, event }) => `${kind} ${event.kind}`)
    expect(found).toEqual(kindsOfMessages.map((kind) => `leaked ${kind}`))
    expect(compare(leaky, due).map(({ kind }) => kind)).toEqual(kindsOfMessages.map(() => 'lost'))
  })

  test('applies the setting at the position of the join, and only until the next leave', () => {
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
    // 101 joins while history is visible, joins again while it is hidden, and once more after it is visible again.
    expect(positions(visibleTo(turning).get(101))).toEqual([3, 4, 5, 6, 7, 8, 10, 11, 12, 13])
    expect(positions(visibleTo(turning).get(102))).toEqual([5, 7, 8, 10, 11, 12])
    expect(positions(visibleTo(turning, hidden).get(101))).toEqual([3, 4, 5, 7, 8, 9, 10, 11, 12])
  })
})

test('D6 A5 the oracle finds a version made after the user left', () => {
  const about = (position: number, kind: string, subjectId: number) => fact(position, { kind, subjectId })
  const join = (position: number, joins: number) => fact(position, { kind: 'MemberJoined', subjectId: joins, joins })
  const leave = (position: number, leaves: number) => fact(position, { kind: 'MemberLeft', subjectId: leaves, leaves })
  const scene = [
    join(1, 100),
    join(2, 101),
    about(3, 'MessageSent', 3),
    about(4, 'MessageEdited', 3),
    leave(5, 101),
    about(6, 'MessageEdited', 3),
  ]
  const shown = (version: number) => [{ ...at(3), version }]
  expect(new Versions(scene).tooNew(101, shown(2))).toEqual([])
  expect(new Versions(scene).tooNew(101, shown(3))).toEqual(shown(3))
  expect(new Versions(scene).tooNew(100, shown(3))).toEqual([])
  // A user who joins again may see that version only if they see the history.
  const back = [...scene, join(7, 101)]
  expect(new Versions(back).tooNew(101, shown(3))).toEqual([])
  const turned = [...scene, about(7, 'ConversationUpdated', 1), join(8, 101)]
  expect(new Versions(turned).tooNew(101, shown(3))).toEqual(shown(3))
})
