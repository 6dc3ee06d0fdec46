// Changes to profiles. Hundreds of users may hear of one, so a node writes those that a user makes in quick succession together,
// at most once per interval. The first after a quiet interval does not wait.

import { retireAvatar } from '../attachment/avatars.ts'
import type { AttachmentId, UserId } from '../id.ts'
import { Coalescer } from '../journal/coalescer.ts'
import type { Place } from '../journal/fact.ts'
import type { Journal } from '../journal/journal.ts'
import { userUpdated } from './events.ts'
import { findHearers, lockUser } from './hearers.ts'
import { searchedAs } from './username.ts'

declare module '../parts.ts' {
  interface App {
    readonly profileChanges: ProfileChanges
  }
}

/** Changes to a profile. Omitted fields stay unchanged. */
export type Profile = { readonly displayName?: string; readonly bio?: string; readonly avatarId?: AttachmentId | null }

/** The changes to profiles that a node writes. */
export type ProfileChanges = {
  /**
   * Changes a user's profile, when the interval since the last change is over.
   * @returns the place of the fact; null if nothing changed
   * @throws ParleyError NOT_FOUND if the account was deleted; RATE_LIMITED, UNAVAILABLE
   */
  add(userId: UserId, profile: Profile): Promise<Place | null>
  close(): Promise<void>
}

/** Opens the changes to profiles of a node. */
export function openProfileChanges(journal: Journal, everyMs: number): ProfileChanges {
  const coalescer = new Coalescer(everyMs, async (userId: UserId, profiles: readonly Profile[]) => {
    const place = await write(journal, userId, Object.assign({}, ...profiles))
    return profiles.map(() => place)
  })
  return {
    add: (userId, profile) => coalescer.add(userId, userId, profile),
    close: () => coalescer.close(),
  }
}

async function write(journal: Journal, userId: UserId, { displayName, bio, avatarId }: Profile): Promise<Place | null> {
  const { place } = await journal.writing(async (tx) => {
    const known = await lockUser(tx, userId)
    const data = {
      ...(displayName === undefined || displayName === known.displayName ? {} : { displayName, ...searchedAs(displayName) }),
      ...(bio === undefined || bio === known.bio ? {} : { bio }),
      ...(avatarId === undefined || avatarId === known.avatarId ? {} : { avatarId }),
    }
    if (Object.keys(data).length === 0) return { result: undefined, facts: [] }
    await tx.user.update({ where: { id: userId }, data })
    if (data.avatarId !== undefined) await retireAvatar(tx, known.avatarId)
    return { result: undefined, facts: userUpdated(userId, await findHearers(tx, userId)) }
  })
  return place
}
