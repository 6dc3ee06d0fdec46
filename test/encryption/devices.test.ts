// Devices: who has one, how it proves it, and who hears of it.

import { beforeEach, expect, test } from 'vitest'
import { challengeSlotMs } from '../../src/encryption/challenges.ts'
import { TestClock } from '../support/clock.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { LogOut, RevokeSession } from '../support/documents.ts'
import { type Node, openNode } from '../support/node.ts'
import { until } from '../support/until.ts'
import {
  BindDevice,
  DeviceChallenge,
  DeviceNode,
  DevicesOf,
  Group,
  RegisterDevice,
  RemoveDevice,
  UploadKeyPackages,
} from './documents.ts'
import { bytes, commit, encryptedGroup, Followed, register, Signer, stock } from './support.ts'

let node: Node
let alice: Device
let bob: Device
let carol: Device

beforeEach(async () => {
  node = await openNode()
  ;[alice, bob, carol] = (await signUpAll(node, 'Alice', 'Bob', 'Carol')) as [Device, Device, Device]
})

const devicesOf = async (viewer: Device, userId: string) => {
  const { node: user } = await viewer.run(DevicesOf, { id: userId })
  return user && 'devices' in user ? (user.devices.nodes ?? []).flatMap((device) => (device ? [device] : [])) : []
}

test('a device is registered once, by a signature of its key, and again changes nothing', async () => {
  const signer = new Signer()
  const given = signer.registration(alice.userId, 'Phone of Alice')
  const { device, cursor } = (await alice.run(RegisterDevice, given)).registerDevice
  expect(device).toMatchObject({ name: 'Phone of Alice', signatureKey: signer.key, removedAt: null, user: { id: alice.userId } })
  expect(cursor).not.toBeNull()
  expect((await alice.run(RegisterDevice, given)).registerDevice).toEqual({ device, cursor: null })
  const other = new Signer()
  expect((await alice.refused(RegisterDevice, other.registration(alice.userId))).extensions.code).toBe('FORBIDDEN')
  const later = await alice.another()
  expect((await later.refused(RegisterDevice, given)).extensions).toMatchObject({
    code: 'FORBIDDEN',
    argument: 'input.signatureKey',
  })
})

test.each([
  ['of another user', (signer: Signer) => signer.registration(bob.userId)],
  [
    'of another key',
    (signer: Signer) => ({ input: { ...signer.registration(alice.userId).input, signatureKey: new Signer().key } }),
  ],
  ['of other bytes', (signer: Signer) => ({ input: { ...signer.registration(alice.userId).input, signature: bytes(64) } })],
  ['that is too short', (signer: Signer) => ({ input: { ...signer.registration(alice.userId).input, signature: bytes(10) } })],
  ['by a key that is none', () => ({ input: { name: 'x', signatureKey: bytes(5), signature: bytes(64) } })],
])('a signature %s registers nothing', async (_what, given) => {
  expect((await alice.refused(RegisterDevice, given(new Signer()))).extensions).toMatchObject({
    code: 'BAD_INPUT',
    argument: 'input.signature',
  })
  expect(await devicesOf(alice, alice.userId)).toEqual([])
})

test('a key belongs to one user', async () => {
  const signer = new Signer()
  await register(alice, signer)
  expect((await bob.refused(RegisterDevice, signer.registration(bob.userId))).extensions).toMatchObject({
    code: 'BAD_INPUT',
    argument: 'input.signatureKey',
  })
})

test('a device survives a new log-in by signing the challenge of that session', async () => {
  const signer = new Signer()
  const deviceId = await register(alice, signer)
  const later = await alice.another()
  const foreign = (await alice.run(DeviceChallenge, {})).deviceChallenge
  const of = (challenge: string, by = signer) => ({
    input: { deviceId, signature: by.sign('parley.device.bind.v1', deviceId, challenge) },
  })
  const own = (await later.run(DeviceChallenge, {})).deviceChallenge
  for (const wrong of [of(foreign), of(own, new Signer()), of('')]) {
    expect((await later.refused(BindDevice, wrong)).extensions).toMatchObject({ code: 'BAD_INPUT', argument: 'input.signature' })
  }
  expect((await bob.refused(BindDevice, of(own))).extensions.code).toBe('NOT_FOUND')
  const { device, cursor } = (await later.run(BindDevice, of(own))).bindDevice
  expect(device).toMatchObject({ id: deviceId, removedAt: null })
  expect(cursor).toBeNull()
  // It is the device of the later session now.
  await stock(later, 1)
  expect((await alice.refused(UploadKeyPackages, { input: { keyPackages: [bytes()] } })).extensions.code).toBe('FORBIDDEN')
})

test('a challenge is good in its slot and in the next one', async () => {
  const clock = new TestClock()
  node = await openNode({}, clock)
  ;[alice] = (await signUpAll(node, 'Alice')) as [Device]
  const signer = new Signer()
  const deviceId = await register(alice, signer)
  const later = await alice.another()
  const { deviceChallenge } = await later.run(DeviceChallenge, {})
  const input = { deviceId, signature: signer.sign('parley.device.bind.v1', deviceId, deviceChallenge) }
  await clock.leap(2 * challengeSlotMs)
  expect((await later.refused(BindDevice, { input })).extensions.code).toBe('BAD_INPUT')
  expect((await signer.bind(later, deviceId)).device.id).toBe(deviceId)
})

test('the end of its session removes a device and its key packages, and everybody in its encrypted conversations hears of it', async () => {
  const signer = new Signer()
  const deviceId = await register(alice, signer)
  await register(bob)
  await stock(alice, 3)
  const group = await encryptedGroup(alice, bob)
  await commit(bob, group, 0, [{ deviceId, welcome: bytes() }])
  const [onBob, onCarol] = [await Followed.open(bob), await Followed.open(carol)]
  await bob.group('Plain', alice, carol)
  await alice.run(LogOut, {})
  const [told] = await onBob.wait('DevicesChanged')
  expect(told).toMatchObject({
    change: 'REMOVED',
    user: { id: alice.userId },
    device: { id: deviceId },
    inConversation: { id: group },
  })
  expect(told?.device.removedAt).not.toBeNull()
  expect((await bob.run(Group, { id: group })).conversation).toMatchObject({ epoch: 1, needsRekey: true })
  const later = await alice.another()
  const { device, cursor } = await signer.bind(later, deviceId)
  expect(device.removedAt).toBeNull()
  expect(cursor).not.toBeNull()
  expect((await onBob.wait('DevicesChanged', 2))[1]).toMatchObject({ change: 'ADDED', device: { id: deviceId } })
  expect((await later.run(DeviceChallenge, {})).keyPackageCount).toBe(0)
  expect(onCarol.of('DevicesChanged')).toEqual([])
})

test('a session that expires removes its device, too', async () => {
  const deviceId = await register(alice)
  const { app } = node
  await app.store.prisma.$executeRaw`update session set expires_at = now() - interval '1 second'`
  const other = await signUpAll(node, 'Dora')
  const dora = other[0] as Device
  const second = await dora.another()
  await dora.run(RevokeSession, { input: { sessionId: second.sessionId } }) // wakes the sweeper
  await until('the device is gone', async () => {
    const [row] = await app.store.prisma.$queryRaw<{ gone: boolean }[]>`select removed_at is not null as gone from device`
    return row?.gone === true
  })
  expect(deviceId).toMatch(/^dev_/)
})

test('a removed device stays in the list and never comes back', async () => {
  const signer = new Signer()
  const deviceId = await register(alice, signer)
  const done = (await alice.run(RemoveDevice, { input: { deviceId } })).removeDevice
  expect(done.device.removedAt).not.toBeNull()
  expect((await alice.run(RemoveDevice, { input: { deviceId } })).removeDevice).toEqual({ ...done, cursor: null })
  const { deviceChallenge } = await alice.run(DeviceChallenge, {})
  const signature = signer.sign('parley.device.bind.v1', deviceId, deviceChallenge)
  expect((await alice.refused(BindDevice, { input: { deviceId, signature } })).extensions.code).toBe('NOT_FOUND')
  expect((await bob.refused(RemoveDevice, { input: { deviceId } })).extensions.code).toBe('NOT_FOUND')
  const second = await register(alice)
  expect((await devicesOf(alice, alice.userId)).map(({ id }) => id)).toEqual([deviceId, second])
})

test('people near see the devices of a user, strangers do not', async () => {
  const deviceId = await register(alice)
  expect(await devicesOf(bob, alice.userId)).toEqual([])
  expect((await bob.run(DeviceNode, { id: deviceId })).node).toBeNull()
  await alice.direct(bob)
  expect((await devicesOf(bob, alice.userId)).map(({ id }) => id)).toEqual([deviceId])
  expect((await bob.run(DeviceNode, { id: deviceId })).node).toMatchObject({ id: deviceId })
  expect(await devicesOf(carol, alice.userId)).toEqual([])
})

test('a new device is told to its user, and once in each encrypted conversation', async () => {
  await encryptedGroup(alice, bob)
  await encryptedGroup(bob, alice)
  const [onAlice, onBob] = [await Followed.open(alice), await Followed.open(bob)]
  const deviceId = await register(alice)
  expect((await onBob.wait('DevicesChanged', 2)).every(({ device }) => device.id === deviceId)).toBe(true)
  const own = await onAlice.wait('DevicesChanged', 3)
  expect(own.filter(({ inConversation }) => inConversation === null)).toHaveLength(1)
})
