// Contacts: requesting, accepting, declining, removing; both at once; and which users may write to each other.

import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import * as documents from '../account/documents.ts'
import { CreateInvite, JoinWithInvite } from '../conversation/documents.ts'
import { LookAtPeople } from '../presence/documents.ts'
import { type Device, request, signUp, signUpAll } from '../support/device.ts'
import {
  AddMembers,
  CreateGroup,
  LeaveConversation,
  OneConversation,
  RemoveMember,
  StartDirectConversation,
} from '../support/documents.ts'
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

const refusal = 'This user does not accept messages from you.'
const about = ({ userId }: Device) => ({ input: { userId } })

/** A user's contacts, and the requests received and sent, by username. */
async function has(device: Device) {
  const { contacts, incoming, outgoing } = await device.run(documents.People, {})
  const names = (connection: typeof contacts | typeof incoming) => connection.nodes?.map((c) => c?.user.username)
  const counts = await device.run(documents.RequestCounts, {})
  expect(counts).toEqual({ incoming: incoming.nodes.length, outgoing: outgoing.nodes.length })
  return { contacts: names(contacts), incoming: names(incoming), outgoing: names(outgoing) }
}
const nothing = { contacts: [], incoming: [], outgoing: [] }

describe('a contact', () => {
  test('D5 is requested and accepted; both users receive both changes, on all their devices', async () => {
    const [onAlice, onBob] = [await alice.events().live(), await (await bob.another()).events().live()]
    const { requestContact } = await alice.run(documents.RequestContact, about(bob))
    expect(requestContact.user.viewerContact).toEqual({ state: 'OUTGOING' })
    expect(await has(alice)).toEqual({ ...nothing, outgoing: [bob.username] })
    expect(await has(bob)).toEqual({ ...nothing, incoming: [alice.username] })
    expect(await onBob.first('ContactChanged')).toMatchObject({ user: { username: alice.username } })
    const { acceptContact } = await bob.run(documents.AcceptContact, about(alice))
    expect(acceptContact.user.viewerContact).toEqual({ state: 'ACCEPTED' })
    for (const log of [onAlice, onBob]) {
      await log.until('the acceptance', ({ seen }) => seen.filter((e) => e.__typename === 'ContactChanged').length === 2)
      expect(log.seen.at(-1)).toMatchObject({ user: { viewerContact: { state: 'ACCEPTED' } } })
    }
    expect(await has(alice)).toEqual({ ...nothing, contacts: [bob.username] })
    expect(await has(bob)).toEqual({ ...nothing, contacts: [alice.username] })
    expect(await has(stranger)).toEqual(nothing)
  })

  test('is declined, and may be requested again', async () => {
    await alice.run(documents.RequestContact, about(bob))
    await bob.run(documents.DeclineContact, about(alice))
    expect([await has(alice), await has(bob)]).toEqual([nothing, nothing])
    expect((await bob.refused(documents.AcceptContact, about(alice))).extensions.code).toBe('NOT_FOUND')
    await alice.run(documents.RequestContact, about(bob))
    expect(await has(bob)).toEqual({ ...nothing, incoming: [alice.username] })
  })

  test('is removed by either side; a request is withdrawn by its sender', async () => {
    await alice.run(documents.RequestContact, about(bob))
    await bob.run(documents.RemoveContact, about(alice))
    expect(await has(bob)).toEqual({ ...nothing, incoming: [alice.username] })
    await alice.run(documents.RemoveContact, about(bob))
    expect([await has(alice), await has(bob)]).toEqual([nothing, nothing])
    await alice.run(documents.RequestContact, about(bob))
    await bob.run(documents.RequestContact, about(alice))
    expect(await has(alice)).toEqual({ ...nothing, contacts: [bob.username] })
    await bob.run(documents.RemoveContact, about(alice))
    expect([await has(alice), await has(bob)]).toEqual([nothing, nothing])
  })

  test('does not change on a repeat, which returns a null cursor', async () => {
    const { RequestContact, AcceptContact, DeclineContact, RemoveContact } = documents
    expect((await alice.run(DeclineContact, about(bob))).declineContact.cursor).toBeNull()
    expect((await alice.run(RemoveContact, about(bob))).removeContact.cursor).toBeNull()
    expect((await alice.run(RequestContact, about(bob))).requestContact.cursor).not.toBeNull()
    expect((await alice.run(RequestContact, about(bob))).requestContact.cursor).toBeNull()
    expect((await bob.run(AcceptContact, about(alice))).acceptContact.cursor).not.toBeNull()
    expect((await bob.run(AcceptContact, about(alice))).acceptContact.cursor).toBeNull()
    expect((await bob.run(RequestContact, about(alice))).requestContact.cursor).toBeNull()
    expect((await bob.run(DeclineContact, about(alice))).declineContact).toEqual({
      user: { viewerContact: { state: 'ACCEPTED' } },
      cursor: null,
    })
  })

  test('cannot be accepted by the sender, a stranger or an anonymous caller', async () => {
    await alice.run(documents.RequestContact, about(bob))
    expect((await alice.refused(documents.AcceptContact, about(bob))).extensions.code).toBe('NOT_FOUND')
    expect((await stranger.refused(documents.AcceptContact, about(alice))).extensions.code).toBe('NOT_FOUND')
    await stranger.run(documents.DeclineContact, about(alice))
    await stranger.run(documents.RemoveContact, about(bob))
    expect(await has(bob)).toEqual({ ...nothing, incoming: [alice.username] })
  })

  const operations: Readonly<Record<string, TypedDocumentNode<unknown, { input: { userId: string } }>>> = {
    requestContact: documents.RequestContact,
    acceptContact: documents.AcceptContact,
    declineContact: documents.DeclineContact,
    removeContact: documents.RemoveContact,
    blockUser: documents.BlockUser,
    unblockUser: documents.UnblockUser,
  }
  test.each(Object.entries(operations))(
    '%s refuses oneself, an unknown user, an invalid id, and an anonymous caller',
    async (_name, act) => {
      const attempt = async (userId: string) => (await alice.refused(act, { input: { userId } })).extensions
      expect(await attempt(alice.userId)).toMatchObject({ code: 'BAD_INPUT', argument: 'input.userId' })
      expect(await attempt('usr_00000000zzzzz')).toMatchObject({ code: 'NOT_FOUND', argument: 'input.userId' })
      expect(await attempt('cnv_0000000000001')).toMatchObject({ code: 'BAD_INPUT', argument: 'input.userId' })
      const { errors } = await request(node.url, act, about(bob))
      expect(errors[0]?.extensions.code).toBe('UNAUTHENTICATED')
    },
  )

  test('results from two requests at the same time, many times, on two nodes', async () => {
    const [here, there] = await openPair()
    const [ann, ben] = [await signUp(here, 'Ann'), await signUp(there, 'Ben')]
    await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        i % 2 ? ann.run(documents.RequestContact, about(ben)) : ben.run(documents.RequestContact, about(ann)),
      ),
    )
    expect(await has(ann)).toEqual({ ...nothing, contacts: ['ben'] })
    expect(await has(ben)).toEqual({ ...nothing, contacts: ['ann'] })
    const client = await connect(here.databaseUrl)
    expect((await client.query('select count(*)::int as facts from fact where kind = 21')).rows).toEqual([{ facts: 4 }])
  })

  test('does not remain if it is accepted and withdrawn at once, on two nodes, in whichever order', async () => {
    const [here, there] = await openPair()
    const [ann, ben] = [await signUp(here, 'Ann'), await signUp(there, 'Ben')]
    for (let i = 0; i < 8; i += 1) {
      await ann.run(documents.RequestContact, about(ben))
      const [accepted] = await Promise.all([
        request(there.url, documents.AcceptContact, about(ann), ben.accessToken),
        ann.run(documents.RemoveContact, about(ben)),
      ])
      if (accepted.errors[0]) expect(accepted.errors[0].extensions.code).toBe('NOT_FOUND')
      expect([await has(ann), await has(ben)]).toEqual([nothing, nothing])
    }
  })

  test('is listed by username, by page, in both directions', async () => {
    const names = ['Zed', 'Mia', 'Abe', 'Kay', 'Tom']
    for (const friend of await signUpAll(node, ...names)) {
      await friend.run(documents.RequestContact, about(alice))
      await alice.run(documents.AcceptContact, about(friend))
    }
    const page = async (args: { first?: number; after?: string | null; last?: number; before?: string | null }) => {
      const { contacts } = await alice.run(documents.Contacts, args)
      return { ...contacts.pageInfo, names: contacts.nodes?.map((c) => c?.user.username) }
    }
    const first = await page({ first: 2 })
    expect(first).toMatchObject({ names: ['abe', 'kay'], hasNextPage: true, hasPreviousPage: false })
    const second = await page({ first: 3, after: first.endCursor ?? null })
    expect(second).toMatchObject({ names: ['mia', 'tom', 'zed'], hasNextPage: false })
    expect(await page({ last: 2, before: second.startCursor ?? null })).toMatchObject({ names: ['abe', 'kay'] })
    expect((await page({ last: 1 })).names).toEqual(['zed'])
  })
})

describe('the message policy', () => {
  const start = (from: Device, to: Device) =>
    request(from.node.url, StartDirectConversation, about(to), from.accessToken).then(({ errors }) => errors[0]?.extensions)
  const choose = (device: Device, messagePolicy: 'ANYONE' | 'CONTACTS' | 'SHARED_CONVERSATION') =>
    device.run(documents.SetMessagePolicy, { input: { messagePolicy } })

  test('CONTACTS lets contacts start a conversation, and nobody else', async () => {
    await choose(bob, 'CONTACTS')
    expect(await start(alice, bob)).toMatchObject({ code: 'FORBIDDEN', argument: 'input.userId' })
    await bob.group('Shared', alice)
    await alice.run(documents.RequestContact, about(bob))
    expect(await start(alice, bob)).toMatchObject({ code: 'FORBIDDEN' })
    await bob.run(documents.AcceptContact, about(alice))
    expect(await start(alice, bob)).toBeUndefined()
  })

  test('SHARED_CONVERSATION lets people in the same group and contacts start, and nobody else', async () => {
    await choose(bob, 'SHARED_CONVERSATION')
    expect(await start(alice, bob)).toMatchObject({ code: 'FORBIDDEN' })
    await bob.group('Shared', alice)
    expect(await start(alice, bob)).toBeUndefined()
    expect(await start(stranger, bob)).toMatchObject({ code: 'FORBIDDEN' })
    await bob.run(documents.RequestContact, about(stranger))
    await stranger.run(documents.AcceptContact, about(bob))
    expect(await start(stranger, bob)).toBeUndefined()
  })

  test('lets its owner start with anyone, and leaves an existing conversation as it is', async () => {
    await choose(bob, 'CONTACTS')
    const id = await bob.direct(alice)
    expect(await alice.direct(bob)).toBe(id)
    await alice.send(id, 'an answer')
  })

  test('keeps strangers from adding the user to a group, new or old, and the error names the first who refuses', async () => {
    const create = (by: Device, ...others: Device[]) =>
      request(node.url, CreateGroup, { input: { title: 'x', memberIds: others.map((o) => o.userId) } }, by.accessToken)
    const refusedAt = (argument: string) => [{ message: refusal, extensions: { code: 'FORBIDDEN', argument, retryable: false } }]
    const conversationId = await alice.group('Of Alice')
    const add = (...others: Device[]) =>
      request(node.url, AddMembers, { input: { conversationId, userIds: others.map((o) => o.userId) } }, alice.accessToken)
    for (const policy of ['CONTACTS', 'SHARED_CONVERSATION'] as const) {
      await choose(bob, policy)
      // Oneself and repeats are skipped, but count for the index.
      expect((await create(alice, alice, stranger, stranger, bob, bob)).errors).toMatchObject(refusedAt('input.memberIds.3'))
      expect((await add(alice, stranger, bob)).errors).toMatchObject(refusedAt('input.userIds.2'))
    }
    // A direct conversation, and a group without the other user, is not shared.
    await choose(bob, 'ANYONE')
    await alice.direct(bob)
    await choose(bob, 'SHARED_CONVERSATION')
    expect((await add(bob)).errors).toMatchObject(refusedAt('input.userIds.0'))
    // Nor is this very group, once the user has left it.
    await choose(bob, 'ANYONE')
    await add(bob)
    await choose(bob, 'SHARED_CONVERSATION')
    await alice.run(RemoveMember, { input: { conversationId, userId: bob.userId } })
    expect((await add(bob)).errors).toMatchObject(refusedAt('input.userIds.0'))
    const { nodes } = (await alice.run(OneConversation, { id: conversationId })).conversation?.members ?? {}
    expect(nodes?.map((member) => member?.user.username)).toEqual([alice.username])
  })

  test('lets the users that it admits add the user to a group', async () => {
    await choose(bob, 'CONTACTS')
    await alice.run(documents.RequestContact, about(bob))
    const add = { input: { conversationId: await alice.group('Of Alice'), userIds: [bob.userId] } }
    expect((await alice.refused(AddMembers, add)).extensions.code).toBe('FORBIDDEN')
    await bob.run(documents.AcceptContact, about(alice))
    await alice.run(AddMembers, add)
    // A shared group admits to the next one, if the policy says so.
    await bob.run(documents.RemoveContact, about(alice))
    await choose(bob, 'SHARED_CONVERSATION')
    await alice.group('Another', bob)
  })

  test('does not reveal a group to a refused stranger', async () => {
    await choose(bob, 'CONTACTS')
    await bob.events().live()
    await request(node.url, CreateGroup, { input: { title: 'x', memberIds: [bob.userId] } }, alice.accessToken)
    expect((await alice.run(LookAtPeople, { ids: [bob.userId] })).nodes).toEqual([{ id: bob.userId, presence: null }])
  })

  test('does not matter after the user has left a group: they cannot be added, and return by an invite link', async () => {
    const conversationId = await alice.group('Of Alice', bob)
    const add = { input: { conversationId, userIds: [stranger.userId, bob.userId] } }
    for (let round = 0; round < 2; round += 1) {
      await bob.run(LeaveConversation, { input: { conversationId } })
      expect((await alice.refused(AddMembers, add)).extensions).toMatchObject({ code: 'FORBIDDEN', argument: 'input.userIds.1' })
      const { createInvite } = await alice.run(CreateInvite, { input: { conversationId } })
      await bob.run(JoinWithInvite, { input: { token: createInvite.invite.token } })
    }
    // A removed member has not decided anything: the policy decides.
    await alice.run(RemoveMember, { input: { conversationId, userId: bob.userId } })
    await alice.run(AddMembers, add)
    await bob.run(LeaveConversation, { input: { conversationId } })
    const again = { input: { conversationId, userIds: [bob.userId] } }
    const answers = await Promise.all(Array.from({ length: 5 }, () => request(node.url, AddMembers, again, alice.accessToken)))
    expect(answers.map(({ errors }) => errors[0]?.extensions.argument)).toEqual(Array(5).fill('input.userIds.0'))
  })

  test('a policy against being added, on two nodes: every member joined before the policy', async () => {
    const [here, there] = await openPair()
    const [ann, ben] = (await signUpAll(here, 'Ann', 'Ben')) as [Device, Device]
    const client = await connect(here.databaseUrl)
    for (let round = 0; round < 8; round += 1) {
      await choose(ben, 'ANYONE')
      const conversationId = await ann.group('Race')
      const adding = { input: { conversationId, userIds: [ben.userId] } }
      const [, { errors }] = await Promise.all([choose(ben, 'CONTACTS'), request(there.url, AddMembers, adding, ann.accessToken)])
      const { rows } = await client.query<{ kind: number }>(
        'select kind from fact where kind in (3, 23) order by position desc limit 2',
      )
      // MemberJoined is followed by MessagePolicyChanged, or Ben has not joined at all.
      const order = rows.map(({ kind }) => kind)
      if (errors.length === 0) expect(order).toEqual([23, 3])
      else expect(errors[0]?.extensions).toMatchObject({ code: 'FORBIDDEN', argument: 'input.userIds.0' })
    }
  })

  test('D5 is announced to the own devices only, and only if it changes', async () => {
    const [own, other] = [await (await bob.another()).events().live(), await alice.events().live()]
    expect((await choose(bob, 'CONTACTS')).setMessagePolicy).toMatchObject({ messagePolicy: 'CONTACTS' })
    expect((await choose(bob, 'CONTACTS')).setMessagePolicy.cursor).toBeNull()
    expect(await own.first('MessagePolicyChanged')).toMatchObject({ messagePolicy: 'CONTACTS' })
    await choose(alice, 'CONTACTS')
    await other.first('MessagePolicyChanged')
    expect(other.seen.filter((event) => event.__typename === 'MessagePolicyChanged')).toHaveLength(1)
    const { errors } = await request(node.url, documents.SetMessagePolicy, { input: { messagePolicy: 'ANYONE' } })
    expect(errors[0]?.extensions.code).toBe('UNAUTHENTICATED')
  })
})
