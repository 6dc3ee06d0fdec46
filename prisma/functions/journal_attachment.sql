-- Tells the audiences of messages that attachments of theirs have changed: one fact for each attachment, whose subject is the message.
-- An attachment in no message gets none, because a later send names it as it is by then. Each input gets a status:
--   0 told
--   3 in no message, or removed
create or replace function journal_attachment(attachment bigint[],
  out positions bigint[], out messages bigint[], out conversations bigint[], out statuses smallint[], out at timestamptz, out batch_tag int, out previous_tag int)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  head bigint; prev timestamptz; m message_attachment;
begin
  perform journal_lock();
  select h.head, h.at, h.tag into head, prev, previous_tag from journal_head() h;
  at := greatest(clock_timestamp(), prev);
  batch_tag := journal_tag();
  for i in 1..cardinality(attachment) loop
    positions[i] := null; messages[i] := null; conversations[i] := null; statuses[i] := 3;
    select * into m from message_attachment x where x.attachment_id = attachment[i] and x.removed_at is null;
    if not found then continue; end if;
    head := head + 1; positions[i] := head; messages[i] := m.message_id; conversations[i] := m.conversation_id; statuses[i] := 0;
    insert into fact(position, tag, occurred_at, kind, conversation_id, subject_id, payload)
      values (head, batch_tag, at, 18, m.conversation_id, m.message_id, jsonb_build_object('attachmentId', m.attachment_id));
  end loop;
end $$;
