// Cursors: epoch, position and tag in 28 characters that clients never look into. Opaque, so that one can become a vector
// of places when there is more than one journal: hence the version in front.

import { badInput } from '../errors.ts'
import type { Place } from './fact.ts'

const version = 1
const byteLength = 21 // 1 version, 8 of the epoch, 8 position, 4 tag: 28 characters without padding

/** The first half of the epoch's UUID: what tells one journal from another inside cursors. */
export type EpochKey = bigint

/** A cursor taken apart. */
export type Cursor = Place & { readonly epochKey: EpochKey }

/** What cursors hold of an epoch. */
export function epochKeyOf(epoch: string): EpochKey {
  return BigInt(`0x${epoch.replaceAll('-', '').slice(0, 16)}`)
}

/** The cursor of a place. */
export function encodeCursor(epochKey: EpochKey, { position, tag }: Place): string {
  const bytes = Buffer.allocUnsafe(byteLength)
  bytes.writeUInt8(version, 0)
  bytes.writeBigUInt64BE(epochKey, 1)
  bytes.writeBigUInt64BE(BigInt(position), 9)
  bytes.writeInt32BE(tag, 17)
  return bytes.toString('base64url')
}

/**
 * Takes a cursor apart.
 * @throws ParleyError BAD_INPUT naming `argument`, where the text was never made by `encodeCursor`.
 */
export function parseCursor(text: string, argument: string): Cursor {
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.length !== byteLength || bytes.readUInt8(0) !== version || bytes.toString('base64url') !== text) {
    throw badInput(argument, 'is not a cursor of this server')
  }
  const position = Number(bytes.readBigUInt64BE(9))
  if (!Number.isSafeInteger(position)) throw badInput(argument, 'is not a cursor of this server')
  return { epochKey: bytes.readBigUInt64BE(1), position, tag: bytes.readInt32BE(17) }
}
