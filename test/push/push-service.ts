// A push service on loopback, written from the RFCs and not from the library that Parley uses: it decrypts aes128gcm (RFC 8188,
// RFC 8291) with node:crypto, and verifies the VAPID token (RFC 8292). A test can make it answer with any status, late, or
// never.

import { createDecipheriv, createECDH, createHmac, createPublicKey, type ECDH, randomBytes, verify } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Device, request } from '../support/device.ts'
import { closeAtEnd } from '../support/node.ts'
import { until } from '../support/until.ts'
import { RegisterPushSubscription } from './documents.ts'

/** The payload as a service worker gets it. */
export type Payload = {
  readonly kind: 'message' | 'clear' | 'test'
  readonly id: string
  readonly title?: string
  readonly body?: string
  readonly conversationId?: string
  readonly messageId?: string
  readonly badge: number
}

/** A received push. */
export type Push = {
  readonly payload: Payload
  readonly headers: IncomingMessage['headers']
  /** The verified claims of the VAPID token. */
  readonly claims: { readonly aud: string; readonly exp: number; readonly sub: string }
  readonly bytes: number
  /** Milliseconds since 1970. */
  readonly at: number
}

/** How a subscription answers: with a status, after a delay, with headers; or (null) never. */
export type Behaviour = { status: number; delayMs?: number; headers?: Record<string, string>; body?: string } | null

const hkdf = (salt: Buffer, key: Buffer, info: Buffer, length: number) => {
  const pseudo = createHmac('sha256', salt).update(key).digest()
  return createHmac('sha256', pseudo)
    .update(info)
    .update(Buffer.from([1]))
    .digest()
    .subarray(0, length)
}
const text = (value: string) => Buffer.from(`${value}\0`)

/** A browser with a subscription, and its private key. */
export class Subscription {
  readonly endpoint: string
  readonly pushes: Push[] = []
  /** When requests arrived, including those without a success. */
  readonly attempts: number[] = []
  behaviour: Behaviour = { status: 201 }
  /** How the next requests are answered. */
  readonly next: Behaviour[] = []
  readonly #ecdh: ECDH = createECDH('prime256v1')
  readonly #auth = randomBytes(16)

  constructor(endpoint: string) {
    this.endpoint = endpoint
    this.#ecdh.generateKeys()
  }

  /** What the browser gives to the app. */
  get input() {
    const p256dh = this.#ecdh.getPublicKey().toString('base64url')
    return { endpoint: this.endpoint, p256dh, auth: this.#auth.toString('base64url') }
  }

  /** The received titles, texts and kinds. */
  get shown(): string[] {
    return this.pushes.map(({ payload: { kind, title, body } }) => (kind === 'clear' ? 'clear' : `${title}|${body ?? ''}`))
  }

  /** Waits for this number of pushes. */
  async came(count: number, limitMs?: number): Promise<Push[]> {
    await until(`${count} pushes`, () => this.pushes.length >= count, limitMs)
    return this.pushes
  }

  /** Decrypts a body. Throws if it is not for this subscription. */
  decrypt(body: Buffer): Payload {
    const salt = body.subarray(0, 16)
    const recordSize = body.readUInt32BE(16)
    const keyLength = body.readUInt8(20)
    const senderKey = body.subarray(21, 21 + keyLength)
    const record = body.subarray(21 + keyLength)
    if (record.length > recordSize) throw new Error('more than one record')
    const shared = this.#ecdh.computeSecret(senderKey)
    const keyInfo = Buffer.concat([text('WebPush: info'), this.#ecdh.getPublicKey(), senderKey])
    const secret = hkdf(this.#auth, shared, keyInfo, 32)
    const key = hkdf(salt, secret, text('Content-Encoding: aes128gcm'), 16)
    const nonce = hkdf(salt, secret, text('Content-Encoding: nonce'), 12)
    const decipher = createDecipheriv('aes-128-gcm', key, nonce)
    decipher.setAuthTag(record.subarray(-16))
    const padded = Buffer.concat([decipher.update(record.subarray(0, -16)), decipher.final()])
    const end = padded.lastIndexOf(2)
    if (end < 0) throw new Error('no delimiter of the last record')
    return JSON.parse(padded.subarray(0, end).toString()) as Payload
  }
}

/** A push service. */
export class PushService {
  readonly origin: string
  readonly faults: string[] = []
  readonly #subscriptions = new Map<string, Subscription>()

  private constructor(origin: string) {
    this.origin = origin
  }

  static async open(): Promise<PushService> {
    const server = createServer((incoming, response) => {
      service.#take(incoming, response).catch((error: unknown) => {
        service.faults.push(String(error))
        response.writeHead(400).end()
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const service = new PushService(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    closeAtEnd(async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    })
    return service
  }

  /** A new subscription that no device has registered. */
  subscription(): Subscription {
    const made = new Subscription(`${this.origin}/push/${randomBytes(12).toString('hex')}`)
    this.#subscriptions.set(new URL(made.endpoint).pathname, made)
    return made
  }

  /** A new subscription, registered by this device. */
  async subscribe(device: Device): Promise<Subscription> {
    const made = this.subscription()
    const { errors } = await request(device.node.url, RegisterPushSubscription, { input: made.input }, device.accessToken)
    if (errors[0]) throw new Error(errors[0].message)
    return made
  }

  async #take(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const subscription = this.#subscriptions.get(incoming.url ?? '')
    const at = Date.now()
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    if (!subscription) return void response.writeHead(404).end()
    subscription.attempts.push(at)
    const behaviour = subscription.next.length > 0 ? (subscription.next.shift() as Behaviour) : subscription.behaviour
    if (behaviour === null) return
    if (behaviour.delayMs) await new Promise((resolve) => setTimeout(resolve, behaviour.delayMs))
    if (behaviour.status === 201) {
      const claims = this.#verify(incoming)
      subscription.pushes.push({ payload: subscription.decrypt(body), headers: incoming.headers, claims, bytes: body.length, at })
    }
    response.writeHead(behaviour.status, behaviour.headers).end(behaviour.body)
  }

  /** The claims of the token. Throws unless it is signed by the key beside it, for this service, and still valid. */
  #verify({ headers }: IncomingMessage): Push['claims'] {
    const [, token = '', key = ''] = /^vapid t=([^,]+), ?k=(.+)$/.exec(headers.authorization ?? '') ?? []
    const point = Buffer.from(key, 'base64url')
    const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((part) => part.toString('base64url')) as [string, string]
    const publicKey = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' })
    const [head = '', claims = '', signature = ''] = token.split('.')
    const isSigned = verify(
      'sha256',
      Buffer.from(`${head}.${claims}`),
      { key: publicKey, dsaEncoding: 'ieee-p1363' },
      Buffer.from(signature, 'base64url'),
    )
    if (!isSigned) throw new Error('the VAPID token is not signed by its key')
    const claimed = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Push['claims']
    if (claimed.aud !== this.origin) throw new Error(`the VAPID token is for ${claimed.aud}`)
    const leftS = claimed.exp - Date.now() / 1_000
    if (leftS <= 0 || leftS > 24 * 3_600) throw new Error(`the VAPID token ends in ${leftS} s`)
    return claimed
  }
}
