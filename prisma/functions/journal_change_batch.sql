-- journal_change_batch_2 for nodes of 0.1.0, whose edits leave the custom data as it is.
create or replace procedure journal_change_batch(change text[], message_id bigint[], actor bigint[], body text[], expected int[], entitled boolean[],
  emoji_max int, pins_max int, text_max int,
  inout positions bigint[], inout conversations bigint[], inout statuses smallint[], inout at timestamptz, inout batch_tag int, inout previous_tag int,
  inout changed jsonb)
language plpgsql as $$
begin
  call journal_change_batch_2(change, message_id, actor, body, expected, entitled, null, emoji_max, pins_max, text_max,
    positions, conversations, statuses, at, batch_tag, previous_tag, changed);
end $$;
