// Derives keys from the secrets of an installation (`PARLEY_TOKEN_SECRET`). The list may have several secrets, so that one can be
// replaced without ending sessions: the first one signs, and signatures of all of them are valid.

import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'

/** One secret, or several; the first one signs. */
export type Secrets = string | readonly string[]

/** The keys of one secret. */
export type Key = {
  /** Identifies the secret without revealing it: the `kid` of tokens, and what nodes compare at start. */
  readonly id: string
  /** Signs tokens. */
  readonly token: KeyObject
  /** Signs messages between nodes. */
  readonly bus: KeyObject
  /** Signs the URLs of files. */
  readonly files: KeyObject
  /** Makes the challenges for devices. */
  readonly devices: KeyObject
}

/** The keys of an installation; the first one signs. */
export type Keys = readonly [Key, ...Key[]]

const derive = (secret: string, purpose: string, bytes: number) =>
  Buffer.from(hkdfSync('sha256', secret, '', `parley ${purpose}`, bytes))

/** Derives the keys of each secret. */
export function deriveKeys(secrets: Secrets): Keys {
  const [first, ...others] = [secrets].flat().map((secret) => ({
    id: derive(secret, 'key id', 9).toString('base64url'),
    token: createSecretKey(secret, 'utf8'),
    bus: createSecretKey(derive(secret, 'bus', 32)),
    files: createSecretKey(derive(secret, 'files', 32)),
    devices: createSecretKey(derive(secret, 'devices', 32)),
  }))
  if (!first) throw new Error('there is no secret')
  return [first, ...others]
}
