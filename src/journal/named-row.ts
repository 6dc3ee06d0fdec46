// The rows that facts name. A fact holds only IDs, but its event shows its subject. So the subject's row travels with the fact
// and is remembered beside it: delivering a fact reads nothing from Postgres. The journal knows only a row's ID; the feature that
// owns the rows, messages, supplies the rest.

import type { Position } from '../id.ts'
import type { Reader } from '../store/reader.ts'

/** A row that a fact names. */
export type NamedRow = {
  /** The position of the fact that created it. */
  readonly id: Position
}

/** How the journal handles the rows that facts name. */
export type NamedRows = {
  /** Reads the rows with these IDs, in any order. */
  read(reader: Reader, ids: readonly Position[]): Promise<readonly NamedRow[]>
  /** Whether a row goes over the bus with its fact. */
  travels(row: NamedRow): boolean
}
