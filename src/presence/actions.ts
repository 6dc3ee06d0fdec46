// What one chooses to show of one's presence.

import type { Place } from '../journal/fact.ts'
import type { App } from '../parts.ts'
import type { Viewer } from '../viewer.ts'
import { presenceSettingsChanged } from './events.ts'
import type { LastActiveVisibility, PresenceMode } from './tables.ts'

/** Chooses what to be seen as. @returns the place of the fact; null where it was so already */
export async function setPresenceMode(by: Viewer, presenceMode: PresenceMode, app: App): Promise<Place | null> {
  const { place } = await app.journal.writing(async (tx) => {
    const { count } = await tx.user.updateMany({
      where: { id: by.userId, deletedAt: null, presenceMode: { not: presenceMode } },
      data: { presenceMode, presenceModeAt: new Date(app.clock.now()) },
    })
    return { result: undefined, facts: count === 0 ? [] : [presenceSettingsChanged(by.userId)] }
  })
  return place
}

/** Chooses who may know when one was last active. @returns the place of the fact; null where it was so already */
export async function setLastActiveVisibility(
  by: Viewer,
  lastActiveVisibility: LastActiveVisibility,
  app: App,
): Promise<Place | null> {
  const { place } = await app.journal.writing(async (tx) => {
    const { count } = await tx.user.updateMany({
      where: { id: by.userId, deletedAt: null, lastActiveVisibility: { not: lastActiveVisibility } },
      data: { lastActiveVisibility },
    })
    return { result: undefined, facts: count === 0 ? [] : [presenceSettingsChanged(by.userId)] }
  })
  return place
}
