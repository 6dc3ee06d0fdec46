-- A change of a message brings the row as it left it, so that nobody who is told of it has to read it. The procedure without
-- it stays for nodes of the version before. Long texts do not travel between nodes, so they do not leave Postgres here either.
create procedure journal_change_batch(change text[], message_id bigint[], actor bigint[], body text[], expected int[], entitled boolean[],
  inout positions bigint[], inout conversations bigint[], inout statuses smallint[], inout at timestamptz, inout batch_tag int, inout previous_tag int,
  inout changed jsonb)
language plpgsql as $$
begin
  set local synchronous_commit = off;
  select * into positions, conversations, statuses, at, batch_tag, previous_tag from journal_change(change, message_id, actor, body, expected, entitled);
  select coalesce(jsonb_agg(jsonb_build_object(
           'id', m.id, 'conversationId', m.conversation_id, 'seq', m.seq, 'senderId', m.sender_id,
           'clientMessageId', m.client_message_id, 'text', m.text,
           'createdAt', floor(extract(epoch from m.created_at) * 1000)::bigint, 'version', m.version,
           'editedAt', floor(extract(epoch from m.edited_at) * 1000)::bigint,
           'deletedAt', floor(extract(epoch from m.deleted_at) * 1000)::bigint,
           'replyToId', m.reply_to_id, 'mentionedUserIds', m.mentioned_user_ids)), '[]')
    into changed
    from (select distinct c.id from unnest(message_id, positions) as c(id, place) where c.place is not null) c
   cross join lateral (select * from message where id = c.id and length(text) <= 4096 limit 1) m;
  commit;
  call journal_flush(null);
end $$;
