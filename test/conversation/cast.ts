// The users of the group tests: one of each standing, and one who has left each group.

import type pg from 'pg'
import { type Device, signUpAll } from '../support/device.ts'
import { OneConversation, RemoveMember } from '../support/documents.ts'
import { connect, type Node } from '../support/node.ts'
import { SetMemberRole } from './documents.ts'

/** One user of each standing in a group. An anonymous caller has no token, and so no device. */
export type Cast = {
  readonly owner: Device
  readonly admin: Device
  readonly member: Device
  readonly removed: Device
  readonly stranger: Device
}

/** Signs up a cast on a node. */
export async function signUpCast(node: Node): Promise<Cast> {
  const people = await signUpAll(node, 'Owner', 'Deputy', 'Member', 'Removed', 'Stranger')
  const [owner, admin, member, removed, stranger] = people as [Device, Device, Device, Device, Device]
  return { owner, admin, member, removed, stranger }
}

/** A group in which each of them has their standing. */
export async function castGroup({ owner, admin, member, removed }: Cast, title = 'Everybody'): Promise<string> {
  const conversationId = await owner.group(title, admin, member, removed)
  await owner.run(SetMemberRole, { input: { conversationId, userId: admin.userId, role: 'ADMIN' } })
  await owner.run(RemoveMember, { input: { conversationId, userId: removed.userId } })
  return conversationId
}

/** The members of a conversation with their roles, as one of them sees it. */
export async function rolesIn(device: Device, id: string): Promise<Record<string, string>> {
  const { conversation } = await device.run(OneConversation, { id })
  return Object.fromEntries(conversation?.members.nodes?.map((m) => [m?.user.username, m?.role]) ?? [])
}

/** The code of the first error of each answer; `done` without one. */
export function codesOf(answers: readonly { errors: readonly { extensions: { code: string } }[] }[]): string[] {
  return answers.map(({ errors }) => errors[0]?.extensions.code ?? 'done')
}

/** Groups with members that do not have exactly one owner. Read from the tables, where no API can hide it. */
export async function groupsWithoutOneOwner(node: Node): Promise<unknown[]> {
  const client: pg.Client = await connect(node.databaseUrl)
  const { rows } = await client.query(
    `select m.conversation_id from member m join conversation c on c.id = m.conversation_id and c.kind = 'GROUP'
      group by 1 having count(*) filter (where m.role = 'OWNER') <> 1`,
  )
  return rows
}
