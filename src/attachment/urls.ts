// Signs the URLs of files. Who has such a URL may use it, so only those who may see a file are given one. A download's URL is the
// same for everybody within a slot of 15 minutes, so that one execution of an event serves all, and a CDN can keep the file.

import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { type AttachmentId, encodeId, findId } from '../id.ts'
import type { Key, Keys } from '../keys.ts'

/** How long the same URL is given out, in milliseconds. It works in its slot and in the next one. */
export const slotMs = 900_000

/** Where the files of a node are. Under `uploads/` clients send bytes. */
export const filesPath = '/files/'
const uploadsPath = `${filesPath}uploads/`

/** A signed URL, and until when it works, in milliseconds since 1970. */
export type SignedUrl = { readonly url: string; readonly expiresAt: number }

/** What a request for a file asks for, if its URL is valid. `variant` is the name of a smaller picture, or `full`. */
export type FileRequest =
  | { readonly type: 'download'; readonly attachmentId: AttachmentId; readonly variant: string; readonly expiresAt: number }
  | { readonly type: 'upload'; readonly attachmentId: AttachmentId }

/** The name of the file itself in a URL, beside those of its smaller pictures. */
export const fullVariant = 'full'

/** Signs and checks the URLs of files. */
export class FileUrls {
  readonly #keys: Keys
  readonly #baseUrl: string
  readonly #clock: Clock

  /** @param baseUrl the beginning of all download URLs; empty for URLs that begin with a slash */
  constructor(keys: Keys, baseUrl: string, clock: Clock) {
    this.#keys = keys
    this.#baseUrl = baseUrl
    this.#clock = clock
  }

  /** When the slot ends in which `download` returns the same URLs, in milliseconds since 1970. */
  slotEndsAt(): number {
    return (this.#slot() + 1) * slotMs
  }

  download(id: AttachmentId, variant: string): SignedUrl {
    const slot = this.#slot()
    const path = `${filesPath}${encodeId('Attachment', id)}/${variant}`
    const signature = sign(this.#keys[0], `${path} ${slot}`)
    return { url: `${this.#baseUrl}${path}?slot=${slot}&signature=${signature}`, expiresAt: endOf(slot) }
  }

  /** The URL for the bytes of an upload, on any node. @param expiresAt in milliseconds since 1970 */
  upload(id: AttachmentId, expiresAt: number): string {
    const path = `${uploadsPath}${encodeId('Attachment', id)}`
    const until = Math.floor(expiresAt / 1_000)
    return `${path}?until=${until}&signature=${sign(this.#keys[0], `${path} ${until}`)}`
  }

  /** What a URL asks for; null if it is not signed by this installation, or expired. */
  read(url: string): FileRequest | null {
    const [path = '', query = ''] = url.split('?', 2)
    const given = new URLSearchParams(query)
    const isUpload = path.startsWith(uploadsPath)
    const number = given.get(isUpload ? 'until' : 'slot') ?? ''
    const [id = '', variant, ...rest] = path.slice((isUpload ? uploadsPath : filesPath).length).split('/')
    const found = findId(id)
    const attachmentId = found?.type === 'Attachment' ? (found.numbers[0] as AttachmentId) : null
    if (attachmentId === null || rest.length > 0 || !/^\d{1,12}$/.test(number)) return null
    if (!this.#isSigned(`${path} ${number}`, given.get('signature') ?? '')) return null
    if (isUpload) return Number(number) * 1_000 > this.#clock.now() ? { type: 'upload', attachmentId } : null
    const expiresAt = endOf(Number(number))
    return variant !== undefined && expiresAt > this.#clock.now() ? { type: 'download', attachmentId, variant, expiresAt } : null
  }

  #slot(): number {
    return Math.floor(this.#clock.now() / slotMs)
  }

  #isSigned(text: string, signature: string): boolean {
    const given = Buffer.from(signature, 'latin1')
    return this.#keys.some((key) => {
      const expected = Buffer.from(sign(key, text), 'latin1')
      return given.length === expected.length && timingSafeEqual(given, expected)
    })
  }
}

const endOf = (slot: number) => (slot + 2) * slotMs

/** 128 bits of an HMAC, in base64url. */
function sign({ files }: Key, text: string): string {
  return createHmac('sha256', files).update(text).digest().subarray(0, 16).toString('base64url')
}
