// Providers, which bring notifications to devices: Web Push, FCM, APNs, and the notification webhook. A provider knows how to send one
// notification to one device and what the answer means; it does not decide when, to which users or how often.

import type { Config } from '../../config/config.ts'
import type { SessionId, UserId } from '../../id.ts'
import type { App } from '../../parts.ts'
import { PrivateAddressError } from './addresses.ts'
import type { Poster, PushRequest, PushResponse } from './post.ts'

/** The address for a device's notifications. */
export type Registration = {
  readonly id: number
  readonly userId: UserId
  readonly sessionId: SessionId
  readonly provider: 'WEB_PUSH' | 'FCM' | 'APNS' | 'WEBHOOK'
  readonly platform: string
  readonly endpoint: string
  readonly p256dh: string
  readonly auth: string
}

/** A notification on its way to one device. */
export type Notification = {
  /** The same at each attempt, so that a recipient can recognise a repeat. */
  readonly id: string
  /** JSON, at most 3,993 bytes: encryption adds the rest to 4,096. */
  readonly payload: string
  /** For a device that is away, a push service keeps only the newest notification of each topic; null: it replaces nothing. */
  readonly topic: string | null
  readonly ttlS: number
  readonly urgency: 'low' | 'normal' | 'high'
}

/** The result of one attempt. `error` is for operators: it never contains an address or a key. */
export type PushResult =
  | { readonly type: 'SENT' }
  /** The service no longer knows the device: forget it. */
  | { readonly type: 'GONE' }
  /** The service will never accept this notification. */
  | { readonly type: 'REFUSED'; readonly error: string }
  /** The service may accept it later, after `afterMs` if it said when. `isOfService`: other notifications would fail too. */
  | { readonly type: 'LATER'; readonly error: string; readonly afterMs: number | null; readonly isOfService: boolean }

/** A provider. */
export type Provider = {
  /** Tries once, within the time limit of one request. Never rejects. */
  send(registration: Registration, notification: Notification): Promise<PushResult>
  close(): void
}

/** Whether this server offers a provider. */
export function isOffered({ vapid, config }: App, provider: Registration['provider']): boolean {
  const { webhook, fcm, apns } = config.push
  return { WEB_PUSH: vapid, FCM: fcm, APNS: apns, WEBHOOK: webhook }[provider] !== null
}

/** The push service of a device, identified by its origin: it may be slow or away as a whole. */
export function serviceOf({ push }: Config, { provider, endpoint }: Pick<Registration, 'provider' | 'endpoint'>): string {
  if (provider === 'WEB_PUSH') return new URL(endpoint).origin
  const { webhook, fcm, apns } = push
  return { FCM: fcm, APNS: apns, WEBHOOK: webhook }[provider]?.url.origin ?? 'none'
}

/** Sends a request and interprets its answer. */
export async function attempt(poster: Poster, url: URL, message: () => PushRequest): Promise<PushResult> {
  try {
    return judge(await poster.post(url, message()))
  } catch (error) {
    return failed(error)
  }
}

/** The result of a request that got no answer. */
export function failed(error: unknown): PushResult {
  // Like a name that is unknown: who registered it must not learn from the answer what the names of this network are.
  if (error instanceof PrivateAddressError) return { type: 'LATER', error: error.message, afterMs: null, isOfService: true }
  const { name, code } = error as { name?: string; code?: string }
  // Not the error's message: it may contain the address.
  const what = name === 'TimeoutError' || name === 'AbortError' ? 'no answer in time' : (code ?? name ?? 'unknown')
  return { type: 'LATER', error: `the request failed: ${what}`, afterMs: null, isOfService: true }
}

function judge({ status, retryAfterMs }: PushResponse): PushResult {
  if (status >= 200 && status < 300) return { type: 'SENT' }
  if (status === 404 || status === 410) return { type: 'GONE' }
  const error = `the service answered ${status}`
  if (status === 429) return { type: 'LATER', error, afterMs: retryAfterMs, isOfService: false }
  if (status === 408 || status >= 500) return { type: 'LATER', error, afterMs: retryAfterMs, isOfService: true }
  return { type: 'REFUSED', error }
}
