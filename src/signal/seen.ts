// What one person sees of another's presence. Pure.

import type { DeviceState } from '../bus/leases.ts'
import type { Relation, Standing } from './presence-tables.ts'

/** What is shown of a user: the best of their devices, or what they chose to be seen as. */
export type PresenceState = 'ONLINE' | 'IDLE' | 'DO_NOT_DISTURB' | 'OFFLINE'

/** A user as a viewer sees them. `lastActiveAt` in milliseconds since 1970; null where it is not to be told, or never was. */
export type Seen = { readonly userId: number; readonly state: PresenceState; readonly lastActiveAt: number | null }

/** What there is of a user's devices: the best state, and when one of them was active last. */
export type Actual = { readonly state: DeviceState; readonly activeAt: number }

/**
 * What a viewer sees of a user. Somebody who is invisible looks as if they had left when they chose to be; they see
 * themselves as the others do. Who is blocked, in either direction, or no longer near (`relation` is null) sees nothing.
 */
export function seenOf(standing: Standing, relation: Relation | null, viewerId: number, actual: Actual): Seen {
  const { userId, mode, modeSince, visibility } = standing
  if (!relation || relation.isBlocked) return { userId, state: 'OFFLINE', lastActiveAt: null }
  const isInvisible = mode === 'INVISIBLE'
  const isThere = actual.state !== 'OFFLINE' && !isInvisible
  const mayKnow = viewerId === userId || visibility === 'EVERYONE' || (visibility === 'CONTACTS' && relation.isContact)
  const shownAt = isInvisible ? modeSince : Math.max(actual.activeAt, standing.lastActiveAt ?? 0)
  return {
    userId,
    state: !isThere ? 'OFFLINE' : mode === 'DO_NOT_DISTURB' ? 'DO_NOT_DISTURB' : actual.state,
    lastActiveAt: mayKnow && shownAt > 0 ? shownAt : null,
  }
}
