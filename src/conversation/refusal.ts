// Why a user outside the audience of a conversation cannot write in it. For most of them the conversation does not exist. The two
// members of a closed direct conversation still see it, so the error says that it is closed.

import { notFound, ParleyError } from '../errors.ts'
import type { ConversationId, MessageId, UserId } from '../id.ts'
import type { App } from '../parts.ts'
import { statement } from '../store/reader.ts'

const ownClosed = statement<{ id: ConversationId }>(
  'own_closed_conversation',
  `select c.id from conversation c join member m on m.conversation_id = c.id and m.user_id = $1
    where c.kind = 'DIRECT' and c.id = coalesce($2, (select conversation_id from message where id = $3))
      and not exists (select 1 from current_audience a where a.conversation_id = c.id and a.user_id = $1)`,
)

/** The target of a refused write: a conversation, or a message. */
export type Target = { readonly conversationId: ConversationId } | { readonly messageId: MessageId }

/** The error for a write by a user outside the audience: FORBIDDEN if they can see that it is closed, otherwise NOT_FOUND. */
export async function refusalOf(userId: UserId, target: Target, { store }: App): Promise<ParleyError> {
  const isConversation = 'conversationId' in target
  const ids = isConversation ? [target.conversationId, null] : [null, target.messageId]
  const [closed] = await store.reader.rows(ownClosed, [userId, ...ids])
  if (closed) return new ParleyError('FORBIDDEN', 'The conversation is closed: nothing in it can be changed.')
  return notFound(isConversation ? 'Conversation' : 'Message')
}
