// What an encrypted message says, once it is decrypted: JSON in UTF-8, with a version. It comes from another device, so it is parsed with
// care; what a newer version of the library says is kept as unknown.

import { bytesOf, textOfBytes } from './bytes.ts'
import { encryptionFailure } from './suite.ts'

/** Why a message cannot be read: sent before this device joined, or not genuine, or its keys are lost. */
export type UnreadableReason = 'BEFORE_JOINING' | 'NOT_GENUINE' | 'KEYS_LOST'

/** A file of an encrypted message. The server has only its encrypted bytes: the n-th file is the n-th attachment of the message. */
export type SealedFile = {
  readonly fileName: string
  readonly contentType: string
  /** Before the encryption. */
  readonly byteSize: number
  /** AES-GCM, 256 bits, in Base64. */
  readonly key: string
  /** SHA-256 of the encrypted bytes, in Base64. */
  readonly sha256: string
  readonly width?: number
  readonly height?: number
  readonly durationMs?: number
}

/** The content of an encrypted message. Messages are named by the ids of the server. */
export type EncryptedContent =
  | { readonly type: 'text'; readonly text: string; readonly replyToId?: string; readonly files?: readonly SealedFile[] }
  /** Replaces the text of an own message. */
  | { readonly type: 'edit'; readonly messageId: string; readonly text: string }
  /** Takes an own message back. */
  | { readonly type: 'deletion'; readonly messageId: string }
  | { readonly type: 'reaction'; readonly messageId: string; readonly emoji: string; readonly isAdded: boolean }

/** Content of a newer version: this one cannot show it. */
export type UnknownContent = { readonly type: 'unknown' }

const version = 1
/** The longest text in characters, and the most files: as in messages that are not encrypted. */
const textMax = 10_000
const filesMax = 10
const emojiMax = 64

/** The bytes of content. @throws ParleyFailure `ENCRYPTION_FAILED` if it is not valid */
export function encodeContent(content: EncryptedContent): Uint8Array {
  const isEmpty = content.type === 'text' && content.text.trim() === '' && !content.files?.length
  if (isEmpty) throw wrong('text', 'is empty')
  const bytes = bytesOf(JSON.stringify({ version, ...content }))
  decodeContent(bytes)
  return bytes
}

/** The content of bytes. @throws ParleyFailure `ENCRYPTION_FAILED`; its message names the field at fault */
export function decodeContent(bytes: Uint8Array): EncryptedContent | UnknownContent {
  const fields = jsonOf(bytes)
  const found = numberIn(fields, 'version', Number.MAX_SAFE_INTEGER)
  if (found > version) return { type: 'unknown' }
  switch (textIn(fields, 'type', 32)) {
    case 'text':
      return { type: 'text', text: textIn(fields, 'text', textMax), ...replyIn(fields), ...filesIn(fields) }
    case 'edit':
      return { type: 'edit', messageId: idIn(fields), text: textIn(fields, 'text', textMax) }
    case 'deletion':
      return { type: 'deletion', messageId: idIn(fields) }
    case 'reaction':
      return { type: 'reaction', messageId: idIn(fields), emoji: textIn(fields, 'emoji', emojiMax), isAdded: flagIn(fields) }
    default:
      return { type: 'unknown' }
  }
}

type ContentFields = { readonly [name: string]: unknown }

const wrong = (field: string, what: string) => encryptionFailure(`The content of the message is not valid: ${field} ${what}.`)

function jsonOf(bytes: Uint8Array): ContentFields {
  try {
    const parsed: unknown = JSON.parse(textOfBytes(bytes))
    if (isFields(parsed)) return parsed
  } catch {
    // The same refusal as for JSON that is no object.
  }
  throw encryptionFailure('The content of the message is not valid: it is no JSON object.')
}

const isFields = (value: unknown): value is ContentFields => typeof value === 'object' && value !== null && !Array.isArray(value)

function textIn(fields: ContentFields, name: string, max: number): string {
  const value = fields[name]
  if (typeof value !== 'string') throw wrong(name, 'is no text')
  if (value.length > max) throw wrong(name, `is longer than ${max} characters`)
  return value
}

function numberIn(fields: ContentFields, name: string, max: number): number {
  const value = fields[name]
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw wrong(name, 'is no whole number')
  if (value > max) throw wrong(name, `is more than ${max}`)
  return value
}

function idIn(fields: ContentFields): string {
  const id = textIn(fields, 'messageId', 64)
  if (id === '') throw wrong('messageId', 'is empty')
  return id
}

function flagIn({ isAdded }: ContentFields): boolean {
  if (typeof isAdded !== 'boolean') throw wrong('isAdded', 'is neither true nor false')
  return isAdded
}

const replyIn = (fields: ContentFields) => (fields.replyToId == null ? {} : { replyToId: textIn(fields, 'replyToId', 64) })

function filesIn({ files }: ContentFields): { files?: readonly SealedFile[] } {
  if (files == null) return {}
  if (!Array.isArray(files)) throw wrong('files', 'is no list')
  if (files.length > filesMax) throw wrong('files', `has more than ${filesMax} entries`)
  return { files: files.map((file: unknown) => fileOf(file)) }
}

function fileOf(file: unknown): SealedFile {
  if (!isFields(file)) throw wrong('files', 'has an entry that is no object')
  const sizes = (['width', 'height', 'durationMs'] as const).flatMap((name) =>
    file[name] == null ? [] : [[name, numberIn(file, name, Number.MAX_SAFE_INTEGER)] as const],
  )
  return {
    fileName: textIn(file, 'fileName', 255),
    contentType: textIn(file, 'contentType', 255),
    byteSize: numberIn(file, 'byteSize', Number.MAX_SAFE_INTEGER),
    key: textIn(file, 'key', 44),
    sha256: textIn(file, 'sha256', 44),
    ...Object.fromEntries(sizes),
  }
}
