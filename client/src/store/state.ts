// What an app knows of its account: people, conversations, their loaded messages. It begins with a snapshot, and events keep it true.
// It does no input or output; `changed` says which parts a change concerns.

import type {
  ConversationPartsFragment,
  EventsSubscription,
  OverviewQuery,
  PersonPartsFragment,
} from '../generated/operations.ts'
import { isIncluded, type JournalPlace, laterOf, placeOf } from '../place.ts'
import { type Message, type MessageWindow, withChanged, withMessage, withoutMessage, withQuote } from './message-window.ts'
import { withPerson } from './person.ts'
import { RecentMessages } from './recent-messages.ts'
import { counted, deleted, readUpTo, received, shownCounts, type Unread } from './unread.ts'

/** A user. */
export type Person = PersonPartsFragment
/** An event that the store follows. */
export type StoreEvent = EventsSubscription['events']

type Parts = Omit<ConversationPartsFragment, 'unreadCount' | 'unreadCountIsExact' | 'mentionCount' | 'readMarkers'>
/** A conversation, with the viewer's counts. */
export type Conversation = Parts & {
  readonly unreadCount: number
  readonly unreadCountIsExact: boolean
  readonly mentionCount: number
  /** The viewer's read marker. */
  readonly readSeq: number
}

/** All that is known of a conversation. */
export type KnownConversation = {
  parts: Parts
  unread: Unread
  /** The read markers, and what was delivered, by user. */
  readonly read: ReadonlyMap<string, number>
  readonly delivered: ReadonlyMap<string, number>
  window: MessageWindow | null
  /** Where the server was when it told the parts. */
  readonly place: JournalPlace | null
  /** Among conversations with the same time of activity, the greater is the more recent one. */
  readonly order: number
}

type MessageEvent = Exclude<
  Extract<StoreEvent, { message: unknown }>,
  { readonly __typename: 'MessageHidden' | 'MessageUnhidden' }
>

/** The parts of the state that somebody may watch. */
export type Topic = 'list' | 'viewer' | 'totals' | `conversation ${string}` | `messages ${string}` | `markers ${string}`

/** The events that move a conversation to the top of the list. */
const activities: ReadonlySet<string> = new Set([
  ...[
    'ConversationClosed',
    'ConversationReopened',
    'ConversationUpdated',
    'MemberJoined',
    'MemberLeft',
    'MemberUpdated',
    'MessageSent',
  ],
])

/** The state of a store. */
export class StoreState {
  viewer: Person | null = null
  blocked: ReadonlySet<string> = new Set()
  /** Where the list continues; null if all conversations are known. */
  nextPage: string | null = null
  readonly conversations = new Map<string, KnownConversation>()
  readonly #views = new Map<string, Conversation>()
  readonly recent = new RecentMessages()
  #list: readonly string[] | null = null
  #order = 0
  /** Where the last event was. */
  #applied: JournalPlace | null = null
  readonly #changed: (topic: Topic) => void
  readonly #stale: (conversationId: string) => void
  readonly #blocksChanged: () => void
  readonly #revealed: (conversationId: string, seq: number) => void

  /**
   * @param stale called for a conversation that has to be read again
   * @param blocksChanged called if the blocked users have to be
   * @param revealed called for a message that the viewer shows again: the loaded ones lack it
   */
  constructor(
    changed: (topic: Topic) => void,
    stale: (conversationId: string) => void,
    blocksChanged: () => void,
    revealed: (conversationId: string, seq: number) => void,
  ) {
    this.#changed = changed
    this.#stale = stale
    this.#blocksChanged = blocksChanged
    this.#revealed = revealed
  }

  /** Begins again with a snapshot. Loaded windows are dropped: what has changed in them is unknown. */
  begin({ viewer, blockedUsers, conversations, pinned, syncCursor }: OverviewQuery): void {
    this.viewer = viewer
    this.blocked = new Set(blockedUsers.nodes.map(({ user }) => user.id))
    const before = [...this.conversations.keys()]
    this.conversations.clear()
    this.recent.clear()
    this.#applied = null
    const place = placeOf(syncCursor)
    // The page has the most recent ones, the pinned ones among them too.
    for (const parts of pinned.nodes.toReversed()) this.put(parts, place)
    this.putPage(conversations, place)
    this.#changed('viewer')
    // Last: who hears of it reads at once.
    for (const id of before) {
      this.#touch(id)
      this.#changed(`messages ${id}`)
    }
  }

  /** Begins with a state that was kept. */
  restore(
    kept: Pick<StoreState, 'viewer' | 'blocked' | 'nextPage'> & {
      conversations: readonly KnownConversation[]
    },
  ): void {
    this.viewer = kept.viewer
    this.blocked = kept.blocked
    this.nextPage = kept.nextPage
    for (const known of kept.conversations) {
      this.conversations.set(known.parts.id, known)
      this.#order = Math.max(this.#order, known.order + 1)
    }
    this.#list = null
  }

  /** Adds a page of the list. */
  putPage({ nodes, pageInfo }: OverviewQuery['conversations'], place: JournalPlace | null): void {
    for (const parts of [...nodes].reverse()) this.put(parts, place)
    this.nextPage = pageInfo.hasNextPage ? (pageInfo.endCursor ?? null) : null
    this.#listChanged()
  }

  /** Puts a conversation as the server has told it, unless it has told a newer state. */
  put(
    { unreadCount, unreadCountIsExact, mentionCount, readMarkers, ...parts }: ConversationPartsFragment,
    place: JournalPlace | null,
  ): void {
    const before = this.conversations.get(parts.id)
    if (before?.place && place && isIncluded(place, before.place) && place.position < before.place.position) return
    const read = new Map(readMarkers.map(({ user, seq }) => [user.id, seq]))
    // An answer from before the last event may lack what the events have told since.
    if (!isIncluded(this.#applied, place))
      for (const [userId, seq] of before?.read ?? []) if (seq > (read.get(userId) ?? 0)) read.set(userId, seq)
    const lastSeq = parts.lastMessage?.seq ?? 0
    const server = { count: unreadCount, isExact: unreadCountIsExact, mentions: mentionCount, lastSeq }
    const readSeq = readMarkers.find(({ user }) => user.id === this.viewer?.id)?.seq ?? 0
    const newest = this.#lastMessage(before?.parts.lastMessage ?? null, parts.lastMessage ?? null, place)
    const known: KnownConversation = {
      parts: { ...parts, lastMessage: newest, lastActivityAt: later(before?.parts.lastActivityAt, parts.lastActivityAt) },
      unread: counted(before?.unread ?? null, { ...server, readSeq }),
      read,
      delivered: before?.delivered ?? new Map(),
      window: before?.window ?? null,
      place,
      order: before?.order ?? this.#order++,
    }
    this.conversations.set(parts.id, known)
    this.#touch(parts.id)
    this.#listChanged()
  }

  /** Forgets a conversation that the viewer is no longer in. */
  remove(id: string): void {
    if (!this.conversations.delete(id)) return
    this.#touch(id)
    this.#changed(`messages ${id}`)
    this.#listChanged()
  }

  /** The conversations, the pinned ones first, by last activity, latest first: the same array until it changes. */
  get list(): readonly string[] {
    this.#list ??= [...this.conversations.values()]
      .sort(
        (a, b) =>
          Number(isPinned(b)) - Number(isPinned(a)) ||
          compare(b.parts.lastActivityAt ?? '', a.parts.lastActivityAt ?? '') ||
          b.order - a.order,
      )
      .map(({ parts }) => parts.id)
    return this.#list
  }

  /** A conversation as the app shows it: the same object until it changes. */
  conversation(id: string): Conversation | null {
    const known = this.conversations.get(id)
    if (!known) return null
    const view = this.#views.get(id) ?? { ...known.parts, ...shownCounts(known.unread), readSeq: known.unread.readSeq }
    this.#views.set(id, view)
    return view
  }

  /** Sets the loaded messages of a conversation. */
  setWindow(id: string, window: MessageWindow | null): void {
    const known = this.conversations.get(id)
    if (!known || known.window === window) return
    known.window = window
    this.#changed(`messages ${id}`)
  }

  /** The last message after an answer, which may be from before the last event. */
  #lastMessage(known: Message | null, answered: Message | null, place: JournalPlace | null): Message | null {
    const server = answered && !this.recent.isHiddenSince(answered.id, place) ? this.recent.newest(answered, place) : null
    if (isIncluded(this.#applied, place) || !known) return server
    return server && server.seq >= known.seq ? server : known
  }

  /** Sets the users that the viewer has blocked. Their messages do not count as unread, so everything is counted again. */
  setBlocked(userIds: readonly string[]): void {
    this.blocked = new Set(userIds)
    this.#changed('viewer')
    for (const id of this.conversations.keys()) this.#stale(id)
  }

  /** Moves the viewer's read marker, before the server has stored it. */
  markRead(id: string, seq: number): void {
    if (this.viewer) this.#moveRead(id, [{ user: this.viewer, seq }])
  }

  /** Sets what was delivered to members. */
  setDelivered(id: string, markers: readonly { readonly user: { readonly id: string }; readonly seq: number }[]): void {
    this.#replace(id, (known) => ({ ...known, delivered: moved(known.delivered, markers) }))
    this.#changed(`markers ${id}`)
  }

  /** Applies an event. */
  apply(event: StoreEvent): void {
    const place = placeOf(event.cursor)
    this.#applied = laterOf(this.#applied, place)
    const id = 'conversation' in event ? event.conversation.id : null
    if (id !== null && activities.has(event.__typename)) this.#active(id, event.occurredAt)
    switch (event.__typename) {
      case 'MessageSent':
      case 'MessageEdited':
      case 'MessageDeleted':
      case 'ReactionsChanged':
      case 'PinsChanged':
      case 'AttachmentChanged':
        this.#putMessage(event, place)
        break
      case 'MessageHidden':
        this.#hide(event.conversation.id, event.message, place)
        break
      case 'MessageUnhidden':
        this.recent.unhide(event.message.id)
        this.#revealed(event.conversation.id, event.message.seq)
        this.#stale(event.conversation.id)
        break
      case 'ReadMarkersMoved':
        this.#moveRead(event.conversation.id, event.markers)
        break
      case 'DeliveryMarkersMoved':
        this.setDelivered(event.conversation.id, event.markers)
        break
      case 'MemberJoined':
        // A new member has nothing unread: earlier messages are history.
        this.#moveRead(event.conversation.id, [event])
        this.#stale(event.conversation.id)
        break
      case 'MemberLeft':
        if (event.user.id === this.viewer?.id) this.remove(event.conversation.id)
        else this.#stale(event.conversation.id)
        break
      case 'ConversationAdded':
      case 'ConversationUpdated':
      case 'ConversationClosed':
      case 'ConversationReopened':
      case 'MembershipUpdated':
      case 'MemberUpdated':
        this.#stale(event.conversation.id)
        break
      case 'UserUpdated':
        this.#putPerson(event.user)
        break
      case 'BlockChanged':
        this.#blocksChanged()
        break
      case 'ContactChanged':
        this.#changed('viewer')
        break
    }
  }

  #putMessage(event: MessageEvent, place: JournalPlace | null): void {
    const { message, conversation } = event
    const isSent = event.__typename === 'MessageSent'
    this.recent.add(message, conversation.id, place, isSent)
    const known = this.conversations.get(conversation.id)
    // It is not among the pages that were loaded so far.
    if (!known) {
      if (isSent) this.#stale(conversation.id)
      return
    }
    // Other events also tell of messages that the viewer has hidden: those are nowhere to be changed.
    const { window } = known
    if (window) this.setWindow(conversation.id, isSent ? withMessage(window, message) : withChanged(window, message))
    this.#edit(conversation.id, (now) => ({
      ...now,
      parts: { ...now.parts, lastMessage: lastAfter(now.parts.lastMessage ?? null, message, isSent) },
      unread: this.#unreadAfter(now.unread, event),
    }))
    if (this.conversations.get(conversation.id)?.unread.isStale) this.#stale(conversation.id)
  }

  /** The viewer has hidden a message. What the conversation shows in its place, the server has to say. */
  #hide(id: string, message: { readonly id: string; readonly seq: number }, place: JournalPlace | null): void {
    this.recent.hide(message.id, place)
    const known = this.conversations.get(id)
    if (!known) return
    if (known.window) this.setWindow(id, withoutMessage(known.window, message.id))
    const { lastMessage } = known.parts
    if (lastMessage?.id === message.id) {
      const { messages = [], hasNewer = true } = this.conversations.get(id)?.window ?? {}
      const last = hasNewer ? null : (messages.at(-1) ?? null)
      this.#edit(id, (now) => ({ ...now, parts: { ...now.parts, lastMessage: last } }))
    }
    this.#edit(id, (now) => ({ ...now, unread: deleted(now.unread, message.seq) }))
    if (lastMessage?.id === message.id || this.conversations.get(id)?.unread.isStale) this.#stale(id)
  }

  #unreadAfter(unread: Unread, { __typename, message }: MessageEvent): Unread {
    const isOthers = message.sender?.id !== this.viewer?.id && !this.blocked.has(message.sender?.id ?? '')
    if (__typename === 'MessageDeleted') return deleted(unread, message.seq)
    if (__typename !== 'MessageSent' || !isOthers || message.deletedAt) return unread
    return received(
      unread,
      message,
      message.mentions.some(({ id }) => id === this.viewer?.id),
    )
  }

  #active(id: string, at: string): void {
    const order = this.#order++
    this.#edit(id, (known) => ({
      ...known,
      order,
      parts: { ...known.parts, lastActivityAt: later(known.parts.lastActivityAt, at) },
    }))
    this.#listChanged()
  }

  #moveRead(id: string, markers: readonly { readonly user: { readonly id: string }; readonly seq: number }[]): void {
    const own = markers.find(({ user }) => user.id === this.viewer?.id)
    this.#replace(id, (known) => ({
      ...known,
      read: moved(known.read, markers),
      unread: own ? readUpTo(known.unread, own.seq) : known.unread,
    }))
    if (own) this.#touch(id)
    this.#changed(`markers ${id}`)
    if (own && this.conversations.get(id)?.unread.isStale) this.#stale(id)
  }

  #putPerson(person: Person): void {
    if (person.id === this.viewer?.id) this.viewer = person
    const shown = person.isDeleted ? null : person
    const inMessage = (message: Message) => withPerson(message, person)
    for (const [id, known] of this.conversations) {
      const { otherUser, lastMessage } = known.parts
      const parts = {
        ...known.parts,
        otherUser: otherUser?.id === person.id ? shown : otherUser,
        lastMessage: lastMessage ? inMessage(lastMessage) : lastMessage,
      }
      if (parts.otherUser !== otherUser || parts.lastMessage !== lastMessage) this.#edit(id, (now) => ({ ...now, parts }))
      const messages = known.window?.messages.map(inMessage)
      if (known.window && messages?.some((message, i) => message !== known.window?.messages[i]))
        this.setWindow(id, { ...known.window, messages })
    }
    this.#changed('viewer')
  }

  #edit(id: string, change: (known: KnownConversation) => KnownConversation): void {
    if (this.#replace(id, change)) this.#touch(id)
  }

  /** Changes something that the app does not see in a conversation. */
  #replace(id: string, change: (known: KnownConversation) => KnownConversation): boolean {
    const known = this.conversations.get(id)
    if (known) this.conversations.set(id, change(known))
    return known !== undefined
  }

  #touch(id: string): void {
    this.#views.delete(id)
    this.#changed(`conversation ${id}`)
    this.#changed('totals')
  }

  #listChanged(): void {
    const before = this.#list
    this.#list = null
    if (before?.length === this.list.length && before.every((id, i) => id === this.list[i])) this.#list = before
    else this.#changed('list')
  }
}

/** The last message after an event: a message that was sent, or a new state of one. */
function lastAfter(last: Message | null, message: Message, isSent: boolean): Message | null {
  if (last?.id === message.id) return message
  if (isSent && (!last || last.seq < message.seq)) return message
  return last && withQuote(last, message)
}

const isPinned = ({ parts }: KnownConversation) => parts.viewerMembership?.pinnedAt != null
const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
const later = (one: string | null | undefined, other: string | null | undefined) =>
  (compare(one ?? '', other ?? '') > 0 ? one : other) ?? null

/** Markers that have moved forward. */
function moved(
  markers: ReadonlyMap<string, number>,
  news: readonly { readonly user: { readonly id: string }; readonly seq: number }[],
): ReadonlyMap<string, number> {
  const forward = news.filter(({ user, seq }) => seq > (markers.get(user.id) ?? 0))
  return forward.length === 0 ? markers : new Map([...markers, ...forward.map(({ user, seq }) => [user.id, seq] as const)])
}
