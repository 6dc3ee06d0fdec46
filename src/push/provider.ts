// What brings notifications to devices: Web Push, and the operator's own webhook. A provider knows how to send one notification
// to one device, and what the answer means; when, to whom and how often is not its business.

import type { Config } from '../config.ts'
import type { App } from '../parts.ts'
import { PrivateAddressError } from './addresses.ts'
import type { Poster, PushRequest, PushResponse } from './post.ts'

/** Where a device's notifications go. */
export type Registration = {
  readonly id: number
  readonly userId: number
  readonly sessionId: number
  readonly provider: 'WEB_PUSH' | 'WEBHOOK'
  readonly platform: string
  readonly endpoint: string
  readonly p256dh: string
  readonly auth: string
}

/** A notification on its way to one device. */
export type Notification = {
  /** The same at each attempt, so that whoever gets it twice can tell. */
  readonly id: string
  /** JSON, at most 3,993 bytes: what is left of 4,096 when it is encrypted. */
  readonly payload: string
  /** Of those with one topic a push service keeps the newest for a device that is away. null: it stands for itself. */
  readonly topic: string | null
  readonly ttlS: number
  readonly urgency: 'low' | 'normal' | 'high'
}

/** What became of one attempt. `error` is for operators: it never holds an address or a key. */
export type PushResult =
  | { readonly type: 'SENT' }
  /** The service knows the device no longer: forget it. */
  | { readonly type: 'GONE' }
  /** It will never take this one. */
  | { readonly type: 'REFUSED'; readonly error: string }
  /** It may take it later. `afterMs` where it said when. `isOfService`: others would fare alike. */
  | { readonly type: 'LATER'; readonly error: string; readonly afterMs: number | null; readonly isOfService: boolean }

/** A way to devices. */
export type Provider = {
  /** Tries once, within the time of one request. Never rejects. */
  send(registration: Registration, notification: Notification): Promise<PushResult>
  close(): void
}

/** Whether this server has such a way. */
export function isOffered({ vapid, config }: App, provider: Registration['provider']): boolean {
  return (provider === 'WEB_PUSH' ? vapid : config.push.webhook) !== null
}

/** What may be slow or away as a whole, and is the way to this device: the origin of its push service. */
export function serviceOf({ push }: Config, { provider, endpoint }: Pick<Registration, 'provider' | 'endpoint'>): string {
  return provider === 'WEB_PUSH' ? new URL(endpoint).origin : (push.webhook?.url.origin ?? 'none')
}

/** Sends a request, and says what its answer means. */
export async function attempt(poster: Poster, url: URL, message: () => PushRequest): Promise<PushResult> {
  try {
    return judge(await poster.post(url, message()))
  } catch (error) {
    if (error instanceof PrivateAddressError) return { type: 'REFUSED', error: error.message }
    const { name, code } = error as { name?: string; code?: string }
    // Not the message: it may name the address.
    const what = name === 'TimeoutError' || name === 'AbortError' ? 'no answer in time' : (code ?? name ?? 'unknown')
    return { type: 'LATER', error: `the request failed: ${what}`, afterMs: null, isOfService: true }
  }
}

function judge({ status, retryAfterMs }: PushResponse): PushResult {
  if (status >= 200 && status < 300) return { type: 'SENT' }
  if (status === 404 || status === 410) return { type: 'GONE' }
  const error = `the service answered ${status}`
  if (status === 429) return { type: 'LATER', error, afterMs: retryAfterMs, isOfService: false }
  if (status === 408 || status >= 500) return { type: 'LATER', error, afterMs: retryAfterMs, isOfService: true }
  return { type: 'REFUSED', error }
}
