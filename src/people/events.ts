// The facts of people.

import { factKinds, type NewFact } from '../journal/fact.ts'

/** What people read of a user has changed: names, bio, or that there is nothing left. Heard by each of the hearers for themselves. */
export function userUpdated(userId: number, hearerIds: readonly number[]): NewFact[] {
  return hearerIds.map((hearerId) => ({
    kind: factKinds.UserUpdated,
    user_id: hearerId,
    actor_id: userId,
    subject_id: userId,
  }))
}
