// What the schema of read markers and that of deliveries share: a marker, and the event that moves some.

import { requireUser } from '../account/access.ts'
import { User } from '../account/schema.ts'
import { Conversation, requireConversation } from '../conversation/schema.ts'
import { builder } from '../graphql/builder.ts'
import { conversationOf, factEvent } from '../graphql/event.ts'
import { encodeId } from '../id.ts'
import { type FactKind, payloadOf } from '../journal/kind.ts'
import type { MarkersPayload } from './events.ts'
import type { MarkerInput } from './markers.ts'

/** Declares a type of markers. `seq` says what the number means. */
export function markerType(name: string, { description, seq }: { readonly description: string; readonly seq: string }) {
  return builder.objectRef<MarkerInput>(name).implement({
    description,
    fields: (t) => ({
      id: t.id({
        shared: true,
        description: 'Identifies the conversation and the user, for caches. It cannot be passed to `node`.',
        resolve: ({ conversationId, userId }) => `${name}:${encodeId('Member', conversationId, userId)}`,
      }),
      user: t.field({
        shared: true,
        type: User,
        description: 'The user.',
        resolve: ({ userId }, _args, context) => requireUser(context, userId),
      }),
      seq: t.exposeInt('seq', { shared: true, description: seq }),
    }),
  })
}

/** Declares the event of markers that have moved. */
export function markersEvent(kind: FactKind<MarkersPayload>, description: string, marker: ReturnType<typeof markerType>): void {
  builder.objectFields(factEvent(kind, description), (t) => ({
    conversation: t.field({
      shared: true,
      type: Conversation,
      description: 'The conversation.',
      resolve: (event, _args, context) => requireConversation(context, conversationOf(event)),
    }),
    markers: t.field({
      shared: true,
      type: [marker],
      description: 'The markers that moved, each with its new `seq`. Keep the greatest `seq` of each user.',
      resolve: (event) => {
        const { markers } = payloadOf(kind, event.item.fact)
        return markers.map((each) => ({ conversationId: conversationOf(event), ...each }))
      },
    }),
  }))
}
