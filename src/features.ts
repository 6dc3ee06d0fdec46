// Collects what the features define: the kinds of facts, and what is erased with an account. schema.ts collects their schema.

import type { Erasure } from './account/erasure.ts'
import { accountKinds } from './account/events.ts'
import { contactErasure } from './contact/erasure.ts'
import { contactKinds } from './contact/events.ts'
import { conversationErasure } from './conversation/erasure.ts'
import { conversationKinds } from './conversation/events.ts'
import { FactKinds } from './journal/kind.ts'
import { messageKinds } from './message/events.ts'
import { messageRows } from './message/row.ts'
import { presenceKinds } from './presence/events.ts'
import { pushErasure } from './push/erasure.ts'
import { pushKinds } from './push/events.ts'
import { syncErasure } from './sync/erasure.ts'

/** The kinds of facts, by name. */
export const kindsByName = {
  ...accountKinds,
  ...contactKinds,
  ...conversationKinds,
  ...messageKinds,
  ...presenceKinds,
  ...pushKinds,
} as const

/** The kinds of facts that the journal is opened with. */
export const factKinds = new FactKinds(Object.values(kindsByName), messageRows)

/** What is erased with an account, in the order in which it happens. */
export const erasures: readonly Erasure[] = [contactErasure, conversationErasure, pushErasure, syncErasure]
