// The devices of people, and the safety numbers by which two people make sure of them.

import { areEqual } from './bytes.ts'
import type { DeviceDirectory, UserDevice } from './directory.ts'
import type { OwnDevice } from './identity.ts'
import { type DeviceKeys, isSameSafety, safetyNumber, safetyPayload } from './safety-number.ts'
import type { EncryptionStorage } from './storage.ts'

/** What this device knows of another user's devices. */
export type Safety = {
  /** Sixty digits: the same on both sides exactly if both see the same devices. */
  readonly number: string
  /** The content of a QR code. */
  readonly payload: string
  /** `VERIFIED`: the user has compared this number. `CHANGED`: another one, before a device came or went. */
  readonly status: 'UNVERIFIED' | 'VERIFIED' | 'CHANGED'
  /** The devices in use. */
  readonly devices: readonly UserDevice[]
}

/** Knows the devices of people. */
export class People {
  readonly #directory: DeviceDirectory
  readonly #storage: EncryptionStorage
  readonly #own: OwnDevice

  constructor(directory: DeviceDirectory, storage: EncryptionStorage, own: OwnDevice) {
    this.#directory = directory
    this.#storage = storage
    this.#own = own
  }

  /** The devices of a user and the safety number. @throws ParleyFailure */
  async safety(userId: string): Promise<Safety> {
    const devices = await this.#devices(userId)
    const pair = await this.#pair(userId)
    const [number, payload] = [await safetyNumber(...pair), await safetyPayload(...pair)]
    const verified = await this.#storage.get('verified', userId)
    return { number, payload, devices, status: verified === null ? 'UNVERIFIED' : verified === number ? 'VERIFIED' : 'CHANGED' }
  }

  /** Remembers that the user has compared a number. */
  async verify(userId: string, number: string): Promise<void> {
    await this.#storage.write([{ table: 'verified', key: userId, value: number }])
  }

  /** Compares a scanned code, and remembers the number if it is the same. @throws ParleyFailure `ENCRYPTION_FAILED` if it is no code */
  async scan(userId: string, payload: string): Promise<boolean> {
    const pair = await this.#pair(userId)
    const isSame = await isSameSafety(payload, ...pair)
    if (isSame) await this.verify(userId, await safetyNumber(...pair))
    return isSame
  }

  async #pair(userId: string): Promise<readonly [DeviceKeys, DeviceKeys]> {
    const [mine, theirs] = [await this.#devices(this.#own.userId), await this.#devices(userId)]
    const keysOf = (devices: readonly UserDevice[]) => devices.map(({ signatureKey }) => signatureKey)
    const keys = keysOf(mine)
    // This device knows its own key better than the server.
    const isListed = keys.some((key) => areEqual(key, this.#own.keys.publicKey))
    return [
      { userId: this.#own.userId, signatureKeys: isListed ? keys : [...keys, this.#own.keys.publicKey] },
      { userId, signatureKeys: keysOf(theirs) },
    ]
  }

  async #devices(userId: string): Promise<readonly UserDevice[]> {
    const devices = (await this.#directory.load([userId])).get(userId) ?? []
    return devices.filter(({ removedAt }) => removedAt === null)
  }
}
