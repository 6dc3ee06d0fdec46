// The model of the chaos run must be able to fail: it follows a group through its facts and finds those that nobody may cause.

import { expect, test } from 'vitest'
import { conversationIdOf, encodeId, messageIdOf, userIdOf } from '../../src/id.ts'
import { Model } from './model.ts'
import type { Visibility } from './oracle.ts'
import type { Fact } from './stored-state.ts'

const user = (id: number) => encodeId('User', userIdOf(id))
/** A fact of group 1, in a request of its own unless `more` gives a tag. */
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
/** User 100 creates the group with 101 and 102. */
const founding = [100, 101, 102].map((id, i) => fact(i + 1, 'MemberJoined', 100, id, { tag: 1 }))

function follow(facts: readonly Fact[], initialVisibility: Visibility = 'ALL'): Model {
  const model = new Model([{ id: 1, isGroup: true, initialVisibility, visibility: initialVisibility, uses: 0 }])
  for (const [i, one] of facts.entries()) model.apply(one, facts[i + 1])
  return model
}
const violationsOf = (...facts: Fact[]) =>
  follow([...founding, ...facts]).violations.map((violation) => violation.replace(/^D6 /, ''))
const viewOf = (model: Model, userId: number) => model.viewsOf(userId).get(encodeId('Conversation', conversationIdOf(1)))

test('D4 the model knows pins, unread messages and archives, and hides earlier messages from new members', () => {
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
  const pins = [encodeId('Message', messageIdOf(4))]
  expect(viewOf(model, 101)).toMatchObject({ last: 1, unread: 1, pins, markers, isArchived: true, visibility: 'SINCE_JOINING' })
  expect(viewOf(model, 102)).toMatchObject({ last: 1, unread: 0, pins, isArchived: false })
  expect(viewOf(model, 103)).toMatchObject({ last: null, unread: 0, pins: [] })
  expect(model.intervals.at(-1)).toBe('1 103 6 1')
  expect(model.settingsOf(1).joinedByInvite).toBe(1)
  expect(model.violations).toEqual([])
})

test('D6 the model follows roles: granted, revoked, transferred and left behind', () => {
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
  expect(after(6).violations).toEqual([])
})

test('D6 the model finds facts that their actor had no right to cause', () => {
  expect(violationsOf(fact(4, 'MemberLeft', 101, 102))).toEqual(['MemberLeft of user 101 at 4 comes from a user who is MEMBER'])
  expect(violationsOf(fact(4, 'ConversationUpdated', 109, 1))).toEqual([
    'ConversationUpdated of user 109 at 4 comes from a user who is not a member',
  ])
  expect(violationsOf(fact(4, 'MemberUpdated', 100, 101), fact(5, 'MemberLeft', 101, 100))).toEqual([
    'MemberLeft of user 101 at 5 removes the owner',
    'MemberLeft of user 101 at 5 leaves a group of 2 with 0 owners',
  ])
  const invitesChanged = (position: number, userId: number) =>
    fact(position, 'InvitesChanged', 100, 1, { conversationId: null, userId, tag: 5 })
  expect(violationsOf(fact(4, 'MemberUpdated', 100, 101), invitesChanged(5, 100))).toEqual([
    'InvitesChanged of user 100 at 5 did not go to 101, who manage the group',
  ])
  expect(violationsOf(invitesChanged(5, 100), invitesChanged(6, 102))).toEqual([
    'InvitesChanged of user 100 at 6 went to user 102, who does not manage the group, or twice',
  ])
})
