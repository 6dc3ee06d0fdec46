// Changes of messages: edits, deletions, replies and mentions; who may make them, and what remains.

import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { AddReaction, DeleteMessage, EditMessage } from '../law/documents.ts'
import { type Device, request, signUpAll } from '../support/device.ts'
import { History, RemoveMember, Reply, SendMessage } from '../support/documents.ts'
import { connect, type Node, openPair } from '../support/node.ts'

let here: Node
let there: Node
let alice: Device
let bob: Device
let carol: Device
let removed: Device
let stranger: Device
let group: string

beforeAll(async () => {
  ;[here, there] = await openPair()
  const people = await signUpAll(here, 'Alice', 'Bob', 'Carol', 'Removed', 'Stranger')
  ;[alice, bob, carol, removed, stranger] = people as [Device, Device, Device, Device, Device]
  group = await alice.group('Changes', bob, carol, removed)
  await alice.run(RemoveMember, { input: { conversationId: group, userId: removed.userId } })
})

const sent = async (device: Device, text: string, more: object = {}) => {
  const input = { conversationId: group, clientMessageId: randomUUID(), text, ...more }
  return (await device.run(SendMessage, { input })).sendMessage.message.id
}
const codes = (answers: readonly { errors: readonly { extensions: { code: string } }[]; data: unknown }[]) =>
  answers.map(({ errors, data }) => (data ? 'done' : errors[0]?.extensions.code)).sort()

describe('an edit', () => {
  test('replaces the text, keeps the earlier ones as versions, and is announced', async () => {
    const heard = await bob.events().live()
    const messageId = await sent(alice, 'helo')
    const { editMessage } = await alice.run(EditMessage, { input: { messageId, text: 'hello', expectedVersion: 1 } })
    expect(editMessage.message).toMatchObject({ text: 'hello', version: 2, versions: [{ version: 1, text: 'helo' }] })
    expect(editMessage.message.editedAt).not.toBeNull()
    await alice.run(EditMessage, { input: { messageId, text: 'hello!' } })
    await heard.until('both edits', (log) => log.seen.filter((event) => event.__typename === 'MessageEdited').length === 2)
    const again = await alice.run(EditMessage, { input: { messageId, text: 'hello!', expectedVersion: 1 } })
    expect(again.editMessage).toMatchObject({ cursor: null, message: { version: 3 } })
  })

  test('is for the author only: not for an owner, a removed member, a stranger or an anonymous caller', async () => {
    const messageId = await sent(bob, 'mine')
    const input = { messageId, text: 'yours' }
    expect((await alice.refused(EditMessage, { input })).extensions.code).toBe('FORBIDDEN')
    expect((await removed.refused(EditMessage, { input })).extensions.code).toBe('NOT_FOUND')
    expect((await stranger.refused(EditMessage, { input })).extensions.code).toBe('NOT_FOUND')
    expect((await request(here.url, EditMessage, { input })).errors[0]?.extensions.code).toBe('UNAUTHENTICATED')
  })

  test('of two at the same time with the same expected version, on two nodes, one wins', async () => {
    const messageId = await sent(alice, 'version one')
    const onThere = await alice.another(there)
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        request(
          i % 2 ? here.url : there.url,
          EditMessage,
          { input: { messageId, text: `edit ${i}`, expectedVersion: 1 } },
          (i % 2 ? alice : onThere).accessToken,
        ),
      ),
    )
    expect(codes(answers)).toEqual([...Array(9).fill('VERSION_CONFLICT'), 'done'])
  })

  test.each([
    ['an empty text', { text: ' ' }, 'BAD_INPUT'],
    ['a long text', { text: 'x'.repeat(10_001) }, 'BAD_INPUT'],
    ['an unknown message', { messageId: 'msg_00000000zzzzz' }, 'NOT_FOUND'],
    ['the id of another type', { messageId: 'cnv_0000000000001' }, 'BAD_INPUT'],
  ])('with %s is refused', async (_what, change, code) => {
    const input = { messageId: await sent(alice, 'untouched'), text: 'new', ...change }
    expect((await alice.refused(EditMessage, { input })).extensions.code).toBe(code)
  })
})

describe('a deletion', () => {
  test('A5 leaves a tombstone at its place; the text is gone from the database, from history and from replays', async () => {
    const before = await bob.events().live()
    const messageId = await sent(alice, 'a secret', { mentionedUserIds: [bob.userId] })
    await alice.run(EditMessage, { input: { messageId, text: 'another secret' } })
    await bob.run(AddReaction, { input: { messageId, emoji: '😮' } })
    const { deleteMessage } = await alice.run(DeleteMessage, { input: { messageId } })
    expect(deleteMessage.message).toMatchObject({ text: '', mentions: [], reactions: [], versions: [], replyTo: null })
    expect(deleteMessage.message.deletedAt).not.toBeNull()
    const sql = await connect(here.databaseUrl)
    const left = await sql.query(
      "select 1 from message where text like '%secret%' union all select 1 from message_version where text like '%secret%'",
    )
    expect(left.rowCount).toBe(0)
    const replayed = await bob.events({ after: before.seen[0]?.cursor ?? null }).live()
    expect(replayed.texts.join()).not.toContain('secret')
    const { conversation } = await bob.run(History, { id: group, last: 100 })
    const seqs = conversation?.messages.edges.map((edge) => edge?.node.seq) ?? []
    expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, i) => i + 1))
  })

  test('is for the author and the admins of the group; a repeat changes nothing', async () => {
    const messageId = await sent(bob, 'to be removed')
    const input = { messageId }
    expect((await carol.refused(DeleteMessage, { input })).extensions.code).toBe('FORBIDDEN')
    for (const device of [removed, stranger])
      expect((await device.refused(DeleteMessage, { input })).extensions.code).toBe('NOT_FOUND')
    expect((await request(here.url, DeleteMessage, { input })).errors[0]?.extensions.code).toBe('UNAUTHENTICATED')
    expect((await alice.run(DeleteMessage, { input })).deleteMessage.cursor).not.toBeNull()
    expect((await bob.run(DeleteMessage, { input })).deleteMessage.cursor).toBeNull()
    for (const refusal of [
      await bob.refused(EditMessage, { input: { messageId, text: 'back' } }),
      await bob.refused(AddReaction, { input: { messageId, emoji: '👍' } }),
    ]) {
      expect(refusal.extensions.code).toBe('MESSAGE_DELETED')
    }
    const direct = await alice.direct(bob)
    const { message } = await bob.send(direct, 'between us')
    expect((await alice.refused(DeleteMessage, { input: { messageId: message.id } })).extensions.code).toBe('FORBIDDEN')
  })

  test('against an edit, on two nodes at the same time, ends with the tombstone', async () => {
    for (let i = 0; i < 5; i += 1) {
      const messageId = await sent(alice, `race ${i}`)
      const onThere = await alice.another(there)
      await Promise.all([
        request(here.url, EditMessage, { input: { messageId, text: 'edited' } }, alice.accessToken),
        request(there.url, DeleteMessage, { input: { messageId } }, onThere.accessToken),
      ])
      const { deleteMessage } = await alice.run(DeleteMessage, { input: { messageId } })
      expect(deleteMessage).toMatchObject({ cursor: null, message: { text: '', versions: [] } })
    }
  })
})

describe('replies and mentions', () => {
  test('must name a message and members of the same conversation', async () => {
    const messageId = await sent(alice, 'a question')
    const other = await alice.direct(bob)
    const elsewhere = (await alice.send(other, 'elsewhere')).message.id
    const attempt = async (more: object) =>
      (
        await bob.refused(SendMessage, {
          input: { conversationId: group, clientMessageId: randomUUID(), text: 'an answer', ...more },
        })
      ).extensions
    const gone = await sent(alice, 'to be deleted')
    await alice.run(DeleteMessage, { input: { messageId: gone } })
    const { sendMessage } = await bob.run(SendMessage, {
      input: { conversationId: group, clientMessageId: randomUUID(), text: 'to what is gone', replyToId: gone },
    })
    const { node } = await alice.run(Reply, { id: sendMessage.message.id })
    expect(node).toMatchObject({ replyTo: { id: gone, text: '', deletedAt: expect.any(String) } })
    expect(await attempt({ replyToId: elsewhere })).toMatchObject({ code: 'NOT_FOUND', argument: 'input.replyToId' })
    expect(await attempt({ replyToId: 'rubbish' })).toMatchObject({ code: 'BAD_INPUT', argument: 'input.replyToId' })
    for (const device of [stranger, removed]) {
      expect(await attempt({ mentionedUserIds: [device.userId] })).toMatchObject({
        code: 'NOT_FOUND',
        argument: 'input.mentionedUserIds',
      })
    }
    const tooMany = Array(101).fill(alice.userId)
    expect(await attempt({ mentionedUserIds: tooMany })).toMatchObject({ code: 'BAD_INPUT', argument: 'input.mentionedUserIds' })
    await sent(bob, 'an answer', { replyToId: messageId, mentionedUserIds: [alice.userId, alice.userId] })
  })

  test('D2 count when a repeat is compared', async () => {
    const replyToId = await sent(alice, 'a question')
    const input = {
      conversationId: group,
      clientMessageId: randomUUID(),
      text: 'yes',
      replyToId,
      mentionedUserIds: [alice.userId, bob.userId],
    }
    const first = await carol.run(SendMessage, { input })
    const again = await carol.run(SendMessage, { input: { ...input, mentionedUserIds: [bob.userId, alice.userId] } })
    expect(again).toEqual(first)
    for (const change of [{ replyToId: null }, { mentionedUserIds: [] }]) {
      expect((await carol.refused(SendMessage, { input: { ...input, ...change } })).extensions.code).toBe('IDEMPOTENCY_CONFLICT')
    }
  })
})
