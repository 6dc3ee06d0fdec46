// The facts of accounts.

import { factKinds, type NewFact } from '../journal/fact.ts'

/** A session was ended. Heard by its user; every node closes the session's sockets when it sees this. */
export function sessionRevoked(userId: number, sessionId: number): NewFact {
  return { kind: factKinds.SessionRevoked, user_id: userId, subject_id: sessionId }
}
