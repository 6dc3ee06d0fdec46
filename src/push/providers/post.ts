// Sends one request to a push service or to the operator's webhook within bounds: time, size of the answer, no redirects, and
// the addresses that `addresses.ts` allows. Neither log lines nor errors contain an address, a key or a body.

import http from 'node:http'
import https from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { leasedWorkMs } from '../../store/workers.ts'
import { confinedLookup, hostOf, PrivateAddressError } from './addresses.ts'

/** The answer of a service. */
export type PushResponse = {
  readonly status: number
  /** How long the service asks to wait, in milliseconds; null if it does not say. */
  readonly retryAfterMs: number | null
}

/** A request to send. */
export type PushRequest = { readonly headers: Readonly<Record<string, string | number>>; readonly body: Buffer }

/** Sends requests, and keeps connections open for later requests. */
export type Poster = {
  /** @throws PrivateAddressError; the error of the connection; AbortError after `requestMs` */
  post(url: URL, message: PushRequest): Promise<PushResponse>
  close(): void
}

/** The time limit for a request, from the look-up of the name to the last byte of the answer. */
const requestMs = leasedWorkMs
const answerBytesMax = 16_384
/** The most concurrent connections to one service. */
const socketsMax = 64
const agentOptions = { keepAlive: true, maxSockets: socketsMax, maxFreeSockets: 16, timeout: requestMs }
const retryAfterMaxMs = 24 * 3_600_000

/** Opens a poster. It sends only to addresses that are allowed; null: to all. */
export function openPoster(isAllowed: ((address: string) => boolean) | null): Poster {
  const lookup: { lookup?: LookupFunction } = isAllowed ? { lookup: confinedLookup(isAllowed) } : {}
  const agents = {
    'http:': new http.Agent({ ...agentOptions, ...lookup }),
    'https:': new https.Agent({ ...agentOptions, ...lookup }),
  }
  return {
    async post(url, { headers, body }) {
      const host = hostOf(url)
      if (isAllowed && isIP(host) !== 0 && !isAllowed(host)) throw new PrivateAddressError()
      const isSecure = url.protocol === 'https:'
      const options = {
        method: 'POST',
        agent: agents[isSecure ? 'https:' : 'http:'],
        headers: { ...headers, 'content-length': body.length },
        maxHeaderSize: answerBytesMax,
        signal: AbortSignal.timeout(requestMs),
      }
      return new Promise((resolve, reject) => {
        // The promise takes the first outcome and ignores the others.
        const request = (isSecure ? https : http).request(url, options, (response) => {
          let bytes = 0
          response.on('data', (chunk: Buffer) => {
            bytes += chunk.length
            // The body is not used: if it is too long, cut it off and take the status.
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
          response.once('aborted', () => reject(new Error('the answer was cut off')))
        })
        request.once('error', reject)
        // After an upgrade, Node.js emits neither a response nor an error.
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

/** Parses a `Retry-After` (RFC 9110, 10.2.3), seconds or a date, into at most a day; null if it is absent or malformed. */
export function parseRetryAfter(text: string | undefined, now: number): number | null {
  if (text === undefined) return null
  const ms = /^\d{1,10}$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - now
  return Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), retryAfterMaxMs)
}
