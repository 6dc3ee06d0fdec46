// Collects what the features define: the kinds of facts, what is erased with an account, and the uses of attachments. schema.ts collects their schema.

import { userAvatarUse } from './account/access.ts'
import type { Erasure } from './account/erasure.ts'
import { accountKinds } from './account/events.ts'
import { attachmentKinds } from './attachment/events.ts'
import type { AttachmentUse } from './attachment/uses.ts'
import { contactErasure } from './contact/erasure.ts'
import { contactKinds } from './contact/events.ts'
import { groupAvatarUse } from './conversation/access.ts'
import { conversationErasure } from './conversation/erasure.ts'
import { conversationKinds } from './conversation/events.ts'
import { encryptionErasure } from './encryption/erasure.ts'
import { encryptionKinds } from './encryption/events.ts'
import { FactKinds } from './journal/kind.ts'
import { messageUse } from './message/attachment-access.ts'
import { messageKinds } from './message/events.ts'
import { messageRows } from './message/row.ts'
import { platformKinds } from './platform/events.ts'
import { presenceKinds } from './presence/events.ts'
import { pushErasure } from './push/erasure.ts'
import { pushKinds } from './push/events.ts'
import { syncErasure } from './sync/erasure.ts'

/** The kinds of facts, by name. */
export const kindsByName = {
  ...accountKinds,
  ...attachmentKinds,
  ...contactKinds,
  ...conversationKinds,
  ...encryptionKinds,
  ...messageKinds,
  ...platformKinds,
  ...presenceKinds,
  ...pushKinds,
} as const

/** The kinds of facts that the journal is opened with. */
export const factKinds = new FactKinds(Object.values(kindsByName), messageRows)

/** What is erased with an account, in the order in which it happens. */
export const erasures: readonly Erasure[] = [contactErasure, conversationErasure, encryptionErasure, pushErasure, syncErasure]

/** What attachments are used for, the most frequent first. */
export const attachmentUses: readonly AttachmentUse[] = [messageUse, userAvatarUse, groupAvatarUse]
