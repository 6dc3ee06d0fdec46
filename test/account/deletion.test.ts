// The deletion of an account: it removes everything of the user, and nothing of others.

import { randomUUID } from 'node:crypto'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { AddReaction, MarkRead } from '../law/documents.ts'
import { type Device, logIn, password, request, signUp, signUpAll } from '../support/device.ts'
import {
  Acknowledge,
  AddMembers,
  Node as FindNode,
  FindUser,
  LogIn,
  OneConversation,
  SendMessage,
  Viewer,
} from '../support/documents.ts'
import { connect, type Node, openNode, openPair } from '../support/node.ts'
import * as documents from './documents.ts'

let node: Node
let alice: Device
let bob: Device
let carol: Device
let round = 0

beforeAll(async () => {
  node = await openNode()
})
beforeEach(async () => {
  round += 1
  const people = await signUpAll(node, `Alice${round}a`, `Bob${round}b`, `Carol${round}c`)
  ;[alice, bob, carol] = people as [Device, Device, Device]
})

const about = ({ userId }: Device) => ({ input: { userId } })
const deletion = { input: { password } }
const loggingIn = (username: string, secret: string) => ({ input: { username, password: secret, deviceName: 'Later' } })

describe('the deletion of an account', () => {
  test('D6 ends the sessions and frees the username; logging in fails', async () => {
    const laptop = await alice.another()
    const stream = await laptop.events().live()
    const { deleteAccount } = await alice.run(documents.DeleteAccount, deletion)
    expect(deleteAccount.userId).toBe(alice.userId)
    expect(await stream.ending()).toMatchObject({ code: 4603 })
    for (const device of [alice, laptop]) {
      expect((await device.refused(Viewer, {})).extensions.code).toBe('SESSION_REVOKED')
    }
    const late = await request(node.url, LogIn, loggingIn(alice.username, password))
    expect(late.errors[0]?.extensions.code).toBe('INVALID_CREDENTIALS')
    expect((await bob.run(FindUser, { username: alice.username })).user).toBeNull()
    expect((await bob.run(FindNode, { id: alice.userId })).node).toBeNull()
    expect((await bob.run(documents.SearchUsers, { query: 'deleted' })).searchUsers.edges).toEqual([])
    expect((await signUp(node, alice.username)).userId).not.toBe(alice.userId)
  })

  test('requires the password and a token', async () => {
    for (const input of [{ password: 'wrong' }, { password: null }, {}]) {
      expect((await alice.refused(documents.DeleteAccount, { input })).extensions.code).toBe('INVALID_CREDENTIALS')
    }
    expect((await request(node.url, documents.DeleteAccount, deletion)).errors[0]?.extensions.code).toBe('UNAUTHENTICATED')
    await alice.run(Viewer, {})
  })

  test('D5 leaves the conversations of others whole: groups are handed over, messages stay without a sender', async () => {
    const group = await alice.group('Heirs', bob, carol)
    const direct = await alice.direct(bob)
    await alice.send(group, 'to all')
    await alice.send(direct, 'to you')
    const [onBob, onCarol] = await Promise.all([bob.events().live(), carol.events().live()])
    await alice.run(documents.DeleteAccount, deletion)
    expect(await onCarol.first('MemberLeft')).toMatchObject({ conversation: { id: group } })
    expect(await onCarol.first('UserUpdated')).toMatchObject({ user: { id: alice.userId, isDeleted: true } })
    expect(await onBob.first('ConversationClosed')).toMatchObject({ conversation: { id: direct, isClosed: true } })
    const { conversation } = await bob.run(OneConversation, { id: group })
    expect(conversation).toMatchObject({ memberCount: 2, viewerMembership: { role: 'OWNER' } })
    expect((await bob.run(documents.DirectState, { id: group })).conversation?.messages.nodes).toEqual([
      { text: 'to all', sender: null },
    ])
    const seen = (await bob.run(documents.DirectState, { id: direct })).conversation
    expect(seen).toMatchObject({ isClosed: true, messages: { nodes: [{ text: 'to you', sender: null }] } })
    expect(seen?.members.nodes).toContainEqual({
      role: 'MEMBER',
      user: { username: expect.stringMatching(/^~\d+$/), displayName: 'Deleted account', isDeleted: true },
    })
    const write = { input: { conversationId: direct, text: 'x', clientMessageId: randomUUID() } }
    expect((await bob.refused(SendMessage, write)).extensions.code).toBe('FORBIDDEN')
    await bob.send(group, 'we go on')
    await onCarol.text('we go on')
    expect(onCarol.errors).toEqual([])
  })

  test('keeps what others have of the user, without a name, and nothing that only the user had', async () => {
    const direct = await alice.direct(bob)
    const { message, cursor } = await bob.send(direct, 'read and liked')
    await alice.run(MarkRead, { input: { conversationId: direct, seq: 1 } })
    await alice.run(AddReaction, { input: { messageId: message.id, emoji: '🎉' } })
    await alice.run(Acknowledge, { input: { cursor } })
    const group = await bob.group('Mentioned', alice, carol)
    const mention = { conversationId: group, clientMessageId: randomUUID(), text: 'you', mentionedUserIds: [alice.userId] }
    await bob.run(SendMessage, { input: mention })
    await carol.run(MarkRead, { input: { conversationId: group, seq: 1 } })
    const before = await bob.run(documents.Traces, { direct, group })
    expect(before.direct?.readMarkers).toMatchObject([{ user: { username: alice.username }, seq: 1 }])
    await alice.run(documents.DeleteAccount, deletion)

    const nobody = { username: expect.stringMatching(/^~\d+$/), isDeleted: true }
    expect(await bob.run(documents.Traces, { direct, group })).toEqual({
      direct: {
        readMarkers: [],
        messages: { nodes: [{ mentions: [], reactions: [{ emoji: '🎉', count: 1, users: [nobody] }] }] },
      },
      group: {
        readMarkers: [{ user: { username: carol.username, isDeleted: false }, seq: 1 }],
        messages: { nodes: [{ mentions: [nobody], reactions: [] }] },
      },
    })
    const client = await connect(node.databaseUrl)
    const id = Number.parseInt(alice.userId.slice(4), 36)
    const { rows } = await client.query(
      `select (select count(*)::int from read_marker where user_id = $1) as markers,
              (select count(*)::int from mention where user_id = $1) as mentions,
              (select count(*)::int from acknowledgement join session on id = session_id where user_id = $1) as acknowledgements,
              (select count(*)::int from reaction where user_id = $1) as reactions`,
      [id],
    )
    expect(rows).toEqual([{ markers: 0, mentions: 0, acknowledgements: 0, reactions: 1 }])
  })

  test('D3 keeps earlier events replayable', async () => {
    const before = await bob.events().live()
    const { cursor } = before
    const group = await alice.group('Past', bob)
    await alice.send(group, 'long ago')
    await alice.run(documents.DeleteAccount, deletion)
    const replayed = await bob.events({ after: cursor }).live()
    expect(replayed.errors).toEqual([])
    expect(replayed.texts).toEqual(['long ago'])
    expect(await replayed.first('MessageSent')).toMatchObject({ message: { sender: null } })
  })

  test('removes what the database stores about the user', async () => {
    const own = await signUp(node, 'Zaphod-beeblebrox')
    await own.run(documents.UpdateProfile, { input: { displayName: 'Zaphod-beeblebrox', bio: 'zaphod-beeblebrox' } })
    await own.run(documents.RequestContact, about(bob))
    await bob.run(documents.AcceptContact, about(own))
    await own.run(documents.BlockUser, about(carol))
    await alice.run(documents.BlockUser, about(own))
    const [onBob, onAlice] = await Promise.all([bob.events().live(), alice.events().live()])
    await logIn(node, own.username, 'zaphod-beeblebrox’s phone')
    await own.run(documents.DeleteAccount, deletion)
    expect(await onBob.first('ContactChanged')).toMatchObject({ user: { viewerContact: null } })
    expect(await onAlice.first('BlockChanged')).toMatchObject({ user: { viewerHasBlocked: false } })
    expect((await bob.run(documents.People, {})).contacts.nodes).toEqual([])
    expect((await alice.run(documents.People, {})).blockedUsers.nodes).toEqual([])
    const client = await connect(node.databaseUrl)
    const { rows: tables } = await client.query<{ name: string }>(
      `select quote_ident(relname) as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')`,
    )
    for (const { name } of tables) {
      const { rows } = await client.query(`select 1 from ${name} t where t::text ilike '%beeblebrox%'`)
      expect(rows, name).toEqual([])
    }
    const { rows } = await client.query('select password_hash, issuer, subject from "user" where deleted_at is not null')
    expect(rows.every((row) => Object.values(row).every((value) => value === null))).toBe(true)
  })

  test('refuses every later operation on the user', async () => {
    await alice.run(documents.DeleteAccount, deletion)
    for (const refused of [
      await bob.refused(documents.RequestContact, about(alice)),
      await bob.refused(documents.BlockUser, about(alice)),
      await bob.refused(documents.UnblockUser, about(alice)),
      await bob.refused(documents.RemoveContact, about(alice)),
    ]) {
      expect(refused.extensions.code).toBe('NOT_FOUND')
    }
    const conversationId = await bob.group('Without')
    const add = { input: { conversationId, userIds: [alice.userId] } }
    expect((await bob.refused(AddMembers, add)).extensions.code).toBe('NOT_FOUND')
  })

  test('leaves nothing over when the user is added to groups, written to and blocked at the same time, on two nodes', async () => {
    const [here, there] = await openPair()
    const [ann, ben] = [await signUp(here, 'Ann'), await signUp(there, 'Ben')]
    const groups = await Promise.all(Array.from({ length: 6 }, (_, i) => ben.group(`Group ${i}`)))
    const attempts = Promise.all([
      ...groups.map((conversationId) =>
        request(there.url, AddMembers, { input: { conversationId, userIds: [ann.userId] } }, ben.accessToken),
      ),
      request(there.url, documents.RequestContact, about(ann), ben.accessToken),
      request(there.url, documents.BlockUser, about(ann), ben.accessToken),
      request(there.url, LogIn, loggingIn('ann', password)),
    ])
    await ann.run(documents.DeleteAccount, deletion)
    const codes = (await attempts).flatMap(({ errors }) => errors.map((error) => error.extensions.code))
    expect(codes.filter((code) => !['NOT_FOUND', 'FORBIDDEN', 'INVALID_CREDENTIALS'].includes(code))).toEqual([])
    const client = await connect(here.databaseUrl)
    const { rows } = await client.query(`
      select (select count(*)::int from member m join "user" u on u.id = m.user_id where u.deleted_at is not null) as members,
             (select count(*)::int from contact) as contacts, (select count(*)::int from block) as blocks,
             (select count(*)::int from session s join "user" u on u.id = s.user_id
               where u.deleted_at is not null and s.revoked_at is null) as sessions,
             (select count(*)::int from audience a join "user" u on u.id = a.user_id
               where u.deleted_at is not null and a.to_position is null) as audience`)
    expect(rows).toEqual([{ members: 0, contacts: 0, blocks: 0, sessions: 0, audience: 0 }])
  })
})
