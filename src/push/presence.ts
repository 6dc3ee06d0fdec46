// Reads the presence of users for notifications: the only use of presence in this folder.

import type { UserId } from '../id.ts'
import type { App } from '../parts.ts'
import { readPresenceSettings } from '../presence/tables.ts'
import type { Situation } from './decide.ts'

/** The presence of a user, as decisions need it. */
export type Whereabouts = Pick<Situation, 'devices' | 'isDoNotDisturb'>

/**
 * Reads the presence of users. While Redis is away, all devices count as offline: one notification too many is better than
 * none. Fails with the driver's error if Postgres does not answer.
 */
export async function readWhereabouts(app: App, userIds: readonly UserId[]): Promise<ReadonlyMap<UserId, Whereabouts>> {
  const present = app.presence.devices(userIds).catch((error: unknown) => {
    app.log.debug({ err: error }, 'presence could not be read: all devices count as offline')
    return new Map<UserId, never[]>()
  })
  const [settings, devices] = await Promise.all([readPresenceSettings(app.store.jobs.reader, userIds), present])
  return new Map(
    settings.map(({ userId, mode }) => {
      const near = (devices.get(userId) ?? []).map(({ deviceId, state }) => ({ sessionId: deviceId, state }))
      return [userId, { devices: near, isDoNotDisturb: mode === 'DO_NOT_DISTURB' }]
    }),
  )
}
