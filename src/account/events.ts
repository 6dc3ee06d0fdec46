// The facts of accounts: an ended session, a changed user.

import type { SessionId, UserId } from '../id.ts'
import type { NewFact } from '../journal/fact.ts'
import { defineKinds } from '../journal/kind.ts'

/** The kinds of facts of accounts. */
export const accountKinds = defineKinds({
  SessionRevoked: { number: 6 },
  UserUpdated: { number: 20 },
  AccountBarred: { number: 31, changesEarlierEvents: false, isHeard: false },
})

/** A session has ended. Only its user receives this; every node closes the session's sockets when it sees it. */
export function sessionRevoked(userId: UserId, sessionId: SessionId): NewFact {
  return { kind: accountKinds.SessionRevoked.number, user_id: userId, subject_id: sessionId }
}

/** A user's names or bio have changed, or the account was deleted. Each hearer receives a separate fact. */
export function userUpdated(userId: UserId, hearerIds: readonly UserId[]): NewFact[] {
  return hearerIds.map((hearerId) => ({
    kind: accountKinds.UserUpdated.number,
    user_id: hearerId,
    actor_id: userId,
    subject_id: userId,
  }))
}

/** An account was suspended or deleted. No user receives this; nodes end what server keys do on behalf of the user. */
export function accountBarred(userId: UserId): NewFact {
  return { kind: accountKinds.AccountBarred.number, subject_id: userId }
}
