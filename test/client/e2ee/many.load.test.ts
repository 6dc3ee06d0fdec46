// A group of a hundred members with two devices each.

import { performance } from 'node:perf_hooks'
import { expect, test } from 'vitest'
import { toBase64 } from '../../../client/src/e2ee/bytes.ts'
import { EncryptedGroup } from '../../../client/src/e2ee/group.ts'
import { newKeyPackage } from '../../../client/src/e2ee/key-packages.ts'
import { applied, conversationId, everybody, hear, newDevice, say, type TestDevice, welcomeFor } from './devices.ts'

const members = 100
/** How many of the devices the test plays. The others are in the group, and read nothing. */
const played = 6

test('a hundred members with two devices each talk, commit and lose one', async () => {
  const times: Record<string, number> = {}
  const timed = async <T>(name: string, run: () => Promise<T>): Promise<T> => {
    const before = performance.now()
    const result = await run()
    times[name] = Math.round(performance.now() - before)
    return result
  }
  const devices = await Promise.all(Array.from({ length: members * 2 }, (_, i) => newDevice(`u_${i >> 1}`, (i % 2) + 1)))
  const [first, ...others] = devices
  if (!first) throw new Error('no devices')
  const packages = await timed('key packages of all', () => Promise.all(others.map((device) => newKeyPackage(device))))
  const base = await EncryptedGroup.create(conversationId, first, everybody)
  const add = packages.map(({ keyPackage }) => keyPackage)
  const made = await timed('commit that adds 199 devices', () => base.commit({ add, remove: [] }))
  // What a server takes in one request, by default: without the trees in the Welcomes.
  const bare = await base.commit({ add, remove: [] }, false)
  const welcomes = bare.welcomes.map(({ deviceId, welcome }) => ({ deviceId, welcome: toBase64(welcome) }))
  const body = JSON.stringify({ welcomes, commit: toBase64(bare.commit), groupInfo: toBase64(bare.groupInfo) })
  expect(body.length).toBeLessThan(255_000)
  const [second, secondPackage] = [others[0], packages[0]]
  if (!second || !secondPackage) throw new Error('no second device')
  const secondWelcome = welcomeFor(bare, second)
  await expect(EncryptedGroup.join(secondWelcome, secondPackage, second, everybody)).rejects.toThrow('RatchetTree')
  const viaInfo = await EncryptedGroup.join(secondWelcome, secondPackage, second, everybody, bare.groupInfo)
  expect(viaInfo.authenticator).toBe(bare.next.authenticator)
  const group: TestDevice[] = [{ device: first, group: made.next }]
  for (const [i, device] of others.slice(0, played - 1).entries()) {
    const own = packages[i]
    if (own) {
      const join = () => EncryptedGroup.join(welcomeFor(made, device), own, device, everybody)
      group.push({ device, group: await timed('join', join) })
    }
  }
  const [alice, aliceToo, bob, bobToo] = group as [TestDevice, TestDevice, TestDevice, TestDevice]
  expect(bob.group.devices.length).toBe(members * 2)
  const rekeyed = await timed('first commit that renews keys', () => alice.group.commit({ add: [], remove: [] }))
  await timed('apply it', () => aliceToo.group.process(rekeyed.commit))
  await applied(group, alice, rekeyed)
  const removing = await timed('commit that removes one device', () => bob.group.commit({ add: [], remove: ['u_99-2'] }))
  await applied(group, bob, removing)
  const hello = await timed('encrypt', () => say(alice, 'hello'))
  expect(await timed('decrypt', () => hear(bobToo, hello))).toMatchObject({ text: 'hello' })
  const state = await timed('serialise', async () => bob.group.bytes())
  await timed('restore', async () => EncryptedGroup.restore(state, everybody))
  await timed('join from outside', () => EncryptedGroup.joinExternally(removing.groupInfo, devices[199] ?? first, everybody))
  expect(new Set(group.map((each) => each.group.authenticator)).size).toBe(1)
  expect(bob.group.devices.length).toBe(members * 2 - 1)
  const sizes = {
    'commit that adds 199 devices': made.commit.length,
    'first commit that renews keys': rekeyed.commit.length,
    'commit that removes one device': removing.commit.length,
    Welcome: made.welcomes[0]?.welcome.length ?? 0,
    'Welcome without the tree': secondWelcome.length,
    'request with 199 Welcomes': body.length,
    GroupInfo: removing.groupInfo.length,
    message: hello.ciphertext.length,
    state: state.length,
    'key package': add[0]?.length ?? 0,
  }
  process.stdout.write(`milliseconds: ${JSON.stringify(times)}\nbytes: ${JSON.stringify(sizes)}\n`)
  expect(sizes.message).toBeLessThan(1_024)
  expect(sizes.Welcome).toBeLessThan(65_536)
  expect(sizes.GroupInfo).toBeLessThan(65_536)
  expect(sizes['first commit that renews keys']).toBeLessThan(65_536)
})
