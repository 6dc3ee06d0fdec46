// Devices as groups know them: a user, a device and its signature key. The credential of a leaf names the first two, and the app's list of
// devices says whether the key belongs to them.

import type { Credential } from 'ts-mls'
import { bytesOf, textOfBytes } from './bytes.ts'
import { suite } from './suite.ts'

/** A user's device, by the ids of the server. */
export type DeviceIdentity = { readonly userId: string; readonly deviceId: string }

/** A device with its signature key: 32 bytes, Ed25519. */
export type GroupDevice = DeviceIdentity & { readonly signatureKey: Uint8Array }

/** The signature keys of a device. The private one never leaves it. */
export type SignatureKeys = { readonly publicKey: Uint8Array; readonly privateKey: Uint8Array }

/** This device. */
export type OwnDevice = DeviceIdentity & { readonly keys: SignatureKeys }

/** Says whether a signature key is that of the device: what a group asks of each device that it meets. */
export type DeviceTrust = (device: GroupDevice) => Promise<boolean>

/** New signature keys. */
export async function newSignatureKeys(): Promise<SignatureKeys> {
  const { publicKey, signKey } = await (await suite()).signature.keygen()
  return { publicKey, privateKey: signKey }
}

/** Signs with the key of a device. */
export async function signWith(keys: SignatureKeys, bytes: Uint8Array): Promise<Uint8Array> {
  return (await suite()).signature.sign(keys.privateKey, bytes)
}

/** Whether a signature is that of a key. */
export async function isSignedBy(publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): Promise<boolean> {
  return (await suite()).signature.verify(publicKey, bytes, signature).catch(() => false)
}

// Ids of the server have no line breaks.
const separator = '\n'

/** The credential of a device's leaf. */
export const credentialOf = ({ userId, deviceId }: DeviceIdentity): Credential => ({
  credentialType: 'basic',
  identity: bytesOf(`${userId}${separator}${deviceId}`),
})

/** The device that a credential names; null if it names none. */
export function identityOf(credential: Credential): DeviceIdentity | null {
  if (credential.credentialType !== 'basic') return null
  try {
    const [userId, deviceId, ...more] = textOfBytes(credential.identity).split(separator)
    return userId && deviceId && more.length === 0 ? { userId, deviceId } : null
  } catch {
    return null
  }
}
