// Collects the kinds of facts, and their named rows, from the features that define them.

import { accountKinds } from './account/events.ts'
import { contactKinds } from './contact/events.ts'
import { conversationKinds } from './conversation/events.ts'
import { FactKinds } from './journal/kind.ts'
import { messageKinds } from './message/events.ts'
import { messageRows } from './message/row.ts'
import { presenceKinds } from './presence/events.ts'
import { pushKinds } from './push/events.ts'

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
