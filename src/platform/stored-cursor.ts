// A cursor in the columns of a table: of a consumer of `changes`, and of a webhook.

import { type Cursor, encodeCursor } from '../journal/cursor.ts'

/** The columns of a cursor. */
export type CursorColumns = { readonly epochKey: string; readonly position: number; readonly tag: number }

/** The cursor of a row. */
export const cursorOf = ({ epochKey, position, tag }: CursorColumns): Cursor =>
  ({ epochKey: BigInt(epochKey), position, tag }) as Cursor

/** The same, as clients see it. */
export function shownCursor(row: CursorColumns): string {
  const { epochKey, ...place } = cursorOf(row)
  return encodeCursor(epochKey, place)
}
