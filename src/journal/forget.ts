// Forgets what the journal keeps for a user's own sake, when the account is deleted: in small steps, since appends wait for each.

import type { UserId } from '../id.ts'
import { type Reader, statement } from '../store/reader.ts'

const stepRows = 500
const forgetStep = statement<{ removed: number }>('journal_forget_batch', 'call journal_forget_batch($1, $2, null)')

/** Removes the read markers and the counted mentions of a user whose account is deleted. Idempotent. */
export async function forgetUser(reader: Reader, userId: UserId): Promise<void> {
  for (;;) {
    const [step] = await reader.rows(forgetStep, [userId, stepRows])
    if ((step?.removed ?? 0) < stepRows) return
  }
}
