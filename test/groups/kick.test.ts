// Who may add, remove and leave, by standing; and removals against sends and additions on two nodes.

import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Device, request, signUpAll } from '../support/device.ts'
import { AddMembers, RemoveMember, SendMessage } from '../support/documents.ts'
import { type Node, openNode, openPair } from '../support/node.ts'
import { type Cast, castGroup, codesOf, groupsWithoutOneOwner, rolesIn, signUpCast } from './cast.ts'
import { GroupEvents, SetMemberRole } from './documents.ts'
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

  test('D6 a kick against sends: what was sent is before the kick, and what is after it was refused', async () => {
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

  test('adding over the limit by two admins: the group is full, and not fuller', async () => {
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

  test('adding somebody many times at once adds them once', async () => {
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

  test('a removal against a handing over: the new owner stays, or the one who would have been is gone', async () => {
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
