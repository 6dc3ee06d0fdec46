// The leases of an installation with a single process. They expire by the monotonic clock; when a user was active is wall-clock
// time in whole milliseconds, because it is published and stored.

import type { Clock } from '../clock.ts'
import type { SessionId, UserId } from '../id.ts'
import type { Bus } from './bus.ts'
import { type DeviceState, deviceStates, type LapsedDevice, type Leases, leasesMax, type PresentDevice } from './leases.ts'

type HeldLease = { readonly state: 'ONLINE' | 'IDLE'; readonly activeAt: number; readonly until: number }
type User = { readonly devices: Map<SessionId, HeldLease>; published: DeviceState }

/** Opens leases within this process. `topicOf` names the topic of a user. */
export function openMemoryLeases(bus: Bus, clock: Clock, topicOf: (userId: UserId) => string): Leases {
  const users = new Map<UserId, User>()

  function settle(userId: UserId, now: number, isFinal = false): LapsedDevice[] {
    const user = users.get(userId)
    if (!user) return []
    const lapsed: LapsedDevice[] = []
    let [best, activeAt] = [0, 0]
    for (const [deviceId, held] of user.devices) {
      activeAt = Math.max(activeAt, held.activeAt)
      if (held.until <= now) {
        user.devices.delete(deviceId)
        lapsed.push({ userId, deviceId, activeAt: held.activeAt })
      } else best = Math.max(best, deviceStates.indexOf(held.state))
    }
    const state = deviceStates[best] ?? 'OFFLINE'
    if (state !== user.published) bus.publish(topicOf(userId), [userId, best, activeAt, Number(isFinal)])
    user.published = state
    if (user.devices.size === 0) users.delete(userId)
    return lapsed
  }

  return {
    async renew(leases) {
      const [now, today] = [clock.monotonicMs(), clock.now()]
      for (const { userId, deviceId, state, activeAgoMs, lastsMs, mayBegin } of leases) {
        const user = users.get(userId) ?? { devices: new Map<SessionId, HeldLease>(), published: 'OFFLINE' }
        const held = user.devices.get(deviceId)
        if (!held && (!mayBegin || user.devices.size >= leasesMax)) continue
        const activeAt = Math.max(activeAgoMs === null ? 0 : Math.round(today - activeAgoMs), held?.activeAt ?? 0)
        users.set(userId, user)
        user.devices.set(deviceId, { state, activeAt, until: now + lastsMs })
      }
      return [...new Set(leases.map((lease) => lease.userId))].flatMap((userId) => settle(userId, now))
    },
    async end(userId, deviceId) {
      const held = users.get(userId)?.devices.get(deviceId)
      if (!held) return []
      users.get(userId)?.devices.set(deviceId, { ...held, until: Number.NEGATIVE_INFINITY })
      return settle(userId, clock.monotonicMs(), true)
    },
    async lapse() {
      const now = clock.monotonicMs()
      return [...users].flatMap(([userId, { devices }]) =>
        [...devices.values()].some(({ until }) => until <= now) ? settle(userId, now) : [],
      )
    },
    async read(userIds) {
      const now = clock.monotonicMs()
      const found = new Map<UserId, PresentDevice[]>()
      for (const userId of userIds) {
        const devices = [...(users.get(userId)?.devices ?? [])].flatMap(([deviceId, { state, activeAt, until }]) =>
          until > now ? [{ deviceId, state, activeAt }] : [],
        )
        if (devices.length > 0) found.set(userId, devices)
      }
      return found
    },
    onRestored() {},
    async close() {
      users.clear()
    },
  }
}
