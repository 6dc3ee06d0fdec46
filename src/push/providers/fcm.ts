// Firebase Cloud Messaging, HTTP v1: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages. The service account signs
// a JWT (RFC 7523), for which Google's server gives an access token; that is kept until it expires.

import { importPKCS8, SignJWT } from 'jose'
import { z } from 'zod'
import type { FcmSettings } from '../../config/config.ts'
import { readText } from '../../response-text.ts'
import { leasedWorkMs } from '../../store/workers.ts'
import type { Payload } from '../payload.ts'
import { failed, type Provider, type PushResult } from './provider.ts'

const scope = 'https://www.googleapis.com/auth/firebase.messaging'
const grant = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
/** How long before it expires a token is replaced. */
const marginMs = 60_000
const answerBytesMax = 16_384

const tokenForm = z.object({ access_token: z.string().min(1), expires_in: z.number().positive() })
/** Why FCM refuses a message: the code of its own, and which field is wrong. */
const errorForm = z.object({
  error: z.object({
    status: z.string().optional(),
    details: z
      .array(z.object({ errorCode: z.string().optional(), fieldViolations: z.array(z.object({ field: z.string() })).optional() }))
      .optional(),
  }),
})

/** Opens the provider. */
export function openFcm({ account, url }: FcmSettings): Provider {
  let token: Promise<{ text: string; until: number }> | null = null
  const accessToken = async (): Promise<string> => {
    const current = token
    const known = await current?.catch(() => null)
    if (known && Date.now() < known.until - marginMs) return known.text
    // Only the first of several that find it expired.
    if (token === current || token === null) token = fetchToken(account)
    return (await token).text
  }
  return {
    async send({ endpoint }, { payload, topic, ttlS, urgency }) {
      const body = JSON.stringify({ message: messageOf(endpoint, JSON.parse(payload) as Payload, topic, ttlS, urgency) })
      try {
        const response = await fetch(new URL(`/v1/projects/${account.projectId}/messages:send`, url), {
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization: `Bearer ${await accessToken()}` },
          body,
          redirect: 'error',
          signal: AbortSignal.timeout(leasedWorkMs),
        })
        const text = await readText(response, answerBytesMax)
        if (response.status === 401) token = null
        return judge(response.status, text, response.headers.get('retry-after'))
      } catch (error) {
        return failed(error)
      }
    },
    close: () => undefined,
  }
}

async function fetchToken({ email, privateKey, tokenUrl }: FcmSettings['account']) {
  const assertion = await new SignJWT({ scope })
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT' })
    .setIssuer(email)
    .setAudience(tokenUrl)
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(await importPKCS8(privateKey, 'RS256'))
  const response = await fetch(tokenUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ grant_type: grant, assertion }),
    redirect: 'error',
    signal: AbortSignal.timeout(leasedWorkMs),
  })
  if (!response.ok) throw new Error('the service account was refused')
  const { access_token: text, expires_in: seconds } = tokenForm.parse(JSON.parse(await readText(response, answerBytesMax)))
  return { text, until: Date.now() + seconds * 1_000 }
}

/** Data messages reach the app; with a `notification`, Android shows them itself. Values of data are strings. */
function messageOf(token: string, shown: Payload, topic: string | null, ttlS: number, urgency: string) {
  const data = Object.fromEntries(Object.entries(shown).map(([name, value]) => [name, String(value)]))
  const { kind, title = '', body = '', badge } = shown
  const tag = topic === null ? {} : { tag: topic }
  const android = {
    priority: urgency === 'low' ? 'NORMAL' : 'HIGH',
    ttl: `${ttlS}s`,
    ...(topic === null ? {} : { collapse_key: topic }),
  }
  if (kind === 'clear') return { token, data: { ...data, ...tag }, android }
  return {
    token,
    data: { ...data, ...tag },
    notification: { title, body },
    android: { ...android, notification: { ...tag, notification_count: badge } },
  }
}

function judge(status: number, text: string, retryAfter: string | null): PushResult {
  if (status === 200) return { type: 'SENT' }
  const { code, isToken } = readError(text)
  // A token of another project, and one that is none, never work again.
  if (status === 404 || code === 'UNREGISTERED' || code === 'SENDER_ID_MISMATCH' || isToken) return { type: 'GONE' }
  const error = `FCM answered ${status}${code === null ? '' : ` ${code}`}`
  const seconds = Number(retryAfter ?? Number.NaN)
  const afterMs = Number.isFinite(seconds) ? seconds * 1_000 : null
  if (status === 429) return { type: 'LATER', error, afterMs, isOfService: false }
  if (status === 401 || status === 408 || status >= 500) return { type: 'LATER', error, afterMs, isOfService: true }
  return { type: 'REFUSED', error }
}

function readError(text: string): { code: string | null; isToken: boolean } {
  try {
    const { error } = errorForm.parse(JSON.parse(text))
    const code = error.details?.find(({ errorCode }) => errorCode)?.errorCode ?? error.status ?? null
    const fields = error.details?.flatMap(({ fieldViolations }) => fieldViolations ?? []) ?? []
    return { code, isToken: fields.some(({ field }) => field === 'message.token') }
  } catch {
    return { code: null, isToken: false }
  }
}
