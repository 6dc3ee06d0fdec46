// Cursors: epoch, position and tag in 28 characters. They are opaque to clients and begin with a version, so that a cursor can
// become a vector of places when there is more than one journal.

import { badInput } from '../errors.ts'
import { positionOf } from '../id.ts'
import type { Place } from './fact.ts'

const version = 1
const byteLength = 21 // 1 version, 8 of the epoch, 8 position, 4 tag: 28 characters without padding

/** The first half of the epoch's UUID. It identifies the journal inside a cursor. */
export type EpochKey = bigint

/** A parsed cursor. */
export type Cursor = Place & { readonly epochKey: EpochKey }

/** The part of an epoch that cursors hold. */
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
 * Parses a cursor.
 * @throws ParleyError BAD_INPUT naming `argument` if `encodeCursor` cannot have made the text
 */
export function parseCursor(text: string, argument: string): Cursor {
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.length !== byteLength || bytes.readUInt8(0) !== version || bytes.toString('base64url') !== text) {
    throw badInput(argument, 'is not a cursor of this server')
  }
  const position = positionOf(bytes.readBigUInt64BE(9))
  if (!Number.isSafeInteger(position)) throw badInput(argument, 'is not a cursor of this server')
  return { epochKey: bytes.readBigUInt64BE(1), position, tag: bytes.readInt32BE(17) }
}
