// When a notification that is shown has no reason to be shown any more: what `clear.ts` clears, and `deliveries.ts` looks at after
// something was sent.

/**
 * An SQL condition on a delivery `d` of a message: it was read or deleted, or its reader does not hear the conversation any more or
 * has blocked its sender.
 */
export const isOver = `(not exists (select 1 from message m where m.id = d.message_id and m.deleted_at is null)
  or exists (select 1 from read_marker r where r.conversation_id = d.conversation_id and r.user_id = d.user_id and r.seq >= d.seq)
  or not exists (select 1 from audience a
                  where a.conversation_id = d.conversation_id and a.user_id = d.user_id and a.to_position is null)
  or exists (select 1 from message m join block k
               on k.blocker_id = d.user_id and k.blocked_id = m.sender_id where m.id = d.message_id))`
