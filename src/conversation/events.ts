// The facts of conversations. Within one request, ConversationAdded comes before the joins, so that an added user knows the
// conversation before receiving its events.

import type { ConversationId, UserId } from '../id.ts'
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

/** Which earlier messages new members see. */
export type HistoryVisibility = 'ALL' | 'SINCE_JOINING'

/** Whether devices encrypt what is said in a conversation, and how: MLS is RFC 9420. */
export type Encryption = 'NONE' | 'MLS'

/** The actor of a fact: a user, or nobody, if the backend of the product acted. */
const by = (actorId: UserId | null) => (actorId === null ? {} : { actor_id: actorId })

/** A user has got a new conversation. Only that user receives it. */
function conversationAdded(conversationId: ConversationId, userId: UserId, actorId: UserId | null): NewFact {
  return { kind: conversationKinds.ConversationAdded.number, user_id: userId, ...by(actorId), subject_id: conversationId }
}

/**
 * A user joins a conversation, and receives its facts from this one on. `visibility` decides which earlier messages they see: it
 * is the conversation's, read with its row locked.
 */
function memberJoined(
  conversationId: ConversationId,
  userId: UserId,
  actorId: UserId | null,
  visibility: HistoryVisibility,
): NewFact {
  return {
    kind: conversationKinds.MemberJoined.number,
    conversation_id: conversationId,
    ...by(actorId),
    subject_id: userId,
    audience_change: 1,
    ...(visibility === 'SINCE_JOINING' ? { since_joining: true } : {}),
  }
}

/** The facts of the first users of a conversation, which say whether it is encrypted. */
export function starting(encryption: Encryption, facts: readonly NewFact[]): NewFact[] {
  return facts.map((fact) => (encryption === 'MLS' && fact.audience_change === 1 ? { ...fact, encrypted: true } : fact))
}

/** The facts of users joining: all of them know the conversation before the first one joins. */
export function joining(
  conversationId: ConversationId,
  userIds: readonly UserId[],
  actorId: UserId | null,
  visibility: HistoryVisibility,
): NewFact[] {
  return [
    ...userIds.map((userId) => conversationAdded(conversationId, userId, actorId)),
    ...userIds.map((userId) => memberJoined(conversationId, userId, actorId, visibility)),
  ]
}

/** A user leaves a conversation, or is removed. It is the last fact of the conversation that the user receives. */
export function memberLeft(conversationId: ConversationId, userId: UserId, actorId: UserId | null): NewFact {
  return {
    kind: conversationKinds.MemberLeft.number,
    conversation_id: conversationId,
    ...by(actorId),
    subject_id: userId,
    audience_change: -1,
  }
}

/** A member's role has changed. */
export function memberUpdated(conversationId: ConversationId, userId: UserId, actorId: UserId | null): NewFact {
  return { kind: conversationKinds.MemberUpdated.number, conversation_id: conversationId, ...by(actorId), subject_id: userId }
}

/** A conversation's title, description or settings have changed. */
export function conversationUpdated(conversationId: ConversationId, actorId: UserId | null): NewFact {
  return {
    kind: conversationKinds.ConversationUpdated.number,
    conversation_id: conversationId,
    ...by(actorId),
    subject_id: conversationId,
  }
}

/** The open invites of a group have changed. Each member who may see them receives a separate fact. */
export function invitesChanged(conversationId: ConversationId, managerIds: readonly UserId[], actorId: UserId): NewFact[] {
  return managerIds.map((userId) => ({
    kind: conversationKinds.InvitesChanged.number,
    user_id: userId,
    actor_id: actorId,
    subject_id: conversationId,
  }))
}

/** A member has changed a setting of their own membership. Only that member receives it. */
export function membershipUpdated(conversationId: ConversationId, userId: UserId): NewFact {
  return { kind: conversationKinds.MembershipUpdated.number, user_id: userId, actor_id: userId, subject_id: conversationId }
}
