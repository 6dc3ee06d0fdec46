// The facts of presence: changes of settings. Presence itself is a signal and makes no facts.

import type { UserId } from '../id.ts'
import type { NewFact } from '../journal/fact.ts'
import { defineKinds } from '../journal/kind.ts'

/** The kinds of facts of presence. */
export const presenceKinds = defineKinds({
  PresenceSettingsChanged: { number: 15 },
})

/** A user has changed their presence settings. Only that user receives it; every node reads it. */
export function presenceSettingsChanged(userId: UserId): NewFact {
  return { kind: presenceKinds.PresenceSettingsChanged.number, user_id: userId, subject_id: userId }
}
