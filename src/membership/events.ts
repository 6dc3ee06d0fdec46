// The facts of what members keep for themselves.

import { factKinds, type NewFact } from '../journal/fact.ts'

/** A user has changed something of their own about a conversation. Heard by that user. */
export function membershipUpdated(conversationId: number, userId: number): NewFact {
  return { kind: factKinds.MembershipUpdated, user_id: userId, actor_id: userId, subject_id: conversationId }
}
