// Why somebody cannot write in a conversation: whoever is not in its audience cannot. For all but one kind of them it does not
// exist. The two people of a closed direct conversation still see it, so to them it is said that it is closed.

import { notFound, ParleyError } from '../errors.ts'
import type { App } from '../parts.ts'
import { statement } from '../store/reader.ts'

const ownClosed = statement<{ id: number }>(
  'own_closed_conversation',
  `select c.id from conversation c join member m on m.conversation_id = c.id and m.user_id = $1
    where c.kind = 'DIRECT' and c.id = coalesce($2, (select conversation_id from message where id = $3))
      and not exists (select 1 from current_audience a where a.conversation_id = c.id and a.user_id = $1)`,
)

/** What was to be written to: a conversation, or a message in one. */
export type Target = { readonly conversationId: number } | { readonly messageId: number }

/** The refusal of a write by somebody who is not in the audience: FORBIDDEN where they see that it is closed, else NOT_FOUND. */
export async function refusalOf(userId: number, target: Target, { store }: App): Promise<ParleyError> {
  const isConversation = 'conversationId' in target
  const ids = isConversation ? [target.conversationId, null] : [null, target.messageId]
  const [closed] = await store.reader.rows(ownClosed, [userId, ...ids])
  if (closed) return new ParleyError('FORBIDDEN', 'The conversation is closed: nothing in it can be changed.')
  return notFound(isConversation ? 'Conversation' : 'Message')
}
