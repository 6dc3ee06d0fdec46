// Reads the viewer's drafts.

import { indexBy, viewerLoader } from '../graphql/loader.ts'
import type { ConversationId, MessageId, UserId } from '../id.ts'
import { statement } from '../store/reader.ts'

/** What the viewer has begun to write in a conversation. */
export type DraftRow = {
  readonly conversationId: ConversationId
  readonly userId: UserId
  readonly text: string
  readonly replyToId: MessageId | null
  readonly savedAt: Date
}

const drafts = statement<DraftRow>(
  'drafts',
  `select conversation_id as "conversationId", user_id as "userId", text, reply_to_id as "replyToId", saved_at as "savedAt"
     from draft where user_id = $1 and conversation_id = any($2::bigint[])`,
)

/** Reads the viewer's draft of a conversation. The caller has checked that the viewer is a member. */
export const readDraft = viewerLoader(async ({ reader, caller }, conversationIds: readonly ConversationId[]) =>
  indexBy(await reader.rows(drafts, [caller.viewer?.userId ?? 0, conversationIds]), (row) => row.conversationId),
)
