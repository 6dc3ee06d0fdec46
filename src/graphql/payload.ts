// The field that the payloads of mutations have in common.

import type { Place } from '../journal/fact.ts'
import type { builder } from './builder.ts'

/** Declares the field `cursor` of a payload from the place of the last fact that the mutation caused; null if it changed nothing. */
export function cursorField<Parent extends { readonly place: Place | null }>(
  t: PothosSchemaTypes.ObjectFieldBuilder<typeof builder.$inferSchemaTypes, Parent>,
  description = 'The cursor of the last event that this mutation caused; null if nothing changed.',
) {
  return t.field({
    type: 'Cursor',
    nullable: true,
    description,
    resolve: ({ place }, _args, { app }) => place && app.journal.cursor(place),
  })
}
