// The devices of users, as the server lists them: a group may hold these. The server could list a device of its own; that is what safety
// numbers are for.

import type { DevicePartsFragment } from '../generated/operations.ts'
import type { Ask } from '../store/ask.ts'
import { areEqual, fromBase64 } from './bytes.ts'
import { DevicesOf } from './documents.ts'
import type { DeviceTrust, GroupDevice } from './identity.ts'

/** A device of a user. */
export type UserDevice = GroupDevice & {
  readonly name: string
  readonly addedAt: string
  /** When it was removed; null while it is in use. */
  readonly removedAt: string | null
}

/** How many users are remembered, and asked for at once. */
const usersMax = 2_000
const usersAtOnce = 50

/** What the server calls a device. */
export const userDeviceOf = ({ id, user, name, signatureKey, addedAt, removedAt }: DevicePartsFragment): UserDevice => ({
  ...{ userId: user.id, deviceId: id, name, addedAt, removedAt },
  signatureKey: fromBase64(signatureKey),
})

/** Looks devices up. */
export class DeviceDirectory {
  readonly #ask: Ask
  readonly #known = new Map<string, readonly UserDevice[]>()

  constructor(ask: Ask) {
    this.#ask = ask
  }

  /** Whether a key belongs to a device. Users who are not known, or may have got a device since, are asked for. */
  readonly trusts: DeviceTrust = async (device) =>
    isListed(device, this.#known.get(device.userId)) || isListed(device, (await this.load([device.userId])).get(device.userId))

  /** The devices of a user, also the removed ones. */
  async of(userId: string): Promise<readonly UserDevice[]> {
    return this.#known.get(userId) ?? (await this.load([userId])).get(userId) ?? []
  }

  /** Remembers what an answer has told. */
  put(userId: string, devices: readonly DevicePartsFragment[]): void {
    this.#known.delete(userId)
    this.#known.set(userId, devices.map(userDeviceOf))
    const [oldest] = this.#known.keys()
    if (this.#known.size > usersMax && oldest !== undefined) this.#known.delete(oldest)
  }

  /** Forgets a user whose devices have changed. */
  forget(userId: string): void {
    this.#known.delete(userId)
  }

  /** Reads the devices of users again. */
  async load(userIds: readonly string[]): Promise<ReadonlyMap<string, readonly UserDevice[]>> {
    const found = new Map<string, readonly UserDevice[]>()
    for (let at = 0; at < userIds.length; at += usersAtOnce) {
      const { data } = await this.#ask(DevicesOf, { ids: userIds.slice(at, at + usersAtOnce) })
      for (const node of data.nodes) {
        if (node?.__typename !== 'User') continue
        this.put(node.id, node.devices.nodes)
        found.set(node.id, this.#known.get(node.id) ?? [])
      }
    }
    return found
  }
}

const isListed = ({ deviceId, signatureKey }: GroupDevice, devices: readonly UserDevice[] = []) =>
  devices.some((device) => device.deviceId === deviceId && areEqual(device.signatureKey, signatureKey))
