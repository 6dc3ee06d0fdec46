// A device as a node knows it, and when its lease is due. Times are monotonic, in milliseconds.

import type { Lease } from '../bus/leases.ts'
import type { SessionId, UserId } from '../id.ts'
import { type ActivitySource, holds, merged, summaryOf } from './device-activity.ts'

/** How often to renew a device that gives signs of life all the time, unless a sixth of the time that a sign lasts is shorter. */
const renewEveryMs = 5_000
/** The most often to renew a device whose state keeps changing. */
const changeEveryMs = 1_000

/** A device as a node knows it. */
export type Device = {
  readonly userId: UserId
  /** Its open WebSockets, and `others`. */
  readonly sources: ActivitySource[]
  /** Its operations over HTTP, and its lost WebSockets. */
  readonly others: ActivitySource
  /** The content of its lease; null if unknown. */
  reported: ReportedState | null
}
/** The last report, when it was made, and since when the state is the same. */
type ReportedState = Pick<Lease, 'state' | 'mayBegin'> & { readonly signAt: number; readonly at: number; readonly since: number }

/** Makes a device renew its lease whatever it last reported, because the lease may be lost. */
export function reportAgain(device: Device | undefined): void {
  if (device) device.reported = null
}

/** Removes a lost WebSocket, and merges its report into `others`. */
export function lose({ sources, others }: Device, source: ActivitySource, now: number, ttlMs: number): void {
  if (source === others) return
  remove(sources, source)
  others.activity = merged(others.activity, source.activity, now, ttlMs)
  others.mayBegin ||= source.mayBegin
}

function remove(sources: ActivitySource[], source: ActivitySource): void {
  const index = sources.indexOf(source)
  if (index >= 0) sources.splice(index, 1)
}

/** The lease to renew for a device now; null if there is nothing to renew. */
export function leaseOf(deviceId: SessionId, device: Device, now: number, ttlMs: number): Lease | null {
  const { userId, sources, others, reported } = device
  for (let i = sources.length - 1; i >= 0; i -= 1) {
    const source = sources[i]
    if (source && source !== others && !holds(source.activity, now, ttlMs)) sources.splice(i, 1)
  }
  const summary = summaryOf(sources, now, ttlMs)
  if (!summary) return null
  const { state, signAt, activeAt, mayBegin } = summary
  // A lease without `mayBegin` may have had no effect, so the first one with it does not wait.
  const begins = mayBegin && reported?.mayBegin === false
  if (reported && !begins && state === reported.state) {
    if (now - reported.at < Math.min(renewEveryMs, ttlMs / 6) || signAt === reported.signAt) return null
  } else if (reported && !begins && now - reported.since < changeEveryMs) return null
  device.reported = { state, mayBegin, signAt, at: now, since: state === reported?.state ? reported.since : now }
  const activeAgoMs = activeAt === null ? null : now - activeAt
  return { userId, deviceId, state, activeAgoMs, lastsMs: signAt + ttlMs - now, mayBegin }
}
