// Safety numbers: 60 digits that two people compare, on paper or by telephone. They are the same on both sides exactly if both see the same
// devices of both. The construction, so that others can repeat it:
//
// - The list of a user: the text `parley safety number 1`, a zero byte, the user's id, a zero byte, and the public signature keys of all
//   devices that are not removed, 32 bytes each, sorted as bytes.
// - The fingerprint of a user: SHA-512 of the list; then 5,199 times SHA-512 of the last hash followed by the list.
// - Thirty digits of a user: of each of the first six groups of five bytes, as a big-endian number, the remainder by 100,000.
// - The number: the thirty digits of the user whose id comes first, then those of the other.
//
// The repeated hash makes a search for keys whose digits look alike 5,200 times as expensive.

import { areEqual, bytesOf, compareBytes, fromBase64, joined, ownBytes, toBase64 } from './bytes.ts'
import { encryptionFailure } from './suite.ts'

/** A user and the public signature keys of the user's devices. */
export type DeviceKeys = { readonly userId: string; readonly signatureKeys: readonly Uint8Array[] }

const label = 'parley safety number 1'
const rounds = 5_200
const groups = 6
const groupBytes = 5
const hashBytes = 64

/** The safety number of two users: 60 digits. */
export async function safetyNumber(one: DeviceKeys, other: DeviceKeys): Promise<string> {
  const [first, second] = await inOrder(one, other)
  return digitsOf(first) + digitsOf(second)
}

/** What a QR code of a safety number says: a version and both fingerprints, which hold more than the digits. */
export async function safetyPayload(one: DeviceKeys, other: DeviceKeys): Promise<string> {
  return `parley-safety:1:${toBase64(joined(...(await inOrder(one, other))))}`
}

/**
 * Whether the scanned payload of the other device shows the same devices.
 * @throws ParleyFailure `ENCRYPTION_FAILED` if it is the payload of something else, or of a newer version
 */
export async function isSameSafety(scanned: string, one: DeviceKeys, other: DeviceKeys): Promise<boolean> {
  const [, encoded] = /^parley-safety:1:([A-Za-z0-9+/]+=*)$/.exec(scanned) ?? []
  const bytes = encoded === undefined ? null : fromBase64(encoded)
  if (bytes?.length !== 2 * hashBytes) throw encryptionFailure('This code is no safety number of this version.')
  return areEqual(bytes, joined(...(await inOrder(one, other))))
}

async function inOrder(one: DeviceKeys, other: DeviceKeys): Promise<readonly [Uint8Array, Uint8Array]> {
  if (one.userId === other.userId) throw new RangeError('A safety number belongs to two users.')
  const [first, second] = one.userId < other.userId ? [one, other] : [other, one]
  return [await fingerprintOf(first), await fingerprintOf(second)]
}

async function fingerprintOf({ userId, signatureKeys }: DeviceKeys): Promise<Uint8Array> {
  const zero = new Uint8Array(1)
  const list = joined(bytesOf(label), zero, bytesOf(userId), zero, ...[...signatureKeys].sort(compareBytes))
  let hash = await sha512(list)
  for (let round = 1; round < rounds; round++) hash = await sha512(joined(hash, list))
  return hash
}

const sha512 = async (bytes: Uint8Array) => new Uint8Array(await crypto.subtle.digest('SHA-512', ownBytes(bytes)))

function digitsOf(fingerprint: Uint8Array): string {
  const digits = (group: number) =>
    fingerprint.subarray(group * groupBytes, (group + 1) * groupBytes).reduce((value, byte) => value * 256 + byte, 0) % 100_000
  return Array.from({ length: groups }, (_, group) => String(digits(group)).padStart(5, '0')).join('')
}
