// The facts of notifications.

import { factKinds, type NewFact } from '../journal/fact.ts'

/** A user wants something else of notifications. Heard by that user. */
export function pushSettingsChanged(userId: number): NewFact {
  return { kind: factKinds.PushSettingsChanged, user_id: userId, actor_id: userId, subject_id: userId }
}

/** A device of a user is registered for notifications, or no longer. Heard by that user. */
export function pushSubscriptionChanged(userId: number, sessionId: number): NewFact {
  return { kind: factKinds.PushSubscriptionChanged, user_id: userId, actor_id: userId, subject_id: sessionId }
}
