// Who may add, remove and leave, by standing; and removals against sends and additions on two nodes.

import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { AddReaction, DeleteMessage, EditMessage, PinMessage } from '../law/documents.ts'
import { type Device, request, signUpAll } from '../support/device.ts'
import { AddMembers, LeaveConversation, Node as NodeById, RemoveMember, SendMessage, Snapshot } from '../support/documents.ts'
import { type Node, openNode, openPair } from '../support/node.ts'
import { type Cast, castGroup, codesOf, groupsWithoutOneOwner, rolesIn, signUpCast } from './cast.ts'
import {
  CreateInvite,
  GroupEvents,
  HeardByLeaver,
  JoinWithInvite,
  SendAgain,
  SetMemberRole,
  UpdateConversation,
} from './documents.ts'
import { follow } from './follow.ts'

const naming = (conversationId: string, who: Device) => ({ input: { conversationId, userId: who.userId } })
const adding = (conversationId: string, who: Device) => ({ input: { conversationId, userIds: [who.userId] } })

describe('by standing', () => {
  let cast: Cast

  beforeAll(async () => {
    cast = await signUpCast(await openNode())
  })

  test('an admin removes another admin, and never the owner', async () => {
    const id = await castGroup(cast)
    await cast.owner.run(SetMemberRole, { input: { conversationId: id, userId: cast.member.userId, role: 'ADMIN' } })
    expect((await cast.admin.refused(RemoveMember, naming(id, cast.owner))).extensions.code).toBe('FORBIDDEN')
    await cast.admin.run(RemoveMember, naming(id, cast.member))
    expect(await rolesIn(cast.owner, id)).toEqual({ owner: 'OWNER', deputy: 'ADMIN' })
  })
})

describe('changes after a user has left', () => {
  let here: Node
  let ann: Device
  let ben: Device
  let cai: Device

  beforeAll(async () => {
    here = await openNode()
    ;[ann, ben, cai] = (await signUpAll(here, 'Ann', 'Ben', 'Cai')) as [Device, Device, Device]
  })

  const edit = (device: Device, messageId: string, text: string) =>
    device.run(EditMessage, { input: { messageId, text, data: { also: text } } })
  const react = (device: Device, messageId: string) => device.run(AddReaction, { input: { messageId, emoji: '👍' } })
  const rename = (title: string, conversationId: string) => ann.run(UpdateConversation, { input: { conversationId, title } })

  /** What a device receives after a cursor, up to the fact of its own leave. */
  const heardFrom = async (device: Device, after: string) => {
    const heard = await follow(device, HeardByLeaver, { after })
    await heard.until('the leave', () => heard.all('MemberLeft').some(({ user }) => user.id === device.userId))
    return heard
  }
  const messagesOf = ({ seen }: Awaited<ReturnType<typeof heardFrom>>) =>
    seen.flatMap((event) => ('message' in event ? [{ of: event.__typename, ...event.message }] : []))
  const untouched = { version: 1, editedAt: null, deletedAt: null, versions: [], reactions: [], mentions: [] }

  test.each(['is removed', 'leaves'] as const)(
    'D6 A5 a user who %s does not see them, replayed from memory, replayed from Postgres or live',
    async (how) => {
      const group = await ann.group('Before', ben, cai)
      const { syncCursor } = await ben.run(Snapshot, {})
      const live = await follow(ben, HeardByLeaver, {})
      const { message: edited } = await ann.send(group, 'to be edited')
      const { message: deleted } = await ann.send(group, 'to be deleted')
      const { message: settled } = await ann.send(group, 'to be settled')
      const { message: kept } = await ann.send(group, 'kept')
      await edit(ann, settled.id, 'settled')
      await react(cai, kept.id)
      if (how === 'leaves') {
        const { leaveConversation } = await ben.run(LeaveConversation, { input: { conversationId: group } })
        expect(leaveConversation).toBeTruthy()
      } else await ann.run(RemoveMember, naming(group, ben))
      await live.first('MemberLeft')
      await edit(ann, edited.id, 'a secret')
      await ann.run(DeleteMessage, { input: { messageId: deleted.id } })
      await react(ann, kept.id)
      await ann.run(PinMessage, { input: { messageId: settled.id } })
      await rename('After', group)

      const elsewhere = await ben.another(await openNode({ DATABASE_URL: here.databaseUrl }))
      for (const device of [ben, elsewhere]) {
        const heard = await heardFrom(device, syncCursor)
        const withheld = { text: '', ...untouched }
        expect(messagesOf(heard)).toMatchObject([
          { of: 'MessageSent', id: edited.id, ...withheld },
          { of: 'MessageSent', id: deleted.id, ...withheld },
          { of: 'MessageSent', id: settled.id, text: 'settled', version: 2, versions: [], reactions: [] },
          { of: 'MessageSent', id: kept.id, text: 'kept', versions: [], reactions: [] },
          { of: 'MessageEdited', id: settled.id, text: 'settled', versions: [] },
          { of: 'ReactionsChanged', id: kept.id, text: 'kept', reactions: [] },
        ])
        expect(JSON.stringify(heard.seen)).not.toMatch(/secret|"After"|"Before"/)
        expect(
          heard
            .names()
            .filter((name) => name !== 'CaughtUp')
            .at(-1),
        ).toBe('MemberLeft')
      }
      expect(live.all('MessageSent')[0]).toMatchObject({ message: { text: 'to be edited', conversation: { title: 'Before' } } })
      expect(live.all('MemberLeft')).toMatchObject([{ conversation: { title: null } }])
      expect(JSON.stringify(live.seen)).not.toContain('secret')
      for (const { id } of [edited, deleted, settled, kept]) expect((await ben.run(NodeById, { id })).node).toBeNull()

      // A user who comes back and sees the history sees it as it is now.
      const { createInvite } = await ann.run(CreateInvite, { input: { conversationId: group } })
      await ben.run(JoinWithInvite, { input: { token: createInvite.invite.token } })
      const back = await heardFrom(ben, syncCursor)
      expect(messagesOf(back)).toMatchObject([
        { text: 'a secret', version: 2, versions: [{ text: 'to be edited' }], conversation: { title: 'After' } },
        { text: '', version: 2, deletedAt: expect.any(String) },
        { text: 'settled' },
        { text: 'kept', reactions: [{ emoji: '👍' }] },
        { text: 'settled' },
        { text: 'kept' },
      ])
    },
  )

  test('D6 A5 a repeated send does not show later changes of the message and the group to a former member', async () => {
    const group = await ann.group('Before', ben)
    const sends = [randomUUID(), randomUUID()].map((clientMessageId) => ({
      input: { conversationId: group, clientMessageId, text: `my words ${clientMessageId}` },
    }))
    const sent = []
    for (const send of sends) sent.push((await ben.run(SendAgain, send)).sendMessage)
    await ann.run(RemoveMember, naming(group, ben))
    await ann.run(DeleteMessage, { input: { messageId: sent[0]?.message.id ?? '' } })
    await react(ann, sent[1]?.message.id ?? '')
    await rename('After', group)
    const again = []
    for (const send of sends) again.push((await ben.run(SendAgain, send)).sendMessage)
    const conversation = { title: null, description: null }
    expect(again).toEqual([
      { cursor: sent[0]?.cursor, message: { ...sent[0]?.message, ...untouched, text: '', conversation } },
      { cursor: sent[1]?.cursor, message: { ...sent[1]?.message, conversation } },
    ])
  })
})

describe('at the same moment, on two nodes', () => {
  let here: Node
  let there: Node
  let ann: Device
  let ben: Device
  let cai: Device

  beforeAll(async () => {
    ;[here, there] = await openPair({ PARLEY_GROUP_MEMBERS_MAX: '4' })
    ;[ann, ben, cai] = (await signUpAll(here, 'Ann', 'Ben', 'Cai')) as [Device, Device, Device]
  })

  test('D6 a kick against sends: accepted sends come before the kick, and all later ones are refused', async () => {
    const elsewhere = await ben.another(there)
    for (let round = 0; round < 4; round += 1) {
      const id = await ann.group('Kick', ben)
      const [onAnn, onBen] = [await follow(ann, GroupEvents, {}), await follow(elsewhere, GroupEvents, {})]
      const sends = Array.from({ length: 40 }, (_, i) => {
        const from = i % 2 ? ben : elsewhere
        const input = { conversationId: id, clientMessageId: randomUUID(), text: `${i}` }
        return request(from.node.url, SendMessage, { input }, from.accessToken)
      })
      await sends[4]
      await ann.run(RemoveMember, naming(id, ben))
      const answers = await Promise.all(sends)
      await ann.send(id, 'after the kick')
      await onAnn.until('the end', () => onAnn.all('MessageSent').some(({ message }) => message.text === 'after the kick'))
      await onBen.first('MemberLeft')
      const committed = answers.flatMap(({ data }) => (data ? [data.sendMessage.message.text] : [])).sort()
      expect(new Set(codesOf(answers.filter(({ data }) => !data)))).toEqual(
        new Set(committed.length < answers.length ? ['NOT_FOUND'] : []),
      )
      const kickedAt = onAnn.names().indexOf('MemberLeft')
      const textsOf = (events: typeof onAnn.seen) =>
        events.flatMap((event) => (event.__typename === 'MessageSent' ? [event.message.text] : [])).sort()
      expect(textsOf(onAnn.seen.slice(0, kickedAt))).toEqual(committed)
      expect(textsOf(onAnn.seen.slice(kickedAt))).toEqual(['after the kick'])
      expect(textsOf(onBen.seen)).toEqual(committed)
      expect(onBen.names().at(-1)).toBe('MemberLeft')
    }
  })

  test('two admins add over the limit: the group is full, and not overfull', async () => {
    const extras = await signUpAll(here, 'Dee', 'Eve', 'Fay', 'Gus')
    const elsewhere = await cai.another(there)
    for (let round = 0; round < 4; round += 1) {
      const id = await ann.group('Four at most', cai)
      await ann.run(SetMemberRole, { input: { conversationId: id, userId: cai.userId, role: 'ADMIN' } })
      const answers = await Promise.all(
        extras.map((who, i) =>
          request((i % 2 ? here : there).url, AddMembers, adding(id, who), (i % 2 ? ann : elsewhere).accessToken),
        ),
      )
      expect(codesOf(answers).sort()).toEqual(['LIMIT_EXCEEDED', 'LIMIT_EXCEEDED', 'done', 'done'])
      expect(Object.keys(await rolesIn(ann, id))).toHaveLength(4)
    }
  })

  test('adding a user many times at once adds them once', async () => {
    const id = await ann.group('Once')
    const elsewhere = await ann.another(there)
    const heard = await follow(ann, GroupEvents, {})
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        request((i % 2 ? here : there).url, AddMembers, adding(id, ben), (i % 2 ? ann : elsewhere).accessToken),
      ),
    )
    expect(new Set(codesOf(answers))).toEqual(new Set(['done']))
    await ann.send(id, 'the end')
    await heard.first('MessageSent')
    expect(heard.all('MemberJoined')).toHaveLength(1)
  })

  test('a removal against a transfer of ownership: the new owner stays, or was removed before', async () => {
    const elsewhere = await cai.another(there)
    for (let round = 0; round < 6; round += 1) {
      const id = await ann.group('Up or out', ben, cai)
      await ann.run(SetMemberRole, { input: { conversationId: id, userId: cai.userId, role: 'ADMIN' } })
      const handOver = { input: { conversationId: id, userId: ben.userId, role: 'OWNER' as const } }
      const [handed, removed] = codesOf(
        await Promise.all([
          request(here.url, SetMemberRole, handOver, ann.accessToken),
          request(there.url, RemoveMember, naming(id, ben), elsewhere.accessToken),
        ]),
      )
      expect([
        ['done', 'FORBIDDEN'],
        ['NOT_FOUND', 'done'],
      ]).toContainEqual([handed, removed])
      expect(await rolesIn(ann, id)).toEqual(
        handed === 'done' ? { ann: 'ADMIN', ben: 'OWNER', cai: 'ADMIN' } : { ann: 'OWNER', cai: 'ADMIN' },
      )
    }
    expect(await groupsWithoutOneOwner(here)).toEqual([])
  })
})
