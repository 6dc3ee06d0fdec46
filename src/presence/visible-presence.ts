// Decides how a user's presence appears to a viewer. Pure.

import type { DeviceState, PresentDevice } from '../bus/leases.ts'
import type { UserId } from '../id.ts'
import type { PresenceSettings, ViewerRelation } from './tables.ts'

/** The presence of a user, as shown: the best state of their devices, or the state that they chose. */
export type PresenceState = 'ONLINE' | 'IDLE' | 'DO_NOT_DISTURB' | 'OFFLINE'

/** A user as a viewer sees them. `lastActiveAt` in milliseconds since 1970; null if it is hidden from the viewer, or the user was never active. */
export type VisiblePresence = { readonly userId: UserId; readonly state: PresenceState; readonly lastActiveAt: number | null }

/** The actual presence of a user: the best state of their devices, and the last activity on any of them. */
export type ActualPresence = { readonly state: DeviceState; readonly activeAt: number }

/** The presence of a user with these devices, who was active at a known time or later. */
export function actualPresenceOf(devices: readonly PresentDevice[], knownActiveAt: number): ActualPresence {
  const state = devices.some((device) => device.state === 'ONLINE') ? 'ONLINE' : devices.length > 0 ? 'IDLE' : 'OFFLINE'
  return { state, activeAt: Math.max(knownActiveAt, ...devices.map(({ activeAt }) => activeAt)) }
}

/**
 * Decides what a viewer sees of a user. An invisible user appears as if they had left when they chose to be invisible, also to
 * themselves. With a block in either direction, or without a relation (`relation` is null), the viewer sees the user as OFFLINE.
 */
export function visiblePresenceOf(
  settings: PresenceSettings,
  relation: ViewerRelation | null,
  viewerId: UserId,
  actual: ActualPresence,
): VisiblePresence {
  const { userId, mode, modeSince, visibility } = settings
  if (!relation || relation.isBlocked) return { userId, state: 'OFFLINE', lastActiveAt: null }
  const isInvisible = mode === 'INVISIBLE'
  const isThere = actual.state !== 'OFFLINE' && !isInvisible
  const mayKnow = viewerId === userId || visibility === 'EVERYONE' || (visibility === 'CONTACTS' && relation.isContact)
  const shownAt = isInvisible ? modeSince : Math.max(actual.activeAt, settings.lastActiveAt ?? 0)
  return {
    userId,
    state: !isThere ? 'OFFLINE' : mode === 'DO_NOT_DISTURB' ? 'DO_NOT_DISTURB' : actual.state,
    lastActiveAt: mayKnow && shownAt > 0 ? shownAt : null,
  }
}
