// A device's cache that is kept by nothing but its events: begun from one snapshot, then changed by each event as docs/clients.md
// tells an app to do it. The law (D5) is that it equals a fresh snapshot at any time.

import { isDeepStrictEqual } from 'node:util'
import { print } from 'graphql'
import type { Client } from 'graphql-ws'
import { expect } from 'vitest'
import type { Device } from '../support/device.ts'
import type {
  KeptConversationFragment,
  KeptMessageFragment,
  KeptSettingsFragment,
  KeptSubscription,
  KeptUserFragment,
  WholeQuery,
} from '../support/generated/graphql.ts'
import { Kept, Whole } from './documents.ts'

type Message = KeptMessageFragment
type Conversation = {
  kind: string
  isClosed: boolean
  settings: Record<string, unknown>
  members: Map<string, string>
  messages: Map<number, Message>
  markers: Map<string, number>
}
/** What a device keeps, as plain data that can be compared. */
export type State = { conversations: Record<string, unknown>; sessions: string[]; people: unknown[]; choices: object }

const present = <T>(values: readonly (T | null)[] | null | undefined): T[] =>
  (values ?? []).filter((v): v is T & {} => v !== null)

const isPresent = (user: KeptUserFragment) => !user.isDeleted
const usersIn = (whole: WholeQuery) => present(whole.nodes).filter((node): node is KeptUserFragment => 'username' in node)

function conversationOf(kept: KeptConversationFragment): Conversation {
  return {
    kind: kept.kind,
    isClosed: kept.isClosed,
    settings: settingsOf(kept),
    members: new Map(present(kept.members.nodes).map(({ user, role }) => [user.id, role])),
    messages: new Map(present(kept.messages.nodes).map((message) => [message.seq, message])),
    markers: new Map(kept.readMarkers.map(({ user, seq }) => [user.id, seq])),
  }
}

/** What of this a conversation holds that may hold more. */
const settingNames = [
  'title',
  'description',
  'historyVisibility',
  'viewerMembership',
  'viewerCanAddMembers',
  'viewerCanDeleteOthersMessages',
  'viewerCanHandOver',
  'viewerCanPin',
  'invites',
] as const satisfies (keyof KeptSettingsFragment)[]

function settingsOf(kept: KeptSettingsFragment): Record<string, unknown> {
  return Object.fromEntries(settingNames.map((name) => [name, kept[name]]))
}

/** What a client computes by itself: nothing that depends on counting comes with an event. */
function counts({ messages, markers }: Conversation, viewerId: string) {
  const read = markers.get(viewerId) ?? 0
  const unread = [...messages.values()].filter(
    ({ seq, sender, deletedAt }) => seq > read && sender?.id !== viewerId && !deletedAt,
  )
  const mentions = [...messages.values()].filter((m) => m.seq > read && m.mentions.some(({ id }) => id === viewerId))
  return { unreadCount: unread.length, mentionCount: mentions.length }
}

/** The pinned messages, the one pinned last first. */
function pinsOf({ messages }: Conversation): string[] {
  const pinned = [...messages.values()].filter(({ pinnedAt }) => pinnedAt)
  const order = ({ pinnedAt, seq }: Message) => `${pinnedAt} ${String(seq).padStart(10, '0')}`
  return pinned.sort((a, b) => (order(a) < order(b) ? 1 : -1)).map(({ id }) => id)
}

function plain(conversation: Conversation, viewerId: string) {
  return {
    kind: conversation.kind,
    isClosed: conversation.isClosed,
    settings: conversation.settings,
    members: Object.fromEntries([...conversation.members].sort()),
    messages: [...conversation.messages].sort(([a], [b]) => a - b).map(([, message]) => message),
    pinned: pinsOf(conversation),
    markers: Object.fromEntries([...conversation.markers].filter(([userId]) => conversation.members.has(userId)).sort()),
    ...counts(conversation, viewerId),
  }
}

/** The state that the server shows now, with the counts that it computed. */
export async function fresh({ device, people }: Replica): Promise<State> {
  const whole = await device.run(Whole, { people })
  const conversations = present(whole.conversations.nodes).map((kept) => {
    const { unreadCount, mentionCount } = kept
    const pinned = kept.pinnedMessages.map(({ id }) => id)
    return [kept.id, { ...plain(conversationOf(kept), device.userId), unreadCount, mentionCount, pinned }] as const
  })
  return {
    conversations: Object.fromEntries(conversations),
    sessions: whole.sessions.map(({ id }) => id).sort(),
    people: usersIn(whole),
    choices: choicesOf(whole),
  }
}

/** What one chose for oneself. */
const choicesOf = ({ messagePolicy, presenceMode, lastActiveVisibility }: WholeQuery) => ({
  messagePolicy,
  presenceMode,
  lastActiveVisibility,
})

/** Waits until what each device keeps equals a fresh snapshot of that device. Fails with the difference, after 5 s each. */
export async function expectLaw(replicas: readonly Replica[]): Promise<void> {
  for (const replica of replicas) {
    const now = await fresh(replica)
    for (const deadline = Date.now() + 5_000; Date.now() < deadline && !isDeepStrictEqual(replica.state, now); ) {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    expect(replica.state).toEqual(now)
    expect(replica.errors).toEqual([])
  }
}

/** A device's replica. `state` is what its events made of its first snapshot. */
export class Replica {
  readonly device: Device
  /** The ids of the people whom the device keeps: those of whom it hears. */
  readonly people: readonly string[]
  #users: KeptUserFragment[] = []
  #choices: object = {}
  readonly #conversations = new Map<string, Conversation>()
  #sessions = new Set<string>()
  #cursor = ''
  #client: Client | null = null
  errors: unknown[] = []
  /** How its streams started: one for each time that it followed. */
  readonly starts: string[] = []

  private constructor(device: Device, people: readonly string[]) {
    this.device = device
    this.people = people
  }

  /** Begins with a snapshot, and follows. */
  static async open(device: Device, people: readonly string[]): Promise<Replica> {
    const replica = new Replica(device, people)
    replica.#begin(await device.run(Whole, { people }))
    replica.#follow()
    return replica
  }

  get state(): State {
    const conversations = [...this.#conversations].map(([id, c]) => [id, plain(c, this.device.userId)] as const)
    return {
      conversations: Object.fromEntries(conversations),
      sessions: [...this.#sessions].sort(),
      people: this.#users,
      choices: this.#choices,
    }
  }

  /** Loses its connection. */
  cut(): void {
    const client = this.#client
    this.#client = null
    client?.terminate()
  }

  /** Connects again, at the node where its device is now, and goes on from its last cursor. */
  resume(): void {
    this.#follow()
  }

  #begin(whole: WholeQuery): void {
    this.#cursor = whole.syncCursor
    this.#users = usersIn(whole)
    this.#choices = choicesOf(whole)
    for (const kept of present(whole.conversations.nodes)) this.#conversations.set(kept.id, conversationOf(kept))
    this.#sessions = new Set(whole.sessions.map(({ id }) => id))
  }

  #follow(): void {
    this.#client = this.device.socket()
    this.#client.subscribe<KeptSubscription>(
      { query: print(Kept), variables: { after: this.#cursor } },
      {
        next: ({ data, errors }) => {
          if (errors) this.errors.push(...errors)
          if (data) this.#apply(data.events)
        },
        error: (error) => this.#client && this.errors.push(error),
        complete: () => undefined,
      },
    )
  }

  #apply(event: KeptSubscription['events']): void {
    this.#cursor = event.cursor
    switch (event.__typename) {
      case 'SyncStarted':
        this.starts.push(event.mode)
        break
      case 'ConversationAdded':
        this.#conversations.set(event.conversation.id, conversationOf(event.conversation))
        break
      case 'MemberJoined':
      case 'MemberUpdated':
        this.#in(event.conversation.id, (c) => {
          if (event.member) c.members.set(event.user.id, event.member.role)
          if (event.__typename === 'MemberUpdated') c.settings = settingsOf(event.conversation)
          // Who joins has nothing unread: what was said before is history.
          if (event.__typename === 'MemberJoined') mark(c, event.user.id, event.seq)
        })
        break
      case 'ConversationUpdated':
      case 'MembershipUpdated':
      case 'InvitesChanged':
        this.#in(event.conversation.id, (c) => {
          c.settings = settingsOf(event.conversation)
        })
        break
      case 'MemberLeft':
        if (event.user.id === this.device.userId) this.#conversations.delete(event.conversation.id)
        else this.#in(event.conversation.id, (c) => c.members.delete(event.user.id))
        break
      case 'MessageSent':
      case 'MessageEdited':
      case 'MessageDeleted':
      case 'ReactionsChanged':
      case 'PinsChanged':
        this.#in(event.conversation.id, (c) => c.messages.set(event.message.seq, event.message))
        break
      case 'ReadMarkersMoved':
        this.#in(event.conversation.id, (c) => {
          for (const { user, seq } of event.markers) mark(c, user.id, seq)
        })
        break
      case 'UserUpdated':
      case 'ContactChanged':
      case 'BlockChanged':
        this.#users = this.#users.map((user) => (user.id === event.user.id ? event.user : user)).filter(isPresent)
        if (event.user.isDeleted) this.#forget(event.user.id)
        break
      case 'MessagePolicyChanged':
        this.#choices = { ...this.#choices, messagePolicy: event.messagePolicy }
        break
      case 'PresenceSettingsChanged':
        this.#choices = {
          ...this.#choices,
          presenceMode: event.presenceMode,
          lastActiveVisibility: event.lastActiveVisibility,
        }
        break
      case 'ConversationClosed':
      case 'ConversationReopened':
        this.#in(event.conversation.id, (c) => {
          c.isClosed = event.conversation.isClosed
        })
        break
      case 'SessionRevoked':
        this.#sessions.delete(event.session.id)
        break
    }
  }

  /** Whose account is gone is no longer named as the sender of what they wrote, and has read nothing. */
  #forget(userId: string): void {
    for (const { messages, markers } of this.#conversations.values()) {
      markers.delete(userId)
      for (const [seq, message] of messages) if (message.sender?.id === userId) messages.set(seq, { ...message, sender: null })
    }
  }

  #in(conversationId: string, change: (conversation: Conversation) => unknown): void {
    const conversation = this.#conversations.get(conversationId)
    if (conversation) change(conversation)
  }
}

function mark({ markers }: Conversation, userId: string, seq: number): void {
  if (seq > (markers.get(userId) ?? 0)) markers.set(userId, seq)
}
