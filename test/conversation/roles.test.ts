// Roles: who may do what, who promotes and demotes admins, and that a group always has one owner.

import { readFile } from 'node:fs/promises'
import { beforeAll, describe, expect, test } from 'vitest'
import { capabilities } from '../../src/conversation/capabilities.ts'
import { type Device, request, signUpAll } from '../support/device.ts'
import { LeaveConversation, RemoveMember } from '../support/documents.ts'
import { type Node, openNode, openPair } from '../support/node.ts'
import { type Cast, castGroup, codesOf, groupsWithoutOneOwner, rolesIn, signUpCast } from './cast.ts'
import { LeaveAndLook, SetMemberRole, ViewerCan } from './documents.ts'

let node: Node
let cast: Cast

beforeAll(async () => {
  node = await openNode()
  cast = await signUpCast(node)
})

type Role = 'OWNER' | 'ADMIN' | 'MEMBER'
const give = (conversationId: string, who: Device, role: Role) => ({ input: { conversationId, userId: who.userId, role } })

describe('the table of capabilities', () => {
  /** The rows of the table in docs/groups.md: its cells, without code marks. */
  async function documented(): Promise<string[][]> {
    const text = await readFile(new URL('../../docs/groups.md', import.meta.url), 'utf8')
    const rows = text.split('\n').filter((row) => /^\| [A-Z_]+ \| `viewerCan/.test(row))
    return rows.map((row) =>
      row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll('`', '')),
    )
  }
  const said = (holds: boolean) => (holds ? 'yes' : 'no')

  test('is the one of docs/groups.md', async () => {
    const { OWNER, ADMIN, MEMBER, DIRECT } = capabilities
    const all = new Set([...OWNER, ...ADMIN, ...MEMBER, ...DIRECT])
    const rows = await documented()
    expect(rows.map(([capability]) => capability).sort()).toEqual([...all].sort())
    for (const capability of all) {
      const cells = [OWNER, ADMIN, MEMBER, DIRECT].map((column) => said(column.has(capability)))
      expect(rows.find(([name]) => name === capability)?.slice(2)).toEqual(cells)
    }
  })

  test('is what viewerCan… shows to each viewer', async () => {
    const group = await castGroup(cast)
    const direct = await cast.owner.direct(cast.member)
    const rows = await documented()
    const told = async (device: Device, id: string) => (await device.run(ViewerCan, { id })).node as Record<string, boolean>
    const [owner, admin, member, pair] = await Promise.all([
      told(cast.owner, group),
      told(cast.admin, group),
      told(cast.member, group),
      told(cast.owner, direct),
    ])
    expect(rows).toHaveLength(Object.keys(owner).length)
    for (const [, field = '', ...cells] of rows) {
      expect([owner, admin, member, pair].map((can) => said(can[field] === true))).toEqual(cells)
    }
    for (const outsider of [cast.removed, cast.stranger]) expect(await told(outsider, group)).toBeNull()
  })

  test('gives no capability to a member who has just left', async () => {
    const id = await cast.owner.group('Left', cast.member)
    const { leaveConversation } = await cast.owner.run(LeaveAndLook, { input: { conversationId: id } })
    expect(leaveConversation.conversation).toEqual({ viewerCanAddMembers: false, viewerCanHandOver: false, viewerCanPin: false })
  })
})

describe('setMemberRole', () => {
  test('D5 promotes and demotes admins and announces it to everyone; without a change it announces nothing', async () => {
    const id = await castGroup(cast)
    const heard = await cast.member.events({ conversationId: id }).live()
    const { setMemberRole } = await cast.admin.run(SetMemberRole, give(id, cast.member, 'ADMIN'))
    expect(await heard.first('MemberUpdated')).toMatchObject({
      user: { username: 'member' },
      member: { role: 'ADMIN' },
    })
    expect(setMemberRole.cursor).not.toBeNull()
    expect((await cast.owner.run(SetMemberRole, give(id, cast.member, 'ADMIN'))).setMemberRole.cursor).toBeNull()
    await cast.member.run(SetMemberRole, give(id, cast.admin, 'MEMBER'))
    await cast.member.run(SetMemberRole, give(id, cast.member, 'MEMBER'))
    expect(await rolesIn(cast.owner, id)).toEqual({ owner: 'OWNER', deputy: 'MEMBER', member: 'MEMBER' })
  })

  test('of OWNER transfers the group: its former owner becomes an admin', async () => {
    const id = await castGroup(cast)
    const heard = await cast.member.events({ conversationId: id }).live()
    const { setMemberRole } = await cast.owner.run(SetMemberRole, give(id, cast.member, 'OWNER'))
    expect(setMemberRole.conversation.viewerMembership).toEqual({ role: 'ADMIN' })
    await heard.until('both changes', (log) => log.seen.filter((e) => e.__typename === 'MemberUpdated').length === 2)
    expect(await rolesIn(cast.owner, id)).toEqual({ owner: 'ADMIN', deputy: 'ADMIN', member: 'OWNER' })
    expect((await cast.owner.refused(SetMemberRole, give(id, cast.owner, 'OWNER'))).extensions.code).toBe('FORBIDDEN')
  })

  test('never takes the role from an owner, and only the owner transfers it', async () => {
    const id = await castGroup(cast)
    for (const [giver, member, role] of [
      [cast.admin, cast.owner, 'MEMBER'],
      [cast.admin, cast.owner, 'ADMIN'],
      [cast.admin, cast.admin, 'OWNER'],
      [cast.admin, cast.member, 'OWNER'],
      [cast.owner, cast.owner, 'ADMIN'],
      [cast.owner, cast.owner, 'MEMBER'],
    ] as const) {
      expect((await giver.refused(SetMemberRole, give(id, member, role))).extensions.code).toBe('FORBIDDEN')
    }
    expect(
      (await cast.admin.refused(RemoveMember, { input: { conversationId: id, userId: cast.owner.userId } })).extensions.code,
    ).toBe('FORBIDDEN')
    expect(await rolesIn(cast.owner, id)).toEqual({ owner: 'OWNER', deputy: 'ADMIN', member: 'MEMBER' })
  })

  test('names the invalid argument', async () => {
    const id = await castGroup(cast)
    const direct = await cast.owner.direct(cast.member)
    const refusal = async (conversationId: string, who: Device) =>
      (await cast.owner.refused(SetMemberRole, give(conversationId, who, 'ADMIN'))).extensions
    expect(await refusal(id, cast.stranger)).toMatchObject({ code: 'NOT_FOUND' })
    expect(await refusal(id, cast.removed)).toMatchObject({ code: 'NOT_FOUND' })
    expect(await refusal(direct, cast.member)).toMatchObject({ code: 'BAD_INPUT', argument: 'input.conversationId' })
    expect(await refusal('cnv_00000000zzzzz', cast.member)).toMatchObject({ code: 'NOT_FOUND' })
  })
})

describe('at the same moment, on two nodes', () => {
  let here: Node
  let there: Node
  let ann: Device
  let ben: Device
  let cai: Device

  beforeAll(async () => {
    ;[here, there] = await openPair()
    ;[ann, ben, cai] = (await signUpAll(here, 'Ann', 'Ben', 'Cai')) as [Device, Device, Device]
  })

  const rounds = 8

  test('two admins who demote each other: one succeeds, and the other is no longer an admin', async () => {
    const other = await cai.another(there)
    for (let round = 0; round < rounds; round += 1) {
      const id = await ann.group('Duel', ben, cai)
      for (const who of [ben, cai]) await ann.run(SetMemberRole, give(id, who, 'ADMIN'))
      const answers = await Promise.all([
        request(here.url, SetMemberRole, give(id, cai, 'MEMBER'), ben.accessToken),
        request(there.url, SetMemberRole, give(id, ben, 'MEMBER'), other.accessToken),
      ])
      expect(codesOf(answers).sort()).toEqual(['FORBIDDEN', 'done'])
      const { ben: first, cai: second } = await rolesIn(ann, id)
      expect([first, second].sort()).toEqual(['ADMIN', 'MEMBER'])
    }
  })

  test('two admins who remove each other: one succeeds, and the other is gone', async () => {
    const other = await cai.another(there)
    const remove = (id: string, who: Device) => ({ input: { conversationId: id, userId: who.userId } })
    for (let round = 0; round < rounds; round += 1) {
      const id = await ann.group('Duel to the end', ben, cai)
      for (const who of [ben, cai]) await ann.run(SetMemberRole, give(id, who, 'ADMIN'))
      const answers = await Promise.all([
        request(here.url, RemoveMember, remove(id, cai), ben.accessToken),
        request(there.url, RemoveMember, remove(id, ben), other.accessToken),
      ])
      expect(codesOf(answers).sort()).toEqual(['NOT_FOUND', 'done'])
      expect(Object.keys(await rolesIn(ann, id))).toHaveLength(2)
    }
  })

  test('a transfer while the owner and the heir leave: the group has one owner', async () => {
    const elsewhere = await ann.another(there)
    for (let round = 0; round < rounds; round += 1) {
      const id = await ann.group('Hot potato', ben, cai)
      const leave = { input: { conversationId: id } }
      const [handed, left, heirLeft] = codesOf(
        await Promise.all([
          request(here.url, SetMemberRole, give(id, ben, 'OWNER'), ann.accessToken),
          request(there.url, LeaveConversation, leave, elsewhere.accessToken),
          round % 2 ? request(there.url, LeaveConversation, leave, ben.accessToken) : { errors: [] },
        ]),
      )
      expect(['done', 'NOT_FOUND']).toContain(handed)
      expect([left, heirLeft]).toEqual(['done', 'done'])
      expect(Object.values(await rolesIn(cai, id)).filter((role) => role === 'OWNER')).toHaveLength(1)
      expect(Object.keys(await rolesIn(cai, id))).toEqual(round % 2 ? ['cai'] : ['ben', 'cai'])
    }
    expect(await groupsWithoutOneOwner(here)).toEqual([])
  })

  test('everyone leaves at once: the group has no members, and never members without an owner', async () => {
    const others = await Promise.all([ann, ben, cai].map((who) => who.another(there)))
    const id = await ann.group('Exodus', ben, cai)
    const answers = await Promise.all(
      [...others, ann, ben, cai].map((who) =>
        request(who.node.url, LeaveConversation, { input: { conversationId: id } }, who.accessToken),
      ),
    )
    expect(codesOf(answers).filter((code) => code === 'done')).toHaveLength(3)
    expect(await groupsWithoutOneOwner(here)).toEqual([])
  })
})
