// Places in the journal, which order answers and events. Cursors are opaque to apps, but the library belongs to Parley and
// reads the position in them (docs/adr/0019-answers-carry-their-place.md). Cursors of an unknown form have no order.

import type { Result } from './failure.ts'

/** A place in the journal. */
export type JournalPlace = { readonly epoch: string; readonly position: number }

const version = 1
const byteLength = 21
/** The characters of the first nine bytes: version and epoch. */
const epochLength = 12
const positionAt = 9

/** The place of a cursor; null if it is not a cursor that this library can read. */
export function placeOf(cursor: unknown): JournalPlace | null {
  if (typeof cursor !== 'string' || !/^[\w-]{28}$/.test(cursor)) return null
  const bytes = Uint8Array.from(atob(cursor.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0))
  if (bytes.length !== byteLength || bytes[0] !== version) return null
  const view = new DataView(bytes.buffer)
  const position = view.getUint32(positionAt) * 2 ** 32 + view.getUint32(positionAt + 4)
  return { epoch: cursor.slice(0, epochLength), position }
}

/** Whether `place` is at or before `known`. Places of different journals have no order. */
export function isIncluded(place: JournalPlace | null, known: JournalPlace | null): boolean {
  return place !== null && known !== null && place.epoch === known.epoch && place.position <= known.position
}

/** The later of two places; the first, if they belong to different journals. */
export function laterOf(one: JournalPlace | null, other: JournalPlace | null): JournalPlace | null {
  return one === null || isIncluded(one, other) ? other : one
}

/**
 * The place up to which an answer is complete: the latest of the `cursor` in its extensions, its `syncCursor`, and the cursors of
 * mutations.
 */
export function placeOfAnswer({ data, extensions }: Result): JournalPlace | null {
  const fields = Object.entries((data ?? {}) as { readonly [name: string]: unknown })
  const cursors = fields.map(([name, value]) => (name === 'syncCursor' ? value : (value as { cursor?: unknown } | null)?.cursor))
  return [extensions?.cursor, ...cursors].map(placeOf).reduce(laterOf, null)
}
