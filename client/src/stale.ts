// Which answers an event makes wrong in a way that only the server can mend: counts, the order of lists, what depends on the viewer. What an
// event brings itself is applied (patch.ts).

import type { Fields } from './news.ts'
import type { EventData } from './patch.ts'

/** What an event makes stale. Fields are those of objects of a type; null stands for all objects of it, wherever they are. */
type Stale = {
  /** Types of which any object, or list, may have changed. */
  readonly types: ReadonlySet<string>
  /** Fields of every object of a type. */
  readonly fields: ReadonlyMap<string, ReadonlySet<string>>
  /** Fields of the event's conversation; null for all but those that never change. */
  readonly ofConversation: ReadonlySet<string> | null
  /** Root fields that hold a plain value. */
  readonly roots: ReadonlySet<string>
  /** Whether something that was not there may be there now. */
  readonly appears: boolean
}

const none: ReadonlySet<string> = new Set()
const counts = ['unreadCount', 'unreadCountIsExact', 'mentionCount'] as const
const people = ['ContactConnection', 'ContactRequestConnection', 'BlockConnection', 'Contact', 'Block', 'Presence'] as const
const lists = ['ConversationConnection', 'UnreadTotals'] as const
/** Fields of a conversation that never change, or that events of messages keep up to date. */
const lasting: ReadonlySet<string> = new Set(['__typename', 'id', 'kind', 'encryption', 'createdAt', 'messages', 'lastMessage'])

function stale(given: {
  types?: readonly string[]
  fields?: readonly (readonly [string, readonly string[]])[]
  ofConversation?: readonly string[] | null
  roots?: readonly string[]
  appears?: boolean
}): Stale {
  const { types = [], fields = [], ofConversation = [], roots = [], appears = false } = given
  return {
    types: new Set(types),
    fields: new Map(fields.map(([type, names]) => [type, new Set(names)])),
    ofConversation: ofConversation && new Set(ofConversation),
    roots: new Set(roots),
    appears,
  }
}

const wholeConversation = stale({ types: [...lists, 'MemberConnection', 'InviteConnection'], ofConversation: null })
/** Somebody has come or gone, perhaps the viewer, who then sees other messages, or none. */
const otherHistory = ['id']
/** The viewer has hidden a message, or shows it again. */
const otherMessages = stale({
  types: lists,
  ofConversation: [...counts, 'messages', 'messagesAround', 'lastMessage', 'pinnedMessages', 'attachments'],
})
const rules: ReadonlyMap<string, Stale> = new Map([
  ['MessageSent', stale({ types: lists, ofConversation: [...counts, 'lastActivityAt', 'attachments'] })],
  ['MessageEdited', stale({ fields: [['Message', ['versions']]] })],
  [
    'MessageDeleted',
    stale({ types: lists, ofConversation: [...counts, 'pinnedMessages', 'attachments'], fields: [['Message', ['versions']]] }),
  ],
  ['PinsChanged', stale({ ofConversation: ['pinnedMessages'] })],
  ...['MessageHidden', 'MessageUnhidden'].map((kind) => [kind, otherMessages] as const),
  ['DraftChanged', stale({ ofConversation: ['draft'] })],
  ['AttachmentChanged', stale({ ofConversation: ['attachments'] })],
  [
    'ReadMarkersMoved',
    stale({ types: ['UnreadTotals'], ofConversation: [...counts, 'readMarkers'], fields: [['Member', ['readAt']]] }),
  ],
  [
    'DeliveryMarkersMoved',
    stale({
      fields: [
        ['Message', ['deliveredTo']],
        ['Member', ['deliveredSeq']],
      ],
    }),
  ],
  ...[
    ...[
      'ConversationUpdated',
      'ConversationClosed',
      'ConversationReopened',
      'MembershipUpdated',
      'InvitesChanged',
      'MemberUpdated',
    ],
    'MemberJoined',
  ].map((kind) => [kind, wholeConversation] as const),
  ['MemberLeft', stale({ types: [...lists, 'MemberConnection'], ofConversation: otherHistory })],
  ['ConversationAdded', stale({ types: lists, ofConversation: otherHistory, appears: true })],
  ['EpochCommitted', stale({ ofConversation: ['epoch', 'needsRekey', 'groupInfo'] })],
  ['DevicesChanged', stale({ types: ['DeviceConnection'], ofConversation: ['needsRekey'], roots: ['keyPackageCount'] })],
  ['UserUpdated', stale({ types: people })],
  ['ContactChanged', stale({ types: people, roots: ['contactRequestCount'] })],
  ['BlockChanged', stale({ types: [...people, ...lists], fields: [['Conversation', counts]], roots: ['contactRequestCount'] })],
  ['SessionRevoked', stale({ types: ['Session'] })],
  ['PushSubscriptionChanged', stale({ types: ['Session'] })],
  ['PushSettingsChanged', stale({ types: ['PushSettings'] })],
  ['MessagePolicyChanged', stale({ roots: ['messagePolicy'] })],
  ['PresenceSettingsChanged', stale({ roots: ['presenceMode', 'lastActiveVisibility'] })],
])

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null

/**
 * Whether an answer has something that an event makes stale. Answers need `__typename`, which urql and Apollo Client add. A field that is
 * asked for under an alias is not recognised.
 */
export function isStale(data: unknown, event: EventData): boolean {
  const rule = rules.get(event.__typename)
  if (!rule || !isObject(data)) return false
  if (Object.entries(data).some(([field, value]) => rule.roots.has(field) || (rule.appears && value === null))) return true
  const user = (event as { user?: unknown }).user
  return isStaleIn(data, { rule, conversationId: idOf(event.conversation), user: isObject(user) ? user : null })
}

type Found = { readonly rule: Stale; readonly conversationId: unknown; readonly user: Fields | null }

function isStaleIn(value: unknown, found: Found): boolean {
  if (Array.isArray(value)) return value.some((each) => isStaleIn(each, found))
  if (!isObject(value)) return false
  const { rule, conversationId, user } = found
  const type = String(value.__typename)
  if (rule.types.has(type)) return true
  const names = Object.keys(value)
  const fields = rule.fields.get(type) ?? none
  if (names.some((name) => fields.has(name))) return true
  if (
    type === 'Conversation' &&
    value.id === conversationId &&
    names.some((name) => rule.ofConversation?.has(name) ?? !lasting.has(name))
  )
    return true
  // The event has only some of the fields of a user.
  if (type === 'User' && user && value.id === user.id && names.some((name) => !(name in user))) return true
  return names.some((name) => isStaleIn(value[name], found))
}

const idOf = (entity: unknown) => (isObject(entity) ? entity.id : undefined)

/** How long events are gathered before stale answers are read again, in milliseconds, and the time between two such reads. */
const gatherMs = 200
const everyMs = 1_000

/** Gathers events, and reads again what they have made stale: soon after the first, and at most once a second. */
export class Refresher {
  readonly #refresh: (events: readonly EventData[]) => void
  #events: EventData[] = []
  #timer: ReturnType<typeof setTimeout> | undefined

  /** @param refresh reads the answers again that these events have made stale */
  constructor(refresh: (events: readonly EventData[]) => void) {
    this.#refresh = refresh
  }

  add(event: EventData): void {
    if (!rules.has(event.__typename)) return
    this.#events.push(event)
    if (this.#timer === undefined) this.#wait(gatherMs)
  }

  /** Forgets all events. */
  clear(): void {
    this.#events = []
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (this.#events.length === 0) return
      const events = this.#events
      this.#events = []
      this.#wait(everyMs)
      this.#refresh(events)
    }, ms)
  }
}
