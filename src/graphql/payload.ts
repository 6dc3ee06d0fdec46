// The field that the payloads of mutations have in common.

import type { FieldRef } from '@pothos/core'
import type { Place } from '../journal/fact.ts'
import type { BuilderTypes } from './builder.ts'

/** Declares the field `cursor` of a payload from the place of the last fact that the mutation caused; null if it changed nothing. */
export function cursorField<Parent extends { readonly place: Place | null }>(
  t: PothosSchemaTypes.ObjectFieldBuilder<BuilderTypes, Parent>,
  description = 'The cursor of the last event that this mutation caused; null if nothing changed.',
): FieldRef<BuilderTypes, string | null | undefined> {
  return t.field({
    type: 'Cursor',
    nullable: true,
    description,
    resolve: ({ place }, _args, { app }) => place && app.journal.cursor(place),
  })
}
