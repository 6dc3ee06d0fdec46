// The kind of facts about attachments. The hot write journal_attachment makes them, so the number is also in its SQL.

import type { AttachmentId } from '../id.ts'
import { defineKinds, withPayload } from '../journal/kind.ts'

/** The payload of AttachmentChanged. The fact's subject is the message. */
export type AttachmentPayload = { readonly attachmentId: AttachmentId }

/** The kinds of facts of attachments. */
export const attachmentKinds = defineKinds({
  AttachmentChanged: withPayload<AttachmentPayload>({ number: 18, namesRow: true }),
})
