// The model of the chaos run can fail, too: it follows a group through its facts, and names what nobody was entitled to.

import { expect, test } from 'vitest'
import { encodeId } from '../../src/id.ts'
import type { Fact } from './history.ts'
import { Model } from './model.ts'
import type { Visibility } from './oracle.ts'

const user = (id: number) => encodeId('User', id)
/** Facts of the group 1, each a request of its own unless it says a tag. */
const fact = (position: number, kind: string, actorId: number, subjectId: number, more: Partial<Fact> = {}): Fact => ({
  position,
  tag: position,
  kind,
  subject: '',
  subjectId,
  conversationId: 1,
  userId: null,
  actorId,
  joins: kind === 'MemberJoined' ? subjectId : null,
  leaves: kind === 'MemberLeft' ? subjectId : null,
  sent: kind === 'MessageSent' ? { seq: 1, senderId: actorId } : null,
  markers: [],
  ...more,
})
/** 100 makes the group and adds 101 and 102. */
const founding = [100, 101, 102].map((id, i) => fact(i + 1, 'MemberJoined', 100, id, { tag: 1 }))

function follow(facts: readonly Fact[], began: Visibility = 'ALL'): Model {
  const model = new Model([{ id: 1, isGroup: true, began, visibility: began, uses: 0 }])
  for (const [i, one] of facts.entries()) model.take(one, facts[i + 1])
  return model
}
const faultsOf = (...facts: Fact[]) => follow([...founding, ...facts]).faults.map((fault) => fault.replace(/^D6 /, ''))
const viewOf = (model: Model, userId: number) => model.seenBy(userId).get(encodeId('Conversation', 1))

test('D4 the model knows pins, unread messages and archives, and hides from newcomers what is from before', () => {
  const model = follow(
    [
      ...founding,
      fact(4, 'MessageSent', 100, 4),
      fact(5, 'PinsChanged', 100, 4),
      fact(6, 'MemberJoined', 103, 103),
      fact(7, 'MembershipUpdated', 101, 1, { conversationId: null, userId: 101 }),
      fact(8, 'ReadMarkersMoved', 102, 102, { markers: [{ userId: 102, seq: 1 }] }),
    ],
    'SINCE_JOINING',
  )
  const markers = [`${user(102)} 1`, `${user(103)} 1`]
  const pins = [encodeId('Message', 4)]
  expect(viewOf(model, 101)).toMatchObject({ last: 1, unread: 1, pins, markers, isArchived: true, visibility: 'SINCE_JOINING' })
  expect(viewOf(model, 102)).toMatchObject({ last: 1, unread: 0, pins, isArchived: false })
  expect(viewOf(model, 103)).toMatchObject({ last: null, unread: 0, pins: [] })
  expect(model.intervals.at(-1)).toBe('1 103 6 1')
  expect(model.settingsOf(1).entered).toBe(1)
  expect(model.faults).toEqual([])
})

test('D6 the model follows roles: given, taken, handed over, and left behind', () => {
  const steps = [
    fact(4, 'MemberUpdated', 100, 101),
    fact(5, 'MemberUpdated', 100, 100, { tag: 5 }),
    fact(6, 'MemberUpdated', 100, 102, { tag: 5 }),
    fact(7, 'MemberUpdated', 102, 101),
    fact(8, 'MemberUpdated', 102, 100, { tag: 8 }),
    fact(9, 'MemberLeft', 102, 102, { tag: 8 }),
  ]
  const after = (count: number) => follow([...founding, ...steps.slice(0, count)])
  expect(after(1).members).toEqual(['1 100 OWNER', '1 101 ADMIN', '1 102 MEMBER'])
  expect(after(3).members).toEqual(['1 100 ADMIN', '1 101 ADMIN', '1 102 OWNER'])
  expect(after(4).members).toEqual(['1 100 ADMIN', '1 101 MEMBER', '1 102 OWNER'])
  expect(after(6).members).toEqual(['1 100 OWNER', '1 101 MEMBER'])
  expect(after(6).faults).toEqual([])
})

test('D6 the model finds acts that nobody was entitled to', () => {
  expect(faultsOf(fact(4, 'MemberLeft', 101, 102))).toEqual(['MemberLeft of user 101 at 4 comes from somebody who is MEMBER'])
  expect(faultsOf(fact(4, 'ConversationUpdated', 109, 1))).toEqual([
    'ConversationUpdated of user 109 at 4 comes from somebody who is not there',
  ])
  expect(faultsOf(fact(4, 'MemberUpdated', 100, 101), fact(5, 'MemberLeft', 101, 100))).toEqual([
    'MemberLeft of user 101 at 5 removes the owner',
    'MemberLeft of user 101 at 5 leaves a group of 2 with 0 owners',
  ])
  const told = (position: number, userId: number) =>
    fact(position, 'InvitesChanged', 100, 1, { conversationId: null, userId, tag: 5 })
  expect(faultsOf(fact(4, 'MemberUpdated', 100, 101), told(5, 100))).toEqual([
    'InvitesChanged of user 100 at 5 is not told to 101, who manage the group',
  ])
  expect(faultsOf(told(5, 100), told(6, 102))).toEqual([
    'InvitesChanged of user 100 at 6 is told to user 102, who manages nothing, or twice',
  ])
})
