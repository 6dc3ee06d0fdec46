// The interface of everything that `events` brings. Features add a type for each kind of fact of theirs.

import type { ObjectRef } from '@pothos/core'
import { type Fact, type FactKind, kindOf } from '../journal/fact.ts'
import type { StreamItem } from '../journal/item.ts'
import type { MessageRow } from '../journal/tables.ts'
import { builder } from './builder.ts'

/** An item of a stream on its way out. */
export type EventSource<Item extends StreamItem = StreamItem> = {
  readonly item: Item
  readonly cursor: string
  readonly occurredAt: Date
}

/** An event that tells a fact. Being let see a fact is the permission for what it names. */
export type FactEvent = EventSource<StreamItem & { type: 'fact' }>

const controlNames = { started: 'SyncStarted', caughtUp: 'CaughtUp', tick: 'Tick' } as const

/** The name of the schema's type for an item; null for a fact of a kind that this version does not know. */
export function eventNameOf(item: StreamItem): string | null {
  return item.type === 'fact' ? kindOf(item.fact) : controlNames[item.type]
}

export const Event = builder.interfaceRef<EventSource>('Event').implement({
  description: 'Something that `events` brings. Keep the last `cursor` you have dealt with: it is what you resume from.',
  resolveType: ({ item }) => eventNameOf(item) ?? undefined,
  fields: (t) => ({
    cursor: t.expose('cursor', {
      shared: true,
      type: 'Cursor',
      description: 'The place of this event: you have everything up to it.',
    }),
    occurredAt: t.expose('occurredAt', {
      shared: true,
      type: 'DateTime',
      description: 'When it happened; for control events, when it was made.',
    }),
  }),
})

/** Declares the type of the event that tells facts of a kind. */
export function factEvent(kind: FactKind, description: string): ObjectRef<Types, FactEvent> {
  return builder.objectRef<FactEvent>(kind).implement({ description, interfaces: [Event] })
}

type Types = typeof builder extends PothosSchemaTypes.SchemaBuilder<infer T> ? T : never

/** The subject of an event's fact. */
export function subjectOf({ item }: FactEvent): number {
  return idOf(item.fact.subjectId, item.fact)
}

/** The conversation of an event's fact. */
export function conversationOf({ item }: FactEvent): number {
  return idOf(item.fact.conversationId, item.fact)
}

/** The message that an event's fact names, where the stream brought it along. */
export function messageOf({ item }: FactEvent): MessageRow | undefined {
  return item.message
}

function idOf(id: number | null, fact: Fact): number {
  if (id === null) throw new Error(`the fact at ${fact.position} lacks an id that its kind needs`)
  return id
}
