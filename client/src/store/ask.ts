// Runs the operations of a store.

import type { ParleyClient } from '../client.ts'
import type { Document, Variables } from '../document.ts'
import { refusal } from '../failure.ts'
import { type JournalPlace, placeOf, placeOfAnswer } from '../place.ts'

/** Runs an operation. `place` is where the server was when it answered. @throws ParleyFailure if it is refused or has no answer */
export type Ask = <Data, Vars extends Variables>(
  document: Document<Data, Vars>,
  variables: Vars,
) => Promise<{ readonly data: Data; readonly place: JournalPlace | null }>

/** Runs operations with a client. */
export const askOf =
  (client: ParleyClient): Ask =>
  async (document, variables) => {
    const result = await client.execute(document, variables)
    if (result.errors || result.data == null) throw refusal(result.errors ?? [])
    return { data: result.data, place: placeOfAnswer(result) ?? placeOf(null) }
  }
