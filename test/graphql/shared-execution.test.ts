// One execution for all subscriptions with the same operation key, and the same bytes as an execution for each viewer.

import { beforeEach, describe, expect, test } from 'vitest'
import { findMembership } from '../../src/conversation/access.ts'
import { parseId } from '../../src/id.ts'
import { readPinnedMessages } from '../../src/message/pin-access.ts'
import { UpdateConversation } from '../conversation/documents.ts'
import { AddReaction, PinMessage } from '../law/documents.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { AddMembers, SendMessage } from '../support/documents.ts'
import { type Node, openNode } from '../support/node.ts'
import { executions, SocketFollower } from './socket-follower.ts'

let node: Node
beforeEach(async () => {
  node = await openNode()
})

const chat = `subscription S($after: Cursor, $conversationId: ID) {
  events(after: $after, conversationId: $conversationId) {
    __typename
    cursor
    ... on MessageSent {
      conversation { id title }
      message { id seq text sender { displayName } mentions { id } replyTo { text } reactions { emoji viewerReacted } pinnedAt }
    }
    ... on ReactionsChanged { message { id reactions { emoji viewerReacted } } }
    ... on ConversationAdded { conversation { id title unreadCount viewerMembership { role } } }
  }
}`

describe('shared execution', () => {
  test('A13 B5 C1 executes once for all members and devices with the same key, wherever each began', async () => {
    const [ann, ben, cyd] = (await signUpAll(node, 'Ann', 'Ben', 'Cyd')) as [Device, Device, Device]
    const group = await ann.group('Everybody', ben, cyd)
    const { cursor } = await ann.send(group, 'before')
    const followers = [ann, ben, cyd, ben].map((device) => new SocketFollower(device))
    for (const [i, follower] of followers.entries()) {
      await follower.follow('from now', chat)
      await follower.follow('again', chat.replaceAll(/\s+/g, ' '), { after: cursor, conversationId: i % 2 ? group : null })
    }
    const count = await executions(async () => {
      const sent = await ann.send(group, 'to all')
      await Promise.all(followers.map((follower) => follower.reaches(sent.cursor)))
    })
    expect(count).toEqual({ shared: 1, perViewer: 0 })
    const [first, ...others] = followers.flatMap((follower) =>
      ['from now', 'again'].map((id) => [...follower.of(id).values()].at(-1)),
    )
    expect(first).toContain('to all')
    expect(new Set(others)).toEqual(new Set([first]))
  })

  test('A13 C1 executes for each viewer if a field asks for the viewer, and only for that event', async () => {
    const [ann, ben] = (await signUpAll(node, 'Ann', 'Ben')) as [Device, Device]
    const id = await ann.direct(ben)
    const { message } = await ann.send(id, 'look')
    const followers = [ann, ben].map((device) => new SocketFollower(device))
    for (const follower of followers) await follower.follow('1', chat)
    const reacted = await executions(async () => {
      const { addReaction } = await ann.run(AddReaction, { input: { messageId: message.id, emoji: '👍' } })
      await Promise.all(followers.map((follower) => follower.reaches(addReaction.cursor ?? '')))
    })
    expect(reacted).toEqual({ shared: 0, perViewer: 3 }) // the attempt to share, and one for each viewer
    const [hers, his] = followers.map((follower) => [...follower.of('1').values()].at(-1))
    expect(hers).toContain('"viewerReacted":true')
    expect(his).toContain('"viewerReacted":false')
    const sent = await executions(async () => {
      const { cursor } = await ann.send(id, 'next')
      await Promise.all(followers.map((follower) => follower.reaches(cursor)))
    })
    expect(sent).toEqual({ shared: 1, perViewer: 0 })
  })

  test('D6 does not send the shared reply preview to a member who cannot see the earlier message', async () => {
    const [ann, ben, cyd] = (await signUpAll(node, 'Ann', 'Ben', 'Cyd')) as [Device, Device, Device]
    const group = await ann.group('Since joining', ben)
    await ann.run(UpdateConversation, { input: { conversationId: group, historyVisibility: 'SINCE_JOINING' } })
    const { message } = await ann.send(group, 'an old secret')
    await ann.run(AddMembers, { input: { conversationId: group, userIds: [cyd.userId] } })
    const followers = [ann, ben, cyd].map((device) => new SocketFollower(device))
    for (const follower of followers) await follower.follow('1', chat)
    const { sendMessage } = await ben.run(SendMessage, {
      input: { conversationId: group, text: 'an answer', replyToId: message.id, clientMessageId: crypto.randomUUID() },
    })
    await Promise.all(followers.map((follower) => follower.reaches(sendMessage.cursor)))
    const [hers, his, newcomers] = followers.map((follower) => follower.of('1').get(sendMessage.cursor))
    expect(hers).toContain('an old secret')
    expect(his).toBe(hers)
    expect(newcomers).toContain('"replyTo":null')
  })

  test('D6 shows each of two viewers their own view of a list that they read in the same turn', async () => {
    const [ann, ben] = (await signUpAll(node, 'Ann', 'Ben')) as [Device, Device]
    const group = await ann.group('Since joining')
    await ann.run(UpdateConversation, { input: { conversationId: group, historyVisibility: 'SINCE_JOINING' } })
    const secret = await ann.send(group, 'an old secret')
    await ann.run(AddMembers, { input: { conversationId: group, userIds: [ben.userId] } })
    const open = await ann.send(group, 'for both')
    for (const { message } of [secret, open]) await ann.run(PinMessage, { input: { messageId: message.id } })
    // A test cannot choose the turn of an operation: the two are made to meet after their memberships are read.
    const id = parseId('Conversation', group, '')
    const looks = await Promise.all(
      [ann, ben].map(async ({ userId, sessionId }) => {
        const viewer = { userId: parseId('User', userId, ''), sessionId: parseId('Session', sessionId, '') }
        const { app } = node
        const context = {
          app,
          caller: { viewer, key: null },
          reader: app.store.reader,
          snapshot: null,
          scope: null,
          wholeHistoryOf: null,
        }
        const whole = {
          ...context,
          address: '',
          visibleRange: null,
          requestId: '',
          endConnection: () => undefined,
          renewConnection: null,
          device: () => null,
          asksForCost: false,
          holdsUntil: () => undefined,
        }
        return { context: whole, membership: await findMembership(whole, id) }
      }),
    )
    const shown = looks.map(({ context, membership }) => {
      if (!membership) throw new Error('not a member')
      findMembership.prime(context, new Map([[id, membership]]))
      return readPinnedMessages(context, id)
    })
    const texts = (await Promise.all(shown)).map((messages) => messages.map(({ text }) => text).sort())
    expect(texts).toEqual([['an old secret', 'for both'], ['for both']])
  })

  test('shows a changed name and title in the very next event', async () => {
    const [ann, ben] = (await signUpAll(node, 'Ann', 'Ben')) as [Device, Device]
    const group = await ann.group('Old title', ben)
    const follower = new SocketFollower(ben)
    await follower.follow('1', chat)
    await follower.reaches((await ann.send(group, 'one')).cursor)
    await ann.run(UpdateConversation, { input: { conversationId: group, title: 'New title' } })
    const { cursor } = await ann.send(group, 'two')
    await follower.reaches(cursor)
    expect(follower.of('1').get(cursor)).toContain('New title')
  })
})
