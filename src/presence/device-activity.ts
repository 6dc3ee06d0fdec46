// What a device does, as its connections report it. Pure. Times are those of a clock that only goes forward, in milliseconds.

import type { Lease } from '../bus/leases.ts'

/** After how long without use a device is idle, in milliseconds. */
export const idleAfterMs = 300_000

/** What one source reports of a device: one of its WebSockets; or its operations over HTTP, with the WebSockets that it lost. */
export type DeviceActivity =
  /** It has given no sign of life. */
  | { readonly state: 'SILENT' }
  /** It is connected, and its user has not used it yet. */
  | { readonly state: 'UNUSED'; readonly signAt: number }
  /** Its user has used it. */
  | { readonly state: 'IN_USE'; readonly signAt: number; readonly activeAt: number }
  /** Its user has used it, and is not at it any more. */
  | { readonly state: 'LEFT'; readonly signAt: number; readonly activeAt: number }

/** A source. `mayBegin`: it makes the device present, else it only keeps it present. */
export type ActivitySource = { activity: DeviceActivity; mayBegin: boolean }

/** What all sources of a device together report. */
export type DeviceSummary = Pick<Lease, 'state' | 'mayBegin'> & { readonly signAt: number; readonly activeAt: number | null }

/** The activity before the first sign of life. */
export const silent: DeviceActivity = { state: 'SILENT' }

/** The activity after a sign of life. */
export function alive(activity: DeviceActivity, now: number): DeviceActivity {
  return activity.state === 'SILENT' ? { state: 'UNUSED', signAt: now } : { ...activity, signAt: now }
}

/** The activity after the user has done something. */
export function used(now: number): DeviceActivity {
  return { state: 'IN_USE', signAt: now, activeAt: now }
}

/** The activity after the device has reported that nobody is using it. */
export function left(activity: DeviceActivity, now: number): DeviceActivity {
  return activity.state === 'IN_USE' ? { ...activity, state: 'LEFT', signAt: now } : alive(activity, now)
}

/** Whether the last sign of life of an activity is less than `ttlMs` ago. */
export function holds(activity: DeviceActivity, now: number, ttlMs: number): boolean {
  return activity.state !== 'SILENT' && activity.signAt + ttlMs > now
}

/** The activity of two sources as one, after the connection of `lost` is gone. What `kept` reports counts while it holds. */
export function merged(kept: DeviceActivity, lost: DeviceActivity, now: number, ttlMs: number): DeviceActivity {
  if (kept.state === 'SILENT') return lost
  if (lost.state === 'SILENT') return kept
  const signAt = Math.max(kept.signAt, lost.signAt)
  const activeAt = later(activeAtOf(kept), activeAtOf(lost))
  if (activeAt === null) return { state: 'UNUSED', signAt }
  const isInUse = lost.state === 'IN_USE' || (kept.state === 'IN_USE' && holds(kept, now, ttlMs))
  return { state: isInUse ? 'IN_USE' : 'LEFT', signAt, activeAt }
}

/** What the sources whose activity holds report together; null if there is none. */
export function summaryOf(sources: Iterable<ActivitySource>, now: number, ttlMs: number): DeviceSummary | null {
  let signAt: number | null = null
  let activeAt: number | null = null
  let [isOnline, mayBegin] = [false, false]
  for (const source of sources) {
    const { activity } = source
    if (activity.state === 'SILENT' || !holds(activity, now, ttlMs)) continue
    signAt = later(signAt, activity.signAt)
    activeAt = later(activeAt, activeAtOf(activity))
    isOnline ||= activity.state === 'IN_USE' && now - activity.activeAt < idleAfterMs
    mayBegin ||= source.mayBegin
  }
  return signAt === null ? null : { state: isOnline ? 'ONLINE' : 'IDLE', signAt, activeAt, mayBegin }
}

function activeAtOf(activity: DeviceActivity): number | null {
  return activity.state === 'IN_USE' || activity.state === 'LEFT' ? activity.activeAt : null
}

function later(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.max(one, other)
}
