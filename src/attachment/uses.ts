// What attachments are used for. Each feature that uses them lists itself in features.ts, and decides who may see its own.

import type { Context } from '../graphql/context.ts'
import type { MaybePromise } from '../graphql/loader.ts'
import type { MessageId } from '../id.ts'
import type { AttachmentRow } from './row.ts'

declare module '../parts.ts' {
  interface App {
    readonly attachmentUses: readonly AttachmentUse[]
  }
}

/** An attachment with who may have its URL. */
export type ShownAttachment = AttachmentRow & {
  /** The message that it belongs to; null for any other. */
  readonly messageId: MessageId | null
  /** Whether the recipients of an answer may have a URL of it now. They already see the attachment. */
  isOpen(context: Context): MaybePromise<boolean>
}

/** One use of attachments. */
export type AttachmentUse = {
  /** Shows an attachment to a viewer who may see it because of this use; null for any other. */
  show(context: Context, attachment: AttachmentRow): Promise<ShownAttachment | null>
}
