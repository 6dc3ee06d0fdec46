// The facts of invites.

import { factKinds, type NewFact } from '../journal/fact.ts'

/** The open invites of a group have changed. Heard by each who may see them, and by nobody else. */
export function invitesChanged(conversationId: number, managerIds: readonly number[], actorId: number): NewFact[] {
  return managerIds.map((userId) => ({
    kind: factKinds.InvitesChanged,
    user_id: userId,
    actor_id: actorId,
    subject_id: conversationId,
  }))
}
