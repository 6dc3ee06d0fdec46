// Custom data: JSON that an app keeps with messages, conversations and users. Parley stores it and gives it back, and does not look
// into it. Inside, it is JSON text.

import canonicalize from 'canonicalize'
import { z } from 'zod'

/** The longest custom data, in bytes of its JSON text. */
export const customDataMax = 4_096
/** How deeply custom data may be nested. */
const depthMax = 50

/** What descriptions of inputs say about custom data. */
export const customDataRule = `any JSON value of at most ${customDataMax} bytes and ${depthMax} levels, which Parley does not look into`

/** Custom data in an input, read as JSON text. Null stays null. */
export const customData = z
  .unknown()
  .refine((value) => isWithin(value, depthMax), `must have at most ${depthMax} levels`)
  .transform((value) => (value === null || value === undefined ? null : JSON.stringify(value)))
  .refine((text) => text === null || Buffer.byteLength(text) <= customDataMax, `must have at most ${customDataMax} bytes of JSON`)
  .optional()

/** Whether a value has at most so many levels. */
function isWithin(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true
  return levels > 0 && Object.values(value).every((inner) => isWithin(inner, levels - 1))
}

/** Custom data as a client reads it; null if there is none. */
export const readCustomData = (text: string | null | undefined): unknown => (text == null ? null : JSON.parse(text))

/** The canonical form of JSON text (RFC 8785): the same for the same value, however it was written. */
export function canonicalForm(text: string): string {
  return canonicalize(JSON.parse(text)) ?? ''
}
