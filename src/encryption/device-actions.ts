// What users do with their devices: register, bind to a new session, remove. Each locks the user, so they happen one after another.

import { limited } from '../bus/counters.ts'
import { badInput, notFound, ParleyError } from '../errors.ts'
import { type ConversationId, conversationIdOf, type DeviceId, deviceIdOf, type UserId } from '../id.ts'
import type { NewFact, Place } from '../journal/fact.ts'
import type { App } from '../parts.ts'
import type { Reader } from '../store/reader.ts'
import type { Transaction } from '../store/store.ts'
import type { SessionViewer, Viewer } from '../viewer.ts'
import { findOwnDevice } from './access.ts'
import type { EndedDevice } from './device-sweeper.ts'
import { type DevicesPayload, devicesChanged } from './events.ts'
import { encryptionLimits, encryptionRates, type OwnDeviceRow } from './row.ts'
import { bindingText, isSignedBy, registrationText } from './signatures.ts'

/** A device to register. */
export type NewDevice = { readonly name: string; readonly signatureKey: Buffer; readonly signature: Buffer }

/** A committed action on a device. `place` is that of its last fact; null if nothing changed. */
export type DoneToDevice = { readonly deviceId: DeviceId; readonly place: Place | null }

/**
 * Registers the device of a session. The same again, of the same session, changes nothing.
 * @throws ParleyError BAD_INPUT for a signature that is not of this key, or a key that another user has; FORBIDDEN if the session has
 *   another device, or if the device is known: then it is bound; LIMIT_EXCEEDED, RATE_LIMITED
 */
export async function registerDevice(by: SessionViewer, device: NewDevice, app: App): Promise<DoneToDevice> {
  const { name, signatureKey, signature } = device
  if (!isSignedBy(signatureKey, registrationText(by.userId, signatureKey), signature))
    throw badInput('input.signature', 'is not a signature of your user ID and this key by this key')
  const register = async (tx: Transaction) => {
    await lockOwner(tx, by.userId)
    const known = await tx.device.findUnique({ where: { signatureKey: bytesOf(signatureKey) } })
    if (known && Number(known.userId) !== by.userId) throw badInput('input.signatureKey', 'is in use')
    if (known && Number(known.sessionId ?? 0) !== by.sessionId)
      throw new ParleyError('FORBIDDEN', 'This device is registered: bind it to this session.', {
        argument: 'input.signatureKey',
      })
    if (known) return { result: deviceIdOf(known.id), facts: [] }
    await requireNoOther(tx, by)
    await requireRoom(tx, by.userId)
    const data = { userId: by.userId, sessionId: by.sessionId, name }
    const keys = { signatureKey: bytesOf(signatureKey), registration: bytesOf(signature) }
    const created = await tx.device.create({ data: { ...data, ...keys } })
    const id = deviceIdOf(created.id)
    return { result: id, facts: await tell(tx, by.userId, id, 'ADDED') }
  }
  return changing(by, app, register)
}

/**
 * Binds a device to the viewer's session, after a new log-in. One that was removed because its session ended comes back.
 * @throws ParleyError NOT_FOUND for a device of somebody else or one that its user removed, BAD_INPUT if the signature is not of a
 *   challenge of this session, FORBIDDEN if the session has another device, LIMIT_EXCEEDED, RATE_LIMITED
 */
export async function bindDevice(by: SessionViewer, deviceId: DeviceId, signature: Buffer, app: App): Promise<DoneToDevice> {
  const bind = async (tx: Transaction) => {
    await lockOwner(tx, by.userId)
    const device = await tx.device.findFirst({ where: { id: deviceId, userId: by.userId, dismissed: false } })
    if (!device) throw notFound('Device')
    const key = Buffer.from(device.signatureKey)
    const isSigned = app.challenges
      .accepted(by.sessionId)
      .some((challenge) => isSignedBy(key, bindingText(deviceId, challenge), signature))
    if (!isSigned) throw badInput('input.signature', 'is not a signature of a challenge of this session by this device')
    if (Number(device.sessionId ?? 0) === by.sessionId) return { result: deviceId, facts: [] }
    await requireNoOther(tx, by)
    if (device.removedAt !== null) await requireRoom(tx, by.userId)
    await tx.device.update({ where: { id: deviceId }, data: { sessionId: by.sessionId, removedAt: null } })
    return { result: deviceId, facts: device.removedAt === null ? [] : await tell(tx, by.userId, deviceId, 'ADDED') }
  }
  return changing(by, app, bind)
}

/**
 * Removes one of the viewer's devices for ever. Again, it changes nothing.
 * @throws ParleyError NOT_FOUND
 */
export async function removeDevice(by: Viewer, deviceId: DeviceId, app: App): Promise<DoneToDevice> {
  const { result, place } = await app.journal.writing(async (tx) => {
    await lockOwner(tx, by.userId)
    const device = await tx.device.findFirst({ where: { id: deviceId, userId: by.userId } })
    if (!device) throw notFound('Device')
    const removedAt = device.removedAt ?? new Date(app.clock.now())
    await tx.device.update({ where: { id: deviceId }, data: { sessionId: null, dismissed: true, removedAt } })
    await tx.keyPackage.deleteMany({ where: { deviceId } })
    return { result: deviceId, facts: device.removedAt === null ? await tell(tx, by.userId, deviceId, 'REMOVED') : [] }
  })
  return { deviceId: result, place }
}

/** Removes the device of a session that has ended, until it is bound to another one. Does nothing if it was bound or removed since. */
export async function endDevice({ userId, deviceId, sessionId }: EndedDevice, app: App): Promise<void> {
  await app.journal.writing(async (tx) => {
    await lockOwner(tx, userId)
    const { count } = await tx.device.updateMany({
      where: { id: deviceId, sessionId, removedAt: null },
      data: { sessionId: null, removedAt: new Date(app.clock.now()) },
    })
    if (count === 0) return { result: undefined, facts: [] }
    await tx.keyPackage.deleteMany({ where: { deviceId } })
    return { result: undefined, facts: await tell(tx, userId, deviceId, 'REMOVED') }
  })
}

/** The device of the viewer's session. @throws ParleyError FORBIDDEN if it has none */
export async function requireOwnDevice(by: SessionViewer, reader: Reader): Promise<OwnDeviceRow> {
  const device = await findOwnDevice(by, reader)
  if (device) return device
  throw noDevice()
}

/** The refusal of what a session does only with a device. */
export const noDevice = () => new ParleyError('FORBIDDEN', 'This session has no device: register it, or bind it.')

async function changing(
  by: SessionViewer,
  app: App,
  change: (tx: Transaction) => Promise<{ result: DeviceId; facts: NewFact[] }>,
): Promise<DoneToDevice> {
  const counted = {
    limit: { name: 'devices', most: encryptionRates.devices, periodS: 3_600 },
    key: String(by.userId),
    refusal: 'You have registered devices too often. Try again later.',
  }
  return limited(app.counters, counted, async () => {
    const { result, place } = await app.journal.writing(change)
    return { deviceId: result, place }
  })
}

async function lockOwner(tx: Transaction, userId: UserId): Promise<void> {
  const rows = await tx.$queryRaw<unknown[]>`
    select 1 from "user" where id = ${userId} and deleted_at is null for no key update`
  if (rows.length === 0) throw notFound('User')
}

async function requireNoOther(tx: Transaction, { sessionId }: SessionViewer): Promise<void> {
  const other = await tx.device.count({ where: { sessionId } })
  if (other > 0) throw new ParleyError('FORBIDDEN', 'This session has another device. Remove that one first.')
}

async function requireRoom(tx: Transaction, userId: UserId): Promise<void> {
  const [now, ever] = [
    await tx.device.count({ where: { userId, removedAt: null } }),
    await tx.device.count({ where: { userId } }),
  ]
  if (now < encryptionLimits.devices && ever < encryptionLimits.devicesEver) return
  throw new ParleyError('LIMIT_EXCEEDED', `You can have at most ${encryptionLimits.devices} devices. Remove one first.`)
}

/** The facts of a change to a device, for everybody who may encrypt for it. */
async function tell(tx: Transaction, userId: UserId, deviceId: DeviceId, change: DevicesPayload['change']): Promise<NewFact[]> {
  return devicesChanged(userId, deviceId, change, await findEncrypted(tx, userId))
}

async function findEncrypted(tx: Transaction, userId: UserId): Promise<ConversationId[]> {
  const rows = await tx.member.findMany({
    where: { userId, conversation: { encryption: 'MLS' } },
    select: { conversationId: true },
    orderBy: { conversationId: 'asc' },
  })
  return rows.map(({ conversationId }) => conversationIdOf(conversationId))
}

/** Bytes as Prisma takes them: not a part of a larger buffer. */
const bytesOf = (bytes: Buffer) => new Uint8Array(bytes)
