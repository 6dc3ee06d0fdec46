// Key packages: each is claimed once, by people who may reach the user.

import { beforeAll, beforeEach, expect, test } from 'vitest'
import { encryptionLimits } from '../../src/encryption/row.ts'
import { BlockUser, SetMessagePolicy } from '../account/documents.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { connect, type Node, openPair } from '../support/node.ts'
import { ClaimKeyPackages, DeviceChallenge, UploadKeyPackages } from './documents.ts'
import { bytes, encryptedGroup, register, stock } from './support.ts'

let here: Node
let there: Node
let round = 0
let alice: Device
let bob: Device
let carol: Device

beforeAll(async () => {
  ;[here, there] = await openPair()
})
beforeEach(async () => {
  round += 1
  const names = ['Alice', 'Bob', 'Carol'].map((name) => `${name}${round}`)
  ;[alice, bob, carol] = (await signUpAll(here, ...names)) as [Device, Device, Device]
  for (const device of [alice, bob, carol]) await register(device)
})

const claim = async (by: Device, ...of: readonly Device[]) => {
  const input = { userIds: of.map(({ userId }) => userId) }
  return (await by.run(ClaimKeyPackages, { input })).claimKeyPackages.keyPackages
}

test('under concurrent claims on two nodes, each key package goes to one claim', async () => {
  const uploaded = await stock(alice, 60)
  const onBoth = [bob, await bob.another(there), carol, await carol.another(there)]
  const claims = Array.from({ length: 80 }, (_, i) => claim(onBoth[i % onBoth.length] as Device, alice))
  const claimed = (await Promise.all(claims)).flat().map(({ keyPackage }) => keyPackage)
  expect(claimed.toSorted()).toEqual(uploaded.toSorted())
})

test('the last resort comes when nothing else is left, as often as needed', async () => {
  const lastResort = bytes()
  const [one] = await stock(alice, 1, lastResort)
  expect((await alice.run(DeviceChallenge, {})).keyPackageCount).toBe(1)
  const seen = []
  for (let i = 0; i < 3; i += 1) seen.push(...(await claim(bob, alice)).map(({ keyPackage }) => keyPackage))
  expect(seen).toEqual([one, lastResort, lastResort])
  const newer = bytes()
  await stock(alice, 0, newer)
  expect((await claim(bob, alice)).map(({ keyPackage }) => keyPackage)).toEqual([newer])
})

test('a claim brings one for each device, but not for the one that claims; a device without any is left out', async () => {
  const laptop = await alice.another(there, 'Laptop')
  const laptopId = await register(laptop)
  await stock(alice, 2)
  await stock(laptop, 2)
  expect(await claim(bob, alice, carol)).toHaveLength(2)
  const own = await claim(alice, alice)
  expect(own.map(({ device }) => device.id)).toEqual([laptopId])
})

test('a device has so many key packages and no more, and the same ones once', async () => {
  const keyPackages = await stock(alice, encryptionLimits.keyPackages)
  const refusal = await alice.refused(UploadKeyPackages, { input: { keyPackages: [bytes()] } })
  expect(refusal.extensions).toMatchObject({ code: 'LIMIT_EXCEEDED', argument: 'input.keyPackages' })
  const { uploadKeyPackages } = await alice.run(UploadKeyPackages, { input: { keyPackages: keyPackages.slice(0, 5) } })
  expect(uploadKeyPackages.count).toBe(encryptionLimits.keyPackages)
  const tooLong = await alice.refused(UploadKeyPackages, {
    input: { keyPackages: [bytes(encryptionLimits.keyPackageBytes + 1)] },
  })
  expect(tooLong.extensions).toMatchObject({ code: 'BAD_INPUT', argument: 'input.keyPackages.0' })
})

test('who may not reach a user claims nothing, but who is in an encrypted conversation with them does', async () => {
  await stock(alice, 5)
  await alice.run(SetMessagePolicy, { input: { messagePolicy: 'CONTACTS' } })
  const input = { userIds: [bob.userId, alice.userId] }
  expect((await carol.refused(ClaimKeyPackages, { input })).extensions).toMatchObject({
    code: 'FORBIDDEN',
    argument: 'input.userIds.1',
  })
  await alice.run(SetMessagePolicy, { input: { messagePolicy: 'ANYONE' } })
  expect(await claim(carol, alice)).toHaveLength(1)
  await encryptedGroup(alice, bob, carol)
  await alice.run(BlockUser, { input: { userId: bob.userId } })
  expect(await claim(bob, alice)).toHaveLength(1)
  const [dora] = (await signUpAll(here, `Dora${round}`)) as [Device]
  await register(dora)
  await alice.run(BlockUser, { input: { userId: dora.userId } })
  expect((await dora.refused(ClaimKeyPackages, { input: { userIds: [alice.userId] } })).extensions.code).toBe('FORBIDDEN')
})

test('expired key packages are not handed out', async () => {
  await stock(alice, 3, bytes())
  const sql = await connect(here.databaseUrl)
  await sql.query("update key_package set expires_at = now() - interval '1 second' where not last_resort")
  expect((await alice.run(DeviceChallenge, {})).keyPackageCount).toBe(0)
  expect(await claim(bob, alice)).toHaveLength(1)
})
