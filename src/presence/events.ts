// The facts of presence: what somebody chose. Presence itself is a signal, and makes none.

import { factKinds, type NewFact } from '../journal/fact.ts'

/** A user has chosen what to be seen as, or who may know when they were active. Heard by the user alone; every node takes note. */
export function presenceSettingsChanged(userId: number): NewFact {
  return { kind: factKinds.PresenceSettingsChanged, user_id: userId, subject_id: userId }
}
