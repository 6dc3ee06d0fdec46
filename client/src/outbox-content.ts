// What a message needs before it is sent: its files are uploaded, and its content is encrypted.

import { ParleyFailure } from './failure.ts'
import type { OutboxMessage } from './outbox-message.ts'
import type { FileUpload, MessageInput } from './storage.ts'
import { type UploadHost, uploadFile } from './upload.ts'

/** Encrypts messages just before they are sent, each time they are sent. */
export type Sealer = {
  /**
   * What to send in place of content in the clear; null in a conversation that is not encrypted.
   * @throws ParleyFailure why it cannot be encrypted now
   */
  seal(input: MessageInput, clientMessageId: string): Promise<{ readonly ciphertext: string; readonly epoch: number } | null>
  /** The server wants it encrypted again, for the reason that `code` names. */
  refused(conversationId: string, code: string): void
}

/** @returns what the server gets: of an encrypted conversation, nothing in the clear @throws ParleyFailure */
export async function sealed(sealer: Sealer | null, input: MessageInput, clientMessageId: string): Promise<object> {
  const { encrypted, replyToId, ...sent } = input
  const content = (await sealer?.seal(input, clientMessageId)) ?? null
  if (content) return { ...sent, text: '', ...content }
  if (encrypted) throw new ParleyFailure('ENCRYPTION_REQUIRED', 'The conversation is not encrypted, and this content is.', false)
  return replyToId === undefined ? sent : { ...sent, replyToId }
}

/**
 * Uploads the files of a message. `keep` stores how far they are. @returns what to send
 * @throws ParleyFailure
 */
export async function uploadFiles(
  host: UploadHost,
  { input, uploads }: OutboxMessage,
  keep: (uploads: readonly (FileUpload | null)[], isLasting: boolean) => Promise<void>,
): Promise<MessageInput> {
  const { files = [], ...sent } = input
  const known = files.map((_file, i) => uploads[i] ?? null)
  const ids: string[] = []
  for (const [i, file] of files.entries()) {
    const { attachmentId } = await uploadFile(host, file, known[i] ?? null, (upload, isLasting) => {
      known[i] = upload
      return keep([...known], isLasting)
    })
    ids.push(attachmentId)
  }
  return files.length === 0 ? sent : { ...sent, attachmentIds: [...(sent.attachmentIds ?? []), ...ids] }
}
