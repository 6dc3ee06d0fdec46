// Avatars: square pictures of users and groups, which everybody sees who sees the user or the group.

import { beforeAll, expect, test } from 'vitest'
import { type Device, signUpAll } from '../support/device.ts'
import { type Node, openNode } from '../support/node.ts'
import { until } from '../support/until.ts'
import { SetAvatar, SetGroupAvatar, UserAvatar } from './documents.ts'
import { begin, fileOf, load, photo, textFile, upload } from './files.ts'

let node: Node
let alice: Device
let bob: Device
let carol: Device
let group: string

beforeAll(async () => {
  node = await openNode()
  ;[alice, bob, carol] = (await signUpAll(node, 'Alice', 'Bob', 'Carol')) as [Device, Device, Device]
  group = await alice.group('Pictures', bob)
})

const avatarOf = async (device: Device, userId: string) => {
  const { node: user } = await device.run(UserAvatar, { id: userId })
  return user && 'avatar' in user ? user.avatar : null
}

test('a user has a square picture in three sizes, which strangers see', async () => {
  const avatarId = await upload(alice, await photo(), 'AVATAR')
  const { updateProfile } = await alice.run(SetAvatar, { input: { avatarId } })
  expect(updateProfile.viewer.avatar).toMatchObject({ id: avatarId, state: 'READY', width: 512, height: 512 })
  const seen = await avatarOf(carol, alice.userId)
  expect(seen?.variants.map(({ width, height }) => [width, height])).toEqual([
    [64, 64],
    [192, 192],
    [512, 512],
  ])
  expect((await load(carol, seen?.variants[0]?.url)).status).toBe(200)
  expect(await fileOf(carol, avatarId)).toMatchObject({ id: avatarId })
})

test('a new picture replaces the old one, whose file goes; null removes it', async () => {
  const [first, second] = [await upload(bob, await photo(), 'AVATAR'), await upload(bob, await photo(), 'AVATAR')]
  await bob.run(SetAvatar, { input: { avatarId: first } })
  const old = await avatarOf(alice, bob.userId)
  await bob.run(SetAvatar, { input: { avatarId: second } })
  const log = await alice.events().live()
  const { updateProfile } = await bob.run(SetAvatar, { input: { avatarId: null } })
  expect(updateProfile.viewer.avatar).toBeNull()
  await log.first('UserUpdated')
  expect(await avatarOf(alice, bob.userId)).toBeNull()
  const other = await openNode({ DATABASE_URL: node.databaseUrl })
  await until('the old files to go', async () => (await load(alice, old?.url)).status === 404)
  await other.close()
})

test('only admins set the picture of a group, and only members see it', async () => {
  const avatarId = await upload(alice, await photo(), 'AVATAR')
  const input = { conversationId: group, avatarId }
  expect(
    await bob.refused(SetGroupAvatar, { input: { ...input, avatarId: await upload(bob, await photo(), 'AVATAR') } }),
  ).toMatchObject({
    extensions: { code: 'FORBIDDEN' },
  })
  const { updateConversation } = await alice.run(SetGroupAvatar, { input })
  expect(updateConversation.conversation.avatar).toMatchObject({ id: avatarId })
  expect(await fileOf(bob, avatarId)).toMatchObject({ id: avatarId })
  expect(await fileOf(carol, avatarId)).toBeNull()
  // The same upload may be her own picture, too; one use of it ends without the other.
  await alice.run(SetAvatar, { input: { avatarId } })
  await alice.run(SetAvatar, { input: { avatarId: null } })
  expect(await fileOf(bob, avatarId)).toMatchObject({ id: avatarId })
})

test('what is no picture, no finished upload, not for this purpose or not yours is refused', async () => {
  const { attachment: unfinished } = await begin(alice, await photo(), 'AVATAR')
  const refusals = [
    [await upload(alice, textFile(), 'AVATAR'), 'FILE_REFUSED'],
    [unfinished.id, 'UPLOAD_INCOMPLETE'],
    [await upload(alice, await photo(), 'MESSAGE'), 'NOT_FOUND'],
    [await upload(bob, await photo(), 'AVATAR'), 'NOT_FOUND'],
    [alice.userId, 'BAD_INPUT'],
  ] as const
  for (const [avatarId, code] of refusals) {
    const error = await alice.refused(SetAvatar, { input: { avatarId } })
    expect([code, error.extensions.argument]).toEqual([error.extensions.code, 'input.avatarId'])
  }
})
