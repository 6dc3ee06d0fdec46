// Reads which messages a viewer has hidden. Only for viewers who have hidden something in the conversation: the others cost nothing.

import { type Context, requireViewer } from '../graphql/context.ts'
import type { ConversationId } from '../id.ts'
import { statement } from '../store/reader.ts'

/**
 * SQL: a row of a table or alias with the columns `conversation_id` and `seq` is of a message that the viewer, whose id is `$5`, has not
 * hidden.
 */
export const isNotHidden = (table: string) => `not exists (
  select 1 from hidden_message h where h.user_id = $5 and h.conversation_id = ${table}.conversation_id and h.seq = ${table}.seq)`

const hiddenSeqs = statement<{ seq: number }>(
  'hidden_seqs',
  'select seq from hidden_message where user_id = $1 and conversation_id = $2 and seq = any($3::int[])',
)

/** Leaves out what the viewer has hidden. Unlike a page, the list becomes shorter. */
export async function withoutHidden<Row extends { readonly seq: number }>(
  context: Context,
  conversationId: ConversationId,
  rows: readonly Row[],
): Promise<readonly Row[]> {
  const values = [requireViewer(context).userId, conversationId, rows.map(({ seq }) => seq)]
  const hidden = new Set((await context.reader.rows(hiddenSeqs, values)).map(({ seq }) => seq))
  return rows.filter(({ seq }) => !hidden.has(seq))
}
