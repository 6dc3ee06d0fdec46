// The facts of contacts and blocks. Each is heard by whom it concerns: what one does about somebody else, by one's own devices;
// what changes between two, by both; the end of a direct conversation, by its audience.

import { factKinds, type NewFact } from '../journal/fact.ts'

/** Something has changed between a user and another: a request, a contact, or the end of one. Heard by the user. */
export function contactChanged(userId: number, otherId: number): NewFact {
  return { kind: factKinds.ContactChanged, user_id: userId, subject_id: otherId }
}

/** Both sides of a change between two people. */
export function contactChangedForBoth(userId: number, otherId: number): NewFact[] {
  return [contactChanged(userId, otherId), contactChanged(otherId, userId)]
}

/** A user has blocked or unblocked another. Heard by the user alone, on all devices. */
export function blockChanged(userId: number, otherId: number): NewFact {
  return { kind: factKinds.BlockChanged, user_id: userId, subject_id: otherId }
}

/** A user has chosen who may write to them. Heard by the user alone. */
export function messagePolicyChanged(userId: number): NewFact {
  return { kind: factKinds.MessagePolicyChanged, user_id: userId, subject_id: userId }
}

/**
 * A direct conversation ends until further notice: both leave its audience, so that from these positions on neither can
 * commit a fact in it or hears one (D6). They stay members, and read what was written. Nobody acts in these facts, so that
 * they do not say who blocked whom; whoever comes first in `userIds` hears only their own.
 */
export function conversationClosed(conversationId: number, userIds: readonly [number, number]): NewFact[] {
  const fact = { kind: factKinds.ConversationClosed, conversation_id: conversationId, audience_change: -1 } as const
  return userIds.map((userId) => ({ ...fact, subject_id: userId }))
}

/** A direct conversation goes on: both come back into its audience. */
export function conversationReopened(conversationId: number, userIds: readonly [number, number]): NewFact[] {
  const fact = { kind: factKinds.ConversationReopened, conversation_id: conversationId, audience_change: 1 } as const
  return userIds.map((userId) => ({ ...fact, subject_id: userId }))
}
