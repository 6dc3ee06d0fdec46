// Avatars: attachments that are the picture of a user or a group. Everybody who sees the user or the group sees it.

import type { AttachmentId, UserId } from '../id.ts'
import type { Transaction } from '../store/store.ts'

/** Removes an avatar that is replaced in this transaction. */
export async function retireAvatar(tx: Transaction, id: AttachmentId | null): Promise<void> {
  if (id !== null) await tx.attachment.updateMany({ where: { id }, data: { expiresAt: new Date(0) } })
}

/** Lets the sweeper remove the attachments of a deleted user that nothing uses. What was sent belongs to its message. */
export async function retireUnused(tx: Transaction, ownerId: UserId): Promise<void> {
  await tx.attachment.updateMany({ where: { ownerId }, data: { expiresAt: new Date(0) } })
}
