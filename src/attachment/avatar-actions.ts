// Sets avatars: waits until the pictures of an upload have been made, so that nobody is shown an avatar that has none.

import { setTimeout as delay } from 'node:timers/promises'
import { ParleyError } from '../errors.ts'
import { type AttachmentId, parseId } from '../id.ts'
import type { App } from '../parts.ts'
import type { Viewer } from '../viewer.ts'
import { useAttachments } from './actions.ts'
import { readAttachments } from './row.ts'

/** How long setting an avatar waits until its pictures have been made. */
const patienceMs = 10_000
const lookMs = 100

/** The change of an avatar that an input asks for: none if it omits it, null to remove it. @throws as `requireAvatar` */
export async function avatarChange(
  by: Viewer,
  given: string | null | undefined,
  app: App,
): Promise<{ avatarId?: AttachmentId | null }> {
  if (given == null) return given === null ? { avatarId: null } : {}
  const argument = 'input.avatarId'
  return { avatarId: await requireAvatar(by, parseId('Attachment', given, argument), argument, app) }
}

/**
 * Waits until an upload of the viewer can be an avatar.
 * @param argument its path in the input
 * @throws ParleyError NOT_FOUND, UPLOAD_INCOMPLETE, FILE_REFUSED, UNAVAILABLE
 */
async function requireAvatar(by: Viewer, id: AttachmentId, argument: string, app: App): Promise<AttachmentId> {
  const { refusal } = await useAttachments(by, [id], { purpose: 'AVATAR', isEncrypted: false }, () => argument, app)
  if (refusal) throw refusal
  for (const until = performance.now() + patienceMs; performance.now() < until; await delay(lookMs)) {
    const [attachment] = await readAttachments(app.store.reader, [id])
    if (attachment?.state === 'READY') return id
    if (attachment?.state !== 'PROCESSING')
      throw new ParleyError('FILE_REFUSED', 'This picture is damaged, or was refused.', { argument })
  }
  throw new ParleyError('UNAVAILABLE', 'The picture is still being made. Try again.', { argument, retryAfterMs: 5_000 })
}
