// A member is removed while a request of theirs is being answered, or before their node learns of it. No read and no event
// shows them what was written after the removal.

import { randomUUID } from 'node:crypto'
import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { encodeId, parseId } from '../../src/id.ts'
import { AddReaction, EditMessage, PinMessage } from '../law/documents.ts'
import { type Device, request, signUpAll } from '../support/device.ts'
import { AddMembers, RemoveMember, SendMessage } from '../support/documents.ts'
import { type Node, openNode } from '../support/node.ts'
import {
  AllAround,
  AllByConversation,
  AllByList,
  AllByNodes,
  AllBySearch,
  AllOfEvents,
  CreateInvite,
  SetMemberRole,
  UpdateConversation,
} from './documents.ts'
import { follow } from './follow.ts'

/** The node on which things are done. */
let here: Node
/** The node that Ben uses. The two share a database and no Redis, so each learns of the other's writes from Postgres. */
let there: Node
let ann: Device
let ben: Device
let cai: Device
let dee: Device

beforeAll(async () => {
  here = await openNode()
  there = await openNode({ DATABASE_URL: here.databaseUrl })
  ;[ann, ben, cai, dee] = (await signUpAll(here, 'Ann', 'Ben', 'Cai', 'Dee')) as [Device, Device, Device, Device]
  ;[ben, cai] = [await ben.another(there), await cai.another(there)]
})

/** A group with Ben as an admin, and a message with a reply and a reaction. */
type RemovalScenario = { readonly conversation: string; readonly message: string; readonly member: string }

const say = async (conversationId: string, text: string, replyToId: string | null = null) =>
  (await ann.run(SendMessage, { input: { conversationId, clientMessageId: randomUUID(), text, replyToId } })).sendMessage.message
    .id

async function stage(): Promise<RemovalScenario> {
  const conversation = await ann.group('original title', ben, cai)
  await ann.run(SetMemberRole, { input: { conversationId: conversation, userId: ben.userId, role: 'ADMIN' } })
  const message = await say(conversation, 'original')
  await say(conversation, 'a reply to it', message)
  await ann.run(AddReaction, { input: { messageId: message, emoji: '👍' } })
  const member = encodeId('Member', parseId('Conversation', conversation, ''), parseId('User', cai.userId, ''))
  return { conversation, message, member }
}

/** Removes Ben, and then changes everything that a member can see. */
async function removeAndChange({ conversation: conversationId, message: messageId }: RemovalScenario): Promise<void> {
  await ann.run(RemoveMember, { input: { conversationId, userId: ben.userId } })
  await Promise.all([
    ann.run(EditMessage, { input: { messageId, text: 'a secret original' } }),
    ann.run(AddReaction, { input: { messageId, emoji: '🎉' } }),
    ann.run(PinMessage, { input: { messageId } }),
    say(conversationId, 'another secret', messageId),
    ann.run(UpdateConversation, { input: { conversationId, title: 'secret title', description: 'secret' } }),
    ann.run(AddMembers, { input: { conversationId, userIds: [dee.userId] } }),
    ann.run(SetMemberRole, { input: { conversationId, userId: cai.userId, role: 'ADMIN' } }),
    ann.run(CreateInvite, { input: { conversationId } }),
  ])
}

const changed = /secret|🎉|"pinnedAt":"|"token"|"Dee"|\{"role":"ADMIN"\}|"ADMIN","user":\{"displayName":"Cai"/

/**
 * Runs `act` just before the node executes the statement of this name for the first time from now on; statements begun earlier
 * continue. @returns a function that stops it and returns the names of all statements
 */
function beforeStatement(name: string, act: () => Promise<void>): () => string[] {
  const { reader } = there.app.store
  const rows = reader.rows
  const names = new Set<string>()
  const spy = vi.spyOn(reader, 'rows').mockImplementation((async (statement, values) => {
    const isFirst = !names.has(statement.name)
    names.add(statement.name)
    if (isFirst && statement.name === name) await act()
    return rows.call(reader, statement, values)
  }) as typeof reader.rows)
  const restore = () => {
    spy.mockRestore()
    return [...names].filter((each) => !/^(search_progress|journal_\w+)$/.test(each)) // the index works by itself
  }
  onTestFinished(() => void restore())
  return restore
}

test.each([
  ['a conversation', AllByConversation],
  ['the page around a message', AllAround],
  ['nodes', AllByNodes],
  ['the list', AllByList],
  ['a search', AllBySearch],
] as const)(
  'A5 D6 a member removed between any two reads of %s does not see later changes',
  { timeout: 90_000 },
  async (what, document) => {
    const asked = document as unknown as TypedDocumentNode<unknown, RemovalScenario>
    const look = async (device: Device, scene: RemovalScenario) =>
      JSON.stringify(await request(there.url, asked, scene, device.accessToken))
    const first = await stage()
    const findable = (scene: RemovalScenario) =>
      what === 'a search' ? expect.poll(() => look(ben, scene), { timeout: 10_000 }).toContain('original') : undefined
    await findable(first)
    const end = beforeStatement('', async () => undefined)
    expect(await look(ben, first)).toContain('original')
    const statements = end()
    expect(statements.length).toBeGreaterThan(0)

    const scenes = await Promise.all(statements.map(stage))
    await Promise.all(scenes.map(findable))
    for (const [i, statement] of statements.entries()) {
      const scene = scenes[i] as RemovalScenario
      const restore = beforeStatement(statement, () => removeAndChange(scene))
      expect(await look(ben, scene), `changed before ${statement}`).not.toMatch(changed)
      restore()
    }
    await removeAndChange(first)
    await expect.poll(() => look(cai, first)).toMatch(changed)
  },
)

test('A5 D6 a node that learns of a removal together with facts before and after it shows only those before', async () => {
  const scene = await stage()
  const { conversation: conversationId, message: messageId } = scene
  const [onBen, onCai] = [await follow(ben, AllOfEvents, {}), await follow(cai, AllOfEvents, {})]
  const before = await say(conversationId, 'before', messageId)
  const isThere = ({ seen }: typeof onBen) =>
    seen.some((event) => event.__typename === 'MessageSent' && event.message.id === before)
  await Promise.all([onBen, onCai].map((on) => on.until('all up to here', () => isThere(on))))
  for (const { seen } of [onBen, onCai]) seen.splice(0)
  const release = holdFollower()
  await say(conversationId, 'a last reply', messageId)
  await ann.run(AddReaction, { input: { messageId, emoji: '❤️' } })
  await ann.run(EditMessage, { input: { messageId, text: 'original, edited' } })
  await ann.run(UpdateConversation, { input: { conversationId, title: 'original title, changed' } })
  await removeAndChange(scene)
  release()
  await onBen.first('MemberLeft')
  expect(onBen.names()).toEqual(['MessageSent', 'ReactionsChanged', 'MessageEdited', 'ConversationUpdated', 'MemberLeft'])
  expect(JSON.stringify(onBen.seen)).not.toMatch(changed)
  await onCai.first('PinsChanged')
  expect(JSON.stringify(onCai.all('MessageSent')[0])).toMatch(/a secret original/)
})

/** Keeps the node from learning of writes elsewhere. @returns a function that ends it */
function holdFollower(): () => void {
  const { journalPool } = there.app.store
  const query = journalPool.query.bind(journalPool) as (...values: unknown[]) => unknown
  let release: () => void = () => undefined
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  const spy = vi
    .spyOn(journalPool, 'query')
    .mockImplementation(((...values: unknown[]) => gate.then(() => query(...values))) as typeof journalPool.query)
  onTestFinished(() => {
    spy.mockRestore()
    release()
  })
  return release
}

test('A5 D6 a member removed between any two reads of an event does not see later changes in it', {
  timeout: 90_000,
}, async () => {
  const statements = ['']
  let count = 0
  for (const statement of statements) {
    const scene = await stage()
    const onBen = await follow(ben, AllOfEvents, {})
    let isRemoved = false
    const end = beforeStatement(statement, async () => {
      isRemoved = true
      await removeAndChange(scene)
    })
    const last = await say(scene.conversation, 'the last that he hears', scene.message)
    await onBen.until('the reply', () => onBen.all('MessageSent').some(({ message }) => message.id === last))
    const names = end()
    if (statement === '') {
      expect(JSON.stringify(onBen.seen)).toContain('original title')
      statements.push(...names)
    }
    // The node also reads for itself, and not every time.
    if (!isRemoved) continue
    count += 1
    await onBen.first('MemberLeft')
    expect(JSON.stringify(onBen.seen), `changed before ${statement}`).not.toMatch(changed)
  }
  expect(count).toBeGreaterThan(2)
})
