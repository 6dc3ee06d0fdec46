-- Runs journal_change as journal_send_batch_2 runs journal_send. `changed` has the rows of the changed messages after the batch, so that
-- nodes need not read them. Rows with a text longer than `text_max` are left out, because they do not travel between nodes.
create or replace procedure journal_change_batch_2(change text[], message_id bigint[], actor bigint[], body text[], expected int[], entitled boolean[],
  data text[], emoji_max int, pins_max int, text_max int,
  inout positions bigint[], inout conversations bigint[], inout statuses smallint[], inout at timestamptz, inout batch_tag int, inout previous_tag int,
  inout changed jsonb)
language plpgsql as $$
begin
  set local synchronous_commit = off;
  select * into positions, conversations, statuses, at, batch_tag, previous_tag
    from journal_change(change, message_id, actor, body, expected, entitled, data, emoji_max, pins_max);
  select coalesce(jsonb_agg(jsonb_build_object(
           'id', m.id, 'conversationId', m.conversation_id, 'seq', m.seq, 'senderId', m.sender_id,
           'clientMessageId', coalesce(m.client_message_spelling, m.client_message_id::text), 'text', m.text,
           'createdAt', floor(extract(epoch from m.created_at) * 1000)::bigint, 'version', m.version,
           'editedAt', floor(extract(epoch from m.edited_at) * 1000)::bigint,
           'deletedAt', floor(extract(epoch from m.deleted_at) * 1000)::bigint,
           'replyToId', m.reply_to_id, 'changedPosition', m.changed_position, 'mentionedUserIds', m.mentioned_user_ids,
           'attachmentIds', m.attachment_ids, 'data', m.data::text)
           || case when m.epoch is null then '{}'::jsonb else jsonb_build_object('epoch', m.epoch,
                'ciphertext', translate(encode(m.ciphertext, 'base64'), E'\n', '')) end), '[]')
    into changed
    from (select distinct c.id from unnest(message_id, positions) as c(id, place) where c.place is not null) c
   cross join lateral (select * from message where id = c.id and length(text) <= text_max and coalesce(length(ciphertext), 0) <= text_max limit 1) m;
  commit;
  call journal_flush(null);
end $$;
