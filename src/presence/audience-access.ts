// Who may send and receive signals in a conversation.

import { type Context, requireViewer } from '../graphql/context.ts'
import type { ConversationId } from '../id.ts'
import { statement } from '../store/reader.ts'

const inAudience = statement<{ conversationId: ConversationId }>(
  'typing_audience',
  'select conversation_id as "conversationId" from current_audience where user_id = $1 and conversation_id = $2',
)

/**
 * Whether the viewer is in the audience of a conversation now; the audience of a closed conversation is empty. This takes no
 * statement while the viewer has an open stream on this node.
 */
export async function isInAudience(context: Context, conversationId: ConversationId): Promise<boolean> {
  const { userId } = requireViewer(context)
  const known = context.app.journal.findIsInAudience(userId, conversationId)
  return known ?? (await context.reader.rows(inAudience, [userId, conversationId])).length > 0
}
