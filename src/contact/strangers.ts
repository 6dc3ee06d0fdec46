// Limits how many strangers a user reaches (D7). A stranger shares no conversation with the user, is not a contact, and no contact
// request is pending between the two. A new direct conversation, a new group, an added member and a contact request reach users.

import { limited } from '../bus/counters.ts'
import { ParleyError } from '../errors.ts'
import type { UserId } from '../id.ts'
import type { App } from '../parts.ts'
import { statement } from '../store/reader.ts'
import type { Viewer } from '../viewer.ts'

const periodS = 3_600

const acquaintances = statement<{ id: UserId }>(
  'acquaintances',
  `select m.user_id as id from member own join member m on m.conversation_id = own.conversation_id
    where own.user_id = $1 and m.user_id = any($2::bigint[])
   union
   select case when low_id = $1 then high_id else low_id end from contact
    where (low_id = $1 and high_id = any($2::bigint[])) or (high_id = $1 and low_id = any($2::bigint[]))`,
)

/**
 * Runs an action that reaches users, and counts the strangers among them for an hour, on all nodes together. What fails does not
 * count.
 * @throws ParleyError RATE_LIMITED if the viewer has reached too many; LIMIT_EXCEEDED if these are too many at any time; any error
 *   of `act`
 */
export async function reaching<T>(by: Viewer, userIds: readonly UserId[], app: App, act: () => Promise<T>): Promise<T> {
  const distinct = [...new Set(userIds)].filter((id) => id !== by.userId)
  const known = distinct.length === 0 ? [] : await app.store.reader.rows(acquaintances, [by.userId, distinct])
  const strangers = distinct.length - known.length
  if (strangers === 0) return act()
  const most = app.config.attempts.strangersMax
  if (strangers > most) {
    const message = `You can reach at most ${most} people you do not know in an hour. Name fewer at once.`
    throw new ParleyError('LIMIT_EXCEEDED', message)
  }
  const counted = {
    limit: { name: 'strangers', most, periodS },
    key: String(by.userId),
    times: strangers,
    refusal: 'You have reached too many people you do not know. Try again later.',
  }
  return limited(app.counters, counted, act)
}
