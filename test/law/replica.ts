// A device's cache that is kept by nothing but its events: begun from one snapshot, then changed by each event as docs/clients.md
// tells an app to do it. The law (D5) is that it equals a fresh snapshot at any time.

import { print } from 'graphql'
import type { Device } from '../support/device.ts'
import type {
  KeptConversationFragment,
  KeptMessageFragment,
  KeptSubscription,
  KeptUserFragment,
  WholeQuery,
} from '../support/generated/graphql.ts'
import { Kept, Whole } from './documents.ts'

type Message = KeptMessageFragment
type Conversation = {
  kind: string
  title: string | null
  isClosed: boolean
  members: Map<string, string>
  messages: Map<number, Message>
  markers: Map<string, number>
}
/** What a device keeps, as plain data that can be compared. */
export type State = { conversations: Record<string, unknown>; sessions: string[]; people: unknown[]; messagePolicy: string }

const present = <T>(values: readonly (T | null)[] | null | undefined): T[] =>
  (values ?? []).filter((v): v is T & {} => v !== null)

const isPresent = (user: KeptUserFragment) => !user.isDeleted
const usersIn = (whole: WholeQuery) => present(whole.nodes).filter((node): node is KeptUserFragment => 'username' in node)

function conversationOf(kept: KeptConversationFragment): Conversation {
  return {
    kind: kept.kind,
    title: kept.title ?? null,
    isClosed: kept.isClosed,
    members: new Map(present(kept.members.nodes).map(({ user, role }) => [user.id, role])),
    messages: new Map(present(kept.messages.nodes).map((message) => [message.seq, message])),
    markers: new Map(kept.readMarkers.map(({ user, seq }) => [user.id, seq])),
  }
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

function plain(conversation: Conversation, viewerId: string) {
  return {
    kind: conversation.kind,
    title: conversation.title,
    isClosed: conversation.isClosed,
    members: Object.fromEntries([...conversation.members].sort()),
    messages: [...conversation.messages].sort(([a], [b]) => a - b).map(([, message]) => message),
    markers: Object.fromEntries([...conversation.markers].filter(([userId]) => conversation.members.has(userId)).sort()),
    ...counts(conversation, viewerId),
  }
}

/** The state that the server shows now, with the counts that it computed. */
export async function fresh({ device, people }: Replica): Promise<State> {
  const whole = await device.run(Whole, { people })
  const conversations = present(whole.conversations.nodes).map((kept) => {
    const { unreadCount, mentionCount } = kept
    return [kept.id, { ...plain(conversationOf(kept), device.userId), unreadCount, mentionCount }] as const
  })
  return {
    conversations: Object.fromEntries(conversations),
    sessions: whole.sessions.map(({ id }) => id).sort(),
    people: usersIn(whole),
    messagePolicy: whole.messagePolicy,
  }
}

/** A device's replica. `state` is what its events made of its first snapshot. */
export class Replica {
  readonly device: Device
  /** The ids of the people whom the device keeps: those of whom it hears. */
  readonly people: readonly string[]
  #users: KeptUserFragment[] = []
  #policy = ''
  readonly #conversations = new Map<string, Conversation>()
  #sessions = new Set<string>()
  #cursor = ''
  errors: unknown[] = []

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
      messagePolicy: this.#policy,
    }
  }

  #begin(whole: WholeQuery): void {
    this.#cursor = whole.syncCursor
    this.#users = usersIn(whole)
    this.#policy = whole.messagePolicy
    for (const kept of present(whole.conversations.nodes)) this.#conversations.set(kept.id, conversationOf(kept))
    this.#sessions = new Set(whole.sessions.map(({ id }) => id))
  }

  #follow(): void {
    const client = this.device.socket()
    client.subscribe<KeptSubscription>(
      { query: print(Kept), variables: { after: this.#cursor } },
      {
        next: ({ data, errors }) => {
          if (errors) this.errors.push(...errors)
          if (data) this.#apply(data.events)
        },
        error: (error) => this.errors.push(error),
        complete: () => undefined,
      },
    )
  }

  #apply(event: KeptSubscription['events']): void {
    this.#cursor = event.cursor
    switch (event.__typename) {
      case 'ConversationAdded':
        this.#conversations.set(event.conversation.id, conversationOf(event.conversation))
        break
      case 'MemberJoined':
      case 'MemberUpdated':
        this.#in(event.conversation.id, (c) => {
          if (event.member) c.members.set(event.user.id, event.member.role)
          // Who joins has nothing unread: what was said before is history.
          if (event.__typename === 'MemberJoined') mark(c, event.user.id, event.seq)
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
        this.#policy = event.messagePolicy
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
