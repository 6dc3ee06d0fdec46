// What an app relies on, against both servers: the real one, and the one in memory of parley-client/testing. Where the one in memory
// has something, it has it as the real one does.

import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { type ClientState, createParleyClient } from '../../client/src/client.ts'
import { isForwarded } from '../../client/src/react.ts'
import { AcceptContact, BlockUser, People, RequestContact, SeeUser, UnblockUser, UpdateProfile } from '../account/documents.ts'
import {
  BanMember,
  Bans,
  MarkUnread,
  PinConversation,
  PinnedConversations,
  PostingRules,
  SetMemberRole,
  UnbanMember,
  UpdateConversation,
  ViewerCan,
} from '../conversation/documents.ts'
import { AddReaction, DeleteMessage, EditMessage, MarkRead, PinMessage } from '../law/documents.ts'
import { Delivered, DeliveredTo, ForwardMessages, Totals, ViewerCanChange } from '../message/documents.ts'
import { LookAtPeople, Presence, SendSignal, Signals } from '../presence/documents.ts'
import * as documents from '../support/documents.ts'
import { withSeed } from '../support/random.ts'
import { until } from '../support/until.ts'
import { act } from './actions.ts'
import { type ContractServer, openRealServer, openTestServer, type Person } from './contract-servers.ts'
import { AcknowledgeIt } from './documents.ts'
import { expectFresh } from './store-state.ts'

const servers = [
  ['the real server', openRealServer],
  ['the test server', openTestServer],
] as const

describe.each(servers)('%s', (_name, open) => {
  let server: ContractServer
  let round = 0
  beforeAll(async () => {
    server = await open()
  })
  /** People with names of their own. */
  const people = async (...names: readonly string[]) => {
    round += 1
    return (await server.people(...names.map((name) => `${name}${String.fromCharCode(96 + round)}`))) as [Person, Person, Person]
  }

  test('D1 D2 a repeated send returns the first message, and another content is refused', async () => {
    const [alice, bob] = await people('Alice', 'Bob')
    const id = await alice.direct(bob)
    const key = randomUUID()
    const first = await alice.send(id, 'once', key)
    const again = await alice.send(id, 'once', key.toUpperCase())
    expect(again).toEqual(first)
    const input = { conversationId: id, text: 'other', clientMessageId: key }
    expect(await alice.refused(documents.SendMessage, { input })).toBe('IDEMPOTENCY_CONFLICT input.clientMessageId')
    // The key belongs to its sender.
    await bob.send(id, 'twice', key)
    const { conversation } = await alice.run(documents.History, { id })
    expect(conversation?.messages.edges.map(({ node }) => `${node.seq} ${node.text}`)).toEqual(['1 once', '2 twice'])
  })

  test('D3 D9 after a lost connection, everything comes once and in order', async () => {
    const [alice, bob, carol] = await people('Anna', 'Bert', 'Cleo')
    const id = await alice.group('Lunch', bob, carol)
    const app = await bob.follow()
    await alice.send(id, '1')
    await app.text('1')
    const { cursor } = app
    server.cut()
    const sent = carol.client.send({ conversationId: id, text: '2' })
    await app.until('the loss', () => app.client.state.status !== 'LIVE')
    server.restore()
    await carol.client.outbox.settled((await sent).clientMessageId)
    await alice.send(id, '3')
    await app.text('3')
    expect(app.texts).toEqual(['1', '2', '3'])
    expect(app.resets).toEqual([null])
    expect(app.seen.flatMap((event) => (event.__typename === 'SyncStarted' ? [event.mode] : []))).toEqual(['RESUMED', 'RESUMED'])
    const late = await bob.follow(cursor)
    await late.text('3')
    expect(late.texts).toEqual(['2', '3'])
    const everywhere = await alice.follow(cursor)
    await everywhere.text('3')
    const kinds = (seen: typeof late.seen) =>
      seen.filter(({ __typename }) => __typename.startsWith('Message')).map((e) => e.cursor)
    expect(kinds(everywhere.seen)).toEqual(kinds(late.seen))
  })

  test('D3 a stream from another installation is a RESET, and from no cursor is refused', async () => {
    const [alice] = await people('Abby')
    const { syncCursor } = await alice.run(documents.Snapshot, {})
    const bytes = Buffer.from(syncCursor, 'base64url')
    bytes[3] = (bytes[3] ?? 0) ^ 0xff
    const app = await alice.follow(bytes.toString('base64url'))
    expect(app.resets).toEqual(['OTHER_EPOCH'])
    const ended = new Promise((resolve) => {
      alice.client.subscribe(documents.Events, { after: 'no cursor' }, { next: () => undefined, failed: resolve })
    })
    expect(await ended).toMatchObject({ code: 'BAD_INPUT', argument: 'after' })
    expect(await alice.refused(AcknowledgeIt, { input: { cursor: bytes.toString('base64url') } })).toMatch(/^CURSOR_REFUSED/)
  })

  test('D4 a snapshot and the stream from its cursor meet, and answers carry their place', async () => {
    const [alice, bob] = await people('Ada', 'Ben')
    const id = await alice.direct(bob)
    await alice.send(id, 'before')
    const { syncCursor, conversations } = await bob.run(documents.Snapshot, {})
    expect(conversations.nodes.map(({ messages }) => messages.nodes.map(({ text }) => text))).toEqual([['before']])
    const { cursor } = await alice.send(id, 'after')
    const app = await bob.follow(syncCursor)
    await app.text('after')
    expect(app.texts).toEqual(['after'])
    expect(app.seen.find((event) => event.__typename === 'MessageSent')?.cursor).toBe(cursor)
    const result = await bob.client.execute(documents.Viewer, {})
    expect(result.extensions).toMatchObject({ cursor: expect.any(String) })
  })

  test('D5 after any run of facts, a store is what a new one reads', () =>
    withSeed(async (random) => {
      const everybody = await people('Amy', 'Bill', 'Cara')
      const [alice, bob, carol] = everybody
      const conversations = [await alice.group('First', bob, carol), await bob.direct(alice)]
      const made = { people: everybody, conversations, sent: [], haveParted: false }
      const store = await alice.openStore()
      for (let n = 0; n < 2; n += 1) {
        for (let k = 0; k < 20; k += 1) await act(random, made)
        await expectFresh(store, () => alice.openStore())
      }
    }))

  test('D6 a removed member gets nothing after the removal, and sees no later change', async () => {
    const [alice, bob] = await people('Ari', 'Bo2')
    const id = await alice.group('Secrets', bob)
    const { message } = await alice.send(id, 'for both')
    const app = await bob.follow()
    await alice.run(documents.RemoveMember, { input: { conversationId: id, userId: bob.userId } })
    await alice.send(id, 'for one')
    await alice.run(EditMessage, { input: { messageId: message.id, text: 'changed' } })
    const other = await alice.direct(bob)
    await alice.send(other, 'marker')
    await app.text('marker')
    expect(app.texts).toEqual(['marker'])
    expect(app.seen.some(({ __typename }) => __typename === 'MessageEdited')).toBe(false)
    expect(app.seen.some((event) => event.__typename === 'MemberLeft' && event.user.username === bob.username)).toBe(true)
    const input = { conversationId: id, text: 'no', clientMessageId: randomUUID() }
    expect(await bob.refused(documents.SendMessage, { input })).toBe('NOT_FOUND')
    expect((await bob.run(documents.OneConversation, { id })).conversation).toBeNull()
  })

  test('D6 a newcomer sees only later messages, if the group says so', async () => {
    const [alice, bob] = await people('Ava', 'Bob')
    const id = await alice.group('New')
    await alice.run(UpdateConversation, { input: { conversationId: id, historyVisibility: 'SINCE_JOINING' } })
    const { message } = await alice.send(id, 'old')
    await alice.run(documents.AddMembers, { input: { conversationId: id, userIds: [bob.userId] } })
    expect((await bob.run(documents.Unread, { id })).conversation).toMatchObject({ unreadCount: 0 })
    await alice.send(id, 'new')
    const { conversation } = await bob.run(documents.History, { id })
    expect(conversation?.messages.edges.map(({ node }) => `${node.seq} ${node.text}`)).toEqual(['2 new'])
    expect(await bob.refused(AddReaction, { input: { messageId: message.id, emoji: '👍' } })).toBe('NOT_FOUND')
  })

  test('D6 an ended session ends its client, and no other', async () => {
    const [alice] = await people('Alma')
    const other = await alice.another()
    const app = await alice.follow()
    const states: ClientState[] = app.states
    await other.run(documents.RevokeSession, { input: { sessionId: alice.sessionId } })
    await app.until('the end', () => states.at(-1)?.status === 'SIGNED_OUT')
    expect(states.at(-1)).toEqual({ status: 'SIGNED_OUT', code: 'SESSION_REVOKED' })
    expect((await other.run(documents.Viewer, {})).sessions.map(({ isCurrent }) => isCurrent)).toEqual([true])
    const without = createParleyClient(server.line)
    expect(await without.execute('{ viewer { id } }', {})).toMatchObject({
      errors: [{ extensions: { code: 'UNAUTHENTICATED' } }],
    })
    await without.close()
  })

  test('a refresh token works once, with a grace for a lost answer', async () => {
    const [alice] = await people('Aida')
    const { refreshToken } = await alice.logIn()
    const refresh = (token: string) => alice.run(documents.RefreshSession, { input: { refreshToken: token } })
    const [one, two] = [await refresh(refreshToken), await refresh(refreshToken)]
    expect(two.refreshSession.refreshToken).toBe(one.refreshSession.refreshToken)
    await refresh(one.refreshSession.refreshToken)
    expect(await alice.refused(documents.RefreshSession, { input: { refreshToken } })).toBe('SESSION_REVOKED')
  })

  test('what is unread: messages of others after the marker, not deleted, not of people you have blocked', async () => {
    const [alice, bob, carol] = await people('Asta', 'Beno', 'Cody')
    const id = await alice.group('Counts', bob, carol)
    const unread = async () => {
      const { conversation } = await alice.run(documents.Unread, { id })
      return [conversation?.unreadCount, conversation?.mentionCount]
    }
    await alice.send(id, 'own')
    expect(await unread()).toEqual([0, 0])
    const { message } = await bob.send(id, 'one')
    const input = { conversationId: id, text: 'two', clientMessageId: randomUUID(), mentionedUserIds: [alice.userId] }
    await carol.run(documents.SendMessage, { input })
    expect(await unread()).toEqual([2, 1])
    expect((await alice.run(Totals, {})).unreadTotals).toEqual({ conversations: 1, messages: 2, mentions: 1 })
    await bob.run(DeleteMessage, { input: { messageId: message.id } })
    expect(await unread()).toEqual([1, 1])
    await alice.run(BlockUser, { input: { userId: carol.userId } })
    expect(await unread()).toEqual([0, 0])
    await alice.run(UnblockUser, { input: { userId: carol.userId } })
    expect(await unread()).toEqual([1, 1])
    const { markRead } = await alice.run(MarkRead, { input: { conversationId: id, seq: 3 } })
    expect(markRead).toMatchObject({ seq: 3, conversation: { unreadCount: 0 } })
    expect((await alice.run(MarkRead, { input: { conversationId: id, seq: 1 } })).markRead).toMatchObject({
      seq: 3,
      cursor: null,
    })
  })

  test('a message is delivered once a device has acknowledged it', async () => {
    const [alice, bob] = await people('Arlo', 'Bess')
    const id = await alice.direct(bob)
    const app = await alice.follow()
    const { message } = await alice.send(id, 'hello')
    const deliveredTo = async () => {
      const { node } = await alice.run(DeliveredTo, { id: message.id })
      return node?.__typename === 'Message' ? node.deliveredTo.map(({ username }) => username) : null
    }
    expect(await deliveredTo()).toEqual([])
    const { syncCursor } = await bob.run(documents.Snapshot, {})
    await bob.run(AcknowledgeIt, { input: { cursor: syncCursor } })
    await app.until('the marker', () => app.seen.some(({ __typename }) => __typename === 'DeliveryMarkersMoved'))
    expect(await deliveredTo()).toEqual([bob.username])
    const { conversation } = await alice.run(Delivered, { id })
    expect(conversation?.members.nodes.find(({ user }) => user.username === bob.username)?.deliveredSeq).toBe(1)
  })

  test('pages continue where they end, in both directions', async () => {
    const [alice, bob] = await people('Axel', 'Birk')
    const id = await alice.group('Pages', bob)
    for (let n = 1; n <= 7; n += 1) await alice.send(id, `${n}`)
    const page = async (variables: object) => {
      const { conversation } = await bob.run(documents.History, { id, ...variables })
      const { edges = [], pageInfo } = conversation?.messages ?? {}
      return { texts: edges.map(({ node }) => node.text).join(''), ...pageInfo }
    }
    const newest = await page({ last: 3 })
    expect(newest).toMatchObject({ texts: '567', hasPreviousPage: true, hasNextPage: false })
    const older = await page({ last: 3, before: newest.startCursor })
    expect(older).toMatchObject({ texts: '234', hasPreviousPage: true, hasNextPage: true })
    expect(await page({ first: 2, after: older.endCursor })).toMatchObject({
      texts: '56',
      hasPreviousPage: true,
      hasNextPage: true,
    })
    expect(await page({ first: 100 })).toMatchObject({ texts: '1234567', hasPreviousPage: false, hasNextPage: false })
    const wrong = [{ first: 0 }, { last: 101 }, { first: 1, last: 1 }, { first: 1, after: '?' }]
    const refusals = await Promise.all(wrong.map((variables) => bob.refused(documents.History, { id, ...variables })))
    expect(refusals).toEqual(['BAD_INPUT first', 'BAD_INPUT last', 'BAD_INPUT last', 'BAD_INPUT after'])
    const lists: string[] = []
    for (const title of ['One', 'Two']) lists.push(await bob.group(title))
    await bob.send(lists[0] ?? '', 'to the top')
    const { conversations } = await bob.run(documents.Conversations, { first: 2 })
    expect(conversations.edges.map(({ node }) => node.title)).toEqual(['One', 'Two'])
    const rest = await bob.run(documents.Conversations, { first: 2, after: conversations.pageInfo.endCursor })
    expect(rest.conversations.edges.map(({ node }) => node.title)).toEqual(['Pages'])
  })

  test('what is not allowed is refused with the same code and argument', async () => {
    const [alice, bob, carol] = await people('Asa', 'Bela', 'Cici')
    const id = await alice.group('Rules', bob)
    const direct = await alice.direct(bob)
    const { message } = await alice.send(id, 'mine')
    const sending = { conversationId: id, text: 'x', clientMessageId: randomUUID() }
    const refusals = {
      stranger: await carol.refused(documents.SendMessage, { input: sending }),
      empty: await bob.refused(documents.SendMessage, { input: { ...sending, text: ' ' } }),
      long: await bob.refused(documents.SendMessage, { input: { ...sending, text: 'x'.repeat(10_001) } }),
      key: await bob.refused(documents.SendMessage, { input: { ...sending, clientMessageId: 'x' } }),
      reply: await bob.refused(documents.SendMessage, { input: { ...sending, conversationId: direct, replyToId: message.id } }),
      mention: await bob.refused(documents.SendMessage, { input: { ...sending, mentionedUserIds: [carol.userId] } }),
      wrongType: await bob.refused(documents.SendMessage, { input: { ...sending, conversationId: bob.userId } }),
      edit: await bob.refused(EditMessage, { input: { messageId: message.id, text: 'yours' } }),
      version: await alice.refused(EditMessage, { input: { messageId: message.id, text: 'y', expectedVersion: 7 } }),
      delete: await bob.refused(DeleteMessage, { input: { messageId: message.id } }),
      pin: await bob.refused(PinMessage, { input: { messageId: message.id } }),
      emoji: await bob.refused(AddReaction, { input: { messageId: message.id, emoji: 'no' } }),
      seq: await bob.refused(MarkRead, { input: { conversationId: id, seq: -1 } }),
      rename: await bob.refused(UpdateConversation, { input: { conversationId: id, title: 'Mine' } }),
      title: await alice.refused(UpdateConversation, { input: { conversationId: id, title: '' } }),
      renameDirect: await alice.refused(UpdateConversation, { input: { conversationId: direct, title: 'Us' } }),
      add: await bob.refused(documents.AddMembers, { input: { conversationId: id, userIds: [carol.userId] } }),
      remove: await bob.refused(documents.RemoveMember, { input: { conversationId: id, userId: alice.userId } }),
      removeSelf: await alice.refused(documents.RemoveMember, { input: { conversationId: id, userId: alice.userId } }),
      role: await bob.refused(SetMemberRole, { input: { conversationId: id, userId: bob.userId, role: 'ADMIN' } }),
      self: await alice.refused(documents.StartDirectConversation, { input: { userId: alice.userId } }),
      contact: await alice.refused(AcceptContact, { input: { userId: bob.userId } }),
      name: await alice.refused(UpdateProfile, { input: { displayName: ' ' } }),
      taken: await alice.refused(documents.SignUp, {
        input: { username: bob.username, password: 'long enough', displayName: 'B', deviceName: 'D' },
      }),
      short: await alice.refused(documents.SignUp, {
        input: { username: 'fine', password: 'short', displayName: 'B', deviceName: 'D' },
      }),
      password: await alice.refused(documents.LogIn, {
        input: { username: bob.username, password: 'wrong one', deviceName: 'D' },
      }),
    }
    expect(refusals).toEqual({
      stranger: 'NOT_FOUND',
      empty: 'BAD_INPUT input.text',
      long: 'BAD_INPUT input.text',
      key: 'BAD_INPUT input.clientMessageId',
      reply: 'NOT_FOUND input.replyToId',
      mention: 'NOT_FOUND input.mentionedUserIds',
      wrongType: 'BAD_INPUT input.conversationId',
      edit: 'FORBIDDEN',
      version: 'VERSION_CONFLICT input.expectedVersion',
      delete: 'FORBIDDEN',
      pin: 'FORBIDDEN',
      emoji: 'BAD_INPUT input.emoji',
      seq: 'BAD_INPUT input.seq',
      rename: 'FORBIDDEN',
      title: 'BAD_INPUT input.title',
      renameDirect: 'BAD_INPUT input.conversationId',
      add: 'FORBIDDEN',
      remove: 'FORBIDDEN',
      removeSelf: 'BAD_INPUT input.userId',
      role: 'FORBIDDEN',
      self: 'BAD_INPUT input.userId',
      contact: 'NOT_FOUND',
      name: 'BAD_INPUT input.displayName',
      taken: 'USERNAME_TAKEN input.username',
      short: 'BAD_INPUT input.password',
      password: 'INVALID_CREDENTIALS',
    })
  })

  test('a deleted message is a tombstone that nothing changes', async () => {
    const [alice, bob] = await people('Alf', 'Bea')
    const id = await alice.direct(bob)
    const { message } = await alice.send(id, 'gone')
    await bob.run(AddReaction, { input: { messageId: message.id, emoji: '👍' } })
    const { deleteMessage } = await alice.run(DeleteMessage, { input: { messageId: message.id } })
    expect(deleteMessage.message).toMatchObject({
      text: '',
      version: 2,
      reactions: [],
      deletedAt: expect.any(String),
      versions: [],
    })
    expect((await alice.run(DeleteMessage, { input: { messageId: message.id } })).deleteMessage.cursor).toBeNull()
    const { id: messageId } = message
    expect(await alice.refused(EditMessage, { input: { messageId, text: 'back' } })).toBe('MESSAGE_DELETED')
    expect(await bob.refused(AddReaction, { input: { messageId, emoji: '👍' } })).toBe('MESSAGE_DELETED')
    expect((await alice.run(ViewerCanChange, { id: messageId })).node).toEqual({ viewerCanEdit: false, viewerCanDelete: false })
  })

  test('roles decide, and the group always has its owner', async () => {
    const [alice, bob, carol] = await people('Ann', 'Bud', 'Cat')
    const id = await alice.group('Roles', bob, carol)
    const roles = async (person: Person) => {
      const { conversation } = await person.run(documents.OneConversation, { id })
      return Object.fromEntries(conversation?.members.nodes.map(({ user, role }) => [user.username.slice(0, 3), role]) ?? [])
    }
    await alice.run(SetMemberRole, { input: { conversationId: id, userId: bob.userId, role: 'ADMIN' } })
    expect((await bob.run(ViewerCan, { id })).node).toMatchObject({ viewerCanPin: true, viewerCanHandOver: false })
    const handOver = { conversationId: id, userId: carol.userId, role: 'OWNER' } as const
    expect(await bob.refused(SetMemberRole, { input: handOver })).toBe('FORBIDDEN')
    await alice.run(SetMemberRole, { input: handOver })
    expect(await roles(bob)).toEqual({ ann: 'ADMIN', bud: 'ADMIN', cat: 'OWNER' })
    await carol.run(documents.LeaveConversation, { input: { conversationId: id } })
    expect(Object.values(await roles(bob)).sort()).toEqual(['ADMIN', 'OWNER'])
    const adding = { conversationId: id, userIds: [carol.userId] }
    expect(await alice.refused(documents.AddMembers, { input: adding })).toBe('FORBIDDEN input.userIds.0')
  })

  test('pins and unread marks are for the member alone, and the list can be asked for the pinned ones', async () => {
    const [alice, bob] = await people('Ana', 'Bob')
    const [first, second] = [await alice.group('First', bob), await alice.group('Second', bob)]
    const app = await bob.follow()
    const pinned = async (person: Person) =>
      (await person.run(PinnedConversations, { pinned: true })).conversations.nodes.map(({ id }) => id)
    const { pinConversation } = await alice.run(PinConversation, { input: { conversationId: first, pinned: true } })
    expect(pinConversation.conversation.viewerMembership?.pinnedAt).toEqual(expect.any(String))
    expect([await pinned(alice), await pinned(bob)]).toEqual([[first], []])
    expect(
      (await alice.run(PinConversation, { input: { conversationId: first, pinned: true } })).pinConversation.cursor,
    ).toBeNull()
    expect((await alice.run(PinnedConversations, { pinned: false })).conversations.nodes).toEqual([{ id: second }])
    await alice.run(PinConversation, { input: { conversationId: first, pinned: false } })
    expect(await pinned(alice)).toEqual([])
    const mark = (unread: boolean) => alice.run(MarkUnread, { input: { conversationId: second, unread } })
    expect((await mark(true)).markUnread.conversation).toMatchObject({
      unreadCount: 0,
      viewerMembership: { markedUnreadAt: expect.any(String) },
    })
    expect((await mark(false)).markUnread.conversation.viewerMembership?.markedUnreadAt).toBeNull()
    await alice.send(second, 'after all that')
    await app.text('after all that')
    expect(app.seen.filter(({ __typename }) => __typename === 'MembershipUpdated')).toEqual([])
  })

  test('a banned user is gone and cannot be added, until the ban is lifted', async () => {
    const [alice, bob, carol] = await people('Alf', 'Bec', 'Cyd')
    const id = await alice.group('Bans', bob, carol)
    const input = { conversationId: id, userId: bob.userId }
    expect(await carol.refused(BanMember, { input })).toBe('FORBIDDEN')
    expect(await carol.refused(BanMember, { input: { ...input, userId: alice.userId } })).toBe('FORBIDDEN')
    expect(await alice.refused(BanMember, { input: { ...input, userId: alice.userId } })).toBe('BAD_INPUT input.userId')
    await alice.run(BanMember, { input })
    expect((await bob.run(documents.OneConversation, { id })).conversation).toBeNull()
    const adding = { input: { conversationId: id, userIds: [bob.userId] } }
    expect(await alice.refused(documents.AddMembers, adding)).toBe('FORBIDDEN input.userIds.0')
    const bans = async (person: Person) =>
      (await person.run(Bans, { id })).conversation?.bans.nodes.map(({ user, bannedBy }) => [user?.id, bannedBy?.id])
    expect([await bans(alice), await bans(carol)]).toEqual([[[bob.userId, alice.userId]], []])
    expect((await alice.run(BanMember, { input })).banMember.cursor).toBeNull()
    await alice.run(UnbanMember, { input })
    await alice.run(documents.AddMembers, adding)
    expect(await bans(alice)).toEqual([])
  })

  test('announcements and slow mode hold back members, not the owner', async () => {
    const [alice, bob] = await people('Aya', 'Ben')
    const id = await alice.group('Rules', bob)
    const change = (rules: object) => alice.run(UpdateConversation, { input: { conversationId: id, ...rules } })
    const refused = (person: Person) =>
      person.refused(documents.SendMessage, { input: { conversationId: id, text: 'x', clientMessageId: randomUUID() } })
    await change({ announcementsOnly: true })
    expect(await refused(bob)).toBe('FORBIDDEN')
    const rules = async (person: Person) => (await person.run(PostingRules, { id })).conversation
    expect(await rules(bob)).toMatchObject({ announcementsOnly: true, viewerCanSend: false, viewerCanAnnounce: false })
    expect(await rules(alice)).toMatchObject({ viewerCanSend: true, viewerCanAnnounce: true })
    await alice.send(id, 'hear this')
    await change({ announcementsOnly: false, slowModeS: 600 })
    expect(await rules(bob)).toMatchObject({ slowModeS: 600, viewerCanSend: true })
    const key = randomUUID()
    await bob.send(id, 'first', key)
    expect(await refused(bob)).toBe('RATE_LIMITED')
    await bob.send(id, 'first', key)
    for (const text of ['one', 'two']) await alice.send(id, text)
    expect(await alice.refused(UpdateConversation, { input: { conversationId: id, slowModeS: 21_601 } })).toBe(
      'BAD_INPUT input.slowModeS',
    )
    await change({ slowModeS: 0 })
    await bob.send(id, 'second')
  })

  test('D2 a repeated forwarding sends no copy twice', async () => {
    const [alice, bob, carol] = await people('Ado', 'Bix', 'Cam')
    const [from, to] = [await alice.group('From', bob), await bob.direct(carol)]
    const { message } = await alice.send(from, 'pass it on')
    const input = { messageIds: [message.id], conversationIds: [to, from], clientMessageId: randomUUID() }
    const copies = async () => (await bob.run(ForwardMessages, { input })).forwardMessages.messages
    const first = await copies()
    expect(first).toMatchObject([
      { text: 'pass it on', conversation: { id: to }, sender: { id: bob.userId } },
      { text: 'pass it on', conversation: { id: from } },
    ])
    expect(await copies()).toEqual(first)
    const store = await carol.openStore()
    store.watch(to)
    await until('the copy', () => store.messages(to).messages.length === 1)
    expect(store.messages(to).messages.map(isForwarded)).toEqual([true])
    expect(await carol.refused(ForwardMessages, { input })).toBe('NOT_FOUND input.messageIds.0')
    const nothing = { ...input, conversationIds: [] }
    expect(await bob.refused(ForwardMessages, { input: nothing })).toBe('BAD_INPUT input.conversationIds')
  })

  test('a signal reaches the other devices that watch, and not the one that sent it', async () => {
    const [alice, bob, carol] = await people('Abi', 'Bab', 'Cal')
    const id = await alice.direct(bob)
    const seen: [string, string, unknown][] = []
    const watch = (name: string, person: Person) =>
      person.client.subscribe(
        Signals,
        { conversationId: id },
        { next: ({ signals: { kind, data } }) => seen.push([name, kind, data]) },
      )
    for (const [name, person] of [
      ['alice', alice],
      ['bob', bob],
    ] as const)
      watch(name, person)
    let round = 0
    // A signal from before the subscription is there is lost.
    await until('a signal at bob', async () => {
      round += 1
      await alice.run(SendSignal, { input: { conversationId: id, kind: 'call.ring', data: { round } } })
      return seen.some(([name]) => name === 'bob')
    })
    await bob.run(SendSignal, { input: { conversationId: id, kind: 'call.stop' } })
    await until('the signal at alice', () => seen.some(([name, kind]) => name === 'alice' && kind === 'call.stop'))
    expect(seen.filter(([name]) => name === 'alice')).toEqual([['alice', 'call.stop', null]])
    expect(await carol.refused(SendSignal, { input: { conversationId: id, kind: 'call.ring' } })).toBe('NOT_FOUND')
    expect(await alice.refused(SendSignal, { input: { conversationId: id, kind: 'no spaces' } })).toBe('BAD_INPUT input.kind')
  })

  test('a block closes the direct conversation, and an end of it reopens it', async () => {
    const [alice, bob] = await people('Abe', 'Bix')
    const id = await alice.direct(bob)
    await alice.run(RequestContact, { input: { userId: bob.userId } })
    expect((await bob.run(People, {})).incoming.nodes).toHaveLength(1)
    await bob.run(AcceptContact, { input: { userId: alice.userId } })
    expect((await alice.run(People, {})).contacts.nodes).toMatchObject([{ state: 'ACCEPTED', user: { username: bob.username } }])
    const app = await bob.follow()
    await alice.run(BlockUser, { input: { userId: bob.userId } })
    await app.until('the end', () => app.seen.some(({ __typename }) => __typename === 'ConversationClosed'))
    const input = { conversationId: id, text: 'x', clientMessageId: randomUUID() }
    expect(await bob.refused(documents.SendMessage, { input })).toBe('FORBIDDEN')
    expect(await bob.refused(RequestContact, { input: { userId: alice.userId } })).toBe('FORBIDDEN input.userId')
    expect(await alice.refused(RequestContact, { input: { userId: bob.userId } })).toBe('FORBIDDEN input.userId')
    expect((await bob.run(SeeUser, { id: alice.userId })).node).toMatchObject({ viewerHasBlocked: false, viewerContact: null })
    await alice.run(UnblockUser, { input: { userId: bob.userId } })
    await bob.send(id, 'again')
    await app.text('again')
    expect(app.seen.some(({ __typename }) => __typename === 'BlockChanged')).toBe(false)
  })

  test('typing and presence are shown to those who may see them', async () => {
    const [alice, bob, carol] = await people('Aki', 'Bao', 'Cai')
    const id = await alice.direct(bob)
    const typists: string[] = []
    bob.client.subscribe(
      documents.Typing,
      { conversationId: id },
      { next: ({ typing }) => typists.push(typing.users.map(({ username }) => username).join(' ')) },
    )
    const presences: string[] = []
    alice.client.subscribe(
      Presence,
      { userIds: [bob.userId, alice.userId] },
      { next: ({ presence: { user, state } }) => presences.push(`${user.username} ${state}`) },
    )
    await until('nobody to type', () => typists.length === 1)
    await alice.run(documents.SetTyping, { input: { conversationId: id, typing: true } })
    await until('the typing', () => typists.at(-1) === alice.username)
    await alice.send(id, 'done')
    await alice.run(documents.SetTyping, { input: { conversationId: id, typing: false } })
    await until('the end of it', () => typists.at(-1) === '')
    await until(
      'the presence',
      () => presences.includes(`${bob.username} ONLINE`) && presences.includes(`${alice.username} ONLINE`),
    )
    const refused = new Promise((resolve) => {
      alice.client.subscribe(Presence, { userIds: [bob.userId, carol.userId] }, { next: () => undefined, failed: resolve })
    })
    expect(await refused).toMatchObject({ code: 'NOT_FOUND' })
    expect((await alice.run(LookAtPeople, { ids: [carol.userId] })).nodes).toEqual([{ id: carol.userId, presence: null }])
  })
})
