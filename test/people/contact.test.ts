// Contacts: asking, accepting, declining, removing; both at once; and who may write to whom.

import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Device, request, signUp, signUpAll } from '../support/device.ts'
import { StartDirectConversation } from '../support/documents.ts'
import { connect, type Node, openNode, openPair } from '../support/node.ts'
import * as documents from './documents.ts'

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

/** What somebody has: contacts, requests received and sent, by username. */
async function has(device: Device) {
  const { contacts, incoming, outgoing } = await device.run(documents.People, {})
  const names = (connection: typeof contacts | typeof incoming) => connection.nodes?.map((c) => c?.user.username)
  return { contacts: names(contacts), incoming: names(incoming), outgoing: names(outgoing) }
}
const nothing = { contacts: [], incoming: [], outgoing: [] }

describe('a contact', () => {
  test('D5 is asked for and accepted; both hear both, on all their devices', async () => {
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

  test('is declined, and may be asked for again', async () => {
    await alice.run(documents.RequestContact, about(bob))
    await bob.run(documents.DeclineContact, about(alice))
    expect([await has(alice), await has(bob)]).toEqual([nothing, nothing])
    expect((await bob.refused(documents.AcceptContact, about(alice))).extensions.code).toBe('NOT_FOUND')
    await alice.run(documents.RequestContact, about(bob))
    expect(await has(bob)).toEqual({ ...nothing, incoming: [alice.username] })
  })

  test('is removed by either; a request is taken back by who made it', async () => {
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

  test('changes nothing when the same is done again, and says so with a null cursor', async () => {
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

  test('is not accepted by who asked, nor by a stranger or nobody', async () => {
    await alice.run(documents.RequestContact, about(bob))
    expect((await alice.refused(documents.AcceptContact, about(bob))).extensions.code).toBe('NOT_FOUND')
    expect((await stranger.refused(documents.AcceptContact, about(alice))).extensions.code).toBe('NOT_FOUND')
    await stranger.run(documents.DeclineContact, about(alice))
    await stranger.run(documents.RemoveContact, about(bob))
    expect(await has(bob)).toEqual({ ...nothing, incoming: [alice.username] })
  })

  const acts: Readonly<Record<string, TypedDocumentNode<unknown, { input: { userId: string } }>>> = {
    requestContact: documents.RequestContact,
    acceptContact: documents.AcceptContact,
    declineContact: documents.DeclineContact,
    removeContact: documents.RemoveContact,
    blockUser: documents.BlockUser,
    unblockUser: documents.UnblockUser,
  }
  test.each(Object.entries(acts))(
    '%s is refused about oneself, about nobody, about what is no user, and to nobody',
    async (_name, act) => {
      const attempt = async (userId: string) => (await alice.refused(act, { input: { userId } })).extensions
      expect(await attempt(alice.userId)).toMatchObject({ code: 'BAD_INPUT', argument: 'input.userId' })
      expect(await attempt('usr_00000000zzzzz')).toMatchObject({ code: 'NOT_FOUND', argument: 'input.userId' })
      expect(await attempt('cnv_0000000000001')).toMatchObject({ code: 'BAD_INPUT', argument: 'input.userId' })
      const { errors } = await request(node.url, act, about(bob))
      expect(errors[0]?.extensions.code).toBe('UNAUTHENTICATED')
    },
  )

  test('is one when both ask at once, many times, on two nodes', async () => {
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

  test('is not left over when it is accepted and taken back at once, on two nodes, whichever came first', async () => {
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

describe('who may write to me', () => {
  const start = (from: Device, to: Device) =>
    request(from.node.url, StartDirectConversation, about(to), from.accessToken).then(({ errors }) => errors[0]?.extensions)
  const choose = (device: Device, messagePolicy: 'ANYONE' | 'CONTACTS' | 'SHARED_CONVERSATION') =>
    device.run(documents.SetMessagePolicy, { input: { messagePolicy } })

  test('CONTACTS lets contacts start, and nobody else', async () => {
    await choose(bob, 'CONTACTS')
    expect(await start(alice, bob)).toMatchObject({ code: 'FORBIDDEN', argument: 'input.userId' })
    await alice.group('Shared', bob)
    await alice.run(documents.RequestContact, about(bob))
    expect(await start(alice, bob)).toMatchObject({ code: 'FORBIDDEN' })
    await bob.run(documents.AcceptContact, about(alice))
    expect(await start(alice, bob)).toBeUndefined()
  })

  test('SHARED_CONVERSATION lets people in the same group start, and contacts, and nobody else', async () => {
    await choose(bob, 'SHARED_CONVERSATION')
    expect(await start(alice, bob)).toMatchObject({ code: 'FORBIDDEN' })
    await alice.group('Shared', bob)
    expect(await start(alice, bob)).toBeUndefined()
    expect(await start(stranger, bob)).toMatchObject({ code: 'FORBIDDEN' })
    await bob.run(documents.RequestContact, about(stranger))
    await stranger.run(documents.AcceptContact, about(bob))
    expect(await start(stranger, bob)).toBeUndefined()
  })

  test('lets oneself start with anybody, and leaves a conversation that is there as it is', async () => {
    await choose(bob, 'CONTACTS')
    const id = await bob.direct(alice)
    expect(await alice.direct(bob)).toBe(id)
    await alice.send(id, 'an answer')
  })

  test('D5 is told to the own devices and to nobody else, and only when it changes', async () => {
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
