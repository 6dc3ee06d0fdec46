// Which devices are there: a lease for each, which lapses unless it is renewed. Nobody has to notice a node, a cable or a
// laptop that is gone; what is not renewed ends by itself. One contract suite runs on both kinds: test/contract/leases.test.ts.

/** How much there is of a device, and so of its user: the best of the user's devices. */
export const deviceStates = ['OFFLINE', 'IDLE', 'ONLINE'] as const

/** The state of a device or user. */
export type DeviceState = (typeof deviceStates)[number]

/** What a node says of a device that is connected to it. A device may be connected to several nodes: each has its own lease. */
export type Lease = {
  readonly userId: number
  /** The session. */
  readonly deviceId: number
  readonly state: 'ONLINE' | 'IDLE'
  /**
   * How long ago its person last did something, in milliseconds; null where they have done nothing that this node knows of.
   * Ages, not times: the clocks of nodes may differ.
   */
  readonly activeAgoMs: number | null
  /** How long it lasts from now, in milliseconds. */
  readonly lastsMs: number
  /** false: only if some node holds a lease of this device; it does not begin one. */
  readonly mayBegin: boolean
}

/** A device that is there. */
export type PresentDevice = { readonly deviceId: number; readonly state: 'ONLINE' | 'IDLE'; readonly activeAt: number }

/** A device of which a lease has ended, and when its person was last active, in milliseconds since 1970; 0 for never. */
export type LapsedDevice = { readonly userId: number; readonly deviceId: number; readonly activeAt: number }

/** A user's state has changed. `isFinal`: by the end of a session, not by silence. */
export type StateChange = {
  readonly userId: number
  readonly state: DeviceState
  readonly activeAt: number
  readonly isFinal: boolean
}

/** How many leases one user may have at once, over all devices and nodes; more are not taken. */
export const leasesMax = 100

/**
 * The leases of all devices of an installation.
 *
 * Guarantees: whenever the best state among a user's leases changes, by whatever node or lapse, one message tells it on the
 * user's topic (see `changeOf`); it is sent in the same step in which the leases change, so no crash comes between. Messages
 * may be lost, as on any topic. Each call rejects where the carrier does not answer within a second; nothing is queued for it.
 */
export type Leases = {
  /** Takes or renews leases for this node. Gives those that were found to have run out, like `lapse`. */
  renew(leases: readonly Lease[]): Promise<readonly LapsedDevice[]>
  /** Ends all leases of a device at once, and gives them. */
  end(userId: number, deviceId: number): Promise<readonly LapsedDevice[]>
  /** Lets go of leases that have run out: all of them. Each is given to one caller only, over all nodes. */
  lapse(): Promise<readonly LapsedDevice[]>
  /** The devices that are there, for each of these users. Users without one are left out. */
  read(userIds: readonly number[]): Promise<ReadonlyMap<number, readonly PresentDevice[]>>
  /** Calls `listener` when the carrier is back after it was lost: it may have lost every lease. */
  onRestored(listener: () => void): void
  close(): Promise<void>
}

/** A message on a user's topic as a change; null for any other. The form: `[user, state, active at, 1 where it is final]`. */
export function changeOf(message: unknown): StateChange | null {
  if (!Array.isArray(message) || !message.every(Number.isSafeInteger)) return null
  const [userId, rank, activeAt, isFinal] = message as number[]
  const state = deviceStates[rank ?? -1]
  return userId === undefined || state === undefined || activeAt === undefined
    ? null
    : { userId, state, activeAt, isFinal: isFinal === 1 }
}
