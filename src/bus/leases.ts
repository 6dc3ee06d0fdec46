// The leases of present devices. A lease lapses unless it is renewed, so a node, a cable or a laptop that is gone needs no one
// to notice it. One contract suite runs on all implementations: test/bus/leases.test.ts.

import type { SessionId, UserId } from '../id.ts'
import type { Form } from './bus.ts'

/** The states of a device, the best last. The state of a user is the best of the user's devices. */
export const deviceStates = ['OFFLINE', 'IDLE', 'ONLINE'] as const

/** The state of a device or user. */
export type DeviceState = (typeof deviceStates)[number]

/**
 * A node's lease for a device that is connected to it. A device may be connected to several nodes: each holds its own lease.
 * Ages and durations may have fractions of a millisecond; the times computed from them are whole milliseconds.
 */
export type Lease = {
  readonly userId: UserId
  /** The session. */
  readonly deviceId: SessionId
  readonly state: 'ONLINE' | 'IDLE'
  /**
   * How long ago the user was last active on it, in milliseconds; null if this node knows of no activity. It is an age, not a
   * time, because the clocks of nodes may differ.
   */
  readonly activeAgoMs: number | null
  /** How long it lasts from now, in milliseconds. */
  readonly lastsMs: number
  /** false: take the lease only if some node already holds one for this device. */
  readonly mayBegin: boolean
}

/** A present device. `activeAt` is when its user was last active on it, in milliseconds since 1970; 0 for never. */
export type PresentDevice = { readonly deviceId: SessionId; readonly state: 'ONLINE' | 'IDLE'; readonly activeAt: number }

/** A device with an ended lease, and when its user was last active on it, in milliseconds since 1970; 0 for never. */
export type LapsedDevice = { readonly userId: UserId; readonly deviceId: SessionId; readonly activeAt: number }

/** A change of a user's state. `isFinal`: because a session ended, not because a lease lapsed. */
export type StateChange = {
  readonly userId: UserId
  readonly state: DeviceState
  readonly activeAt: number
  readonly isFinal: boolean
}

/** How many leases a user may have at once, over all devices and nodes; further ones are ignored. */
export const leasesMax = 100

/**
 * The leases of all devices of an installation.
 *
 * Guarantees: whenever the best state of a user's leases changes, one message on the user's topic says so (see `changeOf`). It
 * is published in the same step that changes the leases, so no crash can come between. Messages may be lost, as on any topic.
 * Each call rejects if the carrier does not answer within a second; nothing is queued for it.
 */
export type Leases = {
  /** Takes or renews leases for this node. Returns expired leases of the same users, as `lapse` does. */
  renew(leases: readonly Lease[]): Promise<readonly LapsedDevice[]>
  /** Ends all leases of a device, and returns them. */
  end(userId: UserId, deviceId: SessionId): Promise<readonly LapsedDevice[]>
  /** Removes all expired leases, and returns them. Over all nodes, one caller gets each of them. */
  lapse(): Promise<readonly LapsedDevice[]>
  /** The present devices of each of these users. Users without one are missing in the result. */
  read(userIds: readonly UserId[]): Promise<ReadonlyMap<UserId, readonly PresentDevice[]>>
  /** Calls `listener` when the carrier is back: it may have lost every lease. */
  onRestored(listener: () => void): void
  close(): Promise<void>
}

/** The form of messages on a user's topic. Scripts in Redis publish them. */
export const changeForm: Form<StateChange> = { parse: changeOf, isSigned: false }

/** Parses a message on a user's topic, `[user, state, active at, 1 if it is final]`; null for anything else. */
function changeOf(message: unknown): StateChange | null {
  if (!Array.isArray(message) || !message.every(Number.isSafeInteger)) return null
  const [userId, rank, activeAt, isFinal] = message as [userId?: UserId, rank?: number, activeAt?: number, isFinal?: number]
  const state = deviceStates[rank ?? -1]
  return userId === undefined || state === undefined || activeAt === undefined
    ? null
    : { userId, state, activeAt, isFinal: isFinal === 1 }
}
