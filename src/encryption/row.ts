// Devices as rows, and the limits of what they store.

import type { DeviceId, SessionId, UserId } from '../id.ts'

/** A device of a user, as others see it. */
export type DeviceRow = {
  readonly id: DeviceId
  readonly userId: UserId
  readonly name: string
  /** The public key, in base64. */
  readonly signatureKey: string
  readonly addedAt: Date
  /** Since when it is in no group; null while it may be. */
  readonly removedAt: Date | null
}

/** A device with what only its user's actions need. */
export type OwnDeviceRow = DeviceRow & {
  readonly sessionId: SessionId | null
  /** Its user removed it: it cannot come back. */
  readonly isDismissed: boolean
}

/** The columns of a `DeviceRow`, from a table or alias `d`. */
export const deviceColumns = `d.id, d.user_id as "userId", d.name, encode(d.signature_key, 'base64') as "signatureKey",
  d.added_at as "addedAt", d.removed_at as "removedAt"`

/** The bytes of an Ed25519 key and of a signature (RFC 8032). */
export const ed25519 = { keyBytes: 32, signatureBytes: 64 } as const

/** What a user, a device and a commit may have at most. Bytes are those of one object. */
export const encryptionLimits = {
  devices: 20,
  devicesEver: 200,
  keyPackages: 100,
  keyPackageBytes: 4_096,
  keyPackageLastsS: 90 * 86_400,
  claimedUsers: 100,
  commitBytes: 131_072,
  groupInfoBytes: 131_072,
  welcomeBytes: 131_072,
  welcomes: 500,
} as const

/** How often something may happen for one user in an hour, over all nodes. */
export const encryptionRates = { keyPackages: 1_000, claims: 1_000, commits: 1_200, devices: 60 } as const
