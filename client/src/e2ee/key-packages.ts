// Key packages: what others need to add this device to a group while it is away. Each is used once, except the last resort.

import { decodeMlsMessage, encodeMlsMessage, generateKeyPackageWithKey, type KeyPackage } from 'ts-mls'
import { makeKeyPackageRef, verifyKeyPackage } from 'ts-mls/keyPackage.js'
import { toHex } from './bytes.ts'
import { credentialOf, type GroupDevice, identityOf, type OwnDevice } from './identity.ts'
import { decoded, encryptionFailure, suite, suiteName } from './suite.ts'

/** A key package of this device with its private keys. It has no functions and can be cloned. */
export type OwnKeyPackage = {
  /** The reference by which a Welcome names it, in hexadecimal digits. */
  readonly ref: string
  /** What the server gets, as an MLSMessage. */
  readonly keyPackage: Uint8Array
  readonly initPrivateKey: Uint8Array
  readonly hpkePrivateKey: Uint8Array
  readonly isLastResort: boolean
}

/** How long a key package may be used to add the device, in seconds: 90 days. */
export const keyPackageLifetimeS = 90 * 86_400
/** How much the clocks of two devices may differ, in seconds. */
const clockSkewS = 3_600

/** Makes a key package. */
export async function newKeyPackage(device: OwnDevice, isLastResort = false): Promise<OwnKeyPackage> {
  const cipherSuite = await suite()
  const now = Math.floor(Date.now() / 1_000)
  const { publicPackage, privatePackage } = await generateKeyPackageWithKey(
    credentialOf(device),
    { versions: ['mls10'], ciphersuites: [suiteName], extensions: [], proposals: [], credentials: ['basic'] },
    { notBefore: BigInt(now - clockSkewS), notAfter: BigInt(now + keyPackageLifetimeS) },
    [],
    { signKey: device.keys.privateKey, publicKey: device.keys.publicKey },
    cipherSuite,
  )
  return {
    ref: toHex(await makeKeyPackageRef(publicPackage, cipherSuite.hash)),
    keyPackage: encodeMlsMessage({ version: 'mls10', wireformat: 'mls_key_package', keyPackage: publicPackage }),
    initPrivateKey: privatePackage.initPrivateKey,
    hpkePrivateKey: privatePackage.hpkePrivateKey,
    isLastResort,
  }
}

/** The parts of an own key package that the protocol needs. */
export function partsOf(own: OwnKeyPackage, device: OwnDevice) {
  const { initPrivateKey, hpkePrivateKey } = own
  const privateKeys = { initPrivateKey, hpkePrivateKey, signaturePrivateKey: device.keys.privateKey }
  return { keyPackage: decodeKeyPackageMessage(own.keyPackage), privateKeys }
}

/** Decodes a key package. @throws ParleyFailure `ENCRYPTION_FAILED` if it is none */
export function decodeKeyPackageMessage(bytes: Uint8Array): KeyPackage {
  const message = decoded(decodeMlsMessage, bytes, 'This is not a key package.')
  if (message.wireformat !== 'mls_key_package') throw encryptionFailure('This is not a key package.')
  return message.keyPackage
}

/**
 * The device of a key package that the server has handed out; null if the package is broken, forged or out of date, and so would spoil the
 * whole commit that uses it.
 */
export async function deviceOfKeyPackage(bytes: Uint8Array): Promise<GroupDevice | null> {
  try {
    const keyPackage = decodeKeyPackageMessage(bytes)
    const { leafNode, cipherSuite } = keyPackage
    const identity = identityOf(leafNode.credential)
    const now = BigInt(Math.floor(Date.now() / 1_000))
    if (!identity || cipherSuite !== suiteName || leafNode.leafNodeSource !== 'key_package') return null
    if (leafNode.lifetime.notBefore > now || leafNode.lifetime.notAfter < now) return null
    if (!(await verifyKeyPackage(keyPackage, (await suite()).signature))) return null
    return { ...identity, signatureKey: leafNode.signaturePublicKey }
  } catch {
    return null
  }
}
