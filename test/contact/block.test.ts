// Blocks: what a block ends, in both directions, at its position; and what an unblock restores.

import { randomUUID } from 'node:crypto'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { AcceptContact, BlockUser, DirectState, People, RequestContact, SeeUser, UnblockUser } from '../account/documents.ts'
import { AddReaction, DeleteMessage, EditMessage, MarkRead, RemoveReaction } from '../law/documents.ts'
import { type Device, request, signUp, signUpAll } from '../support/device.ts'
import { AddMembers, CreateGroup, SendMessage, StartDirectConversation } from '../support/documents.ts'
import type { EventLog } from '../support/event-log.ts'
import { connect, type Node, openNode, openPair } from '../support/node.ts'

let node: Node
let alice: Device
let bob: Device
let stranger: Device
let round = 0

beforeAll(async () => {
  node = await openNode()
  stranger = await signUp(node, 'Stranger')
})
beforeEach(async () => {
  round += 1
  const people = await signUpAll(node, `Alice${round}a`, `Bob${round}b`)
  ;[alice, bob] = people as [Device, Device]
})

const about = ({ userId }: Device) => ({ input: { userId } })
const message = (conversationId: string, text: string) => ({ input: { conversationId, text, clientMessageId: randomUUID() } })
const count = (log: EventLog, name: string) => log.seen.filter((event) => event.__typename === name).length

/** Waits until a user's own stream has delivered everything up to now: blocking and unblocking a stranger marks the place. */
async function settled(device: Device, log: EventLog): Promise<EventLog> {
  const before = count(log, 'BlockChanged')
  await device.run(BlockUser, about(stranger))
  await device.run(UnblockUser, about(stranger))
  return log.until('its own sign', () => count(log, 'BlockChanged') >= before + 2)
}

describe('a block', () => {
  test('D6 ends the direct conversation for both and keeps its messages; unblocking reopens it', async () => {
    const id = await alice.direct(bob)
    await bob.send(id, 'before')
    await alice.run(BlockUser, about(bob))
    for (const device of [alice, bob]) {
      expect((await device.refused(SendMessage, message(id, 'no'))).extensions.code).toBe('FORBIDDEN')
      const { conversation } = await device.run(DirectState, { id })
      expect(conversation).toMatchObject({ isClosed: true, memberCount: 2, messages: { nodes: [{ text: 'before' }] } })
    }
    expect(await bob.direct(alice)).toBe(id)
    expect((await stranger.run(DirectState, { id })).conversation).toBeNull()
    await alice.run(UnblockUser, about(bob))
    await bob.send(id, 'after')
    const { conversation } = await alice.run(DirectState, { id })
    expect(conversation).toMatchObject({ isClosed: false, messages: { nodes: [{ text: 'before' }, { text: 'after' }] } })
  })

  test('D6 leaves the closed conversation readable for both, and unchangeable: even markers and private settings', async () => {
    const id = await alice.direct(bob)
    const { message: own } = await bob.send(id, 'mine')
    const { message: other } = await alice.send(id, 'yours')
    await bob.run(AddReaction, { input: { messageId: own.id, emoji: '👋' } })
    await alice.run(BlockUser, about(bob))
    const attempts = (device: Device) => [
      device.refused(SendMessage, message(id, 'no')),
      device.refused(MarkRead, { input: { conversationId: id, seq: 2 } }),
      device.refused(DeleteMessage, { input: { messageId: own.id } }),
      device.refused(EditMessage, { input: { messageId: other.id, text: 'no' } }),
      device.refused(AddReaction, { input: { messageId: other.id, emoji: '👋' } }),
      device.refused(RemoveReaction, { input: { messageId: own.id, emoji: '👋' } }),
    ]
    for (const device of [alice, bob]) {
      for (const refusal of await Promise.all(attempts(device))) {
        expect(refusal).toMatchObject({ extensions: { code: 'FORBIDDEN', retryable: false } })
        expect(refusal.message).toContain('closed')
      }
    }
    for (const refusal of await Promise.all(attempts(stranger))) expect(refusal.extensions.code).toBe('NOT_FOUND')
    await alice.run(UnblockUser, about(bob))
    expect((await bob.run(MarkRead, { input: { conversationId: id, seq: 2 } })).markRead.seq).toBe(2)
    expect((await bob.run(DeleteMessage, { input: { messageId: own.id } })).deleteMessage.message.deletedAt).not.toBeNull()
  })

  test('D5 is announced to the own devices; the other user receives only what ends', async () => {
    const id = await alice.direct(bob)
    await alice.run(RequestContact, about(bob))
    await bob.run(AcceptContact, about(alice))
    const [own, other] = [await (await alice.another()).events().live(), await bob.events().live()]
    const { blockUser } = await alice.run(BlockUser, about(bob))
    expect(blockUser).toMatchObject({ user: { viewerHasBlocked: true, viewerContact: null } })
    expect(await own.first('BlockChanged')).toMatchObject({ user: { username: bob.username, viewerHasBlocked: true } })
    expect(await own.first('ContactChanged')).toMatchObject({ user: { username: bob.username, viewerContact: null } })
    expect(await own.first('ConversationClosed')).toMatchObject({ conversation: { id, isClosed: true } })
    expect(await other.first('ConversationClosed')).toMatchObject({ conversation: { id, isClosed: true } })
    await settled(bob, other)
    expect(
      other.seen.filter((e) => e.__typename === 'BlockChanged').map((e) => e.__typename === 'BlockChanged' && e.user.username),
    ).toEqual(['stranger', 'stranger'])
    expect(count(other, 'ContactChanged')).toBe(1)
    await alice.run(UnblockUser, about(bob))
    expect(await other.first('ConversationReopened')).toMatchObject({ conversation: { id, isClosed: false } })
    await alice.send(id, 'again')
    await Promise.all([own.text('again'), other.text('again')])
  })

  test('ends contacts and requests in both directions, and prevents new ones', async () => {
    await bob.run(RequestContact, about(alice))
    await alice.run(BlockUser, about(bob))
    const lists = await alice.run(People, {})
    expect(lists).toMatchObject({
      incoming: { nodes: [] },
      blockedUsers: { nodes: [{ user: { username: bob.username, viewerHasBlocked: true } }] },
    })
    expect(await bob.run(People, {})).toMatchObject({ outgoing: { nodes: [] }, blockedUsers: { nodes: [] } })
    expect((await bob.run(SeeUser, { id: alice.userId })).node).toMatchObject({ viewerHasBlocked: false })
    expect((await bob.refused(RequestContact, about(alice))).extensions.code).toBe('FORBIDDEN')
    expect((await alice.refused(RequestContact, about(bob))).extensions.code).toBe('FORBIDDEN')
    await alice.run(UnblockUser, about(bob))
    await bob.run(RequestContact, about(alice))
  })

  test('keeps both from starting a direct conversation, and the blocked user from adding the other to a group', async () => {
    await alice.run(BlockUser, about(bob))
    for (const [device, other] of [
      [alice, bob],
      [bob, alice],
    ] as const) {
      const refusal = await device.refused(StartDirectConversation, about(other))
      expect(refusal.extensions).toMatchObject({ code: 'FORBIDDEN', argument: 'input.userId' })
    }
    const create = { input: { title: 'x', memberIds: [stranger.userId, alice.userId] } }
    expect((await bob.refused(CreateGroup, create)).extensions).toMatchObject({
      code: 'FORBIDDEN',
      argument: 'input.memberIds.1',
    })
    const conversationId = await bob.group('Of Bob', stranger)
    const add = { input: { conversationId, userIds: [alice.userId] } }
    expect((await bob.refused(AddMembers, add)).extensions).toMatchObject({ code: 'FORBIDDEN', argument: 'input.userIds.0' })
    await alice.run(UnblockUser, about(bob))
    await bob.run(AddMembers, add)
  })

  test('of both users ends only when both unblock; a repeat changes nothing', async () => {
    const id = await alice.direct(bob)
    expect((await alice.run(BlockUser, about(bob))).blockUser.cursor).not.toBeNull()
    expect((await alice.run(BlockUser, about(bob))).blockUser.cursor).toBeNull()
    await bob.run(BlockUser, about(alice))
    await alice.run(UnblockUser, about(bob))
    expect((await alice.refused(SendMessage, message(id, 'no'))).extensions.code).toBe('FORBIDDEN')
    expect((await alice.run(UnblockUser, about(bob))).unblockUser.cursor).toBeNull()
    await bob.run(UnblockUser, about(alice))
    await alice.send(id, 'at last')
  })

  test('leaves groups as they are', async () => {
    const id = await alice.group('Both', bob)
    await alice.run(BlockUser, about(bob))
    await bob.send(id, 'still here')
    await alice.send(id, 'so am I')
  })
})

describe('D6 at the same moment', () => {
  test('a block against 60 sends on two nodes: after its position neither user commits or receives anything', async () => {
    const [here, there] = await openPair()
    const [ann, ben] = [await signUp(here, 'Ann'), await signUp(there, 'Ben')]
    const id = await ann.direct(ben)
    const logs = await Promise.all([ann.events({ conversationId: id }).live(), ben.events({ conversationId: id }).live()])
    const sends = Promise.all(
      Array.from({ length: 60 }, (_, i) => {
        const who = i % 2 ? ann : ben
        return request(who.node.url, SendMessage, message(id, `${i}`), who.accessToken)
      }),
    )
    await ann.run(BlockUser, about(ben))
    const answers = await sends
    const committed = answers.flatMap(({ data }) => (data ? [data.sendMessage.message.text] : []))
    expect(new Set(answers.flatMap(({ errors }) => errors.map((e) => e.extensions.code)))).toEqual(
      committed.length === 60 ? new Set() : new Set(['FORBIDDEN']),
    )
    for (const log of logs) {
      await log.first('ConversationClosed')
      const closedAt = log.seen.findIndex((event) => event.__typename === 'ConversationClosed')
      expect(log.seen.slice(closedAt).filter((event) => event.__typename === 'MessageSent')).toEqual([])
      expect(log.texts.sort()).toEqual([...committed].sort())
    }
    const client = await connect(here.databaseUrl)
    const late = 'select count(*)::int as late from message where id > (select min(position) from fact where kind = 24)'
    expect((await client.query(late)).rows).toEqual([{ late: 0 }])
    await ann.run(UnblockUser, about(ben))
    await ben.send(id, 'after it all')
    await Promise.all(logs.map((log) => log.text('after it all')))
  })

  test('a device that was away during the block resumes up to its start and from its end, with nothing in between', async () => {
    const id = await alice.direct(bob)
    const before = await bob.events().live()
    await alice.send(id, 'one')
    const { cursor } = await before.text('one')
    before.cut()
    await before.ending()
    await alice.run(BlockUser, about(bob))
    await alice.run(UnblockUser, about(bob))
    await alice.send(id, 'two')
    const after = await bob.events({ after: cursor }).live()
    await after.text('two')
    const names = after.seen.map((event) => event.__typename).filter((name) => name !== 'Tick' && name !== 'CaughtUp')
    expect(names.slice(0, 2)).toEqual(['SyncStarted', 'ConversationClosed'])
    expect(names.at(-1)).toBe('MessageSent')
  })

  test('a block against the start of the conversation, on two nodes: it never starts, or it is closed', async () => {
    const [here, there] = await openPair()
    for (let i = 0; i < 6; i += 1) {
      const [ann, ben] = [await signUp(here, `Ann${i}n`), await signUp(there, `Ben${i}n`)]
      const [started] = await Promise.all([
        request(there.url, StartDirectConversation, about(ann), ben.accessToken),
        ann.run(BlockUser, about(ben)),
      ])
      const id = started.data?.startDirectConversation.conversation.id
      if (!id) {
        expect(started.errors[0]?.extensions.code).toBe('FORBIDDEN')
        continue
      }
      expect((await ben.refused(SendMessage, message(id, 'no'))).extensions.code).toBe('FORBIDDEN')
      expect((await ann.run(DirectState, { id })).conversation?.isClosed).toBe(true)
    }
  })

  test('both users block and unblock each other, many times, on two nodes: the conversation is open if nobody blocks at the end', async () => {
    const [here, there] = await openPair()
    const [ann, ben] = [await signUp(here, 'Ann'), await signUp(there, 'Ben')]
    const id = await ann.direct(ben)
    const both = [
      [ann, ben],
      [ben, ann],
    ] as const
    await Promise.all(
      both.map(async ([device, other]) => {
        for (let i = 0; i < 10; i += 1) {
          await device.run(BlockUser, about(other))
          await device.run(UnblockUser, about(other))
        }
      }),
    )
    await ann.send(id, 'open')
    await ben.send(id, 'open')
    await Promise.all([ann.run(BlockUser, about(ben)), ben.run(BlockUser, about(ann))])
    await ann.run(UnblockUser, about(ben))
    expect((await ann.refused(SendMessage, message(id, 'no'))).extensions.code).toBe('FORBIDDEN')
  })
})
