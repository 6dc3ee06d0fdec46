// Presence actions: set the presence mode and the visibility of the last activity.

import type { Place } from '../journal/fact.ts'
import type { App } from '../parts.ts'
import type { Viewer } from '../viewer.ts'
import { presenceSettingsChanged } from './events.ts'
import type { LastActiveVisibility, PresenceMode } from './tables.ts'

/** Sets how the viewer appears to others. @returns the place of the fact; null if nothing changed */
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

/** Sets who can see when the viewer was last active. @returns the place of the fact; null if nothing changed */
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
