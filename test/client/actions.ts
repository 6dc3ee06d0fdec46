// What people do at random, for tests that compare what a client keeps with what the server says.

import { randomUUID } from 'node:crypto'
import { BlockUser, UnblockUser, UpdateProfile } from '../account/documents.ts'
import * as groups from '../conversation/documents.ts'
import * as messages from '../law/documents.ts'
import { ForwardMessages } from '../message/documents.ts'
import type { Device } from '../support/device.ts'
import { AddMembers, LeaveConversation, RemoveMember, SendMessage } from '../support/documents.ts'
import type { Random } from '../support/random.ts'

const quiet = async (work: Promise<unknown>) => {
  await work.catch((error: { errors?: { extensions: { code: string } }[] }) => {
    const code = error.errors?.[0]?.extensions.code
    if (!code || code === 'INTERNAL') throw error
  })
}

/** Somebody who acts. */
export type Acting = Pick<Device, 'userId' | 'username' | 'run'> & {
  /** A new group with one other. */
  group(title: string, other: Acting): Promise<string>
}

/** What people have made so far. */
export type Made = {
  readonly people: readonly Acting[]
  readonly conversations: string[]
  readonly sent: string[]
  /** Whether some have parted: then they do not hear of each other's new names. */
  haveParted: boolean
}

/** Does something at random. */
export async function act(random: Random, made: Made): Promise<void> {
  const { people, conversations, sent } = made
  const parting = (work: Promise<unknown>) => {
    made.haveParted = true
    return work
  }
  const device = random.one(people as [Acting, ...Acting[]])
  const other = random.one(people as [Acting, ...Acting[]])
  const conversationId = random.one(conversations as [string, ...string[]])
  const messageId = sent.length > 0 ? random.one(sent.slice(-12) as [string, ...string[]]) : ''
  const acts: (() => Promise<unknown>)[] = [
    async () => {
      const input = {
        conversationId,
        clientMessageId: randomUUID(),
        text: `by ${device.username}`,
        replyToId: random.chance(0.3) && messageId ? messageId : null,
        mentionedUserIds: random.chance(0.3) ? [other.userId] : [],
      }
      sent.push((await device.run(SendMessage, { input })).sendMessage.message.id)
    },
    () => device.run(messages.EditMessage, { input: { messageId, text: `edited ${random.whole(1, 99)}` } }),
    () => device.run(messages.DeleteMessage, { input: { messageId } }),
    () => device.run(messages.AddReaction, { input: { messageId, emoji: random.one(['🎉', '👍']) } }),
    () => device.run(messages.PinMessage, { input: { messageId } }),
    () => device.run(messages.HideMessage, { input: { messageId } }),
    () => device.run(messages.UnhideMessage, { input: { messageId } }),
    () => device.run(messages.MarkRead, { input: { conversationId, seq: random.whole(0, 8) } }),
    () => device.run(AddMembers, { input: { conversationId, userIds: [other.userId] } }),
    () => parting(device.run(RemoveMember, { input: { conversationId, userId: other.userId } })),
    () => device.run(groups.UpdateConversation, { input: { conversationId, title: `Title ${random.whole(1, 9)}` } }),
    () =>
      device.run(groups.SetMemberRole, {
        input: { conversationId, userId: other.userId, role: random.chance(0.5) ? ('ADMIN' as const) : ('MEMBER' as const) },
      }),
    () => device.run(groups.MuteConversation, { input: { conversationId, until: random.one([null, '2999-01-01T00:00:00Z']) } }),
    () => device.run(groups.ArchiveConversation, { input: { conversationId, archived: random.chance(0.5) } }),
    () => device.run(groups.PinConversation, { input: { conversationId, pinned: random.chance(0.6) } }),
    () => device.run(groups.MarkUnread, { input: { conversationId, unread: random.chance(0.6) } }),
    () => {
      const rules = { announcementsOnly: random.chance(0.2), slowModeS: random.one([0, 0, 1]) }
      return device.run(groups.UpdateConversation, { input: { conversationId, ...rules } })
    },
    () => {
      const input = { conversationId, userId: other.userId }
      return random.chance(0.4) ? parting(device.run(groups.BanMember, { input })) : device.run(groups.UnbanMember, { input })
    },
    async () => {
      const conversationIds = [random.one(conversations as [string, ...string[]]), conversationId]
      const input = { messageIds: [messageId], conversationIds, clientMessageId: randomUUID() }
      sent.push(...(await device.run(ForwardMessages, { input })).forwardMessages.messages.map(({ id }) => id))
    },
    async () => !made.haveParted && device.run(UpdateProfile, { input: { displayName: `Name ${random.whole(1, 9)}` } }),
    () =>
      random.chance(0.5)
        ? parting(device.run(BlockUser, { input: { userId: other.userId } }))
        : device.run(UnblockUser, { input: { userId: other.userId } }),
    async () => void conversations.push(await device.group(`Group ${conversations.length}`, other)),
    () => parting(device.run(LeaveConversation, { input: { conversationId } })),
  ]
  const weights = [14, 2, 2, 3, 1, 3, 1, 4, 3, 1, 2, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 1]
  const drawn = weights.flatMap((weight, i) => Array.from({ length: weight }, () => acts[i] as () => Promise<unknown>))
  await quiet(random.one(drawn as [() => Promise<unknown>])())
}
