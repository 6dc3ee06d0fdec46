// When a notification is over: `clear.ts` clears it then, and `deliveries.ts` checks again right after sending.

/**
 * An SQL condition on a delivery `d` of a message: the message was read or deleted, or the reader is no longer in the audience of
 * the conversation or has blocked the sender.
 */
export const isOver = `(not exists (select 1 from message m where m.id = d.message_id and m.deleted_at is null)
  or exists (select 1 from read_marker r where r.conversation_id = d.conversation_id and r.user_id = d.user_id and r.seq >= d.seq)
  or not exists (select 1 from current_audience a
                  where a.conversation_id = d.conversation_id and a.user_id = d.user_id)
  or exists (select 1 from message m join block k
               on k.blocker_id = d.user_id and k.blocked_id = m.sender_id where m.id = d.message_id))`
