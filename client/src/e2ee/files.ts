// Files of encrypted messages. Each is encrypted on the device under a key of its own, which travels in the message. A key is used for one
// file and never again, so the nonce may be constant.

import { areEqual, fromBase64, ownBytes, toBase64 } from './bytes.ts'
import type { SealedFile } from './content.ts'
import { encryptionFailure } from './suite.ts'

const nonce = new Uint8Array(12)
const keyBytes = 32
/** What AES-GCM adds to a file, in bytes. */
const tagBytes = 16

/** A file before it is encrypted, with what an app knows of it. */
export type FileToSeal = Pick<SealedFile, 'fileName' | 'width' | 'height' | 'durationMs'> & {
  readonly blob: Blob
  readonly contentType?: string
}

/** The name and type under which the server gets an encrypted file: the true ones are in the message. */
export const sealedName = { fileName: 'encrypted', contentType: 'application/octet-stream' } as const

/** Encrypts a file. The whole file is in memory meanwhile. @returns the bytes to upload, and what the message says of them */
export async function sealFile(file: FileToSeal): Promise<{ blob: Blob; sealed: SealedFile }> {
  const { blob, fileName, contentType = blob.type || sealedName.contentType, width, height, durationMs } = file
  const raw = crypto.getRandomValues(new Uint8Array(keyBytes))
  const key = await crypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['encrypt'])
  const bytes = await crypto.subtle.encrypt({ name: 'AES-GCM', iv: nonce }, key, await blob.arrayBuffer())
  const sha256 = toBase64(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))
  const sealed: SealedFile = {
    ...{ fileName, contentType, byteSize: blob.size, key: toBase64(raw), sha256 },
    ...(width === undefined ? {} : { width }),
    ...(height === undefined ? {} : { height }),
    ...(durationMs === undefined ? {} : { durationMs }),
  }
  return { blob: new Blob([bytes], { type: sealedName.contentType }), sealed }
}

/** Decrypts the bytes of a file. @throws ParleyFailure `ENCRYPTION_FAILED` if they are not those that were sent */
export async function openFile(bytes: Uint8Array, { key, sha256, byteSize, contentType }: SealedFile): Promise<Blob> {
  const owned = ownBytes(bytes)
  const found = new Uint8Array(await crypto.subtle.digest('SHA-256', owned))
  const isSent = owned.length === byteSize + tagBytes && areEqual(found, fromBase64(sha256))
  if (!isSent) throw encryptionFailure('The file is not the one that was sent.')
  try {
    const imported = await crypto.subtle.importKey('raw', fromBase64(key), 'AES-GCM', false, ['decrypt'])
    return new Blob([await crypto.subtle.decrypt({ name: 'AES-GCM', iv: nonce }, imported, owned)], { type: contentType })
  } catch (error) {
    throw encryptionFailure('The file cannot be decrypted.', error)
  }
}
