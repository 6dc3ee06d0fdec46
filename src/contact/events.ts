// The facts of contacts and blocks. A user's own change (a block, the policy) goes to that user only, a change between two users
// to both, and a closed direct conversation to its audience.

import type { ConversationId, UserId } from '../id.ts'
import type { NewFact } from '../journal/fact.ts'
import { defineKinds } from '../journal/kind.ts'

/** The kinds of facts of contacts and blocks. */
export const contactKinds = defineKinds({
  ContactChanged: { number: 21 },
  BlockChanged: { number: 22 },
  MessagePolicyChanged: { number: 23 },
  ConversationClosed: { number: 24 },
  ConversationReopened: { number: 25 },
})

/** A request or contact between two users appeared, changed or ended. Only the first user receives this. */
export function contactChanged(userId: UserId, otherId: UserId): NewFact {
  return { kind: contactKinds.ContactChanged.number, user_id: userId, subject_id: otherId }
}

/** The facts for both users when something between them changes. */
export function contactChangedForBoth(userId: UserId, otherId: UserId): NewFact[] {
  return [contactChanged(userId, otherId), contactChanged(otherId, userId)]
}

/** A user has blocked or unblocked another. Only the first user receives this, on all devices. */
export function blockChanged(userId: UserId, otherId: UserId): NewFact {
  return { kind: contactKinds.BlockChanged.number, user_id: userId, subject_id: otherId }
}

/** A user has changed who may write to them. Only that user receives this. */
export function messagePolicyChanged(userId: UserId): NewFact {
  return { kind: contactKinds.MessagePolicyChanged.number, user_id: userId, subject_id: userId }
}

/**
 * Closes a direct conversation until further notice: both users leave its audience, so after these positions neither can commit
 * a fact in it or receive one (D6). They stay members and can read earlier messages. The facts have no actor, so that they do
 * not reveal who made the block. The first user in `userIds` receives only their own fact.
 */
export function conversationClosed(conversationId: ConversationId, userIds: readonly [UserId, UserId]): NewFact[] {
  const fact = { kind: contactKinds.ConversationClosed.number, conversation_id: conversationId, audience_change: -1 } as const
  return userIds.map((userId) => ({ ...fact, subject_id: userId }))
}

/** Reopens a direct conversation: both users return to its audience. */
export function conversationReopened(conversationId: ConversationId, userIds: readonly [UserId, UserId]): NewFact[] {
  const fact = { kind: contactKinds.ConversationReopened.number, conversation_id: conversationId, audience_change: 1 } as const
  return userIds.map((userId) => ({ ...fact, subject_id: userId }))
}
