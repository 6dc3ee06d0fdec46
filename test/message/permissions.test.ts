// viewerCanEdit and viewerCanDelete say what editMessage and deleteMessage then do.

import { beforeAll, expect, test } from 'vitest'
import { BlockUser } from '../account/documents.ts'
import { SetMemberRole } from '../conversation/documents.ts'
import { DeleteMessage, EditMessage } from '../law/documents.ts'
import { type Device, request, signUpAll } from '../support/device.ts'
import { RemoveMember } from '../support/documents.ts'
import { type Node, openNode } from '../support/node.ts'
import { ViewerCanChange } from './documents.ts'

let node: Node
let [owner, admin, member, removed, stranger]: Device[] = []
const of = (device: Device | undefined): Device => {
  if (!device) throw new Error('not signed up')
  return device
}
beforeAll(async () => {
  node = await openNode()
  ;[owner, admin, member, removed, stranger] = await signUpAll(node, 'Owner1', 'Admin1', 'Member1', 'Removed1', 'Stranger1')
})

const can = async (device: Device, id: string) => {
  const { node: found } = await device.run(ViewerCanChange, { id })
  return found && 'viewerCanEdit' in found ? { edit: found.viewerCanEdit, delete: found.viewerCanDelete } : null
}
/** Tries both, the edit first. */
async function did(device: Device, messageId: string) {
  const attempts = []
  for (const attempt of [
    () => request(node.url, EditMessage, { input: { messageId, text: `changed by ${device.username}` } }, device.accessToken),
    () => request(node.url, DeleteMessage, { input: { messageId } }, device.accessToken),
  ]) {
    attempts.push((await attempt()).errors.length === 0)
  }
  return { edit: attempts[0], delete: attempts[1] }
}

test('in a group: of one’s own, and of others by role', async () => {
  const group = await of(owner).group('May', of(admin), of(member), of(removed))
  await of(owner).run(SetMemberRole, { input: { conversationId: group, userId: of(admin).userId, role: 'ADMIN' } })
  const leftBehind = (await of(removed).send(group, 'mine')).message.id
  await of(owner).run(RemoveMember, { input: { conversationId: group, userId: of(removed).userId } })
  for (const device of [owner, admin, member]) {
    const { id } = (await of(member).send(group, 'text')).message
    const told = await can(of(device), id)
    expect(told).toEqual(await did(of(device), id))
    expect(told).toEqual(device === member ? { edit: true, delete: true } : { edit: false, delete: true })
    expect(await can(of(device), id)).toEqual({ edit: false, delete: false })
  }
  const owned = (await of(owner).send(group, 'text')).message.id
  expect(await can(of(member), owned)).toEqual({ edit: false, delete: false })
  expect(await did(of(member), owned)).toEqual({ edit: false, delete: false })
  for (const device of [removed, stranger]) expect(await can(of(device), leftBehind)).toBeNull()
})

test('in a direct conversation: of one’s own, until it is closed', async () => {
  const direct = await of(owner).direct(of(stranger))
  const { id } = (await of(owner).send(direct, 'text')).message
  expect(await can(of(owner), id)).toEqual({ edit: true, delete: true })
  expect(await can(of(stranger), id)).toEqual({ edit: false, delete: false })
  await of(stranger).run(BlockUser, { input: { userId: of(owner).userId } })
  expect(await can(of(owner), id)).toEqual({ edit: false, delete: false })
  expect(await did(of(owner), id)).toEqual({ edit: false, delete: false })
})
