// Reactions: who may react, with which emoji, and the one form of each emoji.

import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { AddReaction, RemoveReaction } from '../law/documents.ts'
import { type Device, request, signUpAll } from '../support/device.ts'
import { RemoveMember, SendMessage } from '../support/documents.ts'
import { type Node, openPair } from '../support/node.ts'
import { Reactors } from './documents.ts'

let here: Node
let there: Node
let alice: Device
let bob: Device
let carol: Device
let removed: Device
let stranger: Device
let group: string

beforeAll(async () => {
  ;[here, there] = await openPair()
  const people = await signUpAll(here, 'Alice', 'Bob', 'Carol', 'Removed', 'Stranger')
  ;[alice, bob, carol, removed, stranger] = people as [Device, Device, Device, Device, Device]
  group = await alice.group('Reactions', bob, carol, removed)
  await alice.run(RemoveMember, { input: { conversationId: group, userId: removed.userId } })
})

const sent = async (device: Device, text: string) => {
  const input = { conversationId: group, clientMessageId: randomUUID(), text }
  return (await device.run(SendMessage, { input })).sendMessage.message.id
}

describe('reactions', () => {
  test('exist once for each user and emoji, grouped, also under concurrent repeats', async () => {
    const messageId = await sent(alice, 'news')
    const devices = [alice, bob, carol, await alice.another(there), await bob.another(there)]
    const emoji = ['🎉', '👍🏽', '🇰🇷', '1️⃣']
    await Promise.all(devices.flatMap((device) => emoji.map((e) => device.run(AddReaction, { input: { messageId, emoji: e } }))))
    const { removeReaction } = await bob.run(RemoveReaction, { input: { messageId, emoji: '🎉' } })
    const groups = Object.fromEntries(removeReaction.message.reactions.map((r) => [r.emoji, r]))
    expect(Object.keys(groups).sort()).toEqual([...emoji].sort())
    expect(groups['🎉']).toMatchObject({ count: 2, viewerReacted: false })
    expect(groups['🇰🇷']).toMatchObject({ count: 3, viewerReacted: true })
    expect((await bob.run(RemoveReaction, { input: { messageId, emoji: '🎉' } })).removeReaction.cursor).toBeNull()
  })

  test('list everybody who reacted, in pages', async () => {
    const messageId = await sent(alice, 'news')
    for (const device of [carol, alice, bob]) await device.run(AddReaction, { input: { messageId, emoji: '🎉' } })
    const page = async (variables: object) => {
      const { node } = await bob.run(Reactors, { id: messageId, ...variables })
      const [group] = node?.__typename === 'Message' ? node.reactions : []
      return { names: group?.reactors.nodes.map(({ username }) => username), ...group?.reactors.pageInfo, id: group?.id }
    }
    const first = await page({ first: 2 })
    expect(first).toMatchObject({ names: ['alice', 'bob'], hasNextPage: true, id: `ReactionGroup:${messageId}:🎉` })
    expect(await page({ first: 2, after: first.endCursor })).toMatchObject({ names: ['carol'], hasNextPage: false })
    expect(await page({ last: 2 })).toMatchObject({ names: ['bob', 'carol'], hasPreviousPage: true })
    expect((await stranger.run(Reactors, { id: messageId })).node).toBeNull()
  })

  test('are for members: not for a removed one, a stranger or an anonymous caller', async () => {
    const messageId = await sent(alice, 'news')
    const input = { messageId, emoji: '👍' }
    for (const device of [removed, stranger]) {
      expect((await device.refused(AddReaction, { input })).extensions.code).toBe('NOT_FOUND')
      expect((await device.refused(RemoveReaction, { input })).extensions.code).toBe('NOT_FOUND')
    }
    expect((await request(here.url, AddReaction, { input })).errors[0]?.extensions.code).toBe('UNAUTHENTICATED')
    expect((await request(here.url, RemoveReaction, { input })).errors[0]?.extensions.code).toBe('UNAUTHENTICATED')
  })

  test('refuse anything but one emoji that Unicode recommends', async () => {
    const messageId = await sent(alice, 'news')
    const wrong = [
      ['nothing, letters, markup', '', ' ', 'a', 'ok', '<b>', '1', '#', '\u0000'],
      ['two emoji, or something beside one', '🎉🎉', '👍 ', ' 👍', '👍a', 'a👍', '👍\n', '\u0600👍', '👍\u0301', '👍\u20e3'],
      [
        'a joiner that joins nothing, or a sequence without a glyph',
        '👍\u200d',
        '\u200d👍',
        '👍\u200d👍',
        '👩\u200d\u200d🚀',
        '👍\u200d'.repeat(30),
      ],
      ['text presentation', '❤\ufe0e', '1\ufe0e\u20e3'],
      [
        'selectors that select nothing',
        '\ufe0f',
        '\ufe0f👍',
        '👍\ufe0f\ufe0f',
        '❤\ufe0f\ufe0f',
        '❤\ufe0e\ufe0f',
        '👩\u200d\ufe0f🚀',
      ],
      ['no flag', '🇰', '🇽🇽', '🇰🇷🇺', '🇰🇷🇩🇪', '🇰\ufe0f🇷', '🇰\u200d🇷'],
      [
        'tags that Unicode does not recommend',
        '🏴\u{e0075}\u{e0073}\u{e0063}\u{e0061}\u{e007f}',
        '🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}',
        '👍\u{e007f}',
      ],
      ['a skin tone on an emoji without skin', '🎉🏽', '👍🏽🏽', '🏽👍'],
    ].flatMap(([, ...texts]) => texts)
    const answers = await Promise.all(
      wrong.map((emoji) => request(here.url, AddReaction, { input: { messageId, emoji } }, bob.accessToken)),
    )
    const refusals = answers.map(({ errors }, i) => [wrong[i], errors[0]?.extensions.code, errors[0]?.extensions.argument])
    expect(refusals).toEqual(wrong.map((emoji) => [emoji, 'BAD_INPUT', 'input.emoji']))
  })

  test('form one group for an emoji in any of its forms, and any form removes it', async () => {
    // The fully-qualified form of each, and the others.
    const forms = [
      ['👍', '👍\ufe0f'],
      ['👍🏽', '👍🏽\ufe0f', '👍\ufe0f🏽'],
      ['☝🏽', '☝\ufe0f🏽'],
      ['❤\ufe0f', '❤'],
      ['©\ufe0f', '©'],
      ['1\ufe0f\u20e3', '1\u20e3'],
      ['#\ufe0f\u20e3', '#\u20e3'],
      ['🏳\ufe0f\u200d🌈', '🏳\u200d🌈', '🏳\u200d🌈\ufe0f'],
      ['👩\u200d❤\ufe0f\u200d💋\u200d👨', '👩\u200d❤\u200d💋\u200d👨'],
      ['👁\ufe0f\u200d🗨\ufe0f', '👁\u200d🗨', '👁\ufe0f\u200d🗨', '👁\u200d🗨\ufe0f'],
      ['🏃🏽\u200d♀\ufe0f\u200d➡\ufe0f', '🏃🏽\u200d♀\u200d➡', '🏃🏽\u200d♀\u200d➡\ufe0f'],
      ['🇰🇷', '🇰🇷\ufe0f'],
      ['🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}'],
      ['🧑🏿\u200d🤝\u200d🧑🏻'],
    ]
    const messageId = await sent(alice, 'news')
    const groups = ({ reactions }: { reactions: readonly { emoji: string; count: number }[] }) =>
      Object.fromEntries(reactions.map(({ emoji, count }) => [emoji, count]))
    for (const [canonical = '', ...others] of forms) {
      for (const emoji of others) await alice.run(AddReaction, { input: { messageId, emoji } })
      const { addReaction } = await bob.run(AddReaction, { input: { messageId, emoji: canonical } })
      expect(groups(addReaction.message)).toEqual({ [canonical]: others.length > 0 ? 2 : 1 })
      for (const emoji of others) {
        const { removeReaction } = await bob.run(RemoveReaction, { input: { messageId, emoji } })
        expect(groups(removeReaction.message)).toEqual({ [canonical]: 1 })
        await bob.run(AddReaction, { input: { messageId, emoji } })
      }
      for (const device of [alice, bob])
        await device.run(RemoveReaction, { input: { messageId, emoji: others.at(-1) ?? canonical } })
    }
  })

  test('are limited in the number of different emoji on a message', async () => {
    const messageId = await sent(alice, 'a zoo')
    const animals = [...'🐵🐶🐺🦊🐱🦁🐯🐴🦄🐮🐷🐭🐹🐰🐻🐨🐼🐔🐧🐦']
    for (const emoji of animals) await bob.run(AddReaction, { input: { messageId, emoji } })
    expect((await bob.refused(AddReaction, { input: { messageId, emoji: '🐸' } })).extensions.code).toBe('LIMIT_EXCEEDED')
    expect((await carol.run(AddReaction, { input: { messageId, emoji: '🐵' } })).addReaction.cursor).not.toBeNull()
  })
})
