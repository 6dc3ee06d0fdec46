// The cipher suite of all groups, and the failures of encryption.

import { type CiphersuiteImpl, type Decoder, getCiphersuiteFromName, getCiphersuiteImpl } from 'ts-mls'
import { ParleyFailure } from '../failure.ts'

/** The suite that RFC 9420 makes mandatory. Its parts are in the Web Crypto of browsers and of Node. */
export const suiteName = 'MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519'

let made: Promise<CiphersuiteImpl> | null = null

/** The cipher suite. */
export function suite(): Promise<CiphersuiteImpl> {
  made ??= getCiphersuiteImpl(getCiphersuiteFromName(suiteName))
  return made
}

/** Bytes that cannot be read or are not genuine: a retry does not help. */
export const encryptionFailure = (why: string, cause?: unknown) => new ParleyFailure('ENCRYPTION_FAILED', why, false, [], cause)

/** Runs a step of the protocol. @throws ParleyFailure `ENCRYPTION_FAILED` if it fails */
export async function step<T>(what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof ParleyFailure) throw error
    throw encryptionFailure(`${what}: ${error instanceof Error ? error.message : String(error)}`, error)
  }
}

/** Whether an error says that bytes cannot be read, as opposed to a server that does not answer. */
export const isEncryptionFailure = (error: unknown): error is ParleyFailure =>
  error instanceof ParleyFailure && error.code === 'ENCRYPTION_FAILED'

/** Decodes the whole of some bytes. @throws ParleyFailure `ENCRYPTION_FAILED` with this message */
export function decoded<T>(decode: Decoder<T>, bytes: Uint8Array, why: string): T {
  try {
    const [value, length] = decode(bytes, 0) ?? []
    if (value !== undefined && length === bytes.length) return value
  } catch (error) {
    throw encryptionFailure(why, error)
  }
  throw encryptionFailure(why)
}
