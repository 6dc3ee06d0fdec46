// What devices sign to show that they hold their key: Ed25519 (RFC 8032) over a text of several lines, whose first line says what it is
// for, so that a signature for one purpose is good for no other.

import { createPublicKey, verify } from 'node:crypto'
import { type DeviceId, encodeId, type UserId } from '../id.ts'
import { ed25519 } from './row.ts'

/** What a new device signs: that its key is that of a user. */
export function registrationText(userId: UserId, signatureKey: Buffer): string {
  return ['parley.device.register.v1', encodeId('User', userId), signatureKey.toString('base64')].join('\n')
}

/** What a device signs after a new log-in. */
export function bindingText(deviceId: DeviceId, challenge: string): string {
  return ['parley.device.bind.v1', encodeId('Device', deviceId), challenge].join('\n')
}

/** Whether a signature of a text was made with this key. False for a key or signature that is none. */
export function isSignedBy(signatureKey: Buffer, text: string, signature: Buffer): boolean {
  if (signatureKey.length !== ed25519.keyBytes || signature.length !== ed25519.signatureBytes) return false
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: signatureKey.toString('base64url') }
  try {
    return verify(null, Buffer.from(text, 'utf8'), createPublicKey({ key: jwk, format: 'jwk' }), signature)
  } catch {
    return false // no point of the curve
  }
}
