// What happens in conversations: each function changes the world and writes its facts. The resolvers have checked what is allowed.

import type { TestFact, TestFactAbout } from './test-journal.ts'
import { type TestConversation, type TestMember, type TestMessage, type TestUser, type TestWorld, testId } from './world.ts'

/** The facts that move a conversation to the top of the lists. */
const activities: ReadonlySet<string> = new Set([
  'ConversationClosed',
  'ConversationReopened',
  'ConversationUpdated',
  'MemberJoined',
  'MemberLeft',
  'MemberUpdated',
  'MessageSent',
])

/** Writes a fact for everybody in a conversation. */
export function tellAll(world: TestWorld, conversation: TestConversation, kind: string, about: TestFactAbout = {}): TestFact {
  const receivers = conversation.isClosed && kind !== 'ConversationClosed' ? [] : conversation.members.keys()
  const fact = world.journal.append(kind, receivers, { ...about, conversationId: conversation.id })
  if (activities.has(kind)) {
    conversation.lastActivityAt = fact.at
    conversation.lastPosition = fact.position
  }
  return fact
}

/** The answer of a mutation: its objects, and the cursor of its fact. */
export const done = <Answer>({ journal }: TestWorld, fact: TestFact | null, answer: Answer) => ({
  ...answer,
  cursor: fact && journal.cursor(fact.position),
})

/** Makes a conversation of people. The first is the owner of a group. */
export function makeConversation(
  world: TestWorld,
  kind: 'DIRECT' | 'GROUP',
  users: readonly TestUser[],
  settings: Partial<Pick<TestConversation, 'title' | 'description' | 'data' | 'historyVisibility'>> = {},
): { readonly conversation: TestConversation; readonly fact: TestFact } {
  const number = world.number('cnv')
  const createdAt = world.journal.now()
  const conversation: TestConversation = {
    id: testId('cnv', number),
    number,
    kind,
    title: null,
    description: null,
    data: null,
    historyVisibility: 'ALL',
    slowModeS: 0,
    announcementsOnly: false,
    ...settings,
    createdAt,
    lastActivityAt: createdAt,
    lastPosition: 0,
    isClosed: false,
    members: new Map(),
    departed: new Map(),
    drafts: new Map(),
    leavers: new Set(),
    bans: new Map(),
    messages: [],
  }
  world.conversations.set(conversation.id, conversation)
  const ids = users.map(({ id }) => id)
  const fact = addPeople(world, conversation, ids, kind === 'GROUP' ? (ids[0] ?? null) : null)
  return { conversation, fact }
}

/** Adds people to a conversation. @returns the last fact */
export function addPeople(
  world: TestWorld,
  conversation: TestConversation,
  userIds: readonly string[],
  ownerId: string | null = null,
): TestFact {
  const seq = conversation.messages.length
  for (const userId of userIds) {
    const member: TestMember = {
      userId,
      role: userId === ownerId ? 'OWNER' : 'MEMBER',
      joinedAt: world.journal.now(),
      hiddenSeq: conversation.historyVisibility === 'ALL' ? 0 : seq,
      readSeq: seq,
      readAt: null,
      mutedUntil: null,
      archivedAt: null,
      pinnedAt: null,
      markedUnreadAt: null,
    }
    conversation.members.set(userId, member)
    conversation.departed.delete(userId)
    world.journal.append('ConversationAdded', [userId], { conversationId: conversation.id })
  }
  return userIds.map((userId) => tellAll(world, conversation, 'MemberJoined', { userId, seq })).at(-1) as TestFact
}

/** Ends a membership. The one who goes is told too. */
export function endMembership(world: TestWorld, conversation: TestConversation, userId: string): TestFact {
  const { hiddenSeq = 0 } = conversation.members.get(userId) ?? {}
  const fact = tellAll(world, conversation, 'MemberLeft', { userId })
  conversation.members.delete(userId)
  conversation.departed.set(userId, { hiddenSeq, lastSeq: conversation.messages.length, position: fact.position })
  return fact
}

/** A message to store. */
export type NewTestMessage = Pick<
  TestMessage,
  'senderId' | 'clientMessageId' | 'content' | 'text' | 'data' | 'mentions' | 'replyToId'
>

/** Stores a message. */
export function addMessage(world: TestWorld, conversation: TestConversation, given: NewTestMessage): TestMessage {
  const number = world.journal.head + 1
  const id = testId('msg', number)
  const { at } = tellAll(world, conversation, 'MessageSent', { messageId: id })
  const message: TestMessage = {
    id,
    number,
    conversationId: conversation.id,
    seq: conversation.messages.length + 1,
    ...given,
    version: 1,
    versions: [],
    createdAt: at,
    editedAt: null,
    deletedAt: null,
    pinnedAt: null,
    pinnedBy: null,
    reactions: [],
    hiddenBy: new Set(),
    changedAt: number,
  }
  conversation.messages.push(message)
  world.messages.set(id, message)
  return message
}

/** Moves a user's read marker forward. @returns the fact; null if the marker is already there */
export function moveMarker(world: TestWorld, conversation: TestConversation, member: TestMember, seq: number): TestFact | null {
  const to = Math.min(seq, conversation.messages.length)
  if (to <= member.readSeq) return null
  member.readSeq = to
  member.readAt = world.journal.now()
  return tellAll(world, conversation, 'ReadMarkersMoved', { markers: [{ userId: member.userId, seq: to }] })
}

/** How far a user has received the messages of a conversation. */
export function deliveredSeq(world: TestWorld, conversation: TestConversation, userId: string): number {
  const upTo = world.users.get(userId)?.acknowledged ?? 0
  return conversation.messages.findLast(({ number }) => number <= upTo)?.seq ?? 0
}

/** Notes that a device has everything up to a position, and tells the senders of what is new. */
export function acknowledge(world: TestWorld, user: TestUser, position: number): void {
  const before = user.acknowledged
  if (position <= before) return
  user.acknowledged = position
  for (const conversation of world.conversations.values()) {
    const isNew = ({ number, senderId }: TestMessage) => number > before && number <= position && senderId !== user.id
    if (conversation.isClosed || !conversation.members.has(user.id) || !conversation.messages.some(isNew)) continue
    const markers = [{ userId: user.id, seq: deliveredSeq(world, conversation, user.id) }]
    tellAll(world, conversation, 'DeliveryMarkersMoved', { markers })
  }
}
