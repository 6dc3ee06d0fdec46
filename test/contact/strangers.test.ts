// Limits on what reaches other people (D7), on all nodes together.

import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { BlockUser, ChangeUsername, RequestContact, UnblockUser, UpdateProfile } from '../account/documents.ts'
import { CreateInvite, JoinWithInvite } from '../conversation/documents.ts'
import { type ClientError, type Device, signUp, signUpAll } from '../support/device.ts'
import { AddMembers, CreateGroup, StartDirectConversation, Viewer } from '../support/documents.ts'
import { openNode, openPair } from '../support/node.ts'

const refused = ({ extensions }: ClientError, withinMs: number) => {
  expect(extensions).toMatchObject({ code: 'RATE_LIMITED', retryable: true })
  expect(extensions.retryAfterMs).toBeGreaterThan(withinMs * 0.9)
  expect(extensions.retryAfterMs).toBeLessThanOrEqual(withinMs)
}
const idsOf = (people: readonly Device[]) => people.map(({ userId }) => userId)

test('D7 a user reaches only so many strangers in an hour, in whatever way, on all nodes together', async () => {
  const [here, there] = await openPair({ PARLEY_STRANGERS_PER_H_MAX: '5' })
  const [ann, ben, ...people] = (await signUpAll(here, 'Ann', 'Ben', 'Carol', 'Dan', 'Eve', 'Fay', 'Gus', 'Hal')) as [
    Device,
    Device,
    ...Device[],
  ]
  const [carol, dan, eve, fay, gus, hal] = people as [Device, Device, Device, Device, Device, Device]
  const annThere = await ann.another(there)
  // More than the limit are never allowed, and use nothing up.
  const seven = { title: 'Everybody', memberIds: idsOf([ben, ...people]) }
  expect((await ann.refused(CreateGroup, { input: seven })).extensions.code).toBe('LIMIT_EXCEEDED')
  await ann.direct(carol)
  // Asking again changes nothing, and does not count again.
  for (let i = 0; i < 4; i += 1) await annThere.run(RequestContact, { input: { userId: dan.userId } })
  const group = await ann.group('Two', eve, fay) // four by now

  // Too many at once are refused as a whole, and use nothing up.
  refused(await ann.refused(CreateGroup, { input: { title: 'Three', memberIds: idsOf([gus, hal]) } }), 3_600_000)
  // Acquaintances do not count, whatever made them so; nor does what exists already, or what fails.
  await ann.group('Known', carol, eve, fay)
  await annThere.direct(carol)
  await annThere.direct(eve)
  await ann.refused(AddMembers, { input: { conversationId: await ann.direct(carol), userIds: [gus.userId] } })
  await ann.run(AddMembers, { input: { conversationId: group, userIds: [gus.userId] } })

  for (const device of [ann, annThere]) {
    refused(await device.refused(StartDirectConversation, { input: { userId: hal.userId } }), 3_600_000)
    refused(await device.refused(RequestContact, { input: { userId: hal.userId } }), 3_600_000)
    refused(await device.refused(AddMembers, { input: { conversationId: group, userIds: [hal.userId] } }), 3_600_000)
  }
  // A user who asks first is not a stranger. Other users have limits of their own.
  await hal.run(RequestContact, { input: { userId: ann.userId } })
  await ann.direct(hal)
  await ben.group('Strangers', ...people.slice(0, 5))
})

test('D7 a user unblocks only so often, and may always block', async () => {
  const node = await openNode({ PARLEY_UNBLOCKS_PER_H_MAX: '2' })
  const [ann, ben, carol] = (await signUpAll(node, 'Ann', 'Ben', 'Carol')) as [Device, Device, Device]
  const input = { userId: ben.userId }
  // Without a block, nothing changes, and nothing counts.
  for (let i = 0; i < 4; i += 1) await ann.run(UnblockUser, { input })
  for (let i = 0; i < 2; i += 1) {
    await ann.run(BlockUser, { input })
    await ann.run(UnblockUser, { input })
  }
  await ann.run(BlockUser, { input })
  refused(await ann.refused(UnblockUser, { input }), 3_600_000)
  await ann.run(BlockUser, { input: { userId: carol.userId } })
  await carol.run(BlockUser, { input })
  await carol.run(UnblockUser, { input })
})

test('D7 a user tries only so many invites in vain, and open ones do not count', async () => {
  const [here, there] = await openPair({ PARLEY_FAILED_INVITES_MAX: '3' })
  const [ann, ben] = (await signUpAll(here, 'Ann', 'Ben')) as [Device, Device]
  const invite = { conversationId: await ann.group('Open') }
  const { token } = (await ann.run(CreateInvite, { input: invite })).createInvite.invite
  const guess = () => ({ input: { token: randomUUID().replaceAll('-', '') } })
  const benThere = await ben.another(there)
  for (let i = 0; i < 5; i += 1) await ben.run(JoinWithInvite, { input: { token } })
  for (const device of [ben, benThere, ben]) {
    expect((await device.refused(JoinWithInvite, guess())).extensions.code).toBe('NOT_FOUND')
  }
  for (const device of [ben, benThere]) refused(await device.refused(JoinWithInvite, guess()), 900_000)
  const carol = await signUp(there, 'Carol')
  await carol.run(JoinWithInvite, { input: { token } })
})

test('D7 many guesses at once count as many', async () => {
  const node = await openNode({ PARLEY_FAILED_INVITES_MAX: '3' })
  const ann = await signUp(node, 'Ann')
  const guesses = Array.from({ length: 20 }, () => ann.refused(JoinWithInvite, { input: { token: 'x'.repeat(32) } }))
  const codes = (await Promise.all(guesses)).map(({ extensions }) => extensions.code)
  expect(codes.filter((code) => code === 'NOT_FOUND')).toHaveLength(3)
  expect(codes.filter((code) => code === 'RATE_LIMITED')).toHaveLength(17)
})

test('D7 a user changes the username only so often; a taken one does not count', async () => {
  const node = await openNode({ PARLEY_USERNAME_CHANGES_PER_DAY_MAX: '2' })
  const [ann, ben] = (await signUpAll(node, 'Ann', 'Ben')) as [Device, Device]
  const to = (username: string) => ({ input: { username } })
  await ann.run(ChangeUsername, to('ann-one'))
  for (let i = 0; i < 3; i += 1) {
    expect((await ann.refused(ChangeUsername, to(ben.username))).extensions.code).toBe('USERNAME_TAKEN')
  }
  await ann.run(ChangeUsername, to('ann-two'))
  refused(await ann.refused(ChangeUsername, to('ann-three')), 86_400_000)
  await ben.run(ChangeUsername, to('ben-two'))
})

test('changes of a profile in quick succession are gathered: hearers hear of two, and nothing is lost', async () => {
  const node = await openNode({ PARLEY_PROFILE_CHANGES_EVERY_MS: '300', PARLEY_OPERATIONS_PER_USER_MAX: '100' })
  const [ann, ben] = (await signUpAll(node, 'Ann', 'Ben')) as [Device, Device]
  await ann.direct(ben)
  const startedAt = performance.now()
  for (const bio of ['one', 'two', 'three']) await ann.run(UpdateProfile, { input: { bio } })
  expect(performance.now() - startedAt).toBeGreaterThan(2 * 290)

  const log = await ben.events().live()
  const changes = Array.from({ length: 20 }, (_, i) => ann.run(UpdateProfile, { input: { bio: `bio ${i}` } }))
  const named = ann.run(UpdateProfile, { input: { displayName: 'Anna' } })
  // Another user's change does not wait for them.
  await ben.run(UpdateProfile, { input: { bio: 'mine' } })
  const cursors = (await Promise.all([...changes, named])).map(({ updateProfile }) => updateProfile.cursor)
  const last = cursors.at(-1)
  await log.until('the last change', ({ seen }) => seen.some(({ cursor }) => cursor === last))
  const heard = log.seen.filter(({ __typename }) => __typename === 'UserUpdated')
  expect(heard.length).toBeLessThanOrEqual(4) // two or three of Ann's, and Ben's own
  expect(new Set(cursors).size).toBeLessThanOrEqual(3)
  expect((await ann.run(Viewer, {})).viewer).toMatchObject({ displayName: 'Anna' })
})
