// This device on the server: it is registered once, recognised in each new session by a signature, and kept in stock with key packages.

import { failureOf } from '../failure.ts'
import type { Ask } from '../store/ask.ts'
import { areEqual, bytesOf, fromBase64, toBase64 } from './bytes.ts'
import {
  BindDevice,
  DeviceChallenge,
  DevicesOf,
  KeyPackageCount,
  OwnUser,
  RegisterDevice,
  UploadKeyPackages,
} from './documents.ts'
import { newSignatureKeys, type OwnDevice, signWith } from './identity.ts'
import { newKeyPackage } from './key-packages.ts'
import { type EncryptionStorage, own, type StoredDevice } from './storage.ts'

/** Fewer key packages than this on the server, and it gets new ones; and how many it then has. */
const stock = { least: 20, most: 60 } as const
/** How many key packages are uploaded at once. */
const packagesAtOnce = 20

/**
 * Registers this device, or makes this session one of the known device. A device that its user has removed becomes a new one, and
 * everything that the old one kept is forgotten.
 * @throws ParleyFailure
 */
export async function enterDevice(ask: Ask, storage: EncryptionStorage, name: string): Promise<OwnDevice> {
  const { data } = await ask(OwnUser, {})
  const userId = data.viewer.id
  const known = await storage.get('device', own)
  if (known && known.userId !== userId) throw new TypeError('This storage belongs to another user.')
  if (known?.deviceId) {
    const device = ownDeviceOf(known, known.deviceId)
    if (await isBound(ask, device)) return device
    await forgetAll(storage)
  }
  const device: StoredDevice = known && !known.deviceId ? known : { ...(await newSignatureKeys()), userId, deviceId: null, name }
  await storage.write([{ table: 'device', key: own, value: device }])
  const deviceId = await register(ask, device)
  await storage.write([{ table: 'device', key: own, value: { ...device, deviceId } }])
  return ownDeviceOf(device, deviceId)
}

/** Uploads key packages if the server has few. Their private keys are stored first. */
export async function stockKeyPackages(ask: Ask, storage: EncryptionStorage, device: OwnDevice): Promise<void> {
  const stored = await storage.entries('keyPackages')
  const { data } = await ask(KeyPackageCount, {})
  // A device that was gone for a while has none on the server.
  const hasLastResort = data.keyPackageCount > 0 && stored.some(([, { isLastResort }]) => isLastResort)
  if (hasLastResort && data.keyPackageCount >= stock.least) return
  const lastResort = hasLastResort ? null : await newKeyPackage(device, true)
  for (let missing = stock.most - data.keyPackageCount; missing > 0 || lastResort; missing -= packagesAtOnce) {
    const made = await Promise.all(
      Array.from({ length: Math.max(0, Math.min(missing, packagesAtOnce)) }, () => newKeyPackage(device)),
    )
    const isFirst = missing === stock.most - data.keyPackageCount
    const all = lastResort && isFirst ? [...made, lastResort] : made
    await storage.write(all.map((each) => ({ table: 'keyPackages', key: each.ref, value: each })))
    const keyPackages = made.map(({ keyPackage }) => toBase64(keyPackage))
    await ask(UploadKeyPackages, {
      input: { keyPackages, ...(lastResort && isFirst ? { lastResort: toBase64(lastResort.keyPackage) } : {}) },
    })
    if (missing <= packagesAtOnce) return
  }
}

const ownDeviceOf = ({ userId, publicKey, privateKey }: StoredDevice, deviceId: string): OwnDevice => ({
  ...{ userId, deviceId },
  keys: { publicKey, privateKey },
})

/** Makes this session one of a device. @returns whether the device may still be used */
async function isBound(ask: Ask, { deviceId, keys }: OwnDevice): Promise<boolean> {
  const { data } = await ask(DeviceChallenge, {})
  const text = ['parley.device.bind.v1', deviceId, data.deviceChallenge].join('\n')
  const signature = toBase64(await signWith(keys, bytesOf(text)))
  try {
    await ask(BindDevice, { input: { deviceId, signature } })
    return true
  } catch (error) {
    if (failureOf(error).code === 'NOT_FOUND') return false
    throw error
  }
}

/** @returns the id of the device */
async function register(ask: Ask, device: StoredDevice): Promise<string> {
  const signatureKey = toBase64(device.publicKey)
  const text = ['parley.device.register.v1', device.userId, signatureKey].join('\n')
  const signature = toBase64(await signWith(device, bytesOf(text)))
  try {
    const { data } = await ask(RegisterDevice, { input: { name: device.name, signatureKey, signature } })
    return data.registerDevice.device.id
  } catch (error) {
    // An earlier session has registered it, and this app closed before it learned the id.
    const deviceId = failureOf(error).code === 'FORBIDDEN' ? await findRegistered(ask, device) : null
    if (deviceId !== null && (await isBound(ask, ownDeviceOf(device, deviceId)))) return deviceId
    throw error
  }
}

async function findRegistered(ask: Ask, { userId, publicKey }: StoredDevice): Promise<string | null> {
  const { data } = await ask(DevicesOf, { ids: [userId] })
  const [user] = data.nodes
  const devices = user?.__typename === 'User' ? user.devices.nodes : []
  return devices.find(({ signatureKey }) => areEqual(fromBase64(signatureKey), publicKey))?.id ?? null
}

async function forgetAll(storage: EncryptionStorage): Promise<void> {
  const tables = ['keyPackages', 'groups', 'seqs', 'drafts'] as const
  for (const table of tables) {
    const entries = await storage.entries(table)
    await storage.write(entries.map(([key]) => ({ table, key, value: null })))
  }
  await storage.write([
    { table: 'device', key: own, value: null },
    { table: 'cursor', key: own, value: null },
  ])
}
