// The interface of everything that `events` delivers. Features add a type for each of their kinds of facts.

import type { ObjectRef } from '@pothos/core'
import type { ConversationId } from '../id.ts'
import type { Fact } from '../journal/fact.ts'
import type { StreamItem } from '../journal/item.ts'
import type { FactKind } from '../journal/kind.ts'
import { type BuilderTypes, builder } from './builder.ts'
import { type Context, isBackend } from './context.ts'

/** The source object of an event: an item of a stream with its cursor. */
export type EventSource<Item extends StreamItem = StreamItem> = {
  readonly item: Item
  readonly cursor: string
  readonly occurredAt: Date
}

/** The event of a fact. A user who may see a fact may also see the objects that it names. */
export type FactEvent = EventSource<StreamItem & { type: 'fact' }>

/** The names of the types that `factEvent` has declared, by the kind's number. */
const factNames: (string | undefined)[] = []
const controlNames = { started: 'SyncStarted', caughtUp: 'CaughtUp', tick: 'Tick' } as const

/** The names of the types of events that facts have. */
export const eventNames = (): readonly string[] => factNames.filter((name) => name !== undefined)

/** The name of an item's type in the schema; null for a fact of a kind that this version does not know. */
export function eventNameOf(item: StreamItem): string | null {
  return item.type === 'fact' ? (factNames[item.fact.kind] ?? null) : controlNames[item.type]
}

export const Event = builder.interfaceRef<EventSource>('Event').implement({
  description:
    'An event that `events` delivers. Store the `cursor` of the last event that you have processed: it is where you resume.',
  resolveType: ({ item }) => eventNameOf(item) ?? undefined,
  fields: (t) => ({
    cursor: t.expose('cursor', {
      shared: true,
      type: 'Cursor',
      description: 'The cursor of this event. Once you have processed the event, you have everything up to here.',
    }),
    occurredAt: t.expose('occurredAt', {
      shared: true,
      type: 'DateTime',
      description: 'When it happened. For SyncStarted, CaughtUp and Tick: when the server created the event.',
    }),
  }),
})

/** Declares the event type for a kind of facts. */
export function factEvent({ name, number }: FactKind<unknown>, description: string): ObjectRef<BuilderTypes, FactEvent> {
  factNames[number] = name
  return builder.objectRef<FactEvent>(name).implement({ description, interfaces: [Event] })
}

/** The subject of an event's fact. */
export function subjectOf({ item }: FactEvent): number {
  return idOf(item.fact.subjectId, item.fact)
}

/**
 * The context in which the private settings of an event are read: that of its viewer. A server key that follows all changes reads them
 * as the user that the event is for.
 */
export function asHearer({ item }: FactEvent, context: Context): Context {
  if (!isBackend(context)) return context
  const viewer = { userId: idOf(item.fact.userId, item.fact), sessionId: null }
  return { ...context, caller: { viewer, key: context.caller.key } }
}

/** The conversation of an event's fact. */
export function conversationOf({ item }: FactEvent): ConversationId {
  return idOf(item.fact.conversationId, item.fact)
}

function idOf<Id extends number>(id: Id | null, fact: Fact): Id {
  if (id === null) throw new Error(`the fact at ${fact.position} lacks an id that its kind needs`)
  return id
}
