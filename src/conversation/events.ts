// The facts of conversations. Within one request a user's ConversationAdded comes before the joins: who is added knows the
// conversation before hearing what happens in it.

import type { NewFact } from '../journal/fact.ts'
import { defineKinds } from '../journal/kind.ts'

/** The kinds of facts of conversations, their members and their invites. */
export const conversationKinds = defineKinds({
  ConversationAdded: { number: 2 },
  MemberJoined: { number: 3 },
  MemberLeft: { number: 4 },
  MemberUpdated: { number: 5 },
  ConversationUpdated: { number: 11 },
  MembershipUpdated: { number: 12 },
  InvitesChanged: { number: 13 },
})

/** Which messages members see who join later. */
export type HistoryVisibility = 'ALL' | 'SINCE_JOINING'

/** A conversation has appeared among a user's own. Heard by that user. */
function conversationAdded(conversationId: number, userId: number, actorId: number): NewFact {
  return { kind: conversationKinds.ConversationAdded.number, user_id: userId, actor_id: actorId, subject_id: conversationId }
}

/**
 * A user joins a conversation, and hears it from this fact on. What they see of the messages before it is what `visibility`
 * says: the conversation's, read with its row locked.
 */
function memberJoined(conversationId: number, userId: number, actorId: number, visibility: HistoryVisibility): NewFact {
  return {
    kind: conversationKinds.MemberJoined.number,
    conversation_id: conversationId,
    actor_id: actorId,
    subject_id: userId,
    audience_change: 1,
    ...(visibility === 'SINCE_JOINING' ? { since_joining: true } : {}),
  }
}

/** The facts of people joining: each knows the conversation before anybody joins it. */
export function joining(
  conversationId: number,
  userIds: readonly number[],
  actorId: number,
  visibility: HistoryVisibility,
): NewFact[] {
  return [
    ...userIds.map((userId) => conversationAdded(conversationId, userId, actorId)),
    ...userIds.map((userId) => memberJoined(conversationId, userId, actorId, visibility)),
  ]
}

/** A user leaves a conversation, or is removed; this fact is the last that the user hears of it. */
export function memberLeft(conversationId: number, userId: number, actorId: number): NewFact {
  return {
    kind: conversationKinds.MemberLeft.number,
    conversation_id: conversationId,
    actor_id: actorId,
    subject_id: userId,
    audience_change: -1,
  }
}

/** A member's role has changed. */
export function memberUpdated(conversationId: number, userId: number, actorId: number): NewFact {
  return { kind: conversationKinds.MemberUpdated.number, conversation_id: conversationId, actor_id: actorId, subject_id: userId }
}

/** A conversation's title, description or settings have changed. */
export function conversationUpdated(conversationId: number, actorId: number): NewFact {
  return {
    kind: conversationKinds.ConversationUpdated.number,
    conversation_id: conversationId,
    actor_id: actorId,
    subject_id: conversationId,
  }
}

/** The open invites of a group have changed. Each member who may see them hears a fact of their own. */
export function invitesChanged(conversationId: number, managerIds: readonly number[], actorId: number): NewFact[] {
  return managerIds.map((userId) => ({
    kind: conversationKinds.InvitesChanged.number,
    user_id: userId,
    actor_id: actorId,
    subject_id: conversationId,
  }))
}

/** A member has changed a setting of their own membership. Heard by that member. */
export function membershipUpdated(conversationId: number, userId: number): NewFact {
  return { kind: conversationKinds.MembershipUpdated.number, user_id: userId, actor_id: userId, subject_id: conversationId }
}
