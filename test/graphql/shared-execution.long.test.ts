// Shared and individual executions compared over random documents.

import { expect, test } from 'vitest'
import { UpdateConversation } from '../conversation/documents.ts'
import { AddReaction, DeleteMessage, EditMessage, MarkRead, PinMessage } from '../law/documents.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { AddMembers, RemoveMember, SendMessage } from '../support/documents.ts'
import { openNode } from '../support/node.ts'
import { drawPair, randomFrom } from './event-documents.ts'
import { executions, SocketFollower } from './socket-follower.ts'

test.each([7, 20261121])(
  'A13 C1 shared and individual executions give the same bytes for random documents (seed %i)',
  async (seed) => {
    const node = await openNode()
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
