// The rows that facts name. A fact holds ids, and whoever is given one wants to show its subject: so the row of the subject
// travels with the fact and is remembered beside it, and delivering a fact reads nothing from Postgres. The journal knows only
// the id of a row. What else it has to know is told by the feature that has such rows: the messages.

import type { Reader } from '../store/reader.ts'

/** A row that a fact names. */
export type NamedRow = {
  /** The position of the fact that created it. */
  readonly id: number
}

/** What the journal does with the rows that facts name. */
export type NamedRows = {
  /** Reads the rows with these ids, in no order. */
  read(reader: Reader, ids: readonly number[]): Promise<readonly NamedRow[]>
  /** The heap that a row takes, in bytes, roughly. */
  bytesOf(row: NamedRow): number
  /** Whether a row goes over the bus with its fact. */
  travels(row: NamedRow): boolean
}
