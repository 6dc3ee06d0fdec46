// Reads attachments. Its owner sees one; what uses it decides who else does.

import { type Context, requireViewer } from '../graphql/context.ts'
import { indexBy, sharedLoader } from '../graphql/loader.ts'
import type { AttachmentId } from '../id.ts'
import { type AttachmentRow, readAttachments } from './row.ts'
import type { ShownAttachment } from './uses.ts'

/** Finds an attachment without a permission check: something that the viewer sees must already name it. */
export const findAttachment = sharedLoader(async (reader, ids: readonly AttachmentId[]) =>
  indexBy(await readAttachments(reader, ids), ({ id }) => id),
)

/** Shows an attachment to everybody who sees what it belongs to. */
export const shownToAll = (attachment: AttachmentRow): ShownAttachment => ({ ...attachment, messageId: null, isOpen: () => true })

/** Finds an attachment that the viewer may see: their own upload, or one in use where they see it. */
export async function findVisibleAttachment(context: Context, id: AttachmentId): Promise<ShownAttachment | null> {
  const { userId } = requireViewer(context)
  const attachment = await findAttachment(context, id)
  if (!attachment) return null
  for (const use of context.app.attachmentUses) {
    const shown = await use.show(context, attachment)
    if (shown) return shown
  }
  return attachment.ownerId === userId ? shownToAll(attachment) : null
}
