// Saves drafts.

import { refusalOf } from '../conversation/refusal.ts'
import { ParleyError } from '../errors.ts'
import type { Place } from '../journal/fact.ts'
import type { App } from '../parts.ts'
import { type DraftInput, draftProcedure } from './draft.ts'
import { encryptionRequired } from './send-actions.ts'

/**
 * Saves the user's draft of a conversation for all their devices; the last one wins.
 * @returns the place of the fact; null if the draft was the same already
 * @throws ParleyError NOT_FOUND, FORBIDDEN in a closed conversation, ENCRYPTION_REQUIRED, UNAVAILABLE
 */
export async function saveDraft(input: DraftInput, app: App): Promise<Place | null> {
  const outcome = await app.journal.append(draftProcedure, input.userId, input)
  switch (outcome.status) {
    case 'SAVED':
      return outcome.place
    case 'UNCHANGED':
      return null
    case 'NOT_MEMBER':
      throw await refusalOf(input.userId, input, app)
    case 'NOTHING_TO_REPLY_TO':
      throw new ParleyError('NOT_FOUND', 'The message that you reply to is not in this conversation.', {
        argument: 'input.replyToId',
      })
    case 'ENCRYPTED':
      throw encryptionRequired('This conversation is encrypted: a draft stays on the device.', 'input.text')
  }
}
