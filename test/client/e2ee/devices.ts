// Devices of a group without a server: the test hands the messages over, in the order that it wants.

import { bytesOf, textOfBytes } from '../../../client/src/e2ee/bytes.ts'
import { EncryptedGroup, type GroupCommit } from '../../../client/src/e2ee/group.ts'
import { type DeviceTrust, newSignatureKeys, type OwnDevice } from '../../../client/src/e2ee/identity.ts'
import { newKeyPackage } from '../../../client/src/e2ee/key-packages.ts'

export const everybody: DeviceTrust = async () => true
export const conversationId = 'c_0000000000001'

/** A device with its group, once it has one. */
export type TestDevice = { readonly device: OwnDevice; group: EncryptedGroup }

/** New keys of a device, named by its user and a number. */
export async function newDevice(userId: string, number = 1): Promise<OwnDevice> {
  return { userId, deviceId: `${userId}-${number}`, keys: await newSignatureKeys() }
}

/** The Welcome of a device in a commit. */
export function welcomeFor({ welcomes }: GroupCommit, { deviceId }: OwnDevice): Uint8Array {
  const found = welcomes.find((each) => each.deviceId === deviceId)
  if (!found) throw new Error(`No Welcome for ${deviceId}`)
  return found.welcome
}

/** A group that its first device has made and the others have joined. */
export async function groupOf(devices: readonly OwnDevice[], trust: DeviceTrust = everybody): Promise<TestDevice[]> {
  const [first, ...others] = devices
  if (!first) return []
  const packages = await Promise.all(others.map((device) => newKeyPackage(device)))
  const made = await (await EncryptedGroup.create(conversationId, first, trust)).commit({
    add: packages.map(({ keyPackage }) => keyPackage),
    remove: [],
  })
  const members: TestDevice[] = [{ device: first, group: made.next }]
  for (const [i, device] of others.entries()) {
    const own = packages[i]
    if (own) members.push({ device, group: await EncryptedGroup.join(welcomeFor(made, device), own, device, trust) })
  }
  return members
}

/** Everybody but the committer applies a commit. @returns the devices that it has removed */
export async function applied(members: readonly TestDevice[], committer: TestDevice, made: GroupCommit): Promise<TestDevice[]> {
  const removed: TestDevice[] = []
  for (const member of members) {
    if (member === committer) member.group = made.next.after(member.group)
    else {
      const next = await member.group.process(made.commit)
      if (next) member.group = next
      else removed.push(member)
    }
  }
  return removed
}

let count = 0
/** A message in its ciphertext, with the header. */
export async function say(from: TestDevice, text: string) {
  const clientMessageId = `message-${String(count++).padStart(6, '0')}`
  const header = { conversationId, epoch: from.group.epoch, clientMessageId }
  const { ciphertext, next } = await from.group.encrypt(clientMessageId, bytesOf(text))
  from.group = next
  return { header, ciphertext }
}

/** Reads a message. @returns its text and the device that sent it */
export async function hear(by: TestDevice, { header, ciphertext }: Awaited<ReturnType<typeof say>>) {
  const { content, sender, next } = await by.group.decrypt(header, ciphertext)
  by.group = next
  return { text: textOfBytes(content), from: sender.deviceId }
}
