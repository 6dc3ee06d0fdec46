// The facts of notifications.

import type { SessionId, UserId } from '../id.ts'
import type { NewFact } from '../journal/fact.ts'
import { defineKinds } from '../journal/kind.ts'

/** The kinds of facts of notifications. */
export const pushKinds = defineKinds({
  PushSettingsChanged: { number: 16 },
  PushSubscriptionChanged: { number: 17 },
})

/** A user has changed their notification settings. Only that user receives it. */
export function pushSettingsChanged(userId: UserId): NewFact {
  return { kind: pushKinds.PushSettingsChanged.number, user_id: userId, actor_id: userId, subject_id: userId }
}

/** The registration of a user's device has changed. Only that user receives it. */
export function pushSubscriptionChanged(userId: UserId, sessionId: SessionId): NewFact {
  return { kind: pushKinds.PushSubscriptionChanged.number, user_id: userId, actor_id: userId, subject_id: sessionId }
}
