// Where people are, as far as notifications go: the one place of push that asks presence.

import type { App } from '../parts.ts'
import { readPresenceSettings } from '../presence/tables.ts'
import type { Situation } from './decide.ts'

/** Where somebody is. */
export type Whereabouts = Pick<Situation, 'devices' | 'isDoNotDisturb'>

/**
 * Where these people are. While Redis is away all devices are taken for offline: a notification too many is better than none.
 * Fails with the driver's error where Postgres does not answer.
 */
export async function readWhereabouts(app: App, userIds: readonly number[]): Promise<ReadonlyMap<number, Whereabouts>> {
  const present = app.presence.devices(userIds).catch((error: unknown) => {
    app.log.debug({ err: error }, 'who is there could not be read: all devices are taken for offline')
    return new Map<number, never[]>()
  })
  const [settings, devices] = await Promise.all([readPresenceSettings(app.store.jobs.reader, userIds), present])
  return new Map(
    settings.map(({ userId, mode }) => {
      const near = (devices.get(userId) ?? []).map(({ deviceId, state }) => ({ sessionId: deviceId, state }))
      return [userId, { devices: near, isDoNotDisturb: mode === 'DO_NOT_DISTURB' }]
    }),
  )
}
