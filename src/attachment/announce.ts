// Tells the audiences of messages what became of their attachments: the parameters and the result of the SQL procedure
// journal_attachment_batch.

import type { AttachmentId, ConversationId, MessageId, Position } from '../id.ts'
import type { Procedure } from '../journal/append.ts'
import type { Fact } from '../journal/fact.ts'
import { attachmentKinds } from './events.ts'

type AnnounceRow = {
  positions: (Position | null)[]
  messages: (MessageId | null)[]
  conversations: (ConversationId | null)[]
  at: Date
  batch_tag: number
  previous_tag: number
}

/** The procedure for changed attachments. The outcome is whether there was a message to tell of. */
export const announceProcedure: Procedure<AttachmentId, boolean, AnnounceRow> = {
  name: 'journal_attachment_batch',
  text: 'call journal_attachment_batch($1, null, null, null, null, null, null, null)',
  bytesOf: () => 100,
  values: (inputs) => [inputs],
  read(row, inputs) {
    const facts = inputs.flatMap((attachmentId, i): Fact[] => {
      const position = row.positions[i]
      if (position == null) return []
      return [
        {
          position,
          tag: row.batch_tag,
          occurredAt: row.at.getTime(),
          kind: attachmentKinds.AttachmentChanged.number,
          conversationId: row.conversations[i] ?? null,
          userId: null,
          actorId: null,
          subjectId: row.messages[i] ?? null,
          audienceChange: 0,
          payload: { attachmentId },
        },
      ]
    })
    const outcomes = inputs.map((_id, i) => row.positions[i] != null)
    return { outcomes, batch: facts.length === 0 ? null : { previousTag: row.previous_tag, facts, rows: [] } }
  },
}
