// One request to a push service or to the operator's webhook, with all of its bounds: time, size of the answer, no redirects,
// addresses as `addresses.ts` lets them be. Neither its log lines nor its errors hold an address, a key or a body.

import http from 'node:http'
import https from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { hostOf, isPublic, PrivateAddressError, publicLookup } from './addresses.ts'

/** What a service answered. */
export type PushResponse = {
  readonly status: number
  /** How long it wants to be left alone, in milliseconds; null where it does not say. */
  readonly retryAfterMs: number | null
}

/** What is sent. */
export type PushRequest = { readonly headers: Readonly<Record<string, string | number>>; readonly body: Buffer }

/** Sends requests over connections that are kept for the next ones. */
export type Poster = {
  /** @throws PrivateAddressError; the error of the connection; AbortError after the time that a request may take */
  post(url: URL, message: PushRequest): Promise<PushResponse>
  close(): void
}

/** How long one request may take, from the look-up of the name to the last byte of the answer. */
export const requestMs = 10_000
const answerBytesMax = 16_384
/** Connections to one service at once. */
const socketsMax = 64
const agentOptions = { keepAlive: true, maxSockets: socketsMax, maxFreeSockets: 16, timeout: requestMs }
const retryAfterMaxMs = 24 * 3_600_000

/** Opens a poster. `isConfined`: to public addresses alone. */
export function openPoster(isConfined: boolean): Poster {
  const lookup: { lookup?: LookupFunction } = isConfined ? { lookup: publicLookup } : {}
  const agents = {
    'http:': new http.Agent({ ...agentOptions, ...lookup }),
    'https:': new https.Agent({ ...agentOptions, ...lookup }),
  }
  return {
    async post(url, { headers, body }) {
      const host = hostOf(url)
      if (isConfined && isIP(host) !== 0 && !isPublic(host)) throw new PrivateAddressError()
      const isSecure = url.protocol === 'https:'
      const options = {
        method: 'POST',
        agent: agents[isSecure ? 'https:' : 'http:'],
        headers: { ...headers, 'content-length': body.length },
        maxHeaderSize: answerBytesMax,
        signal: AbortSignal.timeout(requestMs),
      }
      return new Promise((resolve, reject) => {
        // Whatever is settled first counts.
        const request = (isSecure ? https : http).request(url, options, (response) => {
          let bytes = 0
          response.on('data', (chunk: Buffer) => {
            bytes += chunk.length
            // What it says is not read; a service that says so much is cut off, and its status counts.
            if (bytes > answerBytesMax) finish()
          })
          const finish = () => {
            if (!response.complete) request.destroy()
            resolve({
              status: response.statusCode ?? 0,
              retryAfterMs: parseRetryAfter(response.headers['retry-after'], Date.now()),
            })
          }
          response.once('end', finish)
          response.once('error', reject)
          response.once('aborted', () => reject(new Error('the answer broke off')))
        })
        request.once('error', reject)
        // A service that changes the protocol gives no answer: neither a response nor an error comes of it.
        request.once('upgrade', (_response, socket) => {
          socket.destroy()
          reject(new Error('the service changed the protocol'))
        })
        request.once('close', () => reject(new Error('the connection ended without an answer')))
        request.end(body)
      })
    },
    close() {
      for (const agent of Object.values(agents)) agent.destroy()
    },
  }
}

/** What a `Retry-After` asks for (RFC 9110, 10.2.3): seconds, or a date. At most a day; null for none, or nonsense. */
export function parseRetryAfter(text: string | undefined, now: number): number | null {
  if (text === undefined) return null
  const ms = /^\d{1,10}$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - now
  return Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), retryAfterMaxMs)
}
