// The kinds of facts of messages. Hot writes make them, so their numbers are also in SQL: 1 in journal_send, 7 to 9 and 14 in
// journal_change, as are 50 and 51, 52 in journal_draft, 10 in journal_mark, 32 in journal_deliver.

import type { UserId } from '../id.ts'
import { defineKinds, withPayload } from '../journal/kind.ts'

/** How far a user has read, or has received messages. */
export type Marker = { readonly userId: UserId; readonly seq: number }

/** The payload of ReadMarkersMoved and DeliveryMarkersMoved. The fact's actor and subject are the user of the first marker. */
export type MarkersPayload = { readonly markers: readonly Marker[] }

/** The kinds of facts of messages, reactions, pins and markers. */
export const messageKinds = defineKinds({
  // A new message does not change earlier events.
  MessageSent: { number: 1, namesRow: true, changesEarlierEvents: false },
  MessageEdited: { number: 7, namesRow: true },
  MessageDeleted: { number: 8, namesRow: true },
  ReactionsChanged: { number: 9, namesRow: true },
  PinsChanged: { number: 14, namesRow: true },
  // A user has hidden a message for themselves, or shows it again. Only that user receives it.
  MessageHidden: { number: 50 },
  MessageUnhidden: { number: 51 },
  // A user has saved or removed what they have begun to write. Only that user receives it.
  DraftChanged: { number: 52 },
  ReadMarkersMoved: withPayload<MarkersPayload>({ number: 10 }),
  DeliveryMarkersMoved: withPayload<MarkersPayload>({ number: 32 }),
})
