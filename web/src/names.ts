// How the interface names people and conversations.

import type { Conversation, Person } from 'parley-client/react'
import type { Pictured } from './avatar.tsx'
import { texts } from './texts.ts'

/** The name of a person; accounts that were deleted have none. */
export const nameOf = (person: Pick<Person, 'displayName'> | null | undefined) => person?.displayName ?? texts.deletedAccount

/** The title of a group, or the name of the other person. */
export const titleOf = ({ kind, title, otherUser }: Pick<Conversation, 'kind' | 'title' | 'otherUser'>) =>
  kind === 'GROUP' ? (title ?? texts.group) : nameOf(otherUser)

/** The picture of a conversation: its own, or that of the other person. */
export function pictureOf(conversation: Conversation): Pictured {
  const { otherUser, avatar, id } = conversation
  return { id: otherUser?.id ?? id, name: titleOf(conversation), picture: otherUser?.avatar ?? avatar ?? null }
}

/** Whether the user has muted a conversation at the moment. */
export const isMuted = ({ viewerMembership }: Conversation) => (viewerMembership?.mutedUntil ?? '') > new Date().toISOString()
