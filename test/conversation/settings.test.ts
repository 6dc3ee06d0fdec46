// The settings of a group: who changes them, what is refused, and that every member receives the change.

import { beforeAll, expect, test } from 'vitest'
import { type Node, openNode } from '../support/node.ts'
import { type Cast, castGroup, signUpCast } from './cast.ts'
import { CreateGroupWith, GroupEvents, Settings, UpdateConversation } from './documents.ts'
import { follow } from './follow.ts'

let node: Node
let cast: Cast

beforeAll(async () => {
  node = await openNode()
  cast = await signUpCast(node)
})

test('omitted fields stay, null removes a description, and without a change nothing is announced', async () => {
  const { createGroup } = await cast.owner.run(CreateGroupWith, {
    input: { title: 'Lunch', description: 'Where to?\nAnd when?', memberIds: [cast.member.userId] },
  })
  const { id } = createGroup.conversation
  expect(createGroup.conversation).toMatchObject({ description: 'Where to?\nAnd when?', historyVisibility: 'ALL' })
  const update = async (changes: Record<string, string | null>) =>
    (await cast.owner.run(UpdateConversation, { input: { conversationId: id, ...changes } })).updateConversation
  expect((await update({ title: 'Dinner' })).conversation).toMatchObject({ title: 'Dinner', description: 'Where to?\nAnd when?' })
  expect((await update({ historyVisibility: 'SINCE_JOINING' })).conversation).toMatchObject({
    title: 'Dinner',
    historyVisibility: 'SINCE_JOINING',
  })
  expect((await update({ title: null, historyVisibility: null })).cursor).toBeNull()
  expect((await update({ title: ' Dinner ' })).cursor).toBeNull()
  expect((await update({ description: null })).conversation).toEqual({
    id,
    title: 'Dinner',
    description: null,
    historyVisibility: 'SINCE_JOINING',
  })
})

test('D5 each change is announced to every member and shows the current settings', async () => {
  const conversationId = await castGroup(cast)
  const [onMember, onRemoved] = [await follow(cast.member, GroupEvents, {}), await follow(cast.removed, GroupEvents, {})]
  await cast.admin.run(UpdateConversation, { input: { conversationId, title: 'Renamed', description: 'For the test' } })
  const told = await onMember.first('ConversationUpdated')
  expect(told.conversation).toEqual({
    id: conversationId,
    title: 'Renamed',
    description: 'For the test',
    historyVisibility: 'ALL',
  })
  await cast.removed.group('the next thing that happens')
  await onRemoved.first('ConversationAdded')
  expect(onRemoved.names()).not.toContain('ConversationUpdated')
})

test.each([
  ['an empty title', { title: ' ' }, 'input.title'],
  ['a long title', { title: 'x'.repeat(121) }, 'input.title'],
  ['a title of two lines', { title: 'a\nb' }, 'input.title'],
  ['an empty description', { description: ' \n ' }, 'input.description'],
  ['a long description', { description: 'x'.repeat(1_001) }, 'input.description'],
  ['a description that cannot be stored', { description: 'a\u0000b' }, 'input.description'],
])('%s is refused, and nothing changes', async (_what, change, argument) => {
  const conversationId = await castGroup(cast)
  const refusal = await cast.owner.refused(UpdateConversation, { input: { conversationId, ...change } })
  expect(refusal.extensions).toMatchObject({ code: 'BAD_INPUT', argument })
  expect((await cast.owner.run(Settings, { id: conversationId })).node).toMatchObject({ title: 'Everybody', description: null })
})

test('a direct conversation has no settings', async () => {
  const conversationId = await cast.owner.direct(cast.member)
  const refusal = await cast.owner.refused(UpdateConversation, { input: { conversationId, title: 'Us' } })
  expect(refusal.extensions).toMatchObject({ code: 'BAD_INPUT', argument: 'input.conversationId' })
})
