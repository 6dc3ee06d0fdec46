// The Apple Push Notification service, over HTTP/2 with a provider token:
// https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns. The token is signed with the key of
// the team; Apple refuses one that is older than an hour, or that changes more than once in 20 minutes.

import { createHash } from 'node:crypto'
import http2, { type ClientHttp2Session } from 'node:http2'
import { importPKCS8, SignJWT } from 'jose'
import type { ApnsSettings } from '../../config/config.ts'
import { leasedWorkMs } from '../../store/workers.ts'
import type { Payload } from '../payload.ts'
import { failed, type Provider, type PushResult } from './provider.ts'

const tokenMs = 40 * 60_000
const answerBytesMax = 4_096

/** Opens the provider. One connection carries all notifications. */
export function openApns(settings: ApnsSettings): Provider {
  const { url, topic: bundleId } = settings
  let session: ClientHttp2Session | null = null
  let token: { readonly text: Promise<string>; readonly until: number } | null = null
  const providerToken = (): Promise<string> => {
    if (!token || Date.now() > token.until) token = { text: sign(settings), until: Date.now() + tokenMs }
    return token.text
  }
  const connected = (): ClientHttp2Session => {
    if (session && !session.closed && !session.destroyed) return session
    const opened = http2.connect(url)
    const forget = () => {
      if (session === opened) session = null
    }
    // The error comes to each request as well.
    opened.on('error', forget)
    opened.on('goaway', forget)
    opened.on('close', forget)
    opened.setTimeout(10 * 60_000, () => opened.close())
    opened.unref()
    session = opened
    return opened
  }
  return {
    async send({ endpoint }, { id, payload, topic, ttlS, urgency }) {
      const shown = JSON.parse(payload) as Payload
      const isQuiet = shown.kind === 'clear'
      try {
        const headers = {
          ':method': 'POST',
          ':path': `/3/device/${encodeURIComponent(endpoint)}`,
          authorization: `bearer ${await providerToken()}`,
          'apns-id': uuidOf(id),
          'apns-topic': bundleId,
          // What changes the badge is of this type, too: one of the type `background` may have no badge.
          'apns-push-type': 'alert',
          'apns-priority': isQuiet || urgency === 'low' ? '5' : '10',
          'apns-expiration': String(Math.floor(Date.now() / 1_000) + ttlS),
          // Something that shows nothing must not take the place of what is shown.
          ...(topic === null || isQuiet ? {} : { 'apns-collapse-id': topic }),
        }
        const { status, text } = await request(connected(), headers, JSON.stringify(bodyOf(shown)))
        const result = judge(status, reasonOf(text))
        if (status === 403) token = null
        return result
      } catch (error) {
        return failed(error)
      }
    },
    close() {
      session?.close()
    },
  }
}

async function sign({ key, keyId, teamId }: ApnsSettings): Promise<string> {
  const signer = new SignJWT({}).setProtectedHeader({ alg: 'ES256', kid: keyId }).setIssuer(teamId).setIssuedAt()
  return signer.sign(await importPKCS8(key, 'ES256'))
}

/** The same id at each attempt, in the form of a UUID. */
function uuidOf(id: string): string {
  const hex = createHash('sha256').update(id).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

function bodyOf({ kind, title = '', body, badge, conversationId, ...others }: Payload) {
  const parley = { kind, ...(conversationId === undefined ? {} : { conversationId }), ...others }
  if (kind === 'clear') return { aps: { 'content-available': 1, badge }, parley }
  const alert = { title, ...(body === undefined ? {} : { body }) }
  const thread = conversationId === undefined ? {} : { 'thread-id': conversationId }
  return { aps: { alert, badge, sound: 'default', 'mutable-content': 1, ...thread }, parley }
}

function request(session: ClientHttp2Session, headers: http2.OutgoingHttpHeaders, body: string) {
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    const stream = session.request(headers, { signal: AbortSignal.timeout(leasedWorkMs) })
    let status = 0
    let text = ''
    stream.setEncoding('utf8')
    stream.on('response', (answer) => {
      status = Number(answer[':status'])
    })
    stream.on('data', (chunk: string) => {
      text = (text + chunk).slice(0, answerBytesMax)
    })
    stream.once('end', () => (status === 0 ? reject(new Error('no answer')) : resolve({ status, text })))
    stream.once('error', reject)
    stream.once('close', () => reject(new Error('the connection ended without an answer')))
    stream.end(body)
  })
}

function reasonOf(text: string): string | null {
  try {
    const { reason } = JSON.parse(text) as { reason?: unknown }
    return typeof reason === 'string' ? reason.slice(0, 100) : null
  } catch {
    return null
  }
}

/** Reasons that a device token never works again for this app. */
const goneReasons: ReadonlySet<string | null> = new Set([
  'BadDeviceToken',
  'DeviceTokenNotForTopic',
  'Unregistered',
  'ExpiredToken',
])
/** Reasons that another provider token may work. */
const tokenReasons: ReadonlySet<string | null> = new Set(['ExpiredProviderToken', 'InvalidProviderToken'])

function judge(status: number, reason: string | null): PushResult {
  if (status === 200) return { type: 'SENT' }
  if (status === 410 || goneReasons.has(reason)) return { type: 'GONE' }
  const error = `APNs answered ${status}${reason === null ? '' : ` ${reason}`}`
  if (status === 429) return { type: 'LATER', error, afterMs: null, isOfService: reason !== 'TooManyRequests' }
  if (status >= 500 || tokenReasons.has(reason)) return { type: 'LATER', error, afterMs: null, isOfService: true }
  return { type: 'REFUSED', error }
}
