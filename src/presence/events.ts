// The facts of presence: what somebody chose. Presence itself is a signal, and makes none.

import type { NewFact } from '../journal/fact.ts'
import { defineKinds } from '../journal/kind.ts'

/** The kinds of facts of presence. */
export const presenceKinds = defineKinds({
  PresenceSettingsChanged: { number: 15 },
})

/** A user has chosen what to be seen as, or who may know when they were active. Heard by the user alone; every node takes note. */
export function presenceSettingsChanged(userId: number): NewFact {
  return { kind: presenceKinds.PresenceSettingsChanged.number, user_id: userId, subject_id: userId }
}
