// The facts of conversations. Within one request a user's ConversationAdded comes before the joins: who is added knows the
// conversation before hearing what happens in it.

import { factKinds, type NewFact } from '../journal/fact.ts'
import type { HistoryVisibility } from './access.ts'

/** A conversation has appeared among a user's own. Heard by that user. */
function conversationAdded(conversationId: number, userId: number, actorId: number): NewFact {
  return { kind: factKinds.ConversationAdded, user_id: userId, actor_id: actorId, subject_id: conversationId }
}

/**
 * A user joins a conversation, and hears it from this fact on. What they see of the messages before it is what `visibility`
 * says: the conversation's, read with its row locked.
 */
function memberJoined(conversationId: number, userId: number, actorId: number, visibility: HistoryVisibility): NewFact {
  return {
    kind: factKinds.MemberJoined,
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
    kind: factKinds.MemberLeft,
    conversation_id: conversationId,
    actor_id: actorId,
    subject_id: userId,
    audience_change: -1,
  }
}

/** A member's role has changed. */
export function memberUpdated(conversationId: number, userId: number, actorId: number): NewFact {
  return { kind: factKinds.MemberUpdated, conversation_id: conversationId, actor_id: actorId, subject_id: userId }
}

/** A conversation's title, description or settings have changed. */
export function conversationUpdated(conversationId: number, actorId: number): NewFact {
  return {
    kind: factKinds.ConversationUpdated,
    conversation_id: conversationId,
    actor_id: actorId,
    subject_id: conversationId,
  }
}
