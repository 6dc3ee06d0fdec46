-- Runs journal_attachment as journal_send_batch_2 runs journal_send.
create or replace procedure journal_attachment_batch(attachment bigint[],
  inout positions bigint[], inout messages bigint[], inout conversations bigint[], inout statuses smallint[], inout at timestamptz, inout batch_tag int,
  inout previous_tag int)
language plpgsql as $$
begin
  set local synchronous_commit = off;
  select * into positions, messages, conversations, statuses, at, batch_tag, previous_tag from journal_attachment(attachment);
  commit;
  call journal_flush(null);
end $$;
