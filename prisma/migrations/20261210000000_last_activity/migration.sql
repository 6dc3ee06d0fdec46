-- When something last happened in a conversation, by the journal's clock: what lists are ordered by, as a time.

alter table conversation_head add column last_activity_at timestamptz;
update conversation_head h set last_activity_at = greatest(
  (select f.occurred_at from fact f where f.position = h.last_position),
  (select m.created_at from message m where m.conversation_id = h.conversation_id order by m.seq desc limit 1),
  (select c.created_at from conversation c where c.id = h.conversation_id));
alter table conversation_head alter column last_activity_at set default now(), alter column last_activity_at set not null;
