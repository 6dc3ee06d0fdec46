// A device that dies at any step, and one that was away for longer than the journal lasts.

import { beforeEach, expect, test } from 'vitest'
import type { EncryptionStorage } from '../../../client/src/e2ee.ts'
import { type Device, signUpAll } from '../../support/device.ts'
import { AddMembers } from '../../support/documents.ts'
import { type Node, openNode } from '../../support/node.ts'
import { until } from '../../support/until.ts'
import { agreed, EncryptedApp, type Kept, newKept } from './apps.ts'

let node: Node
let [alice, bob, carol]: Device[] = []
const of = (device: Device | undefined): Device => {
  if (!device) throw new Error('not signed up')
  return device
}

beforeEach(async () => {
  node = await openNode()
  ;[alice, bob, carol] = await signUpAll(node, 'Alice', 'Bob', 'Carol')
})

/** A storage of a device that dies at its n-th write once it is armed, before it or after. Nothing that it does then has an effect. */
function dying(storage: EncryptionStorage, at: number, isAfter: boolean) {
  const never = () => new Promise<never>(() => undefined)
  const state = { writes: 0, isArmed: false, isDead: false }
  const whileAlive = <T>(run: () => Promise<T>) => (state.isDead ? never() : run())
  const dyingStorage: EncryptionStorage = {
    name: null,
    get: (table, key) => whileAlive(() => storage.get(table, key)),
    entries: (table) => whileAlive(() => storage.entries(table)),
    write: (changes) =>
      whileAlive(async () => {
        if (state.isArmed) state.writes += 1
        if (state.writes < at) return storage.write(changes)
        if (isAfter) await storage.write(changes)
        state.isDead = true
        return never()
      }),
    close: async () => undefined,
  }
  return { state, storage: dyingStorage }
}

test('a device that dies at any of its writes loses nothing, and sends nothing twice', async () => {
  const b = await EncryptedApp.open(of(bob))
  const kept = newKept()
  const first = await EncryptedApp.open(of(alice), kept)
  const id = await first.group(of(bob))
  await agreed(id, [first, b], 2)
  await first.close()
  const expected: string[] = []
  for (let at = 1; at <= 5; at++) {
    for (const isAfter of [false, true]) {
      const { state, storage } = dying(kept.storage, at, isAfter)
      const mortal = await EncryptedApp.open(of(alice), { storage, outbox: kept.outbox } satisfies Kept)
      state.isArmed = true
      const text = `write ${at}, ${isAfter ? 'after' : 'before'}`
      expected.push(text)
      await mortal.encryption.send({ conversationId: id, text })
      await until('the device to die, or to be done', () => state.isDead || mortal.texts(id).includes(text))
      state.isDead = true
      mortal.abandon()
      const reborn = await EncryptedApp.open(of(alice), kept)
      await b.hears(id, text)
      await reborn.hears(id, text)
      await agreed(id, [reborn, b], 2)
      await reborn.close()
    }
  }
  expect(b.texts(id)).toEqual(expected)
})

test('a device that dies while its commit is under way takes it up again, or finds another one', async () => {
  const [b, c] = [await EncryptedApp.open(of(bob)), await EncryptedApp.open(of(carol))]
  const kept = newKept()
  const first = await EncryptedApp.open(of(alice), kept)
  await first.close()
  for (let at = 1; at <= 4; at++) {
    const { state, storage } = dying(kept.storage, at, true)
    const mortal = await EncryptedApp.open(of(alice), { storage, outbox: kept.outbox })
    state.isArmed = true
    const id = await mortal.group(of(bob))
    void mortal.encryption.prepare(id)
    await of(alice).run(AddMembers, { input: { conversationId: id, userIds: [of(carol).userId] } })
    await until('the device to die', () => state.isDead, 5_000).catch(() => undefined)
    state.isDead = true
    mortal.abandon()
    const reborn = await EncryptedApp.open(of(alice), kept)
    await agreed(id, [reborn, b, c], 3)
    await reborn.say(id, 'here')
    await b.hears(id, 'here')
    await c.hears(id, 'here')
    await reborn.close()
  }
})

test('a device that was away for longer than the journal lasts joins again, and reads what comes', async () => {
  const [a, b] = [await EncryptedApp.open(of(alice)), await EncryptedApp.open(of(bob))]
  const id = await a.group(of(bob))
  await agreed(id, [a, b], 2)
  await b.close()
  await a.say(id, 'missed')
  const c = await EncryptedApp.open(of(carol))
  await of(alice).run(AddMembers, { input: { conversationId: id, userIds: [of(carol).userId] } })
  await agreed(id, [a, c], 3)
  // As after a week: the server cannot continue from the cursor, and the app begins with a snapshot.
  await b.kept.storage.write([{ table: 'cursor', key: 'own', value: null }])
  const back = await EncryptedApp.open(of(bob), b.kept)
  await agreed(id, [a, back, c], 3)
  await a.say(id, 'you are back')
  await back.hears(id, 'you are back')
  await back.say(id, 'yes')
  await c.hears(id, 'yes')
})

test('messages of the current epoch are read from the history, if the journal does not go back so far', async () => {
  const [a, b] = [await EncryptedApp.open(of(alice)), await EncryptedApp.open(of(bob))]
  const id = await a.group(of(bob))
  await agreed(id, [a, b], 2)
  await a.say(id, 'zero')
  await b.hears(id, 'zero')
  await b.close()
  for (const text of ['one', 'two', 'three']) await a.say(id, text)
  await b.kept.storage.write([{ table: 'cursor', key: 'own', value: null }])
  const back = await EncryptedApp.open(of(bob), b.kept)
  await back.hears(id, 'three')
  expect(back.texts(id)).toEqual(['zero', 'one', 'two', 'three'])
})
