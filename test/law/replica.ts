// The cache of a device, kept by its events alone: it begins with one snapshot, then applies each event as docs/clients.md
// tells an app to. The law (D5) is that it equals a fresh snapshot at any time.

import { isDeepStrictEqual } from 'node:util'
import { print } from 'graphql'
import type { Client } from 'graphql-ws'
import { expect } from 'vitest'
import type { Device } from '../support/device.ts'
import type {
  KeptConversationFragment,
  KeptDeviceFragment,
  KeptMessageFragment,
  KeptSessionFragment,
  KeptSettingsFragment,
  KeptSubscription,
  KeptUserFragment,
  WholeQuery,
} from '../support/generated/graphql.ts'
import { Kept, Whole } from './documents.ts'

type KeptMessage = KeptMessageFragment
type Conversation = {
  kind: string
  isClosed: boolean
  lastActivityAt: string | null | undefined
  encryption: string
  /** Null in a plain conversation. */
  epoch: number | null
  needsRekey: boolean
  groupInfo: string | null
  settings: Record<string, unknown>
  draft: KeptConversationFragment['draft']
  members: Map<string, string>
  messages: Map<number, KeptMessage>
  markers: Map<string, number>
  /** By user, the last message that was delivered. */
  deliveries: Map<string, number>
}
/** The state of a device, as plain data that can be compared. */
export type State = {
  conversations: Record<string, unknown>
  sessions: unknown[]
  /** The user's own; of others, events tell only in encrypted conversations. */
  devices: unknown[]
  people: unknown[]
  choices: object
}

const present = <T>(values: readonly (T | null)[] | null | undefined): T[] =>
  (values ?? []).filter((v): v is T & {} => v !== null)

const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1)
const isPresent = (user: KeptUserFragment) => !user.isDeleted
const usersIn = (whole: WholeQuery) => present(whole.nodes).filter((node): node is KeptUserFragment => 'username' in node)

function conversationOf(kept: KeptConversationFragment): Conversation {
  return {
    kind: kept.kind,
    isClosed: kept.isClosed,
    lastActivityAt: kept.lastActivityAt,
    encryption: kept.encryption,
    epoch: kept.epoch ?? null,
    needsRekey: kept.needsRekey,
    groupInfo: kept.groupInfo ?? null,
    settings: settingsOf(kept),
    draft: kept.draft,
    members: new Map(present(kept.members.nodes).map(({ user, role }) => [user.id, role])),
    messages: new Map(present(kept.messages.nodes).map((message) => [message.seq, message])),
    deliveries: new Map(present(kept.members.nodes).map(({ user, deliveredSeq }) => [user.id, deliveredSeq])),
    markers: new Map(kept.readMarkers.map(({ user, seq }) => [user.id, seq])),
  }
}

/** The parts of a conversation that the state keeps. */
const settingNames = [
  'title',
  'description',
  'data',
  'historyVisibility',
  'slowModeS',
  'announcementsOnly',
  'avatar',
  'viewerMembership',
  'viewerCanAddMembers',
  'viewerCanDeleteOthersMessages',
  'viewerCanHandOver',
  'viewerCanPin',
  'viewerCanSend',
  'invites',
  'bans',
] as const satisfies (keyof KeptSettingsFragment)[]

function settingsOf(kept: KeptSettingsFragment): Record<string, unknown> {
  return Object.fromEntries(settingNames.map((name) => [name, kept[name]]))
}

/** What a client computes itself: events carry no counts. */
function counts({ messages, markers, isClosed }: Conversation, viewerId: string, blocked: ReadonlySet<string>) {
  const read = markers.get(viewerId) ?? 0
  const isUnread = ({ seq, sender, deletedAt }: KeptMessage) =>
    seq > read && sender?.id !== viewerId && !deletedAt && !blocked.has(sender?.id ?? '')
  const unread = isClosed ? [] : [...messages.values()].filter(isUnread)
  const mentions = unread.filter((m) => m.mentions.some(({ id }) => id === viewerId))
  return { unreadCount: unread.length, mentionCount: mentions.length }
}

/** What was delivered to each member of what others wrote: nothing tells that a member's own messages were. */
function deliveriesOf({ messages, members, deliveries }: Conversation): Record<string, number> {
  const delivered = (userId: string, upto: number) =>
    Math.max(0, ...[...messages.values()].filter((m) => m.seq <= upto && m.sender?.id !== userId).map(({ seq }) => seq))
  return Object.fromEntries([...members.keys()].sort().map((id) => [id, delivered(id, deliveries.get(id) ?? 0)]))
}

/** The pinned messages, the latest pin first. */
function pinsOf({ messages }: Conversation): string[] {
  const pinned = [...messages.values()].filter(({ pinnedAt }) => pinnedAt)
  const order = ({ pinnedAt, seq }: KeptMessage) => `${pinnedAt} ${String(seq).padStart(10, '0')}`
  return pinned.sort((a, b) => (order(a) < order(b) ? 1 : -1)).map(({ id }) => id)
}

function plain(conversation: Conversation, viewerId: string, blocked: ReadonlySet<string>) {
  return {
    kind: conversation.kind,
    isClosed: conversation.isClosed,
    lastActivityAt: conversation.lastActivityAt,
    encryption: conversation.encryption,
    epoch: conversation.epoch,
    needsRekey: conversation.needsRekey,
    groupInfo: conversation.groupInfo,
    settings: conversation.settings,
    draft: conversation.draft,
    members: Object.fromEntries([...conversation.members].sort()),
    messages: [...conversation.messages].sort(([a], [b]) => a - b).map(([, message]) => message),
    pinned: pinsOf(conversation),
    deliveries: conversation.isClosed ? {} : deliveriesOf(conversation),
    markers: Object.fromEntries([...conversation.markers].filter(([userId]) => conversation.members.has(userId)).sort()),
    ...counts(conversation, viewerId, blocked),
  }
}

/** The state that the server shows now, with its own counts. */
export async function fresh({ device, people }: Replica): Promise<State> {
  const whole = await device.run(Whole, { people })
  const conversations = present(whole.conversations.nodes).map((kept) => {
    const { unreadCount, mentionCount } = kept
    const pinned = kept.pinnedMessages.map(({ id }) => id)
    return [kept.id, { ...plain(conversationOf(kept), device.userId, new Set()), unreadCount, mentionCount, pinned }] as const
  })
  return {
    conversations: Object.fromEntries(conversations),
    sessions: whole.sessions.toSorted(byId),
    devices: present(whole.viewer.devices.nodes),
    people: usersIn(whole),
    choices: choicesOf(whole),
  }
}

/** The user's own settings. */
const choicesOf = ({ messagePolicy, presenceMode, lastActiveVisibility, pushSettings }: WholeQuery) => ({
  messagePolicy,
  presenceMode,
  lastActiveVisibility,
  pushSettings,
})

/** Waits until the state of each device equals a fresh snapshot of it. Fails with the difference, after 5 s each. */
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

/** The replica of a device. `state` is what its events made of its first snapshot. */
export class Replica {
  readonly device: Device
  /** The ids of the users whose changes the device receives. */
  readonly people: readonly string[]
  #users: KeptUserFragment[] = []
  #choices: object = {}
  readonly #conversations = new Map<string, Conversation>()
  #sessions = new Map<string, KeptSessionFragment>()
  #devices = new Map<string, KeptDeviceFragment>()
  #cursor = ''
  #client: Client | null = null
  errors: unknown[] = []
  /** How its streams started, one entry for each. */
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
    const blocked = new Set(this.#users.flatMap(({ id, viewerHasBlocked }) => (viewerHasBlocked ? [id] : [])))
    const conversations = [...this.#conversations].map(([id, c]) => [id, plain(c, this.device.userId, blocked)] as const)
    return {
      conversations: Object.fromEntries(conversations),
      sessions: [...this.#sessions.values()].sort(byId),
      devices: [...this.#devices.values()].sort(byId),
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

  /** Connects again, to the current node of its device, and resumes from its last cursor. */
  resume(): void {
    this.#follow()
  }

  #begin(whole: WholeQuery): void {
    this.#cursor = whole.syncCursor
    this.#users = usersIn(whole)
    this.#choices = choicesOf(whole)
    for (const kept of present(whole.conversations.nodes)) this.#conversations.set(kept.id, conversationOf(kept))
    this.#sessions = new Map(whole.sessions.map((session) => [session.id, session]))
    this.#devices = new Map(present(whole.viewer.devices.nodes).map((device) => [device.id, device]))
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
    if (isActivity(event)) {
      this.#in(event.conversation.id, (c) => {
        c.lastActivityAt = event.occurredAt
      })
    }
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
          if (event.member) deliver(c, event.user.id, event.member.deliveredSeq)
          if (event.__typename === 'MemberUpdated') c.settings = settingsOf(event.conversation)
          // A new member has nothing unread: earlier messages are history.
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
      case 'DraftChanged':
        this.#in(event.conversation.id, (c) => {
          c.draft = event.conversation.draft
        })
        break
      case 'MemberLeft':
        if (event.user.id === this.device.userId) this.#conversations.delete(event.conversation.id)
        else
          this.#in(event.conversation.id, (c) => {
            c.members.delete(event.user.id)
            lose(c)
          })
        break
      case 'MessageSent':
      case 'MessageUnhidden':
        this.#in(event.conversation.id, (c) => c.messages.set(event.message.seq, event.message))
        break
      case 'MessageHidden':
        this.#in(event.conversation.id, (c) => c.messages.delete(event.message.seq))
        break
      case 'MessageEdited':
      case 'MessageDeleted':
      case 'ReactionsChanged':
      case 'PinsChanged':
      case 'AttachmentChanged':
        // Events still tell of a message that the user has hidden.
        this.#in(event.conversation.id, (c) => {
          if (c.messages.has(event.message.seq)) c.messages.set(event.message.seq, event.message)
        })
        break
      case 'ReadMarkersMoved':
        this.#in(event.conversation.id, (c) => {
          for (const { user, seq } of event.markers) mark(c, user.id, seq)
        })
        break
      case 'DeliveryMarkersMoved':
        this.#in(event.conversation.id, (c) => {
          for (const { user, seq } of event.markers) deliver(c, user.id, seq)
        })
        break
      case 'EpochCommitted':
        this.#in(event.conversation.id, (c) => {
          c.epoch = event.epoch
          c.needsRekey = false
          c.groupInfo = event.conversation.groupInfo ?? null
        })
        break
      case 'DevicesChanged':
        if (event.user.id === this.device.userId) this.#devices.set(event.device.id, event.device)
        if (event.inConversation && event.change === 'REMOVED') this.#in(event.inConversation.id, lose)
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
          if (event.__typename === 'ConversationClosed') lose(c)
        })
        break
      case 'PushSettingsChanged':
        this.#choices = { ...this.#choices, pushSettings: event.pushSettings }
        break
      case 'PushSubscriptionChanged':
        // The events of a later session are not received, so it is not kept.
        if (this.#sessions.has(event.session.id)) this.#sessions.set(event.session.id, event.session)
        break
      case 'SessionRevoked':
        this.#sessions.delete(event.session.id)
        break
    }
  }

  /** A user with a deleted account is no longer shown as a sender, and has no read markers. */
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

/** The events that move a conversation to the top of the list. */
const activities = [
  ...(['ConversationClosed', 'ConversationReopened', 'ConversationUpdated'] as const),
  ...(['MemberJoined', 'MemberLeft', 'MemberUpdated', 'MessageSent'] as const),
]
type Activity = Extract<KeptSubscription['events'], { __typename: (typeof activities)[number] }>
const isActivity = (event: KeptSubscription['events']): event is Activity => activities.some((name) => name === event.__typename)

/** Somebody is gone: an encrypted group that has begun needs a commit without them. */
function lose(conversation: Conversation): void {
  if (conversation.epoch !== null && conversation.epoch > 0) conversation.needsRekey = true
}

function mark({ markers }: Conversation, userId: string, seq: number): void {
  if (seq > (markers.get(userId) ?? 0)) markers.set(userId, seq)
}

function deliver({ deliveries }: Conversation, userId: string, seq: number): void {
  if (seq > (deliveries.get(userId) ?? 0)) deliveries.set(userId, seq)
}
