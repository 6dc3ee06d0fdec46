// What is wrong with variables that are each valid: checks them against each other, and reads the files that they name.

import { createECDH } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import type { PersistedOperations } from './config.ts'
import type { EnvironmentVariables } from './variables.ts'

const manifestForm = z.record(z.string(), z.string())

/** Reads the manifest of persisted operations. Adds what is wrong to `faults`. */
export function readPersisted(v: EnvironmentVariables, faults: string[]): PersistedOperations | null {
  const { PARLEY_PERSISTED_OPERATIONS: file, PARLEY_PERSISTED_OPERATIONS_MODE: mode } = v
  if (file === undefined) {
    if (mode === 'only') faults.push('PARLEY_PERSISTED_OPERATIONS must be set: PARLEY_PERSISTED_OPERATIONS_MODE is only')
    return null
  }
  try {
    const manifest = manifestForm.parse(JSON.parse(readFileSync(file, 'utf8')))
    return { documents: new Map(Object.entries(manifest)), isOnly: mode === 'only' }
  } catch (error) {
    const why =
      (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : 'is not a JSON object that maps ids to documents'
    faults.push(`PARLEY_PERSISTED_OPERATIONS: ${file} ${why}`)
    return null
  }
}

/** A character takes up to 12 bytes, as two \u escapes; the document and the other input get 16 KiB. */
const bytesPerCharacter = 12
const bytesBesideText = 16_384

/** The faults of size limits that are too small for a message with the longest text. */
export function tooSmallForTexts(v: EnvironmentVariables): string[] {
  const needed = bytesPerCharacter * v.PARLEY_MESSAGE_TEXT_MAX + bytesBesideText
  const names = ['PARLEY_HTTP_BODY_BYTES_MAX', 'PARLEY_SOCKET_MESSAGE_BYTES_MAX'] as const
  return names
    .filter((name) => v[name] < needed)
    .map(
      (name) =>
        `${name} must be at least ${needed}, so that a text of ${v.PARLEY_MESSAGE_TEXT_MAX} characters fits (PARLEY_MESSAGE_TEXT_MAX)`,
    )
}

/** Whether two keys of P-256, in base64url, belong together. */
export function isPair(publicKey: string, privateKey: string): boolean {
  const ecdh = createECDH('prime256v1')
  try {
    ecdh.setPrivateKey(privateKey, 'base64url')
  } catch {
    return false
  }
  return ecdh.getPublicKey('base64url') === publicKey
}
