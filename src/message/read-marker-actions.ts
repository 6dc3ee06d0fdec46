// Read marker actions.

import { refusalOf } from '../conversation/refusal.ts'
import type { ConversationId } from '../id.ts'
import type { Place } from '../journal/fact.ts'
import type { App } from '../parts.ts'
import type { Viewer } from '../viewer.ts'

/** The `seq` of the viewer's marker after the move. `place` is null if the marker was already there or further. */
export type Marked = { readonly conversationId: ConversationId; readonly seq: number; readonly place: Place | null }

/** Moves the viewer's read marker, only forward. @throws ParleyError NOT_FOUND, FORBIDDEN if it is closed, UNAVAILABLE */
export async function markRead(by: Viewer, conversationId: ConversationId, seq: number, app: App): Promise<Marked> {
  const { seq: now, place } = await app.readMarkers.move({ conversationId, userId: by.userId, seq })
  if (now === null) throw await refusalOf(by.userId, { conversationId }, app)
  return { conversationId, seq: now, place }
}
