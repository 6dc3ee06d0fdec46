// Epochs: one order of commits, what is sent in them, and who has to leave them.

import { randomUUID } from 'node:crypto'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { BlockUser, UnblockUser } from '../account/documents.ts'
import { CreateUpload } from '../attachment/documents.ts'
import { put, textFile, upload } from '../attachment/files.ts'
import { AddReaction, DeleteMessage, EditMessage, PinMessage } from '../law/documents.ts'
import { openBackend } from '../platform/backend.ts'
import { SendSystemMessage } from '../platform/documents.ts'
import { SearchMessages } from '../search/documents.ts'
import { indexed } from '../search/support.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { AddMembers, LeaveConversation, RemoveMember, SendMessage } from '../support/documents.ts'
import { connect, type Node, openPair } from '../support/node.ts'
import { CommitEpoch, Group, RemoveDevice, Seal, Sealed, StartEncrypted } from './documents.ts'
import { bytes, commit, commitOf, encryptedGroup, Followed, register, seal, sealed } from './support.ts'

let here: Node
let there: Node
let round = 0
let alice: Device
let bob: Device
let carol: Device
let ids: Record<'alice' | 'bob' | 'carol', string>
let group: string

beforeAll(async () => {
  ;[here, there] = await openPair()
})
beforeEach(async () => {
  round += 1
  const names = ['Alice', 'Bob', 'Carol'].map((name) => `${name}${round}`)
  ;[alice, bob, carol] = (await signUpAll(here, ...names)) as [Device, Device, Device]
  bob.node = there
  ids = { alice: await register(alice), bob: await register(bob), carol: await register(carol) }
  group = await encryptedGroup(alice, bob, carol)
})

const stateOf = async (device: Device, id = group) => (await device.run(Group, { id })).conversation
const codeOf = async (refused: Promise<{ extensions: { code: string } }>) => (await refused).extensions.code

test('of two commits that race on two nodes one wins, a hundred times, and the epochs have no gap', async () => {
  const followed = await Followed.open(carol)
  for (let epoch = 0; epoch < 100; epoch += 1) {
    const rivals = [alice, bob].map(async (device) => {
      const given = commitOf(group, epoch)
      const { errors } = await attempt(device, given)
      return { errors, commit: given.input.commit }
    })
    const outcomes = await Promise.all(rivals)
    expect(outcomes.map(({ errors }) => errors[0]?.extensions.code ?? 'done').sort()).toEqual(['EPOCH_CONFLICT', 'done'])
    const winner = outcomes.find(({ errors }) => errors.length === 0)
    const [, ...rest] = outcomes.flatMap(({ errors }) => errors)
    expect(rest).toEqual([])
    const told = await followed.wait('EpochCommitted', epoch + 1)
    expect(told[epoch]).toMatchObject({ epoch: epoch + 1, commit: winner?.commit })
    // The loser learns where the winner is.
    expect(outcomes.flatMap(({ errors }) => errors)[0]?.extensions.cursor).toBe(told[epoch]?.cursor)
  }
  expect(followed.of('EpochCommitted').map(({ epoch }) => epoch)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1))
  expect(await stateOf(carol)).toMatchObject({ epoch: 100, needsRekey: false })
})

async function attempt(device: Device, given: ReturnType<typeof commitOf>) {
  return device.run(CommitEpoch, given).then(
    () => ({ errors: [] as { extensions: { code: string; cursor?: string } }[] }),
    (error: { errors: { extensions: { code: string; cursor?: string } }[] }) => ({ errors: error.errors }),
  )
}

test('the same commit again returns the first place, also after a later one', async () => {
  const given = commitOf(group, 0)
  const first = (await alice.run(CommitEpoch, given)).commitEpoch
  expect(first.conversation).toMatchObject({ epoch: 1, groupInfo: given.input.groupInfo })
  await commit(bob, group, 1)
  const again = (await alice.run(CommitEpoch, given)).commitEpoch
  expect(again.cursor).toBe(first.cursor)
  expect(await stateOf(alice)).toMatchObject({ epoch: 2 })
  expect(await codeOf(alice.refused(CommitEpoch, commitOf(group, 0)))).toBe('EPOCH_CONFLICT')
  expect(await codeOf(alice.refused(CommitEpoch, commitOf(group, 7)))).toBe('EPOCH_CONFLICT')
})

test('members hear of a commit, and the users of added devices of their Welcomes, live and later', async () => {
  const [onBob, onCarol] = [await Followed.open(bob), await Followed.open(carol)]
  const start = onBob.seen.at(-1)?.cursor ?? null
  const welcome = bytes(20_000)
  const given = commitOf(group, 0, [{ deviceId: ids.bob, welcome }])
  await alice.run(CommitEpoch, given)
  const later = await Followed.open(bob, start)
  for (const log of [onBob, later]) {
    const [committed] = await log.wait('EpochCommitted')
    expect(committed).toMatchObject({
      epoch: 1,
      commit: given.input.commit,
      sender: { id: alice.userId },
      device: { id: ids.alice },
    })
    const [received] = await log.wait('WelcomeReceived')
    expect(received).toMatchObject({ epoch: 1, welcome, device: { id: ids.bob }, conversation: { id: group } })
  }
  await onCarol.wait('EpochCommitted')
  await commit(alice, group, 1)
  await onCarol.wait('EpochCommitted', 2)
  expect(onCarol.of('WelcomeReceived')).toEqual([])
})

test('commits and Welcomes go with their facts; what the group is stays', async () => {
  const followed = await Followed.open(bob)
  const start = followed.seen.at(-1)?.cursor ?? null
  await commit(alice, group, 0, [{ deviceId: ids.bob, welcome: bytes() }])
  await alice.send(await alice.direct(bob), 'later')
  await followed.wait('MessageSent')
  const sql = await connect(here.databaseUrl)
  await sql.query(`call journal_trim_batch('0 seconds', 100000, null, null)`)
  const { rows } = await sql.query('select position from epoch_commit union all select position from welcome')
  expect(rows).toEqual([])
  // The node still remembers the facts.
  const later = await Followed.open(bob, start)
  expect(later.seen[0]).toMatchObject({ mode: 'RESUMED' })
  expect(await later.wait('EpochCommitted')).toMatchObject([{ epoch: 1, commit: '' }])
  expect(await later.wait('WelcomeReceived')).toMatchObject([{ epoch: 1, welcome: '' }])
  await commit(bob, group, 1)
  expect(await stateOf(bob)).toMatchObject({ epoch: 2 })
})

test('a Welcome is for a device of a member', async () => {
  const [dora] = (await signUpAll(here, `Dora${round}`)) as [Device]
  const deviceId = await register(dora)
  const given = commitOf(group, 0, [{ deviceId, welcome: bytes() }])
  expect(await codeOf(alice.refused(CommitEpoch, given))).toBe('NOT_FOUND')
  expect(await stateOf(alice)).toMatchObject({ epoch: 0 })
  await alice.run(AddMembers, { input: { conversationId: group, userIds: [dora.userId] } })
  await alice.run(CommitEpoch, given)
  await dora.run(RemoveDevice, { input: { deviceId } })
  const refusal = await alice.refused(CommitEpoch, commitOf(group, 1, [{ deviceId, welcome: bytes() }]))
  expect(refusal.extensions).toMatchObject({ code: 'NOT_FOUND', argument: 'input.welcomes.0.deviceId' })
})

test('only members with a device commit, and only in an encrypted conversation', async () => {
  const [dora] = (await signUpAll(here, `Dora${round}`)) as [Device]
  const laptop = await alice.another()
  expect(await codeOf(laptop.refused(CommitEpoch, commitOf(group, 0)))).toBe('FORBIDDEN')
  await register(dora)
  expect(await codeOf(dora.refused(CommitEpoch, commitOf(group, 0)))).toBe('NOT_FOUND')
  const plain = await alice.group('Plain', bob)
  expect(await codeOf(alice.refused(CommitEpoch, commitOf(plain, 0)))).toBe('ENCRYPTION_REQUIRED')
  expect(await stateOf(alice, plain)).toMatchObject({ encryption: 'NONE', epoch: null, needsRekey: false, groupInfo: null })
  expect(await stateOf(alice)).toMatchObject({ encryption: 'MLS', epoch: 0, needsRekey: false, groupInfo: null })
})

describe('messages', () => {
  test('a ciphertext is of the newest epoch or the one before', async () => {
    for (let epoch = 0; epoch < 3; epoch += 1) await commit(alice, group, epoch)
    for (const epoch of [2, 3]) expect((await seal(bob, group, epoch)).message).toMatchObject({ text: '', epoch })
    for (const epoch of [0, 1, 4]) expect(await codeOf(bob.refused(Seal, sealed(group, epoch)))).toBe('EPOCH_STALE')
    const without = { input: { conversationId: group, clientMessageId: randomUUID(), ciphertext: bytes() } }
    expect((await bob.refused(Seal, without)).extensions).toMatchObject({ code: 'BAD_INPUT', argument: 'input.epoch' })
  })

  test('a known key returns the first message, whatever the ciphertext and the epoch', async () => {
    const given = sealed(group, 0)
    const first = (await alice.run(Seal, given)).sendMessage
    expect(first.message).toMatchObject({ seq: 1, ciphertext: given.input.ciphertext, epoch: 0 })
    for (let epoch = 0; epoch < 3; epoch += 1) await commit(alice, group, epoch)
    const again = { input: { ...given.input, ciphertext: bytes(), epoch: 3 } }
    expect((await alice.run(Seal, again)).sendMessage).toEqual(first)
    const other = { input: { ...again.input, mentionedUserIds: [bob.userId] } }
    expect(await codeOf(alice.refused(Seal, other))).toBe('IDEMPOTENCY_CONFLICT')
  })

  test('they are delivered and read like others: replies and mentions are in the clear', async () => {
    const followed = await Followed.open(bob)
    const { message } = await seal(alice, group, 0, { ciphertext: bytes(30_000) })
    const reply = await seal(carol, group, 0, { replyToId: message.id, mentionedUserIds: [bob.userId] })
    expect(reply.message).toMatchObject({ replyTo: { id: message.id }, mentions: [{ id: bob.userId }] })
    const sent = await followed.wait('MessageSent', 2)
    expect(sent.map((event) => event.message)).toMatchObject([
      { ciphertext: message.ciphertext, epoch: 0, text: '' },
      { ciphertext: reply.message.ciphertext, epoch: 0, text: '' },
    ])
    const { conversation } = await bob.run(Sealed, { id: group })
    expect(conversation?.messages.nodes?.map((each) => each?.ciphertext)).toEqual([message.ciphertext, reply.message.ciphertext])
  })

  test('nothing is sent in the clear to an encrypted conversation, and no ciphertext to a plain one', async () => {
    const plain = await alice.group('Plain', bob)
    const clientMessageId = randomUUID()
    const inGroup = { conversationId: group, clientMessageId }
    const refusal = async (input: object) => (await alice.refused(Seal, { input: { ...inGroup, ...input } })).extensions
    expect(await refusal({ text: 'in the clear' })).toMatchObject({ code: 'ENCRYPTION_REQUIRED', argument: 'input.text' })
    const both = { ciphertext: bytes(), epoch: 0 }
    expect(await refusal({ ...both, text: 'beside' })).toMatchObject({ code: 'ENCRYPTION_REQUIRED', argument: 'input.text' })
    expect(await refusal({ ...both, data: { a: 1 } })).toMatchObject({ code: 'ENCRYPTION_REQUIRED', argument: 'input.data' })
    const clear = await upload(alice, textFile())
    expect(await refusal({ ...both, attachmentIds: [clear] })).toMatchObject({
      code: 'ENCRYPTION_REQUIRED',
      argument: 'input.attachmentIds.0',
    })
    expect((await alice.refused(Seal, sealed(plain, 0))).extensions).toMatchObject({
      code: 'ENCRYPTION_REQUIRED',
      argument: 'input.ciphertext',
    })
    const backend = await openBackend(here, 'SEND')
    const system = { conversationId: group, clientMessageId, text: 'from the backend' }
    await expect(backend.run(SendSystemMessage, { input: system })).rejects.toThrow('ENCRYPTION_REQUIRED')
    expect((await alice.run(Sealed, { id: group })).conversation?.messages.nodes).toEqual([])
  })

  test('an encrypted file is for encrypted conversations, and the server makes nothing of it', async () => {
    const file = Buffer.from('%PDF-1.4 it looks like something')
    const input = { fileName: 'file', contentType: 'image/png', byteSize: file.length, isEncrypted: true }
    const { attachment, upload: to } = (await alice.run(CreateUpload, { input })).createUpload
    await put(alice, to, file)
    const attachmentIds = [attachment.id]
    const plain = await alice.group('Plain', bob)
    const inPlain = { conversationId: plain, clientMessageId: randomUUID(), text: 'x', attachmentIds }
    expect(await codeOf(alice.refused(SendMessage, { input: inPlain }))).toBe('ENCRYPTION_REQUIRED')
    const { message } = await seal(alice, group, 0, { attachmentIds })
    expect(message.attachments).toEqual([
      { id: attachment.id, kind: 'FILE', contentType: 'application/octet-stream', state: 'READY' },
    ])
  })

  test('edits and reactions are messages, too; a deletion and a pin name the message only', async () => {
    const { message } = await seal(alice, group, 0)
    const messageId = message.id
    expect(await codeOf(alice.refused(EditMessage, { input: { messageId, text: 'edited' } }))).toBe('ENCRYPTION_REQUIRED')
    expect(await codeOf(alice.refused(AddReaction, { input: { messageId, emoji: '👍' } }))).toBe('ENCRYPTION_REQUIRED')
    await alice.run(PinMessage, { input: { messageId } })
    const shown = async () => (await bob.run(Sealed, { id: group })).conversation?.messages.nodes?.[0]
    expect(await shown()).toMatchObject({ ciphertext: message.ciphertext, epoch: 0 })
    await alice.run(DeleteMessage, { input: { messageId } })
    expect(await shown()).toMatchObject({ ciphertext: null, deletedAt: expect.any(String) })
    const sql = await connect(here.databaseUrl)
    const { rows } = await sql.query('select 1 from message where ciphertext is not null and deleted_at is not null')
    expect(rows).toEqual([])
  })

  test('the search finds nothing of them', async () => {
    await seal(alice, group, 0)
    await indexed(here)
    const sql = await connect(here.databaseUrl)
    const { rows } = await sql.query(
      'select s.* from message_search s join message m on m.id = s.message_id where m.epoch is not null',
    )
    expect(rows).toEqual([])
    const { searchMessages } = await alice.run(SearchMessages, { query: 'a', conversationId: group })
    expect(searchMessages.edges).toEqual([])
  })
})

describe('after somebody is gone, messages wait for a commit', () => {
  const gone: [string, () => Promise<unknown>][] = [
    ['was removed', () => alice.run(RemoveMember, { input: { conversationId: group, userId: carol.userId } })],
    ['left', () => carol.run(LeaveConversation, { input: { conversationId: group } })],
    ['removed the device', () => carol.run(RemoveDevice, { input: { deviceId: ids.carol } })],
  ]
  test.each(gone)('who %s', async (_how, act) => {
    await commit(alice, group, 0)
    await seal(carol, group, 1)
    await act()
    expect(await stateOf(bob)).toMatchObject({ epoch: 1, needsRekey: true })
    const isMember = (await stateOf(carol)) !== null
    expect(await codeOf(carol.refused(Seal, sealed(group, 1)))).toBe(isMember ? 'REKEY_REQUIRED' : 'NOT_FOUND')
    for (const device of [alice, bob]) expect(await codeOf(device.refused(Seal, sealed(group, 1)))).toBe('REKEY_REQUIRED')
    await commit(bob, group, 1)
    expect(await stateOf(bob)).toMatchObject({ epoch: 2, needsRekey: false })
    for (const device of [alice, bob]) await seal(device, group, 2)
  })

  test('a block closes both direct conversations, and each needs a commit when it opens again', async () => {
    const input = { userId: bob.userId, encryption: 'MLS' as const }
    const start = async () => (await alice.run(StartEncrypted, { input })).startDirectConversation.conversation
    const plain = await alice.direct(bob)
    const { id } = await start()
    expect(id).not.toBe(plain)
    expect((await start()).id).toBe(id)
    expect(await alice.direct(bob)).toBe(plain)
    await commit(alice, id, 0)
    await alice.run(BlockUser, { input: { userId: bob.userId } })
    expect(await codeOf(bob.refused(Seal, sealed(id, 1)))).toBe('FORBIDDEN')
    expect(await codeOf(bob.refused(CommitEpoch, commitOf(id, 1)))).toBe('FORBIDDEN')
    await alice.run(UnblockUser, { input: { userId: bob.userId } })
    expect(await stateOf(bob, id)).toMatchObject({ epoch: 1, needsRekey: true })
    expect(await codeOf(bob.refused(Seal, sealed(id, 1)))).toBe('REKEY_REQUIRED')
    await commit(bob, id, 1)
    await seal(alice, id, 2)
    await alice.send(plain, 'in the clear')
  })

  test('a commit that was made before a removal does not count', async () => {
    await commit(alice, group, 0)
    const followed = await Followed.open(bob)
    const seen = followed.seen.at(-1)?.cursor
    await alice.run(RemoveMember, { input: { conversationId: group, userId: carol.userId } })
    const [left] = await followed.wait('MemberLeft')
    const refusal = await attempt(bob, commitOf(group, 1, [], { seen }))
    expect(refusal.errors[0]?.extensions).toMatchObject({ code: 'EPOCH_CONFLICT', cursor: left?.cursor })
    expect(await stateOf(bob)).toMatchObject({ epoch: 1, needsRekey: true })
    await bob.run(CommitEpoch, commitOf(group, 1, [], { seen: left?.cursor }))
    expect(await stateOf(bob)).toMatchObject({ epoch: 2, needsRekey: false })
  })

  test('a removed member hears nothing of the next epoch, and sees no more of the group', async () => {
    await commit(alice, group, 0)
    const followed = await Followed.open(carol)
    await alice.run(RemoveMember, { input: { conversationId: group, userId: carol.userId } })
    await followed.wait('MemberLeft')
    await commit(alice, group, 1)
    await seal(bob, group, 2)
    const direct = await alice.direct(carol)
    await alice.send(direct, 'the end')
    await followed.wait('MessageSent')
    expect(followed.of('EpochCommitted')).toEqual([])
    expect(followed.of('MessageSent').map(({ message }) => message.text)).toEqual(['the end'])
    expect(await codeOf(carol.refused(CommitEpoch, commitOf(group, 2)))).toBe('NOT_FOUND')
    expect(await stateOf(carol)).toBeNull()
  })
})
