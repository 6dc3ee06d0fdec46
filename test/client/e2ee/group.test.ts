// The group of an encrypted conversation: what each device can read, and what it refuses.

import { expect, test } from 'vitest'
import { areEqual, bytesOf } from '../../../client/src/e2ee/bytes.ts'
import { EncryptedGroup } from '../../../client/src/e2ee/group.ts'
import { deviceOfKeyPackage, newKeyPackage } from '../../../client/src/e2ee/key-packages.ts'
import { epochOfCommit } from '../../../client/src/e2ee/mls-messages.ts'
import { applied, conversationId, everybody, groupOf, hear, newDevice, say, type TestDevice, welcomeFor } from './devices.ts'

const devicesOf = (...names: readonly string[]) => Promise.all(names.map((name) => newDevice(name)))
const authenticators = (members: readonly TestDevice[]) => new Set(members.map(({ group }) => group.authenticator))
const failure = { code: 'ENCRYPTION_FAILED' }
const nothing = { add: [], remove: [] }

async function three() {
  const members = await groupOf(await devicesOf('alice', 'bob', 'carol'))
  const [alice, bob, carol] = members as [TestDevice, TestDevice, TestDevice]
  return { members, alice, bob, carol }
}

test('devices talk, know who speaks, and agree on the epoch', async () => {
  const { members, alice, bob, carol } = await three()
  expect(authenticators(members).size).toBe(1)
  const hello = await say(alice, 'hello')
  expect(await hear(bob, hello)).toEqual({ text: 'hello', from: 'alice-1' })
  expect(await hear(carol, hello)).toEqual({ text: 'hello', from: 'alice-1' })
  expect(await hear(alice, await say(carol, 'hi'))).toEqual({ text: 'hi', from: 'carol-1' })
  await expect(hear(bob, hello)).rejects.toMatchObject(failure)
})

test('a message does not pass under another header, and not with a changed byte', async () => {
  const { alice, bob } = await three()
  const { header, ciphertext } = await say(alice, 'hello')
  for (const changed of [{ clientMessageId: 'other' }, { epoch: header.epoch - 1 }, { conversationId: 'c_2' }]) {
    await expect(bob.group.decrypt({ ...header, ...changed }, ciphertext)).rejects.toMatchObject(failure)
  }
  for (const at of [20, ciphertext.length - 1]) {
    const broken = ciphertext.map((byte, i) => (i === at ? byte ^ 1 : byte))
    await expect(bob.group.decrypt(header, broken)).rejects.toMatchObject(failure)
  }
  await expect(bob.group.decrypt(header, ciphertext.subarray(0, -1))).rejects.toMatchObject(failure)
  expect(await hear(bob, { header, ciphertext })).toMatchObject({ text: 'hello' })
})

test('short messages have one length, whatever they say', async () => {
  const { alice } = await three()
  const lengths = new Set<number>()
  for (const size of [0, 1, 63, 64, 200, 253]) lengths.add((await say(alice, 'x'.repeat(size))).ciphertext.length)
  expect(lengths.size).toBe(1)
  const longer = await Promise.all([300, 500].map(async (size) => (await say(alice, 'x'.repeat(size))).ciphertext.length))
  expect(new Set(longer).size).toBe(1)
})

test('a group outlives its device: the restored state continues where it was stored', async () => {
  const { alice, bob } = await three()
  const first = await say(alice, 'one')
  bob.group = EncryptedGroup.restore(bob.group.bytes(), everybody)
  alice.group = EncryptedGroup.restore(alice.group.bytes(), everybody)
  const second = await say(alice, 'two')
  // The second is read first: the key of the first is kept.
  expect(await hear(bob, second)).toMatchObject({ text: 'two' })
  bob.group = EncryptedGroup.restore(bob.group.bytes(), everybody)
  expect(await hear(bob, first)).toMatchObject({ text: 'one' })
  expect(bob.group.conversationId).toBe(conversationId)
  expect(() => EncryptedGroup.restore(bytesOf('nonsense'), everybody)).toThrow('cannot be read')
})

test('commits are applied in order, and messages of the epoch before are still read', async () => {
  const { members, alice, bob, carol } = await three()
  const late = await say(alice, 'late')
  for (const committer of [bob, carol]) {
    const made = await committer.group.commit(nothing)
    expect(epochOfCommit(made.commit)).toBe(committer.group.epoch)
    await applied(members, committer, made)
    expect(authenticators(members).size).toBe(1)
    if (committer === bob) expect(await hear(carol, late)).toMatchObject({ text: 'late' })
  }
  // Two epochs later, its key is gone.
  await expect(hear(bob, late)).rejects.toMatchObject(failure)
  expect(await hear(bob, await say(alice, 'now'))).toMatchObject({ text: 'now' })
})

test('what was read while an own commit was under way is not read twice, and what was not read still is', async () => {
  const { members, alice, bob } = await three()
  const made = await bob.group.commit(nothing)
  const [one, two] = [await say(alice, 'one'), await say(alice, 'two')]
  expect(await hear(bob, one)).toMatchObject({ text: 'one' })
  await applied(members, bob, made)
  await expect(hear(bob, one)).rejects.toMatchObject(failure)
  expect(await hear(bob, two)).toMatchObject({ text: 'two' })
})

test('a removed device reads nothing of the next epoch', async () => {
  const { members, alice, bob, carol } = await three()
  const before = carol.group
  const made = await alice.group.commit({ add: [], remove: ['carol-1'] })
  expect(await applied(members, alice, made)).toEqual([carol])
  expect(bob.group.devices.map(({ deviceId }) => deviceId)).toEqual(['alice-1', 'bob-1'])
  const secret = await say(alice, 'without carol')
  expect(await hear(bob, secret)).toMatchObject({ text: 'without carol' })
  carol.group = before
  await expect(hear(carol, secret)).rejects.toMatchObject(failure)
  // She says that it is of her epoch, and it is not.
  const forged = { ...secret, header: { ...secret.header, epoch: before.epoch } }
  await expect(hear(carol, forged)).rejects.toMatchObject(failure)
  expect(carol.group.authenticator).not.toBe(bob.group.authenticator)
})

test('who loses a race applies the winner and commits again', async () => {
  const { members, alice, bob } = await three()
  const dave = await newDevice('dave')
  const daves = await newKeyPackage(dave)
  const winner = await alice.group.commit(nothing)
  const loser = await bob.group.commit({ add: [daves.keyPackage], remove: [] })
  await applied(members, alice, winner)
  // The lost commit is of no use to anybody.
  await expect(alice.group.process(loser.commit)).rejects.toMatchObject(failure)
  const again = await bob.group.commit({ add: [daves.keyPackage], remove: [] })
  await applied(members, bob, again)
  const joined: TestDevice = { device: dave, group: await EncryptedGroup.join(welcomeFor(again, dave), daves, dave, everybody) }
  expect(authenticators([...members, joined]).size).toBe(1)
  expect(EncryptedGroup.refsOfWelcome(welcomeFor(again, dave))).toEqual([daves.ref])
  expect(await hear(joined, await say(bob, 'welcome'))).toMatchObject({ text: 'welcome' })
})

test('a device that has lost its state comes back with the stored GroupInfo, and only once in the group', async () => {
  const { members, alice, bob, carol } = await three()
  const { groupInfo, ...made } = await alice.group.commit(nothing)
  await applied([alice, bob], alice, { ...made, groupInfo })
  const back = await EncryptedGroup.joinExternally(groupInfo, carol.device, everybody)
  for (const member of [alice, bob]) member.group = (await member.group.process(back.commit)) ?? member.group
  carol.group = back.next
  expect(authenticators(members).size).toBe(1)
  expect(alice.group.devices.map(({ deviceId }) => deviceId).sort()).toEqual(['alice-1', 'bob-1', 'carol-1'])
  expect(await hear(carol, await say(bob, 'you are back'))).toMatchObject({ text: 'you are back' })
  expect(await hear(alice, await say(carol, 'yes'))).toEqual({ text: 'yes', from: 'carol-1' })
  // A second device of hers joins the same way.
  const second = await newDevice('carol', 2)
  const joining = await EncryptedGroup.joinExternally(back.groupInfo, second, everybody)
  for (const member of members) member.group = (await member.group.process(joining.commit)) ?? member.group
  expect(await hear({ device: second, group: joining.next }, await say(alice, 'both of you'))).toMatchObject({
    text: 'both of you',
  })
})

test('a device that joins may not throw out another one', async () => {
  const { alice, bob } = await three()
  const { groupInfo } = await alice.group.commit(nothing)
  const mallory = await newDevice('mallory')
  // Mallory uses the key of bob's device for her own leaf: the commit would remove his.
  const asBob = { ...mallory, keys: bob.device.keys }
  const made = await alice.group.commit(nothing)
  const after = made.next
  const joining = await EncryptedGroup.joinExternally(made.groupInfo, asBob, everybody)
  await expect(after.process(joining.commit)).rejects.toThrow('may only replace itself')
  expect(groupInfo.length).toBeGreaterThan(0)
})

test('a device with a key that is not its own is refused, in a commit and in a Welcome', async () => {
  const devices = await devicesOf('alice', 'bob')
  const known = new Map(devices.map(({ deviceId, keys }) => [deviceId, keys.publicKey]))
  const trust = async ({ deviceId, signatureKey }: { deviceId: string; signatureKey: Uint8Array }) =>
    areEqual(known.get(deviceId) ?? new Uint8Array(), signatureKey)
  const [alice, bob] = (await groupOf(devices, trust)) as [TestDevice, TestDevice]
  const ghost = await newDevice('bob', 2)
  const { keyPackage } = await newKeyPackage(ghost)
  await expect(alice.group.commit({ add: [keyPackage], remove: [] })).rejects.toMatchObject(failure)
  const naive = EncryptedGroup.restore(alice.group.bytes(), everybody)
  const made = await naive.commit({ add: [keyPackage], remove: [] })
  await expect(bob.group.process(made.commit)).rejects.toMatchObject(failure)
  const own = await newKeyPackage(ghost)
  const other = await naive.commit({ add: [own.keyPackage], remove: [] })
  await expect(EncryptedGroup.join(welcomeFor(other, ghost), own, ghost, trust)).rejects.toMatchObject(failure)
})

test('a broken key package is told before it spoils a commit', async () => {
  const device = await newDevice('alice')
  const { keyPackage } = await newKeyPackage(device)
  expect(await deviceOfKeyPackage(keyPackage)).toMatchObject({ userId: 'alice', deviceId: 'alice-1' })
  for (const at of [10, 60, keyPackage.length - 1]) {
    expect(await deviceOfKeyPackage(keyPackage.map((byte, i) => (i === at ? byte ^ 1 : byte)))).toBeNull()
  }
  expect(await deviceOfKeyPackage(bytesOf('nonsense'))).toBeNull()
})
