// Files for tests, and the ways in which apps upload and load them.

import { randomUUID } from 'node:crypto'
import sharp from 'sharp'
import type { Device } from '../support/device.ts'
import { until } from '../support/until.ts'
import { CreateUpload, OneFile, SendFiles } from './documents.ts'

/** A file to upload. */
export type TestFile = { readonly name: string; readonly type: string; readonly bytes: Buffer }

/** A text. */
export const textFile = (text = 'hello, file', name = 'notes.txt'): TestFile => ({
  name,
  type: 'text/plain',
  bytes: Buffer.from(text),
})

/** A JPEG of noise, 640 by 480 when it is turned upright, that says where and how it was taken. */
export async function photo(name = 'holiday.jpg'): Promise<TestFile> {
  const noise = {
    width: 480,
    height: 640,
    channels: 3,
    noise: { type: 'gaussian', mean: 128, sigma: 40 },
    background: '#888',
  } as const
  const bytes = await sharp({ create: noise })
    .jpeg({ quality: 80 })
    .withExif({ IFD0: { Make: 'Parley Camera' }, IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '52/1 31/1 0/1' } })
    .withMetadata({ orientation: 6 })
    .toBuffer()
  return { name, type: 'image/jpeg', bytes }
}

/** A URL of an answer, as an app resolves it. */
export const resolved = (device: Device, url: string) => new URL(url, device.node.url).href

/** The input that announces a file. */
export const uploadOf = ({ name, type, bytes }: TestFile, purpose: 'MESSAGE' | 'AVATAR' = 'MESSAGE') => ({
  fileName: name,
  contentType: type,
  byteSize: bytes.length,
  purpose,
})

/** Begins an upload. */
export async function begin(device: Device, file: TestFile, purpose: 'MESSAGE' | 'AVATAR' = 'MESSAGE') {
  const input = uploadOf(file, purpose)
  const { createUpload } = await device.run(CreateUpload, { input })
  return createUpload
}

/** Sends bytes to an upload in one piece. */
export function put(
  device: Device,
  { url, headers }: { url: string; headers: unknown },
  bytes: Uint8Array<ArrayBuffer> | Buffer,
): Promise<Response> {
  return fetch(resolved(device, url), { method: 'PUT', headers: headers as Record<string, string>, body: new Uint8Array(bytes) })
}

/** Uploads a file. @returns the id of its attachment */
export async function upload(device: Device, file: TestFile, purpose: 'MESSAGE' | 'AVATAR' = 'MESSAGE'): Promise<string> {
  const { attachment, upload } = await begin(device, file, purpose)
  const response = await put(device, upload, file.bytes)
  if (response.status !== 204) throw new Error(`the upload was answered with ${response.status}: ${await response.text()}`)
  return attachment.id
}

/** Sends a message with files. */
export async function sendFiles(device: Device, conversationId: string, attachmentIds: readonly string[], text = '') {
  const input = { conversationId, clientMessageId: randomUUID(), text, attachmentIds }
  const { sendMessage } = await device.run(SendFiles, { input })
  return sendMessage
}

/** An attachment as a device sees it now; null if it does not. */
export async function fileOf(device: Device, id: string) {
  const { node } = await device.run(OneFile, { id })
  return node && 'fileName' in node ? node : null
}

/** An attachment, once it is no longer being processed. */
export async function processed(device: Device, id: string) {
  await until(
    'a file to be processed',
    async () => !['UPLOADING', 'PROCESSING'].includes((await fileOf(device, id))?.state ?? ''),
    30_000,
  )
  const file = await fileOf(device, id)
  if (!file) throw new Error('the file is gone')
  return file
}

/** Loads a file by its URL. */
export const load = (device: Device, url: string | null | undefined, headers: Record<string, string> = {}) =>
  fetch(resolved(device, url ?? 'missing:'), { headers })
