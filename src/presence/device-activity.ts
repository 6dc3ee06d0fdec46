// The activity of a device, as its connections report it. Pure. Times are monotonic, in milliseconds.

import type { Lease } from '../bus/leases.ts'

/** How long a device must be unused to be idle, in milliseconds. */
export const idleAfterMs = 300_000

/** The report of one source about a device: one of its WebSockets, or its HTTP operations together with its lost WebSockets. */
export type DeviceActivity =
  /** The device has given no sign of life. */
  | { readonly state: 'SILENT' }
  /** The device is connected, and its user has not used it yet. */
  | { readonly state: 'UNUSED'; readonly signAt: number }
  /** The user has used the device. */
  | { readonly state: 'IN_USE'; readonly signAt: number; readonly activeAt: number }
  /** The user has used the device, and has left it since. */
  | { readonly state: 'LEFT'; readonly signAt: number; readonly activeAt: number }

/** A source. With `mayBegin`, it makes the device present; otherwise it only keeps it present. */
export type ActivitySource = { activity: DeviceActivity; mayBegin: boolean }

/** The combined report of all sources of a device. */
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

/** Merges the activity of a lost connection into that of another source. The report of `kept` counts while it holds. */
export function merged(kept: DeviceActivity, lost: DeviceActivity, now: number, ttlMs: number): DeviceActivity {
  if (kept.state === 'SILENT') return lost
  if (lost.state === 'SILENT') return kept
  const signAt = Math.max(kept.signAt, lost.signAt)
  const activeAt = later(activeAtOf(kept), activeAtOf(lost))
  if (activeAt === null) return { state: 'UNUSED', signAt }
  const isInUse = lost.state === 'IN_USE' || (kept.state === 'IN_USE' && holds(kept, now, ttlMs))
  return { state: isInUse ? 'IN_USE' : 'LEFT', signAt, activeAt }
}

/** Combines the reports of the sources whose activity holds; null if there are none. */
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
