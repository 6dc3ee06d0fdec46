// What encrypted messages say, after their edits, deletions and reactions: only the author of a message may change it.

import type { EncryptedContent, UnknownContent, UnreadableReason } from './content.ts'
import type { ContentSender, EncryptionChange, EncryptionStorage, StoredContent, StoredReaction } from './storage.ts'

/** A message as it came, without its ciphertext. */
export type MessageOrigin = {
  readonly id: string
  readonly conversationId: string
  readonly seq: number
  readonly createdAt: string
  readonly sender: ContentSender | null
}

/** The changes that a decrypted message makes: its own content, and that of the message which it changes. */
export async function changesOfContent(
  storage: EncryptionStorage,
  origin: MessageOrigin,
  content: EncryptedContent | UnknownContent,
): Promise<readonly EncryptionChange[]> {
  const own: EncryptionChange = { table: 'contents', key: origin.id, value: contentOf(origin, content) }
  const targetId = 'messageId' in content ? content.messageId : null
  const target = targetId === null ? null : await storage.get('contents', targetId)
  if (targetId === null || !target || target.conversationId !== origin.conversationId) return [own]
  const changed = changedBy(target, origin, content)
  return changed ? [own, { table: 'contents', key: targetId, value: changed }] : [own]
}

/** The change that a message makes which cannot be read. */
export const changeOfUnreadable = (origin: MessageOrigin, reason: UnreadableReason): EncryptionChange => ({
  table: 'contents',
  key: origin.id,
  value: contentOf(origin, { type: 'unreadable', reason }),
})

const contentOf = ({ conversationId, seq, sender }: MessageOrigin, content: StoredContent['content']): StoredContent => ({
  ...{ conversationId, seq, content },
  sender: sender && { id: sender.id, displayName: sender.displayName },
})

/** A deleted content: nothing of its text stays on the device, in no version. */
export const withoutText = ({ conversationId, seq, sender }: StoredContent, deletedAt: string): StoredContent => ({
  ...{ conversationId, seq, sender, deletedAt },
  content: { type: 'text', text: '' },
})

/** The content of a message after another one; null if that one changes nothing. */
function changedBy(
  target: StoredContent,
  { sender, createdAt }: MessageOrigin,
  content: EncryptedContent | UnknownContent,
): StoredContent | null {
  if (!sender || target.deletedAt) return null
  if (content.type === 'reaction') return { ...target, reactions: reacted(target.reactions ?? [], sender, content) }
  if (sender.id !== target.sender?.id) return null
  if (content.type === 'edit') return { ...target, editedText: content.text, editedAt: createdAt }
  if (content.type === 'deletion') return withoutText(target, createdAt)
  return null
}

function reacted(
  reactions: readonly StoredReaction[],
  { id, displayName }: ContentSender,
  { emoji, isAdded }: Extract<EncryptedContent, { type: 'reaction' }>,
): readonly StoredReaction[] {
  const others = reactions.filter((each) => each.emoji !== emoji || each.user.id !== id)
  return isAdded ? [...others, { emoji, user: { id, displayName } }] : others
}

type Contents = readonly (readonly [messageId: string, content: StoredContent])[]

/** The text of a content after its edits; null if it has none, or was deleted. */
const textOf = ({ content, editedText, deletedAt }: StoredContent) =>
  content.type === 'text' && !deletedAt ? (editedText ?? content.text) : null

/** Finds messages by a part of their text, newest first. */
export function searchContents(contents: Contents, text: string, limit: number) {
  const wanted = text.toLocaleLowerCase()
  const found = contents.filter(([, content]) => textOf(content)?.toLocaleLowerCase().includes(wanted))
  found.sort(([one], [other]) => (one < other ? 1 : -1))
  return found.slice(0, limit).map(([messageId, { conversationId }]) => ({ messageId, conversationId }))
}

/** How many messages on each side of a reported one moderators see. */
const aroundReported = 5

/** What a message and those around it say, for a report. */
export function textsAround(contents: Contents, messageId: string) {
  const reported = contents.find(([id]) => id === messageId)?.[1]
  if (!reported) return []
  return contents.flatMap(([id, content]) => {
    const text = textOf(content)
    const isNear = content.conversationId === reported.conversationId && Math.abs(content.seq - reported.seq) <= aroundReported
    return text !== null && isNear ? [{ messageId: id, text }] : []
  })
}
