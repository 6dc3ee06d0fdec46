// One execution for all subscriptions with the same operation key, and the same bytes as an execution for each viewer.

import { subscribe as hear, unsubscribe } from 'node:diagnostics_channel'
import { beforeEach, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { findMembership } from '../../src/conversation/access.ts'
import { parseId } from '../../src/id.ts'
import { steps } from '../../src/journal/steps.ts'
import { readPinnedMessages } from '../../src/message/pin-access.ts'
import { UpdateConversation } from '../conversation/documents.ts'
import { AddReaction, DeleteMessage, EditMessage, MarkRead, PinMessage } from '../law/documents.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { AddMembers, RemoveMember, SendMessage } from '../support/documents.ts'
import { closeAtEnd, type Node, openNode } from '../support/node.ts'
import { until } from '../support/until.ts'
import { drawPair, randomFrom } from './event-documents.ts'

let node: Node
beforeEach(async () => {
  node = await openNode()
})

/** Counts the executions of events during `act`. */
async function executions(act: () => Promise<void>): Promise<{ shared: number; perViewer: number }> {
  const count = { shared: 0, perViewer: 0 }
  const listen = (message: unknown) => {
    count[(message as { isShared: boolean }).isShared ? 'shared' : 'perViewer'] += 1
  }
  hear(steps.eventExecuted.name, listen)
  await act()
  unsubscribe(steps.eventExecuted.name, listen)
  return count
}

/** The subscriptions of one socket: the bytes that each received for each event, by cursor. */
class SocketFollower {
  readonly #socket: WebSocket
  readonly #payloads = new Map<string, Map<string, string>>()
  readonly #begun = new Set<string>()
  readonly refusals: unknown[] = []

  constructor(device: Device) {
    this.#socket = new WebSocket(device.node.socketUrl, 'graphql-transport-ws')
    closeAtEnd(async () => this.#socket.terminate())
    this.#socket.on('open', () => this.#say({ type: 'connection_init', payload: { accessToken: device.accessToken } }))
    this.#socket.on('message', (data) => {
      const text = String(data)
      const { id, type, payload } = JSON.parse(text)
      if (type === 'connection_ack') this.#payloads.set('', new Map())
      if (type === 'error' || payload?.errors) this.refusals.push(text)
      if (type !== 'next' || payload.errors) return
      const event = payload.data.events ?? payload.data.told
      this.#begun.add(id)
      if (/^(SyncStarted|CaughtUp|Tick)$/.test(event.__typename)) return // each stream has its own
      this.#payloads.get(id)?.set(event.cursor, text.replace(`"id":${JSON.stringify(id)}`, ''))
    })
  }

  #say(message: unknown): void {
    this.#socket.send(JSON.stringify(message))
  }

  /** Subscribes, and waits for the first event. */
  async follow(id: string, query: string, variables: Record<string, unknown> = {}): Promise<void> {
    await until('the acknowledgement', () => this.#payloads.has(''))
    this.#payloads.set(id, new Map())
    this.#say({ id, type: 'subscribe', payload: { query, variables, operationName: 'S' } })
    await until('the first event', () => this.#begun.has(id) || this.refusals.length > 0)
    expect(this.refusals).toEqual([])
  }

  of(id: string): ReadonlyMap<string, string> {
    return this.#payloads.get(id) ?? new Map()
  }

  /** Waits until each subscription has received the event with this cursor. */
  async reaches(cursor: string): Promise<void> {
    const all = [...this.#payloads].filter(([id]) => id !== '')
    await until('the event', () => this.refusals.length > 0 || all.every(([, payloads]) => payloads.has(cursor)))
    expect(this.refusals).toEqual([])
  }
}

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
        const context = { app, caller: { viewer }, reader: app.store.reader, snapshot: null, scope: null, wholeHistoryOf: null }
        const whole = {
          ...context,
          address: '',
          visibleRange: null,
          requestId: '',
          endConnection: () => undefined,
          renewConnection: null,
          device: () => null,
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

test.each([7, 20261121])(
  'A13 C1 shared and individual executions give the same bytes for random documents (seed %i)',
  async (seed) => {
    const random = randomFrom(seed)
    const [ann, ben, cyd] = (await signUpAll(node, 'Ann', 'Ben', 'Cyd')) as [Device, Device, Device]
    const group = await ann.group('Drawn', ben)
    await ann.run(UpdateConversation, { input: { conversationId: group, historyVisibility: 'SINCE_JOINING' } })
    const { message: old, cursor: begin } = await ann.send(group, 'from before')
    await ann.run(AddMembers, { input: { conversationId: group, userIds: [cyd.userId] } })
    const pairs = Array.from({ length: 12 }, () => drawPair(random))
    const followers = [ann, ben, cyd].map((device) => new SocketFollower(device))
    for (const follower of followers) {
      for (const [i, { shareable, perViewer, variables }] of pairs.entries()) {
        await follower.follow(`${i} shared`, shareable, variables)
        await follower.follow(`${i} for each`, perViewer, variables)
      }
    }
    const conversationId = group
    const say = (text: string, more = {}) =>
      ben.run(SendMessage, { input: { conversationId, text, clientMessageId: crypto.randomUUID(), ...more } })
    const { sendMessage: first } = await say('first', { mentionedUserIds: [ann.userId, cyd.userId] })
    const messageId = first.message.id
    const acts: (() => Promise<unknown>)[] = [
      () => say('an answer', { replyToId: old.id }),
      () => say('another', { replyToId: messageId }),
      () => ann.run(AddReaction, { input: { messageId, emoji: '🎉' } }),
      () => cyd.run(AddReaction, { input: { messageId, emoji: '🎉' } }),
      () => ann.run(AddReaction, { input: { messageId: old.id, emoji: '🎉' } }),
      () => ben.run(EditMessage, { input: { messageId, text: 'changed' } }),
      () => ann.run(PinMessage, { input: { messageId } }),
      () => ann.run(MarkRead, { input: { conversationId, seq: 2 } }),
      () => ann.run(UpdateConversation, { input: { conversationId, title: 'Renamed', description: 'what for' } }),
      () => say('an answer to what was changed', { replyToId: messageId }),
      () => ben.run(DeleteMessage, { input: { messageId } }),
      () => say('an answer to what is gone', {}),
      () => ann.run(RemoveMember, { input: { conversationId, userId: ben.userId } }),
      () => ann.run(AddMembers, { input: { conversationId, userIds: [ben.userId] } }),
    ]
    const count = await executions(async () => {
      for (const act of acts) {
        await act()
        // What does not change looks the same now and a moment later.
        const { cursor } = await ann.send(group, 'mark')
        for (const follower of followers) if (act !== acts.at(-2) || follower !== followers[1]) await follower.reaches(cursor)
      }
    })
    for (const follower of followers) {
      for (const i of pairs.keys()) {
        const shared = follower.of(`${i} shared`)
        expect(shared.size).toBeGreaterThan(20)
        expect([...shared.values()]).toEqual([...follower.of(`${i} for each`).values()])
      }
    }
    // And the missed events, also for Ben, who has left and come back, and sees less now than before.
    const { cursor: end } = await ann.send(group, 'the end')
    for (const device of [ann, ben, cyd]) {
      const later = new SocketFollower(device)
      for (const [i, { shareable, perViewer, variables }] of pairs.entries()) {
        await later.follow(`${i} shared`, shareable, { ...variables, after: begin })
        await later.follow(`${i} for each`, perViewer, { ...variables, after: begin })
      }
      await later.reaches(end)
      for (const i of pairs.keys()) {
        expect([...later.of(`${i} shared`).values()]).toEqual([...later.of(`${i} for each`).values()])
      }
    }
    expect(count.shared).toBeGreaterThan(200)
    expect(count.perViewer).toBeGreaterThan(600)
  },
  60_000,
)
