// What the test server holds: people, sessions, conversations, messages. One change runs at a time, so everything is plain objects.

import type { MemberRole, PresenceState } from '../generated/schema-types.ts'
import { TestJournal } from './test-journal.ts'
import type { TestRandom } from './test-random.ts'

/** A user. */
export type TestUser = {
  readonly id: string
  readonly number: number
  username: string
  displayName: string
  bio: string
  readonly password: string
  readonly createdAt: Date
  lastActiveAt: Date | null
  /** The position up to which a device of the user has everything. */
  acknowledged: number
}

/** A session. */
export type TestSession = {
  readonly id: string
  readonly number: number
  readonly userId: string
  readonly deviceName: string
  readonly deviceKind: string
  readonly createdAt: Date
  lastUsedAt: Date
  /** When its refresh token expires. */
  expiresAt: Date
  revokedAt: Date | null
  acknowledged: number | null
}

/** A member of a conversation. */
export type TestMember = {
  readonly userId: string
  role: MemberRole
  readonly joinedAt: Date
  /** Messages up to this `seq` are hidden from the member. */
  readonly hiddenSeq: number
  readSeq: number
  readAt: Date | null
  mutedUntil: Date | null
  archivedAt: Date | null
  pinnedAt: Date | null
  markedUnreadAt: Date | null
}

/** A user who cannot come back to a group. */
export type TestBan = { readonly userId: string; readonly bannedBy: string; readonly bannedAt: Date }

/** A signal of an app. */
export type TestSignal = {
  readonly conversationId: string
  readonly senderId: string
  readonly sessionId: string
  readonly kind: string
  readonly data: unknown
  readonly sentAt: Date
}

/** What a former member may still see: nothing that came later. */
export type TestDeparture = { readonly hiddenSeq: number; readonly lastSeq: number; readonly position: number }

/** A conversation. */
export type TestConversation = {
  readonly id: string
  readonly number: number
  readonly kind: 'DIRECT' | 'GROUP'
  title: string | null
  description: string | null
  data: unknown
  historyVisibility: 'ALL' | 'SINCE_JOINING'
  slowModeS: number
  announcementsOnly: boolean
  readonly createdAt: Date
  /** When and where something happened in it. */
  lastActivityAt: Date
  lastPosition: number
  isClosed: boolean
  readonly members: Map<string, TestMember>
  readonly departed: Map<string, TestDeparture>
  /** What users have begun to write, by user. */
  readonly drafts: Map<string, { readonly text: string; readonly replyToId: string | null; readonly savedAt: Date }>
  /** Those who left by themselves: they can only come back by an invite. */
  readonly leavers: Set<string>
  readonly bans: Map<string, TestBan>
  readonly messages: TestMessage[]
}

/** A message. Its number is the position of its fact. */
export type TestMessage = {
  readonly id: string
  readonly number: number
  readonly conversationId: string
  readonly seq: number
  readonly senderId: string
  readonly clientMessageId: string
  /** What a repeat has to be equal to. */
  readonly content: string
  text: string
  data: unknown
  version: number
  versions: readonly { readonly text: string; readonly version: number; readonly writtenAt: Date }[]
  readonly createdAt: Date
  editedAt: Date | null
  deletedAt: Date | null
  mentions: readonly string[]
  readonly replyToId: string | null
  pinnedAt: Date | null
  pinnedBy: string | null
  reactions: readonly { readonly emoji: string; readonly userIds: readonly string[] }[]
  /** The users who have hidden it for themselves. */
  readonly hiddenBy: Set<string>
  /** The position of its last edit, or of its deletion. */
  changedAt: number
}

/** Two users who are contacts, or a request from one to the other. */
export type TestContact = { readonly from: string; readonly to: string; readonly requestedAt: Date; acceptedAt: Date | null }

/** A block. */
export type TestBlock = { readonly by: string; readonly of: string; readonly blockedAt: Date; readonly number: number }

/** A socket that has a session. */
export type TestConnection = {
  readonly session: TestSession
  token: string
  isIdle: boolean
  close(code: number, reason: string): void
}

/** Everything that a test server knows. */
export class TestWorld {
  readonly journal: TestJournal
  readonly random: TestRandom
  readonly users = new Map<string, TestUser>()
  readonly sessions = new Map<string, TestSession>()
  readonly conversations = new Map<string, TestConversation>()
  readonly messages = new Map<string, TestMessage>()
  readonly contacts: TestContact[] = []
  readonly blocks: TestBlock[] = []
  readonly connections = new Set<TestConnection>()
  /** The IDs of the copies that were forwarded, by what a repeat has in common with the first attempt. */
  readonly copies = new Map<string, string>()
  /** Those who watch signals of apps. */
  readonly signalWatchers = new Set<(signal: TestSignal) => void>()
  readonly #numbers = new Map<string, number>()
  readonly #signals = new Set<() => void>()

  constructor(random: TestRandom) {
    this.random = random
    this.journal = new TestJournal(random)
  }

  /** A number for a new object of a kind: 1, 2, 3, … */
  number(prefix: string): number {
    const number = (this.#numbers.get(prefix) ?? 0) + 1
    this.#numbers.set(prefix, number)
    return number
  }

  /** Tells the streams of typing and presence that something has changed. */
  signal(): void {
    for (const listener of [...this.#signals]) listener()
  }

  onSignal(listener: () => void): () => void {
    this.#signals.add(listener)
    return () => this.#signals.delete(listener)
  }

  /** What others see of a user's devices. */
  presenceOf(userId: string): PresenceState {
    const own = [...this.connections].filter(({ session }) => session.userId === userId)
    return own.length === 0 ? 'OFFLINE' : own.some(({ isIdle }) => !isIdle) ? 'ONLINE' : 'IDLE'
  }

  hasBlocked(by: string, of: string): boolean {
    return this.blocks.some((block) => block.by === by && block.of === of)
  }

  /** Whether either of two people has blocked the other. */
  isBlocked(one: string, other: string): boolean {
    return this.hasBlocked(one, other) || this.hasBlocked(other, one)
  }

  contactOf(one: string, other: string): TestContact | null {
    const isOfBoth = ({ from, to }: TestContact) => (from === one && to === other) || (from === other && to === one)
    return this.contacts.find(isOfBoth) ?? null
  }

  /** Whether two people are in a conversation together. */
  haveShared(one: string, other: string, kind?: 'GROUP'): boolean {
    const isShared = (each: TestConversation) => each.members.has(one) && each.members.has(other)
    return [...this.conversations.values()].some((each) => isShared(each) && (!kind || each.kind === kind))
  }
}

const width = 13
const digits = (number: number) => number.toString(36).padStart(width, '0')

/** The ID of an object, in the form of the server's. */
export const testId = (prefix: string, ...numbers: readonly number[]) => [prefix, ...numbers.map(digits)].join('_')
