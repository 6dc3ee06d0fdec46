// Bytes as text and back, and compared.

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })
/** How many bytes become characters at once: a call takes only so many arguments. */
const chunkSize = 8_192

/** The bytes of a text in UTF-8. */
export const bytesOf = (text: string): Uint8Array => encoder.encode(text)

/** The text of bytes in UTF-8. @throws TypeError if they are not UTF-8 */
export const textOfBytes = (bytes: Uint8Array): string => decoder.decode(bytes)

/** Bytes in Base64, with padding: the form of the scalar `Base64`. */
export function toBase64(bytes: Uint8Array): string {
  let binary = ''
  for (let at = 0; at < bytes.length; at += chunkSize) binary += String.fromCharCode(...bytes.subarray(at, at + chunkSize))
  return btoa(binary)
}

/** The bytes of Base64. @throws DOMException if it is not Base64 */
export const fromBase64 = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text), (character) => character.charCodeAt(0))

/** Bytes in hexadecimal digits. */
export const toHex = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')

/** Whether two byte strings are the same. Not for secrets: it takes longer, the more they have in common. */
export const areEqual = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && one.every((byte, i) => byte === other[i])

/** The order of byte strings, as a sort needs it. */
export function compareBytes(one: Uint8Array, other: Uint8Array): number {
  for (let i = 0; i < Math.min(one.length, other.length); i++) {
    const difference = (one[i] ?? 0) - (other[i] ?? 0)
    if (difference !== 0) return difference
  }
  return one.length - other.length
}

/** Byte strings one after another. */
export function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** A copy that Web Crypto takes: its types refuse bytes that might be shared with another thread. */
export const ownBytes = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes)
